import json

import numpy as np
import pytest

from keras_gca.config import Config
from keras_gca.data.dataset import Dataset
from keras_gca.data.vocabulary import SPECIAL_TOKENS, Vocabulary
from keras_gca.errors import UserError
from keras_gca.storage.arrays import read_arrays, write_arrays
from keras_gca.storage.run_folder import CHECKPOINT
from keras_gca.training.run_folder import GCARun
from keras_gca.training.schedule import schedule
from tests.factories.gca import LENGTH, VOCABULARY, random_pairs

WORDS = ["a", "b", *(f"word{i}" for i in range(VOCABULARY - len(SPECIAL_TOKENS) - 2))]


@pytest.fixture
def dataset():
    vocabulary = Vocabulary(WORDS, range(len(WORDS), 0, -1), {"a": "A"})
    return Dataset(vocabulary, random_pairs(20, 1), random_pairs(5, 2), [["a"]], True)


def test_a_run_gives_back_what_was_put_in(tmp_path, dataset):
    config = Config.preset("tiny", seed=5, sentence_length=LENGTH)
    GCARun.create(tmp_path / "deep" / "run", config, dataset, {"data": "x"})
    with pytest.raises(UserError, match="no run here"):
        GCARun.open(tmp_path / "deep" / "run")  # without a checkpoint, a run can only be started again
    GCARun.create(tmp_path / "deep" / "run", config, dataset, {"data": "x"}).write_checkpoint({}, {"a": np.ones(1)})
    run = GCARun.open(tmp_path / "deep" / "run")
    assert run.config() == config
    assert json.loads((run.path / "config.json").read_text())["source"] == {"data": "x"}
    again = run.dataset()
    assert again.vocabulary.tokens == dataset.vocabulary.tokens
    assert again.whole_conversations
    for ours, theirs in ((again.training, dataset.training), (again.validation, dataset.validation)):
        for a, b in zip(ours.arrays(), theirs.arrays(), strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_run_is_not_overwritten(tmp_path, dataset):
    GCARun.create(tmp_path, Config.preset("tiny"), dataset, {}).write_checkpoint({}, {"a": np.ones(1)})
    with pytest.raises(UserError, match="already contains a run; choose another --run, or resume it with --resume"):
        GCARun.create(tmp_path, Config.preset("tiny"), dataset, {})
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file is a file; --run expects a folder"):
        GCARun.refuse_existing(tmp_path / "file")


def test_arrays_and_facts_survive_to_the_bit(tmp_path):
    random = np.random.default_rng(0)
    arrays = {
        "a/0": random.normal(size=(3, 4)).astype(np.float32),
        "b": np.arange(5, dtype=np.int32),
        "c": np.float32(2),
    }
    facts = {"x": [0.1 + 0.2, None, float("nan")], "y": "ü"}
    write_arrays(tmp_path / "f.h5", arrays, facts)
    found, again = read_arrays(tmp_path / "f.h5")
    assert repr(found) == repr(facts)
    assert again.keys() == arrays.keys()
    for name, array in arrays.items():
        assert again[name].dtype == array.dtype
        np.testing.assert_array_equal(again[name], array)


def test_an_interrupted_write_leaves_the_old_file_and_no_litter(tmp_path):
    path = tmp_path / "f.h5"
    write_arrays(path, {"a": np.ones(3)}, {"n": 1})
    with pytest.raises(TypeError):
        write_arrays(path, {"a": np.ones(3), "b": object()}, {"n": 2})
    assert read_arrays(path)[0] == {"n": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["f.h5"]


def test_the_log_is_the_history(tmp_path):
    run = GCARun(tmp_path)
    run.write_log([{"phase": "a", "loss": 1.5}, {"phase": "b", "val_loss": 2.0}])
    assert (tmp_path / "log.csv").read_text() == "phase,loss,val_loss\na,1.5,\nb,,2.0\n"
    assert run.read_log() == [{"phase": "a", "loss": 1.5}, {"phase": "b", "val_loss": 2.0}]
    for damaged in ("phase,loss\na,x\n", "phase\na,1\n"):
        (tmp_path / "log.csv").write_text(damaged)
        with pytest.raises(UserError, match=r"log\.csv: cannot be read"):
            run.read_log()
    (tmp_path / "log.csv").unlink()
    assert run.read_log() == []


def test_damaged_files_are_named(tmp_path, dataset):
    run = GCARun.create(tmp_path, Config.preset("tiny"), dataset, {})
    (tmp_path / "vocabulary.json").write_text("{")
    with pytest.raises(UserError, match=r"vocabulary\.json: the file is damaged"):
        run.dataset()
    with pytest.raises(UserError, match=r"checkpoint\.h5: no such file"):
        run.read_checkpoint()
    (tmp_path / "config.json").write_text('{"config": {"nonsense": 1}}')
    with pytest.raises(UserError, match="'nonsense' is not a setting"):
        run.config()


def test_whether_a_run_is_finished(tmp_path, dataset, capsys):
    config = Config.preset("tiny", sentence_length=LENGTH)
    stages, weights = len(schedule(config)), {"a": np.ones(1)}
    run = GCARun.create(tmp_path, config, dataset, {})
    run.bot.touch()
    with pytest.raises(UserError, match=r"checkpoint\.h5: no such file"):
        run.is_finished()
    for position, finished in ((0, False), (stages - 1, False), (stages, True)):
        run.write_checkpoint({"position": position}, weights)
        assert run.is_finished() == finished
    run.bot.unlink()
    assert not run.is_finished()
    run.bot.touch()
    (tmp_path / CHECKPOINT).write_bytes(b"nothing")
    assert not run.is_finished()  # according to the previous checkpoint
    assert capsys.readouterr().err.endswith("; the previous checkpoint is used\n")
