"""A step of maximum likelihood on conditions and responses of fixed lengths, here and in PyTorch.

Both programs read the same tokens, compute logits only where a token of a response is predicted, clip the gradients and
train with AdamW.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from benchmarks.exercise import Exercise
from gail_tf.config import GAILConfig
from gail_tf.data.batches import Batch
from gail_tf.imitation.maximum_likelihood import MaximumLikelihood
from gail_tf.models.projection import Adapters
from gail_tf.policies.language_model_policy import Policy

SEQUENCES = 8
STEPS = ("full", "lora")  # the trained weights
PRECISIONS = ("float32", "bfloat16")
OURS = "here"


def steps(
    trainable: str, precision: str, theirs: bool = True, compiled: bool = True
) -> dict[str, Callable[[Exercise], Callable[[], int]]]:
    """Return functions that make the contestants' steps, by the contestants' names. This project comes first.

    Args:
        trainable: The trained weights, one of STEPS.
        precision: One of PRECISIONS.
        theirs: Whether PyTorch takes part.
        compiled: Whether `torch.compile` takes part.
    """
    makers = {OURS: partial(our_step, trainable=trainable, precision=precision)}
    if theirs:
        made = partial(torch_step, trainable=trainable, precision=precision)
        makers["PyTorch"] = made
        if (trainable, precision) == ("full", "bfloat16"):
            makers["PyTorch, bfloat16 weights"] = partial(made, stored=True)
        if compiled:
            makers["PyTorch, compiled"] = partial(made, compiled=True)
    return makers


def our_step(exercise: Exercise, trainable: str = "full", precision: str = "float32") -> Callable[[], int]:
    """Make a function that trains this project's policy for one step and returns the number of tokens it has read."""
    table, adapters = GAILConfig(), Adapters() if trainable == "lora" else None
    policy = Policy(exercise.network(adapters, precision), trainable)
    learner = MaximumLikelihood(
        policy,
        table.likelihood.mle_learning_rate,
        weight_decay=table.optimizer.weight_decay,
        gradient_clip=table.optimizer.gradient_clip,
    )
    condition, response = exercise.prompts(), exercise.expert_responses()
    batch = Batch(condition, np.ones_like(condition, bool), response, np.ones_like(response, bool))
    rows, seed = np.arange(len(response), dtype=np.int32), np.zeros(2, np.int32)

    def step() -> int:
        sums = learner.train_step(batch, rows, seed).sums
        assert int(sums[1]) == response.size, "a token of a response was not predicted"
        return condition.size + response.size

    return step


def torch_step(exercise: Exercise, trainable: str, precision: str, **options: bool) -> Callable[[], int]:
    """Make a `TorchStep` for a network with random weights, with the given options."""
    from benchmarks.torch_gail import random_network
    from benchmarks.torch_lora import TorchStep

    tokens = np.concatenate([exercise.prompts(), exercise.expert_responses()], 1)
    return TorchStep(random_network(exercise.sizes), tokens, exercise.response, trainable, precision, **options)
