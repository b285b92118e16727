"""What the trainings of Algorithm 2 have in common: Adam on the weights of some blocks of Figure 2."""

import contextlib
from collections.abc import Iterator

import numpy as np

from keras_gca.engine import optimizers
from keras_gca.engine.learner import Learner
from keras_gca.engine.variables import assign
from keras_gca.models.forward import PrefixDiscriminator, PrefixGenerator
from keras_gca.models.networks import GenerativeConversationalAgent


class BlockLearner(Learner):
    """Trains the named layers of a GenerativeConversationalAgent and leaves all others as they are.

    names: the layers that learn (networks.WHITE, YELLOW, GREEN). learning_rate: Adam's. average: the momentum of a
    running average of the weights, see `averaged`; 0 keeps none. precision: see `PrefixGenerator`.
    """

    def __init__(
        self,
        gca: GenerativeConversationalAgent,
        names: tuple[str, ...],
        learning_rate: float,
        average: float = 0.0,
        precision: str = "float32",
    ):
        optimizer = optimizers.Adam(learning_rate, use_ema=average > 0, ema_momentum=average)
        super().__init__(gca.variables(*names), optimizer, jit_compile=True)
        self.gca = gca
        self.generator = PrefixGenerator.of(gca, precision)
        self.discriminator = PrefixDiscriminator.of(gca)
        self.names = names

    @staticmethod
    def metrics(sums: np.ndarray) -> dict[str, float]:
        """Turn the sums that `train_step` and `test_step` give, added up over batches, into figures to log."""
        raise NotImplementedError

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """Inside this block the weights are their running averages over the steps, where the learner keeps any."""
        latest = [variable.numpy() for variable in self.variables]
        if self.optimizer.use_ema:
            self.optimizer.finalize_variable_values(self.variables)
        try:
            yield
        finally:
            assign(self.variables, latest)
