"""Whether responses follow a wish is counted by hand here, with a policy whose responses depend on its wishes alone."""

import numpy as np
import pytest

from gail_tf.agent import GAILAgent, Replying
from gail_tf.data.listening import Profile
from gail_tf.data.trajectories import Trajectory
from gail_tf.evaluation import wishes
from gail_tf.evaluation.results_file import Options
from gail_tf.evaluation.wishes import HUMAN, PERPLEXITY, WISHES, WITH, WITHOUT
from glove.cost import TimeLimit
from keras_gca.errors import UserError
from tests.factories import gail_agents, small_runs

TEST = (
    Trajectory((), "I lost my job.", "I'm so sorry. What happened?", conversation=0),
    Trajectory((), "My dog is ill.", "Poor dog!", conversation=1),
    Trajectory((), "We won.", "How lovely! Who played?", conversation=2),
    Trajectory((), "It rains.", "It does.", conversation=3),
)


@pytest.fixture(scope="module")
def agent():
    return gail_agents.of_gpt2(small_runs.config(listener_profile="on"))


class Run:
    """A run whose bot is the agent of the test."""

    path = "run"

    def __init__(self, config):
        self._config = config

    def config(self):
        return self._config

    def data(self):
        return self

    test = TEST


@pytest.fixture
def measured(agent, monkeypatch):
    """The result for a policy that asks in half of its responses, and in all of them if it is wished."""
    asks = agent.tokenizer.special("<|ask yes|>")

    def respond_to(policy, tokenizer, batch, rows, *others):
        wished = (batch.condition == asks).any(1)
        return ["Why?" if wish or row % 2 else "I see." for row, wish in zip(rows, wished, strict=True)]

    monkeypatch.setattr(wishes, "respond_to", respond_to)
    monkeypatch.setattr(GAILAgent, "load", lambda path: agent)
    runs = {"plain": [Run(small_runs.config())], "profiles": [Run(agent.config), Run(agent.config)]}
    return wishes.measure(runs, Options())


def test_the_shares_of_responses(measured):
    assert list(measured) == ["profiles"]
    first, second = measured["profiles"]
    assert first == second
    assert list(first) == [*map(" ".join, WISHES), PERPLEXITY]
    assert first["ask yes"] == {WITHOUT: 0.5, WITH: 1.0, HUMAN: 0.5}
    assert first["ask no"] == {WITHOUT: 0.5, WITH: 0.5, HUMAN: 0.5}
    assert first["console yes"] == {WITHOUT: 0, WITH: 0, HUMAN: 0.5}
    assert first["length short"] == {WITHOUT: 1, WITH: 1, HUMAN: 1}


def test_the_perplexities_are_those_of_numpy(measured, agent):
    policy = agent.policies["imitation"]
    batch = agent.encode(TEST)
    logs = policy.log_probs(*batch).log_probs.numpy().astype(np.float64)
    expected = np.exp(-logs[batch.response_mask].mean())
    found = measured["profiles"][0][PERPLEXITY]
    np.testing.assert_allclose(found[WITHOUT], expected, rtol=1e-5)
    assert found[WITH] != pytest.approx(found[WITHOUT], rel=1e-6)


def test_the_table_and_the_tests():
    shares = [{WITHOUT: 0.5, WITH: 0.9, HUMAN: 0.6}, {WITHOUT: 0.3, WITH: 0.9, HUMAN: 0.6}]
    perplexities = {WITHOUT: 20.0, WITH: 18.0}
    measured = {"mle_with_profiles": [{"ask yes": of_run, PERPLEXITY: perplexities} for of_run in shares]}
    rows = [list(row) for row in wishes.table(measured).rows]
    assert rows[0][:2] == ["maximum likelihood, with profiles", "ask yes"]
    assert [cell.split()[0] for cell in rows[0][2:]] == ["0.4", "0.9", "0.6"]
    assert rows[1][1] == PERPLEXITY
    assert rows[1][4] == ""
    (test,) = wishes.paired_tests(measured)
    assert abs(test.comparison.difference) == pytest.approx(0.5)
    assert wishes.paired_tests({"one": [{"ask yes": shares[0]}]}) == []


def test_nothing_is_measured_after_the_end_of_the_time(agent):
    limit = TimeLimit(0)
    assert wishes.measure({"profiles": [Run(agent.config)]}, Options(), limit) is None


@pytest.mark.thorough
def test_an_agent_reads_wishes_only_if_it_was_trained_with_them(agent):
    plain, wished = (agent.reply("I lost my job.", Replying(temperature=0, profile=p)) for p in (None, Profile("yes")))
    assert plain != wished
    other = gail_agents.of_gpt2(small_runs.config())
    with pytest.raises(UserError, match=r"^this bot was trained without listener profiles"):
        other.reply("I lost my job.", Replying(profile=Profile("yes")))
