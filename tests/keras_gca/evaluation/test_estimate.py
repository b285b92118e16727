"""The estimates of evaluations, with the networks' operations that `test_costs.py` counts by hand."""

import numpy as np
import pytest

from keras_gca.agent import Decoding
from keras_gca.data.pairs import Pairs
from keras_gca.evaluation import estimate
from keras_gca.models.costs import Costs, Lengths
from tests.factories.gca import make_agent

RATE = 1e6
HELD_OUT = 60


@pytest.fixture
def agent():
    return make_agent()  # two generators


@pytest.fixture
def held_out():
    """Pairs with contexts of 4 tokens, and answers of 3 with EOS."""
    contexts, answers = np.zeros((HELD_OUT, 8), np.int32), np.zeros((HELD_OUT, 9), np.int32)
    contexts[:, -4:], answers[:, :4] = 5, 5
    return Pairs(contexts, answers, np.arange(HELD_OUT, dtype=np.int32))


def test_an_evaluation_reads_answers_and_judges(agent, held_out):
    costs = Costs(agent.config, len(agent.vocabulary))
    read, judged = (count(Lengths(HELD_OUT, 4, 3)) / RATE for count in (costs.read, costs.judge))
    made = estimate.of_evaluation(agent, held_out, Decoding(beam=5), RATE).seconds
    assert made["perplexity"] == pytest.approx(2 * 2 * read)  # once with shuffled contexts
    assert made["replies"] == pytest.approx(2 * 5 * read)
    # The own discriminator and the independent ones judge human answers and those of two generators. Two independent
    # ones learn from a half each, in which every human pair has a machine-generated one, for 10 epochs.
    assert made["judges"] == pytest.approx((2 * 3 + 10 * 2 * 3) * judged)
    assert estimate.of_evaluation(agent, held_out, Decoding(), RATE).seconds["replies"] == pytest.approx(2 * read)


def test_a_generator_answers_at_each_point_and_at_its_best_one(agent, held_out):
    read = Costs(agent.config, len(agent.vocabulary)).read(Lengths(HELD_OUT, 4, 3)) / RATE
    made = estimate.of_grid(agent, held_out, held_out[: HELD_OUT // 2], 6, RATE)
    assert made.seconds == {"replies": pytest.approx(6.5 * read)}


def test_reranking_searches_for_lists_and_reads_them_twice(agent, held_out):
    costs = Costs(agent.config, len(agent.vocabulary))
    made = estimate.of_reranking(agent, held_out, 20, RATE).seconds
    assert made["lists"] == pytest.approx(20 * costs.read(Lengths(HELD_OUT, 4, 3)) / RATE)
    read = costs.read(Lengths(20 * HELD_OUT, 0, 3)) + costs.read(Lengths(20 * HELD_OUT, 3, 4))
    assert made["probabilities"] == pytest.approx(read / RATE)


def test_ratings_are_compared_with_what_networks_read_once(agent, held_out):
    costs, some = Costs(agent.config, len(agent.vocabulary)), Lengths(HELD_OUT, 4, 3)
    made = estimate.of_ratings(agent, held_out, 64, RATE).seconds
    assert made["discriminator"] == pytest.approx(costs.judge(some) / RATE)
    assert made["likelihoods"] == pytest.approx(2 * costs.read(some) / RATE)
