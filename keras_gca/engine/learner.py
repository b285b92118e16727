"""Gradient descent as every training of both papers does it."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from keras_gca.engine import optimizers, replicas
from keras_gca.engine.learning_rate import learning_rate_factor
from keras_gca.engine.variables import assign
from keras_gca.errors import UserError

NOT_DECAYED = ("bias", "beta", "gamma")  # weight decay pulls at matrices, not at biases and scales


class Descent(NamedTuple):
    """What a step came to.

    loss: the scalar that was to become small. reported: what the loss function gave besides. gradient_norm: of all
    gradients together, before they were clipped. Of several replicas each has its part.
    """

    loss: tf.Tensor
    reported: Any
    gradient_norm: tf.Tensor


class Learner:
    """Trains the given variables and leaves all others as they are.

    optimizer: one of `optimizers`. gradient_clip: the largest norm of all gradients together; None: any. jit_compile:
    apply the gradients in one XLA program, which makes one pass over the memory of many small operations; where there
    are several replicas it is not used, since XLA has no way to the others.
    """

    def __init__(
        self,
        variables: Sequence[keras.Variable],
        optimizer: keras.Optimizer,
        gradient_clip: float | None = None,
        jit_compile: bool = False,
    ):
        self.variables = list(variables)
        self.optimizer = optimizer
        self._clip = gradient_clip
        optimizer.build(self.variables)
        alone = tf.distribute.get_strategy().num_replicas_in_sync == 1
        self._apply = tf.function(self._update, jit_compile=True) if jit_compile and alone else self._update

    def descend(self, loss: Callable[[], tuple[tf.Tensor, Any]]) -> Descent:
        """One step inside a graph.

        loss: computes the scalar to make small, and what is to be reported. Of several replicas each computes its part
        of both.
        """
        values = [variable.value for variable in self.variables]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(values)
            scalar, reported = loss()
        gradients = replicas.total([tf.convert_to_tensor(gradient) for gradient in tape.gradient(scalar, values)])
        norm = tf.linalg.global_norm(gradients)
        if self._clip is not None:
            gradients, _ = tf.clip_by_global_norm(gradients, self._clip, norm)
        self._apply(gradients)
        return Descent(scalar, reported, replicas.part(norm))

    def _update(self, gradients: list[tf.Tensor]) -> None:
        self.optimizer.apply(gradients, self.variables)

    @property
    def steps(self) -> int:
        """How many steps have been taken."""
        return int(self.optimizer.iterations)

    def state(self) -> list[np.ndarray]:
        """The optimizer's variables, to be stored."""
        return [variable.numpy() for variable in self.optimizer.variables]

    def restore(self, state: list[np.ndarray]) -> None:
        assign(self.optimizer.variables, state)


class AdamWLearner(Learner):
    """AdamW with warm-up and clipped gradients, as in Table 1 of the second paper.

    learning_rate: the peak, reached after warmup_steps. gradient_clip: see `Learner`. total_steps: after which the rate
    would be 0, in a straight line from its peak; None: it stays. Raises UserError as `check_warm_up` does.
    """

    def __init__(
        self,
        variables: Sequence[keras.Variable],
        learning_rate: float,
        weight_decay: float = 0.0,
        warmup_steps: int = 0,
        gradient_clip: float | None = None,
        total_steps: int | None = None,
    ):
        check_warm_up(warmup_steps, total_steps)
        self._peak = learning_rate
        # A step is counted from 1: the first one of a warm-up is small, and the last one of all too, not nothing.
        self._factor = partial(
            learning_rate_factor,
            warmup_steps=warmup_steps,
            total_steps=None if total_steps is None else total_steps + 1,
        )
        optimizer = optimizers.AdamW(learning_rate, weight_decay=weight_decay)
        optimizer.exclude_from_weight_decay(var_names=NOT_DECAYED)
        super().__init__(variables, optimizer, gradient_clip)

    def _update(self, gradients: list[tf.Tensor]) -> None:
        factor = self._factor(tf.cast(self.optimizer.iterations, tf.float32) + 1)
        self.optimizer.learning_rate.assign(self._peak * factor)
        super()._update(gradients)


def check_warm_up(warmup_steps: int, total_steps: int | None) -> None:
    """Raises UserError where a warm-up does not end before a training does (None: nobody knows when that is)."""
    if total_steps is not None and warmup_steps >= total_steps:
        raise UserError(
            f"--warmup-steps: {warmup_steps} where a phase of the training has {total_steps} steps in all; fewer are "
            "expected, or --learning-rate-schedule constant"
        )


def add_up(steps: Iterable[Sequence[tf.Tensor]]) -> np.ndarray:
    """The sums that several steps return, added up: float64.

    Sums of losses and of rows, not means: those of an epoch give exact means, whatever the batches' sizes.
    """
    return np.sum([[float(value) for value in sums] for sums in steps], axis=0)
