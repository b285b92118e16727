"""Counts the operations of Figure 2's networks, from which long commands estimate their time before they start.

An operation is a multiplication or an addition of a matrix product. Training and decoding do not reach the rate of one
large matrix product, so each count is divided by the share of this rate that they have reached (`DENSE`, `LSTM`): a
count says how many operations a single product would do in the same time.

s_e, s_se, s_sed and s_v are sizes (`sizes.py`), and y_h is the generator's hidden layer.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from glove.cost import Estimate
from keras_gca.config import Config
from keras_gca.data.pairs import Pairs
from keras_gca.data.vocabulary import PAD
from keras_gca.engine.matrix_products import IMPORTS, estimate_of
from keras_gca.models.sizes import sizes_of

DENSE = 0.5  # the share of the rate of one matrix product that the layers after the LSTMs reach
LSTM = 0.2  # the share that the LSTMs reach
GRADIENT = 3  # a pass and its gradient cost so many passes
# Numbers for each weight: itself, its gradient, Adam's moments, their copies in a checkpoint, and kept generators
COPIES = 9


class Lengths(NamedTuple):
    """The sizes of some pairs.

    Attributes:
        pairs: The number of pairs.
        context: The mean number of tokens of a context.
        answer: The mean number of tokens of an answer, EOS included.
    """

    pairs: float
    context: float
    answer: float

    @classmethod
    def of(cls, pairs: Pairs) -> "Lengths":
        """Return the sizes of pairs.

        Args:
            pairs: The pairs, one or more.
        """
        return cls(len(pairs), float(np.mean(np.sum(pairs.contexts != PAD, axis=1))), pairs.tokens / len(pairs))

    def some(self, pairs: float) -> "Lengths":
        """Return the sizes of another number of such pairs."""
        return self._replace(pairs=pairs)


class Costs:
    """The costs of the networks that a config describes.

    Args:
        config: The settings.
        vocabulary: s_v.
    """

    def __init__(self, config: Config, vocabulary: int):
        self._config, self._sizes = config, sizes_of(config, vocabulary)

    def read(self, some: Lengths) -> float:
        """Return the operations by which the generator reads pairs in one pass (`forward.py`)."""
        tokens = some.pairs * some.answer
        states = some.pairs * (some.context + some.answer + self._of_utterances)
        # The term of the context in y_h is computed once for each pair (Eq. 2 and 3); a canonical model has none.
        of_contexts = 0 if self._config.generator == "canonical" else some.pairs * self._of_context
        return (tokens * self._of_token + of_contexts) / DENSE + states * self._lstm(self._sizes.sentence_embedding)

    def encode(self, some: Lengths) -> float:
        """Return the operations by which the generator encodes the contexts of pairs (Eq. 2)."""
        states = some.pairs * (some.context + self._of_utterances)
        return states * self._lstm(self._sizes.sentence_embedding)

    def learn(self, some: Lengths) -> float:
        """Return the operations by which the generator learns from pairs."""
        return GRADIENT * self.read(some)

    def judge(self, some: Lengths) -> float:
        """Return the operations by which the discriminator judges each token of pairs (Eq. 7 and 8)."""
        sizes, tokens = self._sizes, some.pairs * some.answer
        hidden = 2 * 2 * sizes.discriminator_sentence_embedding * (sizes.discriminator_hidden or 0)
        states = some.pairs * (some.context + some.answer + self._of_utterances)
        return states * self._lstm(sizes.discriminator_sentence_embedding) + tokens * hidden / DENSE

    def decode(self, some: Lengths, width: int = 1) -> float:
        """Return the operations of generating answers as long as those of some pairs.

        Args:
            some: The sizes of the contexts, and of the answers.
            width: The width of the beam; 1 for one answer at a time.
        """
        return self.read(some._replace(pairs=some.pairs * width))

    def estimate(
        self, operations: Mapping[str, float], pairs: int, at_once: int, copies: int = COPIES, rate: float | None = None
    ) -> Estimate:
        """Estimate time and memory.

        Args:
            operations: The operations of each part, as the other methods count them.
            pairs: The number of pairs in memory.
            at_once: The largest number of answers that are read at a time.
            copies: The numbers that are kept for each weight; 1 without training.
            rate: The rate of the product of y_h and its matrix in operations per second. If None, it is measured.

        Returns:
            The estimate, as `estimate_of` returns it.
        """
        sizes = self._sizes
        weights = sum(sizes.numbers(self._config.generator == "canonical"))
        # Each partial answer needs y_h, the logits, and the gradients of both at the same time.
        activations = at_once * sizes.sentence_length * 2 * (sizes.hidden_units + sizes.vocabulary)
        memory = IMPORTS + 4 * (
            copies * weights + activations + pairs * (self._config.context_columns + sizes.sentence_length + 1)
        )
        shape = sizes.hidden_units, sizes.vocabulary
        return estimate_of(operations, memory, shape, self._config.precision, rate)

    @property
    def _of_utterances(self) -> int:
        """The states of a hierarchical encoder for the utterances of a context; they count like those for words."""
        return self._sizes.utterances or 0

    @property
    def _of_context(self) -> int:
        return 2 * self._sizes.sentence_embedding * self._sizes.hidden_units

    @property
    def _of_token(self) -> int:
        return 2 * self._sizes.hidden_units * (self._sizes.sentence_embedding + self._sizes.vocabulary)

    def _lstm(self, units: int) -> float:
        """The operations of one state: four gates, each of which multiplies the word vector and the last state."""
        return 2 * 4 * units * (self._sizes.word_embedding + units) / LSTM
