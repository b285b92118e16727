from types import SimpleNamespace

import numpy as np
import pytest

from gail_tf.evaluation import ablations, metrics
from gail_tf.evaluation.independent import MAUVE
from gail_tf.evaluation.results_file import Options
from keras_gca.evaluation.statistics import Estimate

FOUND = {
    "mle": [{"perplexity": 10.0, "BLEU": 1.0, "distinct-2": 0.2, "words": 9.0, "x": 1.0}] * 2,
    "no_sentiment": [
        {"perplexity": 20.0, "BLEU": 2.0, "distinct-2": 0.4, "words": 8.0, "x": 1.0},
        {"perplexity": 22.0, "BLEU": 4.0, "distinct-2": 0.6, "words": 8.0, "x": 1.0},
    ],
    "human": [{"distinct-2": 0.8, "words": 12.0}],
}


def test_a_line_for_each_variant():
    table = ablations.table(FOUND, "Which is better?")
    assert table.caption == "Which is better?"
    assert [list(row) for row in (table.header, *table.rows)] == [
        ["variant", "perplexity", "BLEU", "distinct-2", "words"],
        ["maximum likelihood", "10 ± 0", "1 ± 0", "0.2 ± 0", "9 ± 0"],
        ["EmpathyGAIL, without sentiment", "21 ± 1.41", "3 ± 1.41", "0.5 ± 0.141", "8 ± 0"],
        ["human", "", "", "0.8", "12"],
    ]


def test_variants_are_compared_by_seeds():
    values = {
        "mle": [{"perplexity per word": np.exp(2.0 + 0.1 * i), "words": 9.0} for i in range(6)],
        "no_sentiment": [{"perplexity per word": np.exp(1.0 + 0.2 * i), "words": 9.0} for i in range(6)],
        "human": [{"words": 12.0}] * 6,
    }
    by_nats, by_words = ablations.paired_tests(values)
    assert (by_nats.systems, by_nats.seed, by_nats.figure) == (
        ("maximum likelihood", "EmpathyGAIL, without sentiment"),
        None,
        "nats a word",
    )
    assert by_nats.comparison.difference == pytest.approx(1 - 0.25)
    assert by_nats.comparison.p_value == pytest.approx(2 / 2**6)
    assert by_nats.corrected == pytest.approx(2 * 2 / 2**6)
    assert (by_words.figure, by_words.corrected) == ("words", 1)
    assert ablations.paired_tests({name: runs[:1] for name, runs in values.items()}) == []


@pytest.mark.parametrize("encoder", [None, "all-minilm-l6-v2"])
def test_people_count_once_for_each_seed_and_mauve_needs_an_independent_encoder(monkeypatch, encoder):
    def evaluate(run, how, policies):
        words = {"words": Estimate(float(run.seed)), MAUVE: Estimate(0.5)}
        policy = SimpleNamespace(figures={metrics.ALL: words})
        return SimpleNamespace(policies={"last": policy}, human={metrics.ALL: words})

    monkeypatch.setattr(ablations, "evaluate", evaluate)
    runs = {variant: [SimpleNamespace(seed=seed, path=variant) for seed in (1, 2, 3)] for variant in ("mle", "gail")}
    found = ablations.measure(runs, Options(encoder=encoder))
    assert list(found) == ["mle", "gail", "human"]
    for of_seeds in found.values():
        assert [one["words"] for one in of_seeds] == [1, 2, 3]
        assert all((MAUVE in one) == (encoder is not None) for one in of_seeds)


def test_a_dot_for_each_variant_and_a_line_for_people():
    figure = ablations.paint(FOUND)
    perplexity, _, distinct, _ = figure.axes
    assert [axes.get_xlabel() for axes in figure.axes] == list(ablations.PICTURED.values())
    names = [label.get_text() for label in perplexity.get_yticklabels()]
    assert names == ["maximum likelihood", "EmpathyGAIL, without sentiment"]
    means = [container[0].get_xydata()[0] for container in perplexity.containers]
    np.testing.assert_allclose(means, [(10, 0), (21, 1)])
    (ends,) = perplexity.containers[1][2][0].get_segments()
    np.testing.assert_allclose(ends[:, 0], [21 - 2**0.5, 21 + 2**0.5])
    joined = [line.get_xydata().tolist() for line in perplexity.lines if line.get_linestyle() == "-"]
    assert joined[:2] == [[[10, 0], [20, 1]], [[10, 0], [22, 1]]]
    assert perplexity.get_legend() is None
    assert [text.get_text() for text in distinct.get_legend().get_texts()] == ["human responses"]
    assert [set(line.get_xdata()) for line in distinct.lines if line.get_label() == "human responses"] == [{0.8}]
