"""Trains the detector of context changes on toy conversations, each of which has words of its own."""

import dataclasses

import numpy as np
import pytest

from keras_gca.config import Config
from keras_gca.data.conversations import Conversation
from keras_gca.data.dataset import prepare
from keras_gca.data.vocabulary import EOS, PAD
from keras_gca.errors import UserError
from keras_gca.training.context_changes import Successions, rates, train_detector, with_dynamic_contexts
from keras_gca.training.run_folder import GCARun

SUBJECTS = ("red blue green pink", "two three four five", "cat dog cow hen", "tea milk soup rice")


@pytest.fixture(scope="module")
def config():
    return Config.preset(
        "tiny", context_changes="detect", context_utterances=3, sentence_length=10, minimum_count=1, max_pairs=None
    )


@pytest.fixture(scope="module")
def dataset(config):
    random = np.random.default_rng(0)

    def conversation(number):
        words = SUBJECTS[number % len(SUBJECTS)].split()
        return Conversation(tuple(" ".join(random.choice(words, 3)) for _ in range(4)))

    return prepare([conversation(number) for number in range(60)], config)


def embedding(dataset):
    return np.random.default_rng(1).normal(0, 0.3, (len(dataset.vocabulary), 8)).astype(np.float32)


def test_joined_utterances_are_those_of_other_conversations(dataset):
    size = len(dataset.vocabulary)
    successions = Successions.of(dataset.training, size)
    assert len(successions.pool) == len(dataset.training) + len(np.unique(dataset.training.conversation))
    rows = np.arange(len(dataset.training))
    drawn = successions.joined(rows, np.random.default_rng(0))
    assert drawn.shape == successions.second.shape
    of_pool = {row.tobytes(): set() for row in successions.pool}
    for row, owner in zip(successions.pool, successions.owner, strict=True):
        of_pool[row.tobytes()].add(owner)
    for row, conversation in zip(drawn, successions.conversation, strict=True):
        assert of_pool[row.tobytes()] - {conversation}
    with pytest.raises(UserError, match="needs utterances from several conversations, but the corpus has only"):
        Successions.of(dataclasses.replace(dataset.training, conversation=np.zeros(len(rows), np.int32)), size)


@pytest.mark.thorough
def test_the_detector_learns_without_labels_repeats_and_limits_the_contexts(dataset, config, tmp_path, monkeypatch):
    monkeypatch.setattr("keras_gca.training.context_changes.EPOCHS", 60)
    detector = train_detector(dataset.training, dataset.validation, embedding(dataset), 0)
    again = train_detector(dataset.training, dataset.validation, embedding(dataset), 0)
    for ours, theirs in zip(detector.weights, again.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    hit, false = rates(detector, dataset.validation, 0)
    assert hit > 0.6  # a quarter of the joined utterances have the same subject
    assert false < 0.2
    limited = with_dynamic_contexts(dataset, config, embedding(dataset))
    assert not (limited.training.contexts == EOS).any()
    assert limited.training.contexts.shape[1] == config.sentence_length
    assert np.count_nonzero(limited.training.contexts) > 0.8 * np.count_nonzero(
        np.where(dataset.training.contexts == EOS, PAD, dataset.training.contexts)
    )
    stored = GCARun.create(tmp_path / "run", config, limited, {}).dataset()
    np.testing.assert_array_equal(stored.training.contexts, limited.training.contexts)
    for ours, theirs in zip(limited.detector, stored.detector, strict=True):
        np.testing.assert_array_equal(ours, theirs)
