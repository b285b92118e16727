"""Compares the rewards of simulated conversations with the equations in NumPy (Li et al. 2016)."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from keras_gca.config import Config
from keras_gca.data.dataset import Dataset
from keras_gca.data.dull_responses import DULL_RESPONSES, framed
from keras_gca.data.pairs import frame_answers, joined, pad_contexts
from keras_gca.data.vocabulary import BOS, EOS, Vocabulary
from keras_gca.errors import UserError
from keras_gca.models.likelihood import Evaluator
from keras_gca.models.networks import WHITE
from keras_gca.training.dialogue_rewards import (
    LOWEST_COSINE,
    DialogueRewards,
    backward_agent,
    ease_of_answering,
    information_flow,
    semantic_coherence,
)
from keras_gca.training.simulation import Openings, Simulated, simulate
from tests.factories.gca import LENGTH, VOCABULARY, random_pairs, toy_networks
from tests.oracles.dialogue_rewards import DialogueEquations
from tests.oracles.equations import Equations

SIZES = {
    "sentence_length": LENGTH,
    "word_embedding_size": 7,
    "sentence_embedding_size": 9,
    "discriminator_sentence_embedding_size": 8,
}
DULL = [[5, 9, 6], [7, 8], [5, 9, 6, 7, 8]]
# Two conversations. In the first one, the message has no utterance before it. The second one repeats a turn.
BEFORE = [[[], [5, 6, 7]], [[8, 9], [10, 11]]]
TURNS = [[[12, 13], [5, 6], [14]], [[8, 9, 15], [16], [8, 9, 15]]]
NAN = math.nan


def other_networks():
    """Networks of p_backward, which differ from those of p."""
    gca = toy_networks()
    gca.layers.bot.kernel.assign(-gca.layers.bot.kernel)
    return gca


def agent_of(gca, context_utterances, **settings):
    config = Config.preset("tiny", predict="context", context_utterances=context_utterances, **SIZES, **settings)
    return SimpleNamespace(config=config, token_log_probabilities=Evaluator(gca).token_log_probabilities)


def simulated_turns(hierarchical=False):
    width = LENGTH * (2 if hierarchical else 1)

    def context(utterances):
        return joined_words([words for words in utterances if words], hierarchical)

    def joined_words(utterances, marked):
        return joined(utterances, LENGTH, marked) if utterances else np.zeros(0, np.int32)

    begun = Openings(
        pad_contexts([context(utterances) for utterances in BEFORE], width),
        np.stack([pad_contexts([context([words]) for words in utterances], width) for utterances in BEFORE]),
    )
    return simulate(lambda _, turn: frame_answers([of[turn] for of in TURNS], LENGTH), begun, 3, hierarchical)


def test_each_term_by_hand():
    log_p = np.array([[[-1, -3, NAN], [-4, NAN, NAN]], [[-2, -2, -2], [-6, -2, NAN]]])
    np.testing.assert_allclose(ease_of_answering(log_p), [3.0, 3.0])
    a, b = np.array([[3.0, 4.0], [1.0, 0.0], [2.0, 0.0], [0.0, 0.0]]), np.array([[3.0, 4.0], [1, 1], [-2, 0], [1, 1]])
    floor = -math.log(LOWEST_COSINE)
    np.testing.assert_allclose(information_flow(a, b), [0.0, math.log(2) / 2, floor, floor], atol=1e-12)
    np.testing.assert_allclose(
        semantic_coherence(np.array([[-1, -2, NAN]]), np.array([[-4, NAN, NAN, NAN]])), [-1.5 - 4]
    )


@pytest.mark.thorough
@pytest.mark.parametrize("predicted", [1, 2])
def test_the_rewards_are_those_of_the_equations(predicted):
    forward, backward = toy_networks(), other_networks()
    config = Config.preset("tiny", **SIZES)
    rewards = DialogueRewards(config, VOCABULARY, 0, agent_of(backward, predicted), frame_answers(DULL, LENGTH))
    rewards.measure_by([variable.numpy() for variable in forward.variables(*WHITE, *forward.yellow)])
    simulated = simulated_turns()
    found = rewards.terms(simulated).reshape(3, 2, 3)
    equations = DialogueEquations(Equations(forward), Equations(backward), 2, predicted)
    for number, (before, turns) in enumerate(zip(BEFORE, TURNS, strict=True)):
        said = [*before, *turns]
        expected = [
            (
                equations.ease_of_answering(said, k, DULL),
                equations.information_flow(said, k, LOWEST_COSINE),
                equations.semantic_coherence(said, k),
            )
            for k in range(2, 5)
        ]
        np.testing.assert_allclose(found[:, number], expected, rtol=2e-4, atol=1e-5)
    assert found[0, 0, 1] == 0  # the first agent has not spoken before
    assert found[2, 1, 1] == pytest.approx(0, abs=1e-6)  # the first agent repeats its turn
    assert found[1:, 0, 1].min() > 0


def test_a_flat_backward_model_predicts_the_last_words_before_a_turn():
    """It was trained on contexts of s_s tokens, which lack the first words of long utterances, and have no EOS."""
    said = np.zeros((1, 3, LENGTH), np.int32)
    words = np.arange(10, 10 + 2 * (LENGTH - 1)).reshape(2, -1)
    said[0, :2, 1:] = words
    said[0, 2, -2:] = 5, 6
    config = Config.preset("tiny", **SIZES)
    backward = agent_of(toy_networks(), 2)
    rewards = DialogueRewards(config, VOCABULARY, 0, backward, frame_answers(DULL, LENGTH))
    pairs = rewards._backward_pairs(Simulated(random_pairs(1, length=LENGTH), said, 1))
    assert pairs.answers[0].tolist() == [BOS, *words.ravel()[-LENGTH:]]


def test_turns_of_a_hierarchical_encoder_are_utterances_with_their_end():
    simulated = simulated_turns(hierarchical=True)
    rows = [row[row != 0].tolist() for row in simulated.pairs.contexts]
    assert rows[0] == [5, 6, 7, EOS]
    assert rows[3] == [10, 11, EOS, 8, 9, 15, EOS]
    assert [row[row != 0].tolist() for row in simulated.turns][:2] == [[12, 13, EOS], [8, 9, 15, EOS]]


def test_a_dull_response_needs_all_its_words():
    words = ["i", "do", "n't", "know", ".", "have", "no"]
    vocabulary = Vocabulary(words, [1] * len(words))
    rows = framed(vocabulary, "split", 8)
    assert [vocabulary.decode(row[1:]) for row in rows] == [["i", "do", "n't", "know", "."]]
    assert len(DULL_RESPONSES) == 8
    with pytest.raises(UserError, match="every dull response contains a word"):
        framed(Vocabulary(["hello"], [1]), "split", 8)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"predict": "answer"}, "trained with --predict answer, but --predict context is needed"),
        ({"words": ["other"]}, "this run has a different vocabulary from the new run"),
        ({"config": {"sentence_length": 9}}, "this run has --sentence-length 8, but the new run has 9"),
        ({"config": {"context_utterances": 1}}, "this run predicts 2 utterances, but contexts have at most 1"),
        ({"config": {"algorithm": "reinforce"}}, "--backward: --algorithm reinforce does not use p"),
    ],
)
def test_a_backward_model_must_fit(changes, message, tmp_path, monkeypatch):
    words = ["i", "do", "n't", "know", "."]
    known = changes.get("words", words)
    other = SimpleNamespace(
        config=Config.preset("tiny", sentence_length=8, predict=changes.get("predict", "context")),
        vocabulary=Vocabulary(known, [1] * len(known)),
    )
    monkeypatch.setattr("keras_gca.agent.Agent.load", lambda path: other)
    settings = {"sentence_length": 8, "algorithm": "dialogue_rewards", **changes.get("config", {})}
    vocabulary = Vocabulary(words, [1] * len(words))
    pairs = random_pairs(2, vocabulary=len(vocabulary), length=8)
    with pytest.raises(UserError, match=message):
        backward_agent(Config.preset("tiny", **settings), tmp_path, Dataset(vocabulary, pairs, pairs, [], True))
