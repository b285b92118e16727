"""`--splits official`: corpora are trained, validated and tested on the parts into which their authors divided them."""

import json
from collections import Counter

import numpy as np
import pytest

from gail_tf import prepare as gail_prepare
from gail_tf import train as gail_train
from gail_tf.data.trajectories import Trajectory, read_trajectories, split
from gail_tf.training.run_folder import GAILRun
from glove.text_files import BadLines
from keras_gca import evaluate
from keras_gca import prepare as gca_prepare
from keras_gca import train as gca_train
from keras_gca.config import Config
from keras_gca.corpora.conversation import PARTS, Conversation
from keras_gca.data.conversations import read_corpus
from keras_gca.data.dataset import prepare
from keras_gca.engine import command_line
from keras_gca.errors import UserError
from keras_gca.training.run_folder import GCARun
from tests.factories.commands import SMALL_GAIL, SMALL_GCA
from tests.keras_gca.corpora.test_published import CORNELL, HEADER, dailydialog, tarred, zipped

SIZES = {"train": 24, "validation": 6, "test": 4}
NAMES = {"train": "train.csv", "validation": "valid.csv", "test": "test.csv"}


def empathetic(part: str, count: int) -> str:
    """Return a file of EmpatheticDialogues in which every utterance names its part."""
    turns = (
        f"c{part}{i},{turn},sad,A,{turn % 2},{text} {part} {i}.,5,\n"
        for i in range(count)
        for turn, text in enumerate(("I lost", "So sad", "Yes in", "Oh no"), start=1)
    )
    return HEADER + "".join(turns)


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "empatheticdialogues.tar.gz"
    files = {f"empatheticdialogues/{NAMES[part]}": empathetic(part, count) for part, count in SIZES.items()}
    path.write_bytes(tarred(files))
    return path


def parts_named(texts) -> set[str]:
    """Return the parts that the utterances of `empathetic` name."""
    return {part for text in texts for part in PARTS if part in text.split()}


def test_parts_of_an_archive_and_of_its_folder(archive, tmp_path):
    for part, count in SIZES.items():
        (tmp_path / NAMES[part]).write_text(empathetic(part, count))
    for path in (archive, tmp_path):
        bad = BadLines(error=UserError)
        corpus = read_corpus(path, bad=bad, splits="official")
        assert Counter(each.part for each in corpus.conversations) == SIZES
        assert all(parts_named(each.utterances) == {each.part} for each in corpus.conversations)
        assert bad.notes[1] == "official splits: 24 train, 6 validation, 4 test"
        assert {each.part for each in read_corpus(path).conversations} == {None}


def test_parts_of_dailydialogs_archive_and_folder(tmp_path):
    path = tmp_path / "ijcnlp_dailydialog.zip"
    path.write_bytes(zipped({f"ijcnlp_dailydialog/{part}.zip": zipped(dailydialog(part)) for part in PARTS}))
    folder = tmp_path / "unpacked"
    for part in PARTS:
        (folder / part).mkdir(parents=True)
        for name, content in dailydialog(part).items():
            (folder / name).write_text(content)
    for place in (path, folder):
        conversations = read_corpus(place, splits="official").conversations
        assert [each.part for each in conversations] == list(PARTS)
        assert [each.utterances[0] for each in conversations] == [f"Hi {part} ." for part in PARTS]


def test_conversations_of_test_that_are_also_in_train_are_counted(tmp_path):
    for part in PARTS:
        (tmp_path / f"dialogues_{part}.txt").write_text(f"Hi. __eou__ Yes. __eou__\nI {part} . __eou__ No. __eou__\n")
    bad = BadLines(error=UserError)
    read_corpus(tmp_path, bad=bad, splits="official")
    assert bad.notes[1] == "official splits: 2 train, 2 validation, 2 test; 1 test conversation is also in train"


