import csv

import numpy as np
import pytest

from benchmarks import coverage
from keras_gca.errors import UserError
from keras_gca.evaluation import provenance

KEY = [
    {"reader": reader, "row": str(prompt), "prompt": str(prompt), "system": "bot"}
    for reader in ("reader_1", "reader_2")
    for prompt in range(1, 7)
]
SIMILARITIES = np.array([0.9, 0.2, 0.5, 0.8, 0.4, 0.6])


def sheet(judgements):
    return [{"row": str(i), "judgement": str(judgement)} for i, judgement in enumerate(judgements, start=1)]


def test_the_nearest_context_has_the_largest_cosine_and_the_first_of_equals_is_taken():
    prompts = np.array([[1.0, 0.0], [0.6, 0.8]], np.float32)
    contexts = np.array([[0.0, 1.0], [0.8, 0.6], [0.8, 0.6]], np.float32)
    rows, similarities = coverage.nearest(prompts, contexts)
    assert rows.tolist() == [1, 1]
    np.testing.assert_allclose(similarities, [0.8, 0.6 * 0.8 + 0.8 * 0.6], rtol=1e-6)


def test_a_reply_is_accepted_if_every_reader_accepts_it():
    sheets = {"reader_1": sheet([1, 1, 0, 1, 0, 1]), "reader_2": sheet([1, 0, 0, 1, 1, 1])}
    assert coverage.accepted(sheets, KEY)["bot"].tolist() == [True, False, False, True, False, True]


def test_a_judgement_other_than_0_or_1_is_refused():
    with pytest.raises(UserError, match="reader_2, row 3: the judgement is '2'"):
        coverage.accepted({"reader_1": sheet([1] * 6), "reader_2": sheet([1, 1, 2, 1, 1, 1])}, KEY)


def test_the_table_counts_by_thirds_and_correlates():
    table = coverage.compare(
        {"bot": np.array([True, False, False, True, False, True]), "always": np.array([True] * 5 + [False])},
        SIMILARITIES,
    )
    assert table.header[1:4] == [
        "lowest third (0.20 to 0.40)",
        "middle third (0.50 to 0.60)",
        "highest third (0.80 to 0.90)",
    ]
    # By hand: the ranks of the similarities are 6 1 3 5 2 4. The accepted ones have the ranks 6, 5 and 4, whose mean is
    # 5, and the others 2: covariance 0.75, standard deviations sqrt(35 / 12) and 1/2, so rho = 0.878.
    assert table.rows[0] == ["bot", "0 of 2", "1 of 2", "2 of 2", "+0.88"]
    assert table.rows[1][:4] == ["always", "2 of 2", "1 of 2", "2 of 2"]


def test_the_command_writes_the_comparison_and_refuses_other_prompts(tmp_path, capsys):
    def write(name, rows):
        with (tmp_path / name).open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)

    write("key.csv", KEY)
    for reader in ("reader_1", "reader_2"):
        write(f"{reader}.csv", sheet([1, 0, 0, 1, 0, 1]))
    write("similar.csv", [{"similarity": f"{value:.4f}"} for value in SIMILARITIES])
    experiment = tmp_path / "similarity.json"
    arguments = ["similarity", str(tmp_path), str(tmp_path / "similar.csv")]
    assert coverage.main([*arguments, "--experiment", str(experiment)]) == 0
    assert "| bot" in capsys.readouterr().out
    stored = provenance.read_experiment(experiment)
    assert stored["results"]["accepted"]["bot"] == [1, 0, 0, 1, 0, 1]
    write("similar.csv", [{"similarity": "0.5"}])
    with pytest.raises(UserError, match="has 1 prompts"):
        coverage.main(arguments)
