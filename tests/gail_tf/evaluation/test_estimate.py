"""The estimates of evaluations, with the network's operations counted by hand for a small GPT-2."""

import numpy as np
import pytest

from gail_tf.evaluation import estimate
from tests.factories import gail_agents, small_runs

RATE = 1e6


@pytest.fixture(scope="module")
def agent():
    return gail_agents.of_gpt2(small_runs.config())  # two policies


def read(agent, batch):
    sizes = agent.bot.sizes
    blocks, output = 2 * sizes.n_layer * 12 * sizes.n_embd**2, 2 * sizes.vocab_size * sizes.n_embd
    conditions, responses = batch.condition_mask.sum(), batch.response_mask.sum()
    return (blocks * (conditions + responses) + output * responses) / 0.2 / RATE


def drawn(agent, batch):
    sizes, count = agent.bot.sizes, len(batch.condition)
    blocks, output = 2 * sizes.n_layer * 12 * sizes.n_embd**2, 2 * sizes.vocab_size * sizes.n_embd
    return (blocks * batch.condition_mask.sum() + (blocks + output) * count * 8 / 0.5) / 0.2 / RATE


def test_an_evaluation_reads_all_trajectories_and_answers_some(agent):
    batch = small_runs.samples().batch
    made = estimate.of_evaluation(agent.config, agent.policies, batch, np.arange(len(batch.condition)), 32, RATE)
    assert made.seconds == {
        "perplexity": pytest.approx(2 * read(agent, batch)),
        "responses": pytest.approx(2 * drawn(agent, batch)),
        "features": pytest.approx(2 * 2 * read(agent, batch)),
    }
    one = {"imitation": agent.policies["imitation"]}
    half = estimate.of_evaluation(agent.config, one, batch, np.arange(len(batch.condition)), 32, RATE)
    assert half.total == pytest.approx(made.total / 2)


def test_a_policy_answers_at_each_point_and_at_its_best_one(agent):
    validation, test = small_runs.samples(1).batch, small_runs.samples().batch
    made = estimate.of_grid(agent.config, agent.policies["imitation"], validation, test, 6, 32, RATE)
    assert made.seconds == {"responses": pytest.approx(6 * drawn(agent, validation) + drawn(agent, test))}


def test_ratings_are_compared_with_what_networks_read_once(agent):
    batch = small_runs.samples().batch
    made = estimate.of_ratings(agent.config, agent.policies, batch, RATE)
    assert made.seconds == {
        "discriminator": pytest.approx(read(agent, batch)),
        "likelihoods": pytest.approx(2 * read(agent, batch)),
    }


def test_lstms_are_not_counted():
    settings = small_runs.config(algorithm="rl_seq2seq", discriminator_steps=0, discriminator_passes=0)
    agent = gail_agents.of_lstms(settings)
    batch = small_runs.samples().batch
    assert estimate.of_evaluation(settings, agent.policies, batch, np.arange(2), 32, RATE).total == 0
    assert estimate.of_ratings(settings, agent.policies, batch, RATE).total == 0
    for policy in agent.policies.values():
        assert estimate.of_grid(settings, policy, batch, batch, 6, 32, RATE).total == 0
