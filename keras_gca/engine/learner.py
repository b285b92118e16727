"""Gradient descent as every training of both papers does it."""

from collections.abc import Iterable, Sequence
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

NOT_DECAYED = ("bias", "beta", "gamma")  # weight decay pulls at matrices, not at biases and scales


class StepResult(NamedTuple):
    """What a training step came to.

    Inside a step of several replicas each replica has its part; outside they are added up.

    Attributes:
        loss: The scalar that the step made smaller, () float32, from before the step.
        sums: What `Learner.loss` reported besides.
        gradient_norm: The norm of all gradients together before they were clipped, () float32; None where nothing is
            clipped and the learner does not report it.
    """

    loss: tf.Tensor
    sums: Any
    gradient_norm: tf.Tensor | None


class Learner:
    """Base class of everything that learns by gradient descent: a subclass writes `loss`.

    `train_step(*batch)` makes one step and returns a `StepResult`; `test_step(*batch)` returns the sums alone, and
    nothing moves. Both take the arguments of `loss`. The given variables learn, and all others stay as they are.

        class Regression(Learner):
            def loss(self, inputs, targets):
                errors = tf.square(self.layer(inputs) - targets)
                return replicas.mean(errors), (tf.reduce_sum(errors), tf.size(errors))

    Args:
        variables: What learns.
        optimizer: One of `optimizers`.
        gradient_clip: The largest norm of all gradients together; None: any.
        jit_compile: Whether to apply the gradients in one XLA program, which makes one pass over the memory of many
            small operations. It is not used where there are several replicas, since XLA has no way to the others.
    """

    replicated: ClassVar[tuple[str, ...]] = ()  # names of the arguments of `loss` that every replica receives whole
    reports_norm: ClassVar[bool] = False  # also where nothing is clipped; it costs a pass over all gradients' memory

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
        self.train_step = Compiled(self.descend, replicated=self.replicated, arguments_of=self.loss)
        self.test_step = Compiled(self.measure, replicated=self.replicated, arguments_of=self.loss)

    def loss(self, *batch: Any, **named: Any) -> tuple[tf.Tensor, Any]:
        """Compute the scalar to make small, and what is to be reported. For use in a graph.

        Of several replicas each computes its part of both (`replicas.mean`, sums over its own rows).

        Args:
            *batch: Arrays, in any structure; None and other plain values have graphs of their own.
            **named: Unused here; a subclass gives its arguments their names.

        Returns:
            The loss, () float32, and scalars in any structure.
        """
        raise NotImplementedError

    def descend(self, *batch: Any) -> StepResult:
        """Make one step. For use in a graph: outside of one this is `train_step`."""
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
        """Give the sums of a batch. For use in a graph: outside of one this is `test_step`."""
        return self.loss(*batch)[1]

    def update(self, gradients: list[tf.Tensor]) -> None:
        """Change the variables by gradients that are summed over the replicas and clipped. For use in a graph."""
        self.optimizer.apply(gradients, self.variables)

    @property
    def steps(self) -> int:
        """How many steps have been taken."""
        return int(self.optimizer.iterations)

    def state(self) -> list[np.ndarray]:
        """The optimizer's variables, to be stored."""
        return [variable.numpy() for variable in self.optimizer.variables]

    def restore(self, state: list[np.ndarray]) -> None:
        """Take back what `state` gave; raises ValueError where a number or a shape differs."""
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
        self._peak, self._warmup_steps, self._total_steps = learning_rate, warmup_steps, total_steps
        # A step is counted from 1: the first one of a warm-up is small, and the last one of all too, not nothing.
        self._factor = partial(
            learning_rate_factor,
            warmup_steps=warmup_steps,
            total_steps=None if total_steps is None else total_steps + 1,
        )
        optimizer = optimizers.AdamW(learning_rate, weight_decay=weight_decay)
        optimizer.exclude_from_weight_decay(var_names=NOT_DECAYED)
        super().__init__(variables, optimizer, gradient_clip)

    def update(self, gradients: list[tf.Tensor]) -> None:
        """Set the rate of this step, and make it."""
        self.optimizer.learning_rate.assign(self._peak * self._next_factor())
        super().update(gradients)

    def course(self) -> str:
        """The learning rate from the next step on, in words that follow "the rate restarts at"."""
        course = f"{float(self._peak * self._next_factor()):.2g}"
        if self.steps + 1 < self._warmup_steps:
            course += f", rises to {self._peak:.2g}"
        return f"{course} and {'stays there' if self._total_steps is None else 'falls to 0'}"

    def _next_factor(self) -> tf.Tensor:
        return self._factor(tf.cast(self.optimizer.iterations, tf.float32) + 1)


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
