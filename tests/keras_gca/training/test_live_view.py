"""Answering a user who watches a training run does not change the training, and D judges as the agent's D does."""

import numpy as np
import pytest

from keras_gca.agent import Agent
from keras_gca.config import Config
from keras_gca.data.vocabulary import Vocabulary
from keras_gca.models.networks import WHITE, YELLOW, build
from keras_gca.training.adversarial import AdversarialTraining
from keras_gca.training.live_view import answer
from tests.factories.gca import SMALL, VOCABULARY, random_pairs

WORDS = [f"w{i}" for i in range(VOCABULARY - 4)]


def training(**changes):
    config = Config.preset("tiny", **SMALL | {"machine_pairs": 20, "hidden_dropout": 0.2} | changes)
    return AdversarialTraining(config, build(config, VOCABULARY), random_pairs(40), random_pairs(15, 1))


@pytest.fixture
def vocabulary():
    made = Vocabulary(WORDS, [1] * len(WORDS), {})
    assert len(made) == VOCABULARY
    return made


@pytest.mark.thorough
@pytest.mark.parametrize("algorithm", ["backpropagation", "reinforce"])
def test_a_watched_training_learns_the_same_bits(algorithm, vocabulary):
    watched, alone = training(algorithm=algorithm), training(algorithm=algorithm)
    for event in watched:
        if event.row is not None:
            asked, samples = answer(watched, vocabulary, watched.validation[:3], ["w1 w2?", "w3"])
            assert [exchange.context for exchange in asked] == ["w1 w2?", "w3"]
            assert len(samples) == 3
    for _ in alone:
        pass
    facts, arrays = watched.state()
    expected_facts, expected = alone.state()
    assert facts == expected_facts
    assert arrays.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(arrays[name], array)


@pytest.mark.thorough
@pytest.mark.parametrize("algorithm", ["backpropagation", "reinforce"])
def test_replies_and_ds_view_are_the_agents(algorithm, vocabulary):
    made = training(algorithm=algorithm)
    asked, _ = answer(made, vocabulary, made.validation[:2], ["w1 w2"])
    assert (asked[0].reply.score, asked[0].reply.tokens) == (None, ())  # D has not learned
    made.history.append({"phase": "discriminator"})
    asked, samples = answer(made, vocabulary, made.validation[:2], ["w1 w2"])
    weights = [variable.numpy() for variable in made.gca.variables(*WHITE, *YELLOW)]
    green = [variable.numpy() for variable in made.gca.variables(*WHITE, *made.gca.green)]
    agent = Agent(made.config, vocabulary, {"g": weights}, green)
    [expected] = agent.answers("w1 w2")
    reply = asked[0].reply
    assert reply.text == expected.text
    assert reply.score == pytest.approx(expected.score)
    if algorithm == "backpropagation":
        assert [token for token, _ in reply.tokens] == [token for token, _ in expected.token_scores]
        np.testing.assert_allclose([p for _, p in reply.tokens], [p for _, p in expected.token_scores], rtol=1e-5)
    else:
        assert reply.tokens == ()
    log_l = agent.judge(made.validation.contexts[:2], made.validation.answers[:2])
    assert samples[1].human.score == pytest.approx(np.exp(np.nanmean(log_l[1])))
    assert answer(made, vocabulary, made.validation[:2], [])[0] == []
