"""A run on token files learns what a run in memory learns, and finds its files again when it is resumed."""

import dataclasses
import shutil

import numpy as np
import pytest

from glove import cost
from glove.text_files import BadLines
from keras_gca.config import Config
from keras_gca.data import preparation
from keras_gca.data.conversations import read_conversations
from keras_gca.data.dataset import prepare
from keras_gca.data.source import Source
from keras_gca.data.token_folder import TokenFolder
from keras_gca.data.token_pairs import TokenPairs
from keras_gca.data.vocabulary import UNK
from keras_gca.engine import chunking
from keras_gca.engine.shard_order import Lane
from keras_gca.errors import UserError
from keras_gca.storage.arrays import read_arrays
from keras_gca.training import word_vectors
from keras_gca.training.adversarial import AdversarialTraining
from keras_gca.training.run_folder import GCARun
from keras_gca.training.token_data import prepared
from keras_gca.training.topics import documents_of
from tests.factories.commands import train_here
from tests.factories.gca import toy_networks

WORDS = ["i", "you", "tom", "london", "is", "not", "happy", "good", "why", "here", ",", ".", "?"]
# Settings of both ways; word vectors are fitted to the training text.
SETTINGS = ["--vocabulary-size", "12", "--minimum-count", "1"]
SMALL = ["--preset", "tiny", "--teacher-forcing-epochs", "1", "--adversarial-epochs", "0"]


def write_corpus(path):
    random = np.random.default_rng(0)
    with path.open("w") as stream:
        for _ in range(30):
            for _ in range(random.integers(2, 5)):
                print(*random.choice(WORDS, random.integers(1, 9)), file=stream)
            print(file=stream)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "corpus.txt"
    write_corpus(path)
    return path


def folder_of(corpus, out):
    config = Config.preset("default", vocabulary_size=12, minimum_count=1)
    return preparation.prepare_folder(preparation.Corpora([corpus]), config, out, BadLines(error=UserError))


@pytest.fixture(scope="module")
def many_shards(corpus, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunking, "CHUNK_UTTERANCES", 15)
        patch.setattr(preparation, "SHARD_PAIRS", 12)
        return folder_of(corpus, tmp_path_factory.mktemp("tokens") / "many")


@pytest.mark.thorough
def test_token_files_and_memory_train_to_the_same_weights(corpus, tmp_path):
    folder = folder_of(corpus, tmp_path / "tokens").path
    status, _, err = train_here("--data", folder, "--run", tmp_path / "stored", *SMALL)
    assert status == 0, err
    status, _, err = train_here("--data", corpus, "--run", tmp_path / "memory", *SMALL, *SETTINGS)
    assert status == 0, err
    runs = GCARun.open(tmp_path / "stored"), GCARun.open(tmp_path / "memory")
    for name in ("bot.h5", "checkpoint.h5"):
        one, other = (read_arrays(run.path / name)[1] for run in runs)
        assert one.keys() == other.keys()
        for part, array in one.items():
            np.testing.assert_array_equal(array, other[part], err_msg=part)
    assert runs[0].read_log() == runs[1].read_log()
    assert "training/0" not in read_arrays(runs[0].path / "pairs.h5")[1]
    np.testing.assert_array_equal(runs[0].dataset().training.answers, runs[1].dataset().training.answers)

    moved = folder.rename(tmp_path / "moved")
    with pytest.raises(UserError, match="this folder, which contained the token files of the run, does not exist"):
        runs[0].dataset()
    shutil.copytree(moved, folder)
    (folder / "tokens.json").write_text((folder / "tokens.json").read_text() + " ")
    with pytest.raises(UserError, match="not the token files that"):
        runs[0].dataset()


def training_on(folder):
    config = Config.preset(
        "tiny", batch_size=4, teacher_forcing_epochs=2, adversarial_epochs=0, sentence_length=8, seed=3
    )
    config, dataset = prepared(folder.path, config)
    return AdversarialTraining(config, toy_networks(length=8), dataset.training, dataset.validation)


