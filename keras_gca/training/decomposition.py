"""Measures how well each term of Eq. 8 (token, context and partial answer) distinguishes H from M.

In line 9, the generator can influence only the term of the current token, W_p p. It cannot influence the other two
terms, however well they distinguish H from M. If the discriminator recognises M by its contexts, the generator
therefore learns nothing.

H is the set of human pairs, and M the set of machine-generated pairs. D is the discriminator.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from scipy.stats import rankdata

from keras_gca.config import Config
from keras_gca.data.batches import plan_batches, take_batch
from keras_gca.data.pairs import Pairs
from keras_gca.engine.compiled import Compiled
from keras_gca.models.forward import PrefixDiscriminator, PrefixGenerator
from keras_gca.models.networks import GenerativeConversationalAgent
from keras_gca.models.rows import last_rows, rows_of
from keras_gca.training.generator import shown_tokens


class Terms(NamedTuple):
    """The three terms of Eq. 8 for R tokens.

    Each term has dtype float32 and shape (R, 1), or (R, units) if the discriminator has a hidden layer.

    Attributes:
        token: W_p times the current token.
        context: W_c e_cd.
        answer: W_a e_ad.
    """

    token: np.ndarray
    context: np.ndarray
    answer: np.ndarray


class Decomposition:
    """A measurement of how much each term of Eq. 8 differs between human and machine-generated tokens.

    Args:
        gca: The networks.
        config: The settings, which determine the form in which the discriminator reads the generator's tokens in line
            9.
    """

    def __init__(self, gca: GenerativeConversationalAgent, config: Config):
        self._rows = last_rows if config.algorithm == "reinforce" else rows_of
        self._how, self._temperature = config.generator_tokens, config.gumbel_temperature
        self._generator, self._discriminator = PrefixGenerator.of(gca), PrefixDiscriminator.of(gca)
        self.compiled_given = Compiled(self.given, distribute=False)
        self.compiled_generated = Compiled(self.generated, distribute=False)

    def given(self, contexts: tf.Tensor, answers: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Compute the terms for the tokens of the answers, which the discriminator learns from in line 6."""
        return self._discriminator.terms(contexts, answers, self._rows(answers))

    def generated(self, contexts: tf.Tensor, answers: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Compute the terms for the generator's tokens, which the discriminator judges in line 9."""
        rows = self._rows(answers)
        tokens = shown_tokens(self._generator(contexts, answers, rows), self._how, self._temperature)
        return self._discriminator.terms(contexts, answers, rows, tokens)

    def measure(self, human: Pairs, machine: Pairs, batch_size: int, generated: bool = False) -> dict[str, float]:
        """Measure how well each term of Eq. 8 distinguishes human from machine-generated pairs.

        Args:
            human: The human pairs.
            machine: The machine-generated pairs.
            batch_size: The number of pairs to process at a time.
            generated: Whether the discriminator reads the generator's current tokens for the machine-generated pairs,
                as in line 9. If False, it reads the tokens of the pairs.

        Returns:
            The metrics of `separations`.
        """
        read = self.compiled_generated if generated else self.compiled_given
        return separations(
            self._terms(human, batch_size, self.compiled_given),
            self._terms(machine, batch_size, read),
            lambda total: self._discriminator.logits(tf.constant(total)).numpy(),
        )

    @staticmethod
    def _terms(pairs: Pairs, size: int, read: Callable[..., tuple[tf.Tensor, ...]]) -> Terms:
        parts = [read(*take_batch(pairs, batch, size)) for batch in plan_batches(pairs, size)]
        return Terms(*(np.concatenate([term.numpy() for term in of_term]) for of_term in zip(*parts, strict=True)))


def separations(human: Terms, machine: Terms, logits: Callable[[np.ndarray], np.ndarray]) -> dict[str, float]:
    """Compute the gap and the AUC of each term.

    The value of a term is the discriminator's logit with the other two terms replaced by their means over all tokens.
    Without a hidden layer, this is the term plus a constant. The gap is the mean value for human tokens minus the mean
    value for machine-generated tokens. The AUC is the probability that the value is higher for a human token than for a
    machine-generated token, with ties counting half.

    Args:
        human: The terms for the human tokens.
        machine: The terms for the machine-generated tokens.
        logits: A function that computes the discriminator's logits from sums of the three terms.

    Returns:
        The metrics by name: "token_gap" and "token_auc", and the same for "context" and "answer".
    """
    means = {name: np.concatenate(both).mean(0) for name, both in _named(human, machine).items()}
    metrics = {}
    for name, both in _named(human, machine).items():
        others = sum(mean for other, mean in means.items() if other != name)
        of_human, of_machine = (logits((of_class + others).astype(np.float32)) for of_class in both)
        metrics[f"{name}_gap"] = float(of_human.mean(dtype=np.float64) - of_machine.mean(dtype=np.float64))
        metrics[f"{name}_auc"] = auc(of_human, of_machine)
    return metrics


def auc(higher: np.ndarray, lower: np.ndarray) -> float:
    """Compute the area under the ROC curve: the probability that a value of `higher` exceeds a value of `lower`.

    Args:
        higher: An array of shape (n,).
        lower: An array of shape (m,). Ties with values of `higher` count half.
    """
    count = len(higher)
    ranks = rankdata(np.concatenate([higher, lower]))[:count].sum()
    return float((ranks - count * (count + 1) / 2) / (count * len(lower)))


def _named(human: Terms, machine: Terms) -> Mapping[str, tuple[np.ndarray, np.ndarray]]:
    return dict(zip(Terms._fields, zip(human, machine, strict=True), strict=True))
