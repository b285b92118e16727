"""A step of maximum likelihood in PyTorch computes the same loss as this project's, and trains the same weights."""

import math

import numpy as np
import pytest

from benchmarks import costs, likelihood, second_paper
from benchmarks.exercise import SIZES, Exercise
from gail_tf.data.batches import Batch
from gail_tf.imitation.maximum_likelihood import Perplexity
from gail_tf.policies.language_model_policy import Policy

pytestmark = pytest.mark.thorough  # PyTorch takes seconds to import

NAMES = ["tiny", "tiny-llama"]
EXERCISES = {name: Exercise(SIZES[name], rollouts=8, prompt=12, response=6) for name in NAMES}


@pytest.fixture(scope="module")
def torch_lora():
    """The module with the steps in PyTorch."""
    pytest.importorskip("peft")
    from benchmarks import torch_lora

    return torch_lora


def tokens_of(exercise: Exercise) -> np.ndarray:
    return np.concatenate([exercise.prompts(), exercise.expert_responses()], 1)


@pytest.mark.parametrize("trainable", likelihood.STEPS)
@pytest.mark.parametrize("name", NAMES)
def test_the_loss_is_ours(torch_lora, trainable, name):
    from benchmarks.torch_gail import torch_network

    exercise = EXERCISES[name]
    network = exercise.network()
    masks = [np.ones((8, width), bool) for width in (12, 6)]
    batch = Batch(exercise.prompts(), masks[0], exercise.expert_responses(), masks[1])
    ours = math.log(Perplexity(Policy(network))(batch))
    step = torch_lora.TorchStep(torch_network(network), tokens_of(exercise), 6, trainable)
    step.model.eval()
    assert step.loss(step._tokens).item() == pytest.approx(ours, rel=1e-5)


@pytest.mark.parametrize("precision", likelihood.PRECISIONS)
@pytest.mark.parametrize("trainable", likelihood.STEPS)
@pytest.mark.parametrize("name", NAMES)
def test_the_trained_weights_change_and_are_float32(torch_lora, name, trainable, precision):
    step = likelihood.torch_step(EXERCISES[name], trainable, precision)
    before = {key: weight.clone() for key, weight in step.model.named_parameters()}
    assert step() == 8 * 18
    changed = [key for key, weight in step.model.named_parameters() if not before[key].equal(weight)]
    learned = {key: weight for key, weight in step.model.named_parameters() if weight.requires_grad}
    assert {str(weight.dtype) for weight in learned.values()} == {"torch.float32"}
    assert changed == list(learned)
    assert all("lora_" in key for key in learned) == (trainable == "lora")
    assert trainable == "lora" or len(learned) == len(before)
    frozen = {str(weight.dtype) for weight in step.model.parameters() if not weight.requires_grad}
    assert frozen == ({f"torch.{precision}"} if trainable == "lora" else set())


def test_adapters_are_as_large_as_ours(torch_lora):
    """GPT-2's products are the same in both programs. Llama's joined products share A: rank 8, two blocks, width 64."""
    counts = {}
    for name in NAMES:
        step = likelihood.torch_step(EXERCISES[name], "lora", "float32")
        counts[name] = sum(weight.numel() for weight in step.model.parameters() if weight.requires_grad)
    assert counts["tiny"] == costs.learned(SIZES["tiny"], "lora")
    assert counts["tiny-llama"] == costs.learned(SIZES["tiny-llama"], "lora") + 8 * 2 * (2 + 1) * 64


@pytest.mark.parametrize("trainable", likelihood.STEPS)
def test_our_step_reads_all_tokens(trainable):
    assert likelihood.our_step(EXERCISES["tiny-llama"], trainable, "bfloat16")() == 8 * 18


def test_the_contestants_of_each_step():
    everyone = ["here", "PyTorch", "PyTorch, bfloat16 weights", "PyTorch, compiled"]
    assert list(likelihood.steps("full", "bfloat16")) == everyone
    assert list(likelihood.steps("lora", "bfloat16")) == ["here", "PyTorch", "PyTorch, compiled"]
    assert list(likelihood.steps("full", "float32", compiled=False)) == ["here", "PyTorch"]
    assert list(likelihood.steps("full", "float32", theirs=False)) == ["here"]


def test_the_part_prints_both_precisions_of_a_step(torch_lora, monkeypatch, capsys):
    everything = likelihood.steps
    monkeypatch.setattr(second_paper, "steps", lambda *choice: everything(*choice, compiled=False))
    monkeypatch.setattr(second_paper, "STEPS", ("lora",))
    monkeypatch.setattr(second_paper, "matrix_product_rate", lambda precision: 100.0)
    options = second_paper._parser().parse_args(["mle", "--size", "tiny-llama", "--rounds", "1"])
    found = second_paper._steps(options)
    assert [list(rates) for rates in found.values()] == [["here", "PyTorch"]] * 2
    assert all(rate > 0 for rates in found.values() for rate in rates.values())
    printed = capsys.readouterr().out
    assert "| step on 8 x 64 + 32 tokens, lora, bfloat16, tokens/s | here | " in printed