@pytest.mark.parametrize(
    ("files", "name", "message"),
    [
        (
            CORNELL,
            "",
            "the Cornell Movie-Dialogs Corpus has no official splits; use --splits random to divide the corpus",
        ),
        ({"a.txt": "Hi.\nYes.\n"}, "a.txt", "plain text has no official splits"),
        (
            {"train.csv": empathetic("train", 2)},
            "train.csv",
            "no official splits were found; give the folder or archive",
        ),
        (
            {"dialogues_text.txt": "A __eou__ B __eou__\n"},
            "",
            "no official splits were found; give the folder or archive",
        ),
        ({"train.csv": empathetic("train", 2)}, "", "the corpus has train, but not validation or test; all three"),
        (
            {"train.csv": empathetic("train", 2), "test.csv": empathetic("test", 2)},
            "",
            "the corpus has train and test, but not validation; all three splits are expected",
        ),
    ],
)
def test_a_corpus_without_official_parts_is_one_line_of_both_trainings(said, tmp_path, files, name, message):
    (tmp_path / "corpus").mkdir()
    for file, content in files.items():
        (tmp_path / "corpus" / file).write_text(content)
    for main in (gca_train.main, gail_train.main):
        line = said(main, "train", "--preset", "tiny", "--splits", "official", "--data", f"corpus/{name}")
        assert f"corpus{'/' if name else ''}{name}: --splits official: {message}" in line
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("main", [gca_prepare.main, gail_prepare.main])
@pytest.mark.parametrize(
    ("files", "name", "message"),
    [
        (
            {"pers": "Hi.\nYes.\n\nOh.\nNo.\n"},
            "pers",
            "pers: --splits official: plain text has no official splits; use",
        ),
        (
            {"one/train.csv": empathetic("train", 2), "one/test.csv": empathetic("test", 2)},
            "one",
            "one: --splits official: the corpus has train and test, but not validation; all three splits are expected",
        ),
        (
            {"one/dialogues_text.txt": "A __eou__ B __eou__\n"},
            "one",
            "one: --splits official: no official splits were found; give the folder or archive that contains train",
        ),
    ],
)
def test_each_corpus_of_a_preparation_must_have_official_parts(said, archive, tmp_path, main, files, name, message):
    for file, content in files.items():
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(content)
    arguments = [str(archive), name, "--out", "out", "--preset", "tiny", "--processes", "1", "--splits", "official"]
    assert message in said(main, "prepare", *arguments)
    assert not (tmp_path / "out" / "tokens.json").exists()


@pytest.mark.parametrize("main", [gca_prepare.main, gail_prepare.main])
def test_a_preparation_says_how_many_conversations_each_part_has(archive, tmp_path, capsys, main):
    arguments = [str(archive), "--out", str(tmp_path / "out"), "--preset", "tiny", "--processes", "1"]
    assert command_line.run(main, "prepare", [*arguments, "--splits", "official"]) == 0
    assert "\nofficial splits: 24 train, 6 validation, 4 test\n" in capsys.readouterr().out


def test_the_embedded_corpora_and_tweets_alone_have_no_official_parts(said, tmp_path):
    assert "the embedded corpus has no official splits; use --data to give a corpus that has them" in said(
        gca_train.main, "train", "--splits", "official"
    )
    (tmp_path / "t.txt").write_text("Be kind.\n")
    for others in ([], ["--tweets", "t.txt"]):
        line = said(gail_train.main, "train", "--splits", "official", *others)
        assert "--splits official: a corpus with train, validation and test splits is expected" in line


# The first paper


def conversations(**sizes) -> list[Conversation]:
    return [
        Conversation((f"I {part}.", f"{part}{i} yes.", f"No {part}{i}."), part=part)
        for part, count in (SIZES | sizes).items()
        for i in range(count)
    ]


def test_nothing_of_validation_and_test_is_in_the_vocabulary_or_the_documents():
    dataset = prepare(conversations(), Config.preset("paper", splits="official"))
    pairs = {"train": dataset.training, "validation": dataset.validation, "test": dataset.test}
    assert {part: len(of_part) for part, of_part in pairs.items()} == {part: 2 * n for part, n in SIZES.items()}
    assert dataset.held_out is dataset.test
    assert len(dataset.contexts) == 2 * sum(SIZES.values())
    assert len(dataset.documents) == SIZES["train"]
    words = dataset.vocabulary.counts
    assert sum(word.startswith("train") for word in words) == 1 + SIZES["train"]
    assert not any(word.startswith(("validation", "test")) for word in words)


