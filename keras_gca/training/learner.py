"""What the three trainings of Algorithm 2 have in common: Adam on the weights of some blocks, and sums over rows.

A step returns sums (of losses, of rows), not means: the sums of an epoch give exact means over its rows, whatever the
batches' sizes.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from keras_gca.engine import optimizers, replicas
from keras_gca.engine.variables import assign
from keras_gca.models.forward import PrefixEncoder
from keras_gca.models.networks import GenerativeConversationalAgent


class Learner:
    """Trains the named layers of a GenerativeConversationalAgent and leaves all others as they are.

    names: the layers that learn (models.WHITE, YELLOW, GREEN). learning_rate: Adam's. average: the momentum of a
    running average of the weights, see `averaged`; 0 keeps none. precision: see `PrefixEncoder`.
    """

    def __init__(
        self,
        gca: GenerativeConversationalAgent,
        names: tuple[str, ...],
        learning_rate: float,
        average: float = 0.0,
        precision: str = "float32",
    ):
        self.gca = gca
        self.encoder = PrefixEncoder(gca, precision)
        self.names = names
        self.optimizer = optimizers.Adam(learning_rate, use_ema=average > 0, ema_momentum=average)
        self._variables = gca.variables(*names)
        self.optimizer.build(self._variables)
        # XLA makes one pass over the memory of Adam's many small operations. It has no way to other replicas.
        alone = tf.distribute.get_strategy().num_replicas_in_sync == 1
        self._apply = tf.function(self._update, jit_compile=True) if alone else self._update

    def _update(self, gradients: list[tf.Tensor]) -> None:
        self.optimizer.apply(gradients, self._variables)

    def descend(self, loss: Callable[[], tuple[tf.Tensor, tuple[tf.Tensor, ...]]]) -> tuple[tf.Tensor, ...]:
        """One step of gradient descent inside a graph.

        loss: computes the scalar to make small, and the sums to report, which are returned. Of several replicas each
        computes its part of both.
        """
        values = [variable.value for variable in self._variables]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(values)
            scalar, sums = loss()
        gradients = replicas.total([tf.convert_to_tensor(gradient) for gradient in tape.gradient(scalar, values)])
        self._apply(gradients)
        return sums

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """Inside this block the weights are their running averages over the steps, where the learner keeps any."""
        latest = [variable.numpy() for variable in self._variables]
        if self.optimizer.use_ema:
            self.optimizer.finalize_variable_values(self._variables)
        try:
            yield
        finally:
            assign(self._variables, latest)

    def state(self) -> list[np.ndarray]:
        """The optimizer's variables, to be stored."""
        return [variable.numpy() for variable in self.optimizer.variables]

    def restore(self, state: list[np.ndarray]) -> None:
        assign(self.optimizer.variables, state)


def add_up(steps: Iterable[Sequence[tf.Tensor]]) -> np.ndarray:
    """The sums that several steps return, added up: float64."""
    return np.sum([[float(value) for value in sums] for sums in steps], axis=0)
