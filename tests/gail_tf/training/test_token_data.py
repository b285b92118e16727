"""A run on token files learns what a run in memory learns, and finds its files again when it is resumed."""

import json
import shutil

import numpy as np
import pytest

from gail_tf import train
from gail_tf.data.token_data import TokenData
from gail_tf.training.run_folder import GAILRun
from keras_gca.engine import command_line
from keras_gca.errors import UserError
from keras_gca.storage.arrays import read_arrays
from tests.factories import chat_tokenizers, small_runs
from tests.factories.commands import SMALL_GAIL
from tests.factories.prepared import folder_of, write_corpora

SMALL = [option for option in SMALL_GAIL if option not in ("--max-trajectories", "40")]
SMALL[SMALL.index("--pretraining-epochs") + 1] = "1"
SPEED = "tokens_per_second"  # the only logged metric that two equal runs do not share


def run(*arguments):
    return command_line.run(train.main, "train", [*map(str, arguments), "-q"])


def learned(path):
    """Return all arrays that a run has learned, and its log."""
    arrays = {name: read_arrays(path / name)[1] for name in ("bot.h5", "checkpoint.h5")}
    rows = [{name: value for name, value in row.items() if name != SPEED} for row in GAILRun.open(path).read_log()]
    return arrays, rows


def assert_same(path, other):
    (arrays, rows), (expected, expected_rows) = learned(path), learned(other)
    for name in arrays:
        assert arrays[name].keys() == expected[name].keys()
        for part, array in arrays[name].items():
            np.testing.assert_array_equal(array, expected[name][part], err_msg=f"{name} {part}")
    assert rows == expected_rows
    assert len(rows) >= 2


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    return write_corpora(tmp_path_factory.mktemp("corpora"), conversations=40)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(("--algorithm", "mle", "--updates", "0"), marks=pytest.mark.thorough),
        pytest.param((), marks=pytest.mark.slow),
    ],
)
def test_token_files_and_memory_train_to_the_same_weights(corpora, tmp_path, capsys, options):
    """The run on token files is also interrupted after a step; in the end, its folder is moved, and then damaged."""
    folder = folder_of(corpora, tmp_path / "tokens").path
    stored, memory = tmp_path / "stored", tmp_path / "memory"
    assert run("--data", folder, "--run", stored, *SMALL, *options, "--minutes", "0.0001") == 130
    assert run("--resume", stored) == 0
    given = [argument for name, paths in corpora.items() for argument in (f"--{name}", paths[0])]
    assert run(*given, "--run", memory, *SMALL, *options) == 0
    assert_same(stored, memory)
    line = json.loads((stored / "trajectories.jsonl").read_text())
    assert (line["part"], line["folder"], line["general"]) == ("tokens", str(folder), True)
    assert GAILRun.open(stored).is_finished()
    data, expected = GAILRun.open(stored).data(), GAILRun.open(memory).data()
    assert [each.response for each in data.test] == [each.response for each in expected.test]

    moved = folder.rename(tmp_path / "moved")
    capsys.readouterr()
    assert run("--resume", stored) == 2
    err = capsys.readouterr().err
    assert (f"{folder}: the folder is missing, but the run was trained on its token files" in err, err.count("\n")) == (
        True,
        1,
    )
    shutil.copytree(moved, folder)
    (folder / "00000.bin").write_bytes(bytes((folder / "00000.bin").stat().st_size))
    with pytest.raises(UserError, match=r"00000\.bin: the file is damaged \(wrong checksum\)"):
        GAILRun.open(stored).data()
    (folder / "tokens.json").write_text((folder / "tokens.json").read_text() + " ")
    with pytest.raises(UserError, match="these are not the token files that the run was trained on"):
        GAILRun.open(stored).data()


def test_a_run_folder_refers_to_token_files(corpora, tmp_path):
    folder = folder_of(corpora, tmp_path / "tokens")
    config = folder.settings_of(small_runs.config())
    data = TokenData.of(folder, config, pretrains=False)
    sizes = small_runs.gpt2(config).config
    made = GAILRun.create(tmp_path / "run", config, data, folder.tokenizer, sizes, {})
    again = made.data()
    assert (list(again.train), again.test, again.validation) == (list(data.train), data.test, data.validation)
    assert (list(again.general), again.folder.fingerprint) == ([], folder.fingerprint)
    line = json.loads((made.path / "trajectories.jsonl").read_text())
    (made.path / "trajectories.jsonl").write_text(json.dumps({"part": "tokens", "folder": line["folder"]}) + "\n")
    with pytest.raises(UserError, match=r"trajectories\.jsonl:1: the line is damaged"):
        made.data()


def test_a_damaged_folder_and_settings_that_do_not_fit_end_the_command_with_one_line(corpora, tmp_path, capsys):
    folder = folder_of(corpora, tmp_path / "tokens").path
    for options, message in (
        (("--turns", "staggered"), "--turns: staggered is not possible with"),
        (("--format", "text"), "--format: this has no effect on"),
    ):
        assert run("--data", folder, "--run", tmp_path / "run", *options) == 2
        err = capsys.readouterr().err
        assert (message in err, err.count("\n")) == (True, 1)
    model = chat_tokenizers.write(tmp_path / "model", "smollm2", ["Hello."])
    assert run("--data", folder, "--run", tmp_path / "run", "--model", model) == 2
    message = f"--model: the tokenizer of {model} differs from that of {folder}, prepared for a GPT-2 from scratch"
    assert message in capsys.readouterr().err
    (folder / "tokens.json").unlink()
    (folder / "work").mkdir()
    assert run("--data", folder, "--run", tmp_path / "run") == 2
    assert "is not finished; run gail_tf.prepare again to continue" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
