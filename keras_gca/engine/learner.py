"""The base class of both papers' learners, which train networks by gradient descent."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, ClassVar, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from keras_gca.engine import optimizers, replicas
from keras_gca.engine.compiled import Compiled
from keras_gca.engine.learning_rate import learning_rate_factor
from keras_gca.engine.variables import assign
from keras_gca.errors import UserError

NOT_DECAYED = ("bias", "beta", "gamma", "scale")  # weight decay applies only to matrices, not to biases and scales


class StepResult(NamedTuple):
    """The results of a training step.

    Inside a step, each replica holds only its part of these values. The parts are added up when the step returns.

    Attributes:
        loss: The loss before the step, a float32 scalar.
        sums: The sums that `Learner.loss` returned, or sums that a subclass derived from them.
        gradient_norm: The global norm of the gradients before clipping, a float32 scalar, or None if gradients are not
            clipped and the learner does not report the norm.
    """

    loss: tf.Tensor
    sums: Any
    gradient_norm: tf.Tensor | None


class Learner:
    """Base class for training variables by gradient descent. A subclass defines `loss`.

    `train_step(*batch)` takes one optimisation step and returns a `StepResult`. `test_step(*batch)` only returns the
    sums that `loss` computes for metrics; it changes no variables. Both methods take the arguments of `loss`. Only the
    given variables are trained.

        class Regression(Learner):
            def loss(self, inputs, targets):
                errors = tf.square(self.layer(inputs) - targets)
                return replicas.mean(errors), (tf.reduce_sum(errors), tf.size(errors))

    Args:
        variables: The variables to train.
        optimizer: An optimizer from the module `optimizers`.
        gradient_clip: The maximum global norm of the gradients, or None for no clipping.
        jit_compile: Whether to apply the gradients in one XLA program, which makes a single pass over the memory
            instead of many small operations. This has no effect with several replicas, because an XLA program cannot
            communicate with other replicas.
    """

    replicated: ClassVar[tuple[str, ...]] = ()  # the names of arguments of `loss` that are not distributed
    per_token: ClassVar[tuple[str, ...]] = ()  # the names of arguments with a float for each token; see `Compiled`
    reports_norm: ClassVar[bool] = (
        False  # whether to compute the norm even without clipping, which costs a pass over the memory
    )

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
        self.apply_gradients = tf.function(self.update, jit_compile=True) if jit_compile and alone else self.update
        self.train_step = self._compiled(self.descend)
        self.test_step = self._compiled(self.measure)

    def _compiled(self, step: Callable) -> Compiled:
        return Compiled(step, replicated=self.replicated, per_token=self.per_token, arguments_of=self.loss)

    def loss(self, *batch: Any, **named: Any) -> tuple[tf.Tensor, Any]:
        """Compute the loss to minimise and sums for metrics. This method is called inside a TensorFlow graph.

        With several replicas, each computes its part of the loss (`replicas.mean`) and the sums over its own rows.

        Args:
            *batch: Arrays in any structure. Each combination of plain values, such as None, has its own graph.
            **named: Not used in this class. A subclass gives names to its arguments.

        Returns:
            The loss, a float32 scalar, and the sums, scalars in any structure.
        """
        raise NotImplementedError

    def descend(self, *batch: Any) -> StepResult:
        """Take one optimisation step inside a graph. Outside a graph, call `train_step`."""
        values = [variable.value for variable in self.variables]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(values)
            scalar, sums = self.loss(*batch)
        gradients = replicas.total([tf.convert_to_tensor(gradient) for gradient in tape.gradient(scalar, values)])
        norm = None
        if self._clip is not None or self.reports_norm:
            norm = tf.linalg.global_norm(gradients)
        if self._clip is not None:
            gradients, _ = tf.clip_by_global_norm(gradients, self._clip, norm)
        self.apply_gradients(gradients)
        return StepResult(scalar, sums, None if norm is None else replicas.part(norm))

    def measure(self, *batch: Any) -> Any:
        """Return the sums of a batch inside a graph. Outside a graph, call `test_step`."""
        return self.loss(*batch)[1]

    def update(self, gradients: list[tf.Tensor]) -> None:
        """Apply gradients inside a graph, after they have been summed over the replicas and clipped."""
        self.optimizer.apply(gradients, self.variables)

    @property
    def steps(self) -> int:
        """The number of steps taken so far."""
        return int(self.optimizer.iterations)

    def state(self) -> list[np.ndarray]:
        """Return the optimizer state: the values of the optimizer's variables."""
        return [variable.numpy() for variable in self.optimizer.variables]

    def restore(self, state: list[np.ndarray]) -> None:
        """Restore the optimizer state returned by `state`.

        Raises:
            ValueError: The number of arrays or the shape of an array is wrong.
        """
        assign(self.optimizer.variables, state)


class AdamWLearner(Learner):
    """AdamW with warm-up and clipped gradients, as in Table 1 of the second paper.

    Args:
        variables: The variables to train.
        learning_rate: The peak learning rate, reached after `warmup_steps`.
        weight_decay: The weight decay of matrices. Biases and scales have no weight decay.
        warmup_steps: The number of steps over which the learning rate rises from 0.
        gradient_clip: See `Learner`.
        total_steps: The number of steps after which the learning rate has fallen linearly to 0, or None to keep the
            learning rate at its peak after the warm-up.

    Raises:
        UserError: The warm-up does not end before the last step.
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
        self._peak, self._warmup_steps, self._total_steps = learning_rate, warmup_steps, total_steps
        # Steps are counted from 1, so that the rates of the first and the last step are small, but not 0.
        self._factor = partial(
            learning_rate_factor,
            warmup_steps=warmup_steps,
            total_steps=None if total_steps is None else total_steps + 1,
        )
        optimizer = optimizers.AdamW(learning_rate, weight_decay=weight_decay)
        optimizer.exclude_from_weight_decay(var_names=NOT_DECAYED)
        super().__init__(variables, optimizer, gradient_clip)

    def update(self, gradients: list[tf.Tensor]) -> None:
        """Set the learning rate for this step and apply the gradients."""
        self.optimizer.learning_rate.assign(self._peak * self._next_factor())
        super().update(gradients)

    def course(self) -> str:
        """Describe the learning rate from the next step on, in words that complete "the learning rate restarts at"."""
        course = f"{float(self._peak * self._next_factor()):.2g}"
        if self.steps + 1 < self._warmup_steps:
            course += f", rises to {self._peak:.2g}"
        return f"{course} and {'stays there' if self._total_steps is None else 'falls to 0'}"

    def _next_factor(self) -> tf.Tensor:
        return self._factor(tf.cast(self.optimizer.iterations, tf.float32) + 1)


def check_warm_up(warmup_steps: int, total_steps: int | None) -> None:
    """Raise UserError if a warm-up does not end within `total_steps` (None if the number of steps is unknown)."""
    if total_steps is not None and warmup_steps >= total_steps:
        raise UserError(
            f"--warmup-steps: {warmup_steps} is too many for a phase of {total_steps} steps; choose fewer warm-up "
            "steps, or --learning-rate-schedule constant"
        )


def add_up(steps: Iterable[Sequence[tf.Tensor]]) -> np.ndarray:
    """Add up the sums that several steps return, in float64.

    Steps return sums of losses and counts of rows rather than means, so the totals give exact means over an epoch even
    if its batches have different sizes.
    """
    return np.sum([[float(value) for value in sums] for sums in steps], axis=0)
