"""With the same weights, the PyTorch program of the benchmark computes the same as this project."""

import dataclasses

import numpy as np
import pytest

from benchmarks.exercise import JUDGING, LEARNING, OLD, REFERENCE, REST, SAMPLING, SIZES, Exercise
from benchmarks.our_update import OurUpdate
from gail_tf.data.batches import Batch
from gail_tf.imitation import rewards
from gail_tf.imitation.reference import Reference
from gail_tf.models.architectures import make_network
from gail_tf.policies.language_model_policy import Policy
from gail_tf.policies.sampling import Sampling

pytestmark = pytest.mark.thorough  # PyTorch takes seconds to import

EXERCISES = {name: Exercise(SIZES[name], rollouts=16, prompt=12, response=6) for name in ("tiny", "tiny-llama")}
EXERCISE = EXERCISES["tiny"]
MASKS = [np.ones((16, width), bool) for width in (12, 6)]
BATCH = Batch(EXERCISE.prompts(), MASKS[0], EXERCISE.expert_responses(), MASKS[1])


@pytest.fixture(scope="module")
def torch_gail():
    """The module with the PyTorch program."""
    from benchmarks import torch_gail

    return torch_gail


@pytest.fixture(scope="module")
def torch(torch_gail):
    return torch_gail.torch


@pytest.fixture(scope="module", params=EXERCISES)
def network(request):
    """A network whose weights are far from the initial ones, with which all tokens are about equally likely."""
    made = make_network(SIZES[request.param], seed=1)
    draw = np.random.default_rng(4)
    for variable in made.weights.values():
        variable.assign(variable.numpy() + draw.normal(0, 0.1, variable.shape))
    return made


@pytest.fixture(scope="module")
def tokens(torch):
    return torch.from_numpy(np.concatenate([BATCH.condition, BATCH.response], 1)).long()


def test_log_probs_are_ours(torch, torch_gail, network, tokens):
    ours = Policy(network).log_probs(*BATCH).log_probs.numpy()
    with torch.no_grad():
        theirs = torch_gail.response_log_probs(torch_gail.torch_network(network), tokens, EXERCISE.response)
    assert np.ptp(ours) > 1
    np.testing.assert_allclose(theirs, ours, rtol=1e-4, atol=1e-4)


def test_the_reference_reads_what_ours_reads(torch, torch_gail, network, tokens):
    ours = Reference(Policy(network), Sampling(EXERCISE.response)).read(BATCH, size=8)
    update = torch_gail.TorchUpdate(dataclasses.replace(EXERCISE, sizes=network.config))
    update.reference = torch_gail.torch_network(network)
    with torch.no_grad():
        states = update.states(tokens)
        np.testing.assert_allclose(update.reference_log_probs(states, tokens), ours.log_probs, rtol=1e-4, atol=1e-4)
        found = torch_gail.response_features(states[:, -EXERCISE.response :])
    np.testing.assert_allclose(found, ours.features, rtol=1e-3, atol=1e-4)


def test_rewards_are_normalised_like_ours(torch, torch_gail):
    running, statistics = torch_gail.RunningRewards(), rewards.RewardStatistics.initial()
    draw = np.random.default_rng(0)
    for count in (3, 8):
        values = draw.normal(1, 2, count).astype(np.float32)
        ours, statistics = rewards.normalise(values, statistics)
        np.testing.assert_allclose(running(torch.from_numpy(values)), ours, rtol=1e-4)


def test_the_clipped_loss(torch, torch_gail):
    """Ratios e^0.1, e^0.5 and e^-0.5, within 0.8 and 1.2, with advantages 1, 2 and -1."""
    log_probs = torch.tensor([[0.1, 0.0], [0.2, 0.3], [-0.5, 0.0]])
    loss = torch_gail.clipped_loss(log_probs, torch.zeros(3, 2), torch.tensor([1.0, 2.0, -1.0]), 0.2)
    assert float(loss) == pytest.approx(-(np.exp(0.1) + 1.2 * 2 - 0.8) / 3, rel=1e-6)


def test_a_step_of_maximum_likelihood_learns(torch, torch_gail, network, tokens):
    training = torch_gail.TorchMaximumLikelihood(network)
    before = training.model.lm_head.weight.clone()
    assert training.step(tokens.numpy()) == tokens[:, 1:].numel()
    assert not torch.equal(before, training.model.lm_head.weight)


@pytest.mark.parametrize("size", EXERCISES)
@pytest.mark.parametrize("phases", [{OLD}, set()], ids=["PyTorch", "ours"])
def test_an_update_makes_whole_responses_and_times_its_phases(torch_gail, phases, size):
    update = torch_gail.TorchUpdate(EXERCISES[size]) if phases else OurUpdate(EXERCISES[size])
    assert update() == 16 * 6
    assert set(update.watch.lap()) == {SAMPLING, REFERENCE, LEARNING, JUDGING, REST} | phases
    assert set(update.flops) == {SAMPLING, REFERENCE, LEARNING} | phases


def test_trl_makes_an_update(torch):
    pytest.importorskip("trl.experimental.ppo")
    from benchmarks.trl_ppo import TRLUpdate

    update = TRLUpdate(EXERCISE)
    before = update.policy.lm_head.weight.clone()
    assert update() == 16 * 6
    assert set(update.watch.lap()) == {SAMPLING, REFERENCE, LEARNING, JUDGING}
    assert not torch.equal(before, update.policy.lm_head.weight)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_trl_trains_adapters_alone(torch, precision):
    pytest.importorskip("trl.experimental.ppo")
    pytest.importorskip("peft")
    from benchmarks.trl_ppo import TRLUpdate

    update = TRLUpdate(EXERCISES["tiny-llama"], "lora", precision)
    before = {name: weight.clone() for name, weight in update.policy.named_parameters()}
    assert update() == 16 * 6
    assert set(update.watch.lap()) == {SAMPLING, REFERENCE, LEARNING, JUDGING}
    changed = {name for name, weight in update.policy.named_parameters() if not torch.equal(before[name], weight)}
    assert len(changed) >= 2 * 7  # B of seven products in each of two blocks; A has no gradient while B is zero
    assert all("lora_" in name for name in changed)
