"""The base class of the learners of Algorithm 2. Each learner trains some blocks of Figure 2 with Adam."""

import contextlib
from collections.abc import Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf

from keras_gca.engine import optimizers
from keras_gca.engine.learner import Learner, StepResult
from keras_gca.engine.variables import assign
from keras_gca.models.forward import PrefixDiscriminator, PrefixGenerator
from keras_gca.models.networks import GenerativeConversationalAgent


class BlockLearner(Learner):
    """A learner that trains selected layers of a GenerativeConversationalAgent.

    Args:
        gca: The networks.
        names: The names of the layers to train, for example `gca.yellow`.
        learning_rate: Adam's learning rate.
        average: The momentum for a running average of the weights (see `WeightAverage`), or 0 for no average.
        precision: The dtype of the generator's two large matrix products, "float32" or "bfloat16".
    """

    def __init__(
        self,
        gca: GenerativeConversationalAgent,
        names: tuple[str, ...],
        learning_rate: float,
        average: float = 0.0,
        precision: str = "float32",
    ):
        self.average = WeightAverage(gca.variables(*names), average) if average else None
        super().__init__(gca.variables(*names), optimizers.Adam(learning_rate), jit_compile=True)
        self.gca = gca
        self.generator = PrefixGenerator.of(gca, precision)
        self.discriminator = PrefixDiscriminator.of(gca)
        self.names = names

    @property
    def draws(self) -> bool:
        """Whether training steps draw random numbers. If so, the last argument of `loss` is a seed."""
        return False

    def step(self, *batch: np.ndarray, seed: tuple[int, int]) -> StepResult:
        """Take one training step.

        Args:
            *batch: The arguments of `loss` without the seed.
            seed: The random seed for the step, used only if training steps draw random numbers.

        Returns:
            The result of the step.
        """
        drawn = [tf.constant(seed, tf.int32)] if self.draws else []
        return self.train_step(*batch, *drawn)

    @staticmethod
    def metrics(sums: np.ndarray) -> dict[str, float]:
        """Compute the metrics for the log from the sums of `train_step` or `test_step` over all batches."""
        raise NotImplementedError

    def update(self, gradients: list[tf.Tensor]) -> None:
        """Take a training step, and add the new weights to their running average."""
        super().update(gradients)
        if self.average is not None:
            self.average.update(self.variables)

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """Use the running averages as weights inside the `with` block, if the learner keeps averages."""
        if self.average is None or not self.steps:
            yield
            return
        latest = [variable.numpy() for variable in self.variables]
        assign(self.variables, self.average.values(self.steps))
        try:
            yield
        finally:
            assign(self.variables, latest)


class WeightAverage:
    """An exponential moving average of weights over training steps, corrected for starting at zero.

    After t steps with the weights w_1 ... w_t and the momentum m, the average is

        (1 - m) (w_t + m w_(t-1) + ... + m^(t-1) w_1) / (1 - m^t),

    whose coefficients sum to 1 for every t, as in Adam's moments (Kingma and Ba 2015, Section 3). If the average
    started at w_1 instead, w_1 would have the coefficient m^(t-1). With a momentum close to 1, w_1 would then dominate
    the average during the first epochs.

    Args:
        variables: The weights, which determine the shapes of the float32 sums.
        momentum: m, between 0 and 1. A momentum of 1 - 1/n averages over about n steps.
    """

    def __init__(self, variables: Sequence[keras.Variable], momentum: float):
        self.momentum = float(np.float32(momentum))  # rounded as in the graph, so that `values` and `update` use one m
        self.sums = [
            keras.Variable(
                keras.ops.zeros(variable.shape), trainable=False, aggregation="only_first_replica", name="average"
            )
            for variable in variables
        ]

    def update(self, variables: Sequence[keras.Variable]) -> None:
        """Add the current weights to the average after a step."""
        for total, variable in zip(self.sums, variables, strict=True):
            total.assign(self.momentum * total.value + (1 - self.momentum) * variable.value)

    def values(self, steps: int) -> list[np.ndarray]:
        """Return the averages after the given number of steps, which must be at least 1."""
        counted = 1 - self.momentum**steps
        return [(total.numpy() / counted).astype(np.float32) for total in self.sums]
