"""Trains with a hierarchical encoder: data, dropout of contexts, resuming, and the agent that results."""

import numpy as np
import pytest
import tensorflow as tf

from keras_gca.config import Config
from keras_gca.data.conversations import Conversation
from keras_gca.data.dataset import prepare
from keras_gca.data.pairs import Pairs, make_pairs
from keras_gca.data.vocabulary import BOS, EOS, PAD, Vocabulary
from keras_gca.errors import UserError
from keras_gca.models.networks import build
from keras_gca.models.text_replies import TextReplies
from keras_gca.training.adversarial import AdversarialTraining
from keras_gca.training.teacher_forcing import leave_tokens_out
from tests.factories.gca import SMALL, VOCABULARY, make_agent, pairs_of_utterances

WORDS = Vocabulary(["a", "b", "c", "d", "e"], [1] * 5)
A, B, C, D, E = range(4, 9)


def words(rows):
    return [[int(token) for token in row if token != PAD] for row in rows]


def test_eos_ends_each_utterance_of_a_context_and_each_may_have_s_s_tokens():
    conversation = [["a"], ["b", "c"], list("abcde"), ["e"]]
    pairs = make_pairs([conversation], WORDS, 2, 4, hierarchical=True)
    assert words(pairs.contexts) == [[A, EOS], [A, EOS, B, C, EOS], [B, C, EOS, C, D, E, EOS]]
    assert pairs.contexts.shape == (3, 2 * 4)
    assert words(pairs.answers) == [[BOS, B, C, EOS], [BOS, A, B, C, D], [BOS, E, EOS]]
    Pairs.of_arrays(pairs.arrays(), len(WORDS), 4, 8)
    with pytest.raises(ValueError, match="shapes of the pairs"):
        Pairs.of_arrays(pairs.arrays(), len(WORDS), 4)


def test_a_backward_model_reads_an_utterance_and_predicts_words():
    settings = {"predict": "context", "encoder": "hierarchical", "sentence_length": 6, "context_utterances": 2}
    corpus = [Conversation(("ab cd.", "ef gh.", "ij kl.")) for _ in range(20)]
    pairs = prepare(corpus, Config.preset("tiny", minimum_count=1, **settings)).training
    assert pairs.contexts.shape[1] == 12
    assert all(row[-1] == EOS and np.count_nonzero(row == EOS) == 1 for row in pairs.contexts)
    assert all(row[np.count_nonzero(row) - 1] == EOS or np.count_nonzero(row) == 7 for row in pairs.answers)
    assert all(np.count_nonzero(row == EOS) <= 1 for row in pairs.answers)


def test_the_dropout_of_tokens_keeps_the_ends_of_utterances():
    contexts = pairs_of_utterances(9, 3).contexts
    left = leave_tokens_out(tf.constant(contexts), 0.95, tf.constant([1, 2])).numpy()
    np.testing.assert_array_equal(np.count_nonzero(left == EOS, axis=1), np.count_nonzero(contexts == EOS, axis=1))
    assert np.count_nonzero(left) < np.count_nonzero(contexts) / 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"padding": "original"}, "--encoder hierarchical: the author's program has no hierarchical encoder"),
        ({"context_utterances": 101}, "--context-utterances: 101 is out of range; with --encoder hierarchical, from 1"),
    ],
)
def test_what_does_not_fit_is_one_clear_line(settings, message):
    with pytest.raises(UserError, match=message):
        Config(encoder="hierarchical", **settings)


def trained(config, events=None, state=None):
    """Train line 3 of Algorithm 2, from a stored state if given, to the end or for some steps; return the state."""
    pairs = pairs_of_utterances(20, 3), pairs_of_utterances(8, 3, seed=1)
    training = AdversarialTraining(config, build(config, VOCABULARY), *pairs)
    if state is not None:
        training.restore(*state)
    for number, _ in enumerate(training, start=1):
        if number == events:
            break
    return training.state()


@pytest.mark.thorough
def test_a_resumed_training_ends_with_the_bits_of_an_uninterrupted_one():
    settings = SMALL | {"encoder": "hierarchical", "context_utterances": 3, "context_dropout": 0.2}
    config = Config.preset("tiny", **settings, teacher_forcing_epochs=1, adversarial_epochs=0)
    facts, arrays = trained(config)
    resumed_facts, resumed = trained(config, state=trained(config, events=2))
    assert facts == resumed_facts
    assert arrays.keys() == resumed.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, resumed[name])


@pytest.mark.thorough
def test_an_agent_reads_any_number_of_utterances_and_its_graph_reads_the_same(tmp_path):
    agent = make_agent(encoder="hierarchical", context_utterances=2)
    contexts = ["Hello", "hello\nthere\nTom", "how are you " * 20, "fine\nhow are you " * 3]
    histories = [context.split("\n") for context in contexts]
    encoded = agent.encode_contexts(histories)
    assert encoded.shape == (4, 2 * agent.longest)
    gca = agent.networks.judging
    replies = TextReplies([gca], gca, agent.vocabulary, "split", 2, whole_answers=False)
    np.testing.assert_array_equal(replies.encode(tf.constant(contexts)), encoded)
    assert np.count_nonzero(agent.encode_contexts(histories, 3) == EOS, axis=1).tolist() == [1, 3, 1, 3]
    agent.save(tmp_path / "bot.h5")
    again = type(agent).load(tmp_path / "bot.h5")
    for utterances in (None, 3):
        said = [answer.text for answer in agent.answers(histories[1], utterances)]
        assert [answer.text for answer in again.answers(histories[1], utterances)] == said
