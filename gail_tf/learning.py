"""Gradient descent as every training of the second paper does it: AdamW, warm-up, clipped gradients."""

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from gail_tf.schedules import learning_rate_factor

NOT_DECAYED = ("bias", "beta", "gamma")  # Table 1's weight decay pulls at matrices, not at biases and scales


class Learner:
    """AdamW (Table 1) on the given variables; all others are left as they are.

    learning_rate: the peak, reached after warmup_steps. gradient_clip: the largest norm of all gradients together.
    """

    def __init__(
        self,
        variables: Sequence[keras.Variable],
        learning_rate: float,
        weight_decay: float = 0.0,
        warmup_steps: int = 0,
        gradient_clip: float | None = None,
    ):
        self.variables = list(variables)
        self._peak, self._warmup, self._clip = learning_rate, warmup_steps, gradient_clip
        self.optimizer = keras.optimizers.AdamW(learning_rate, weight_decay=weight_decay)
        self.optimizer.exclude_from_weight_decay(var_names=NOT_DECAYED)
        self.optimizer.build(self.variables)

    def descend(
        self, loss: Callable[[], tuple[tf.Tensor, dict[str, tf.Tensor]]]
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """One step inside a graph.

        loss: computes the scalar to make small, and figures. Returns both, with `gradient_norm` (before it is clipped)
        among the figures.
        """
        values = [variable.value for variable in self.variables]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(values)
            scalar, figures = loss()
        gradients = [tf.convert_to_tensor(gradient) for gradient in tape.gradient(scalar, values)]
        norm = tf.linalg.global_norm(gradients)
        if self._clip is not None:
            gradients, _ = tf.clip_by_global_norm(gradients, self._clip, norm)
        # The step that begins is number 1: the first one of a warm-up is small, not nothing.
        factor = learning_rate_factor(tf.cast(self.optimizer.iterations, tf.float32) + 1, self._warmup)
        self.optimizer.learning_rate.assign(self._peak * factor)
        self.optimizer.apply(gradients, self.variables)
        return scalar, figures | {"gradient_norm": norm}