def test_random_splits_have_no_test_part_and_ignore_official_ones():
    dataset = prepare(conversations(), Config.preset("paper"))
    assert dataset.test is None
    assert dataset.held_out is dataset.validation
    assert len(dataset.contexts) == 2 * sum(SIZES.values())


def test_settings_that_do_not_fit_official_parts():
    config = Config.preset("paper", splits="official", validation_fraction=0.2)
    with pytest.raises(UserError, match="--validation-fraction has no effect with --splits official"):
        prepare(conversations(), config)
    with pytest.raises(UserError, match="--splits official: the corpus has no context/answer pair for test"):
        prepare(conversations(test=0), Config.preset("paper", splits="official"))


def test_a_run_stores_its_test_part(tmp_path):
    config = Config.preset("paper", splits="official")
    dataset = prepare(conversations(), config)
    run = GCARun.create(tmp_path / "run", config, dataset, {})
    stored = GCARun(run.path).dataset()
    assert run.config().splits == "official"
    for name in ("training", "validation", "test"):
        for mine, read in zip(getattr(dataset, name).arrays(), getattr(stored, name).arrays(), strict=True):
            np.testing.assert_array_equal(mine, read, err_msg=name)


@pytest.mark.thorough
def test_a_run_of_the_first_paper_is_trained_resumed_and_evaluated_on_official_parts(archive, tmp_path, capsys):
    path = tmp_path / "run"
    options = [*SMALL_GCA, "--max-pairs", "102", "--minimum-count", "1", "--splits", "official"]
    assert command_line.run(gca_train.main, "train", [*options, "--data", str(archive), "--run", str(path)]) == 0
    out = capsys.readouterr().out
    assert "official splits: 24 train, 6 validation, 4 test" in out
    assert "test:       12 pairs" in out
    assert json.loads((path / "config.json").read_text())["config"]["splits"] == "official"
    dataset = GCARun.open(path).dataset()
    assert [len(pairs) for pairs in (dataset.training, dataset.validation, dataset.test)] == [72, 18, 12]
    archive.unlink()  # a resumed run does not need the corpus
    assert command_line.run(gca_train.main, "train", ["--resume", str(path), "--teacher-forcing-epochs", "2"]) == 0
    assert command_line.run(evaluate.main, "evaluate", [str(path)]) == 0
    assert json.loads((path / "evaluation.json").read_text())["tokens"] == dataset.test.tokens


# The second paper


def test_trajectories_keep_official_parts_and_tweets_are_divided(archive, tmp_path):
    (tmp_path / "t.txt").write_text("".join(f"Be kind to number {i}.\n" for i in range(40)))
    read = read_trajectories([archive], [tmp_path / "t.txt"], splits="official")
    divided = split(read, seed=0)
    named = {"train": divided.train, "validation": divided.validation, "test": divided.test}
    tweets = {}
    for part, members in named.items():
        of_corpus = [each for each in members if each.source == "empathetic"]
        assert len(of_corpus) == 2 * SIZES[part]
        assert parts_named(text for each in of_corpus for text in (each.prompt, each.response)) == {part}
        assert {each.part for each in members} == {None}
        tweets[part] = len(members) - len(of_corpus)
    assert sum(tweets.values()) == 40
    assert tweets["train"] > tweets["test"] > tweets["validation"] > 0
    with pytest.raises(UserError, match="--splits official: no trajectories are left for validation and test"):
        split([Trajectory((), "Hi.", "Yes.", part="train")], seed=0)


@pytest.mark.thorough
def test_a_run_of_the_second_paper_is_trained_and_resumed_on_official_parts(archive, tmp_path, capsys):
    path = tmp_path / "run"
    options = [*SMALL_GAIL, "--max-trajectories", "68", "--splits", "official"]
    assert command_line.run(gail_train.main, "train", [*options, "--data", str(archive), "--run", str(path)]) == 0
    assert (
        "expert trajectories: 48 train, 8 test, 12 validation; the corpora's official splits" in capsys.readouterr().out
    )
    assert json.loads((path / "config.json").read_text())["config"]["splits"] == "official"
    archive.unlink()
    assert command_line.run(gail_train.main, "train", ["--resume", str(path), "--updates", "4"]) == 0
    data = GAILRun.open(path).data()
    for part in PARTS:
        assert parts_named(text for each in getattr(data, part) for text in (each.prompt, each.response)) == {part}
