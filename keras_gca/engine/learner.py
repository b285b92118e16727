"""Gradient descent as every training of the second paper does it: AdamW, warm-up, clipped gradients."""

from collections.abc import Callable, Sequence
from functools import partial

import keras
import tensorflow as tf

from keras_gca.engine import optimizers, replicas
from keras_gca.engine.learning_rate import learning_rate_factor
from keras_gca.errors import UserError

NOT_DECAYED = ("bias", "beta", "gamma")  # Table 1's weight decay pulls at matrices, not at biases and scales


def check_warm_up(warmup_steps: int, total_steps: int | None) -> None:
    """Raises UserError where a warm-up does not end before a training does (None: nobody knows when that is)."""
    if total_steps is not None and warmup_steps >= total_steps:
        raise UserError(
            f"--warmup-steps: {warmup_steps} where a phase of the training has {total_steps} steps in all; fewer are "
            "expected, or --learning-rate-schedule constant"
        )


class Learner:
    """AdamW (Table 1) on the given variables; all others are left as they are.

    learning_rate: the peak, reached after warmup_steps. gradient_clip: the largest norm of all gradients together.
    total_steps: after which the rate would be 0, in a straight line from its peak; None: it stays. Raises UserError as
    `check_warm_up` does.
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
        self.variables = list(variables)
        check_warm_up(warmup_steps, total_steps)
        self._peak, self._clip = learning_rate, gradient_clip
        # A step is counted from 1: the first one of a warm-up is small, and the last one of all too, not nothing.
        self._factor = partial(
            learning_rate_factor,
            warmup_steps=warmup_steps,
            total_steps=None if total_steps is None else total_steps + 1,
        )
        self.optimizer = optimizers.AdamW(learning_rate, weight_decay=weight_decay)
        self.optimizer.exclude_from_weight_decay(var_names=NOT_DECAYED)
        self.optimizer.build(self.variables)

    def descend(
        self, loss: Callable[[], tuple[tf.Tensor, dict[str, tf.Tensor]]]
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """One step inside a graph.

        loss: computes the scalar to make small, and figures. Returns both, with `gradient_norm` (before it is clipped)
        among the figures. Of several replicas each computes, and gets, its part of all that.
        """
        values = [variable.value for variable in self.variables]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(values)
            scalar, figures = loss()
        gradients = replicas.total([tf.convert_to_tensor(gradient) for gradient in tape.gradient(scalar, values)])
        norm = tf.linalg.global_norm(gradients)
        if self._clip is not None:
            gradients, _ = tf.clip_by_global_norm(gradients, self._clip, norm)
        factor = self._factor(tf.cast(self.optimizer.iterations, tf.float32) + 1)
        self.optimizer.learning_rate.assign(self._peak * factor)
        self.optimizer.apply(gradients, self.variables)
        return scalar, figures | {"gradient_norm": replicas.part(norm)}
