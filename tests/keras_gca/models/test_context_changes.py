"""Compares the detector of context changes with NumPy, and what it leaves out with cases worked out by hand."""

import numpy as np
import pytest
import tensorflow as tf

from keras_gca.config import Config
from keras_gca.data.pairs import Pairs, frame_answers, joined, pad_contexts
from keras_gca.data.vocabulary import EOS, PAD
from keras_gca.errors import UserError
from keras_gca.models.context_changes import ChangeDetector
from keras_gca.models.text_replies import TextReplies
from tests.factories.gca import WORDS, make_agent

LENGTH = 6


def of_first_words(vocabulary=20, size=4):
    """Return a detector that sees a change if the first numbers of the means of word vectors have different signs."""
    detector = ChangeDetector(vocabulary, size)
    vectors = np.zeros((vocabulary, size), np.float32)
    vectors[:, 0] = np.where(
        np.arange(vocabulary) % 2, 1, -1
    )  # odd tokens are of one subject, and even ones of another
    W_1, b_1, w_2, b_2 = (np.zeros_like(weight) for weight in detector.weights[1:])
    W_1[2 * size, 0] = w_2[0, 0] = 1  # |m_a - m_b|
    b_2[:] = -1
    return ChangeDetector.of_weights([vectors, W_1, b_1, w_2, b_2])


def tokens(*utterances):
    return [np.array(utterance, np.int32) for utterance in utterances]


def test_the_probability_of_a_change_equals_numpy():
    random = np.random.default_rng(0)
    detector = ChangeDetector(20, 3)
    weights = [random.normal(size=weight.shape).astype(np.float32) for weight in detector.weights]
    detector = ChangeDetector.of_weights(weights)
    first, second = tokens([7, 8, 9], [5], []), tokens([4, 4], [6, 7, 8, 9, 10], [11])
    W_e, W_1, b_1, w_2, b_2 = (weight.astype(np.float64) for weight in weights)
    expected = []
    for a, b in zip(first, second, strict=True):
        m_a, m_b = (W_e[words].mean(0) if len(words) else np.zeros(3) for words in (a, b))
        features = np.concatenate([m_a, m_b, abs(m_a - m_b), m_a * m_b])
        z = np.maximum(features @ W_1 + b_1, 0) @ w_2 + b_2
        expected.append(1 / (1 + np.exp(-z[0])))
    np.testing.assert_allclose(detector.probabilities(first, second, LENGTH), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("context", "kept"),
    [
        ([], []),
        ([[5]], [[5]]),
        ([[5], [7, 9]], [[5], [7, 9]]),
        ([[5], [6], [8]], [[6], [8]]),
        ([[5], [6], [7]], [[7]]),
        ([[6], [5], [7], [9]], [[5], [7], [9]]),
        ([[5, 6], [7]], [[5, 6], [7]]),  # |0 - 1| - 1 = 0, which is not above the threshold
    ],
)
def test_a_context_begins_after_its_last_change(context, kept):
    contexts = [tokens(*context), tokens([4], [5])]
    found = of_first_words().without_earlier_contexts(contexts, LENGTH)
    assert [[words.tolist() for words in utterances] for utterances in found] == [kept, [[5]]]


@pytest.mark.parametrize("encoder", ["flat", "hierarchical"])
def test_shortened_pairs_have_the_contexts_of_the_encoder(encoder):
    config = Config.preset(
        "tiny", encoder=encoder, context_changes="detect", sentence_length=LENGTH, context_utterances=3
    )
    contexts = [joined(tokens([5], [6, 8], [4]), LENGTH, True), joined(tokens([5, 7], [9]), LENGTH, True)]
    pairs = Pairs(pad_contexts(contexts, 18), frame_answers([[5], [6]], LENGTH), np.array([0, 1], np.int32))
    shortened = of_first_words().shorten(pairs, config)
    assert shortened.contexts.shape == (2, config.context_length)
    end = [EOS] if encoder == "hierarchical" else []
    words = [[token for token in row if token != PAD] for row in shortened.contexts.tolist()]
    assert words == [[6, 8, *end, 4, *end], [5, 7, *end, 9, *end]]
    np.testing.assert_array_equal(shortened.answers, pairs.answers)


def detecting_agent(**settings):
    detector = of_first_words(len(WORDS) + 4)
    return make_agent(context_changes="detect", context_utterances=3, detector=detector.weights, **settings)


@pytest.mark.thorough
@pytest.mark.parametrize("encoder", ["flat", "hierarchical"])
def test_an_agent_and_its_graph_read_what_follows_the_last_change(encoder):
    agent = detecting_agent(encoder=encoder)
    histories = [["hello", "there"], ["hello", "i", "there tom"], ["hello"], ["hello", "hello i hello", "fine"]]
    even = [[int(agent.vocabulary.encode([word])[0]) % 2 for word in ("hello", "there", "i", "tom", "fine")]]
    assert even == [[0, 1, 0, 1, 0]]
    encoded = agent.encode_contexts(histories)
    read = [agent.vocabulary.decode_context(row) for row in encoded]
    assert read == [["there"], ["there", "tom"], ["hello"], ["hello", "hello", "i", "hello", "fine"]]
    gca = agent.networks.judging
    replies = TextReplies([gca], gca, agent.vocabulary, "split", 3, whole_answers=False, detector=agent.detector)
    texts = tf.constant(["\n".join(history) for history in histories])
    np.testing.assert_array_equal(replies.encode(texts), encoded)
    empty = replies.encode(tf.constant([""])).numpy()
    assert empty[empty != PAD].tolist() == ([EOS] if encoder == "hierarchical" else [])


def test_a_bot_keeps_its_detector_and_one_without_it_is_damaged(tmp_path):
    agent = detecting_agent()
    agent.save(tmp_path / "bot.h5")
    again = type(agent).load(tmp_path / "bot.h5")
    for ours, stored in zip(agent.detector.weights, again.detector.weights, strict=True):
        np.testing.assert_array_equal(ours, stored)
    agent.detector = None
    agent.save(tmp_path / "bot.h5")
    with pytest.raises(UserError, match="the settings and the weights disagree on whether there is a detector"):
        type(agent).load(tmp_path / "bot.h5")


@pytest.mark.parametrize("weights", [[], [np.zeros(3, np.float32)], [np.zeros((3, 2), np.float32)]])
def test_other_weights_are_no_detector(weights):
    with pytest.raises(ValueError):  # noqa: PT011  (the message of `assign` depends on what is wrong)
        ChangeDetector.of_weights(weights)


def test_a_detector_needs_answers_to_predict():
    with pytest.raises(UserError, match="--context-changes detect limits the contexts of answers, but --predict"):
        Config(context_changes="detect", predict="unconditional")