@pytest.mark.thorough
def test_an_epoch_over_many_shards_is_resumed_at_any_step(many_shards):
    whole = training_on(many_shards)
    steps = []
    for number, event in enumerate(whole):
        steps.append(event.metrics)
        if number == 4:
            kept = whole.state()
        if number == 9:
            break
    resumed = training_on(TokenFolder.open(many_shards.path))
    resumed.restore(*kept)
    later = []
    for event in resumed:
        later.append(event.metrics)
        if len(later) == 5:
            break
    assert later == steps[5:]
    for one, other in zip(whole.state()[1].values(), resumed.state()[1].values(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_seeds_and_human_pairs_of_many_shards_are_drawn_without_repetition(many_shards):
    pairs = TokenPairs(many_shards, 8, lane=Lane())
    drawn = pairs.drawn(np.random.default_rng(0), 20)
    assert len(set(drawn.tolist())) == 20
    assert len(pairs.drawn(np.random.default_rng(0), 10_000)) == len(pairs)


@pytest.mark.parametrize(
    "changes",
    [{"encoder": "hierarchical"}, {"context_changes": "detect"}, {"persona_size": 5}, {"keyword_epochs": 2}],
)
def test_what_token_files_do_not_serve_is_refused(many_shards, changes):
    config = Config.preset("default", vocabulary_size=12, minimum_count=1, **changes)
    with pytest.raises(UserError, match="token files do not support --"):
        prepared(many_shards.path, config)


def test_topics_are_fitted_to_the_conversations_that_memory_has(corpus, many_shards):
    config = Config.preset("default", vocabulary_size=12, minimum_count=1)
    in_memory, stored = prepare(read_conversations(corpus), config), prepared(many_shards.path, config)[1]
    assert in_memory.vocabulary.tokens == stored.vocabulary.tokens
    unknown = {0, UNK}  # token files leave out which special token a word was
    documents = [
        sorted([token for token in document if token not in unknown] for document in map(list, documents_of(dataset)))
        for dataset in (in_memory, stored)
    ]
    assert documents[0] == documents[1]
    assert len(documents[0]) > 20


def test_the_fitting_of_word_vectors_says_what_it_costs(corpus, many_shards, monkeypatch, capsys):
    monkeypatch.setattr(word_vectors, "EPOCHS", 2)
    config = Config.preset("tiny", vocabulary_size=12, minimum_count=1)
    for dataset in (prepare(read_conversations(corpus), config), prepared(many_shards.path, config)[1]):
        for long, is_said in ((0, True), (60, False)):
            monkeypatch.setattr(cost, "LONG", long)
            word_vectors._last_fitted.clear()
            word_vectors.initial_embedding(dataset, config, Source(), BadLines())
            out = capsys.readouterr().out
            assert ("to read vectors instead\nestimate: about 0 minutes (epochs 0) and " in out) == is_said


def test_counting_in_blocks_loses_no_pair_of_words(corpus, tmp_path, monkeypatch):
    """The counts of token files, in blocks that are shorter than most conversations, are those of one pass."""
    monkeypatch.setattr(word_vectors, "BLOCK", 7)
    config = Config.preset("default", vocabulary_size=12, minimum_count=1)
    stored = prepared(folder_of(corpus, tmp_path / "tokens").path, config)[1]
    datasets = prepare(read_conversations(corpus), config), stored
    words = list(datasets[0].vocabulary.counts)
    one, other = (word_vectors._cooccurrences(dataset, words) for dataset in datasets)
    for mine, theirs in zip(one, other, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-12)


def test_word_vectors_are_fitted_once_for_the_same_text_and_seed(corpus, monkeypatch, capsys):
    monkeypatch.setattr(word_vectors, "EPOCHS", 2)
    monkeypatch.setattr(word_vectors, "_last_fitted", {})
    config = Config.preset("tiny", vocabulary_size=12, minimum_count=1)
    dataset = prepare(read_conversations(corpus), config)

    def embedding(**settings):
        made = word_vectors.initial_embedding(dataset, dataclasses.replace(config, **settings), Source(), BadLines())
        return made, "those fitted for the previous run" in capsys.readouterr().out

    first, is_reused = embedding()
    assert not is_reused
    again, is_reused = embedding(context_utterances=3)  # the text is the same
    assert is_reused
    np.testing.assert_array_equal(again, first)
    for other in ({"seed": 1}, {"word_embedding_size": 8}):
        different, is_reused = embedding(**other)
        assert not is_reused
        assert different.shape != first.shape or (different != first).any()
    alone, is_reused = embedding()  # only the vectors fitted last are kept
    assert not is_reused
    np.testing.assert_array_equal(alone, first)
