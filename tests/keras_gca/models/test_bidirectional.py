from functools import partial

import numpy as np
import pytest

from keras_gca.agent import Agent
from keras_gca.data.pairs import frame_answers, pad_contexts
from keras_gca.data.vocabulary import EOS, PAD
from keras_gca.errors import UserError
from keras_gca.models.bidirectional import bidirectional, log_p_of_contexts
from keras_gca.models.decoding_settings import CHAT, RANKED, Decoding
from tests.factories.gca import make_agent, random_pairs
from tests.oracles.equations import Equations

BOTH = Decoding(beam=4, length_penalty=0.0, bidirectional=0.4)


@pytest.fixture(scope="module")
def ranked():
    """An agent whose generator for p(x|y) has the weights of its second generator."""
    agent = make_agent()
    return Agent(
        agent.config, agent.vocabulary, agent.weights, agent.discriminator, backward=agent.weights["adversarial"]
    )


def test_the_score_by_hand():
    """lambda = 1/4: 3/4 log(0.4) + 1/4 log(0.01) = -1.8385, and 3/4 log(0.1) + 1/4 log(0.3) = -2.0279."""
    found = bidirectional(np.log([0.4, 0.1]), np.log([0.01, 0.3]), 0.25)
    np.testing.assert_allclose(found, [-1.8385, -2.0279], atol=1e-4)


def test_the_chosen_answer_has_the_highest_score_by_the_papers_equations(ranked):
    contexts = pad_contexts([[4, 5], [6], [7, 8, 9]], 8)
    forward, turned = (Equations(ranked.networks.decoders[name].gca) for name in ("teacher_forcing", "adversarial"))

    def log_p(equations, x, tokens):
        return sum(np.log(equations.p(x, tokens[:k])[tokens[k]]) for k in range(1, len(tokens)))

    chosen = ranked.decode("teacher_forcing", contexts, BOTH)
    lists = ranked.networks.decoders["teacher_forcing"].n_best(contexts, 4, 0.0, False)
    differs = False
    for i, x in enumerate(contexts):
        scores = []
        for row in lists.answers[i]:
            y = [token for token in row if token != PAD]
            words = [token for token in y[1:] if token != EOS]
            back = [1, *(token for token in x if token != PAD), EOS]
            scores.append(0.6 * log_p(forward, x, y) + 0.4 * log_p(turned, words, back))
        best = int(np.argmax(scores))
        differs |= best > 0
        np.testing.assert_array_equal(chosen.answers[i], lists.answers[i, best])
        assert chosen.log_probabilities[i] == pytest.approx(lists.log_probabilities[i, best])
    assert differs  # for at least one context, the most probable answer is not chosen


def test_an_unwanted_answer_is_not_chosen(ranked):
    contexts = pad_contexts([[4, 5], [6]], 8)
    first = ranked.decode("teacher_forcing", contexts, BOTH).answers
    second = ranked.decode("teacher_forcing", contexts, BOTH, unwanted=first).answers
    assert (first != second).any(axis=1).all()
    other = ranked.decode("teacher_forcing", contexts, BOTH, unwanted=frame_answers([[], []], 8)).answers
    np.testing.assert_array_equal(other, first)


def test_a_chat_ranks_in_both_directions_only_with_a_generator_for_contexts(ranked, tmp_path):
    plain = make_agent()
    assert (plain.usual_decoding, ranked.usual_decoding) == (CHAT, RANKED)
    with pytest.raises(UserError, match=r"this bot has no generator for p\(x\|y\)"):
        plain.answers("hello", decoding=BOTH)
    for weight_format, error in (("float32", 0), ("float16", 1e-3), ("int8", 1e-2)):
        ranked.save(tmp_path / "bot.h5", weight_format)
        read = Agent.load(tmp_path / "bot.h5")
        assert read.generators == ("teacher_forcing", "adversarial")
        for stored, weights in zip(read.backward, ranked.backward, strict=True):
            np.testing.assert_allclose(stored, weights, rtol=error, atol=error)
    assert [answer.text for answer in ranked.answers("hello there", decoding=BOTH)]


@pytest.mark.parametrize(
    "settings", [{}, {"speakers": ("Ann", "Tom"), "persona_size": 3}, {"topics": 3, "topic_words": 4}]
)
def test_weights_of_another_size_are_refused(settings):
    agent = make_agent(**settings)
    weights = make_agent().weights["adversarial"]  # without speakers and topics
    parts = agent.config, agent.vocabulary, agent.weights, agent.discriminator, None
    Agent(*parts, weights, agent.topics)
    with pytest.raises(ValueError, match="the weights have"):
        Agent(*parts, weights[:-1], agent.topics)
    if settings:  # the run's own generators have more weights than the generator for p(x|y)
        with pytest.raises(ValueError, match="the weights have"):
            Agent(*parts, agent.weights["adversarial"], agent.topics)


def test_an_agent_with_topics_ranks_by_a_generator_without_topics(tmp_path):
    plain, aware = make_agent(), make_agent(topics=3, topic_words=4)
    parts = aware.config, aware.vocabulary, aware.weights, aware.discriminator, None
    Agent(*parts, plain.weights["adversarial"], aware.topics).save(tmp_path / "bot.h5")
    read = Agent.load(tmp_path / "bot.h5")
    contexts = random_pairs(20, vocabulary=len(aware.vocabulary), length=8).contexts
    lists = aware.networks.decoders["teacher_forcing"].n_best(contexts, 4, 0.0, False)
    log_p = partial(plain.token_log_probabilities, generator="adversarial")
    backward = log_p_of_contexts(log_p, contexts, lists.answers)
    best = np.argmax(0.6 * lists.log_probabilities + 0.4 * backward, axis=1)
    assert best.any()  # the generator for p(x|y) changes at least one answer
    chosen = read.decode("teacher_forcing", contexts, BOTH).answers
    np.testing.assert_array_equal(chosen, lists.answers[np.arange(len(contexts)), best])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"bidirectional": 0.5}, "apply only to a beam search"),
        ({"bidirectional": 1.5, "beam": 2, "length_penalty": 0.0}, "bidirectional: 1.5; from 0 to 1"),
        ({"bidirectional": 0.5, "beam": 2}, "excludes a length penalty"),
        ({"bidirectional": 0.5, "beam": 2, "length_penalty": 0.0, "anti_language_model": 0.1}, "excludes a length"),
    ],
)
def test_settings_that_exclude_each_other(arguments, message):
    with pytest.raises(UserError, match=message):
        Decoding(**arguments)
