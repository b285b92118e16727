"""Counts the operations of Figure 2's networks, so that commands can estimate how long they will take.

An operation is a multiplication or an addition in a matrix product. Training and decoding reach only a fraction of the
speed of one large matrix product; `DENSE` and `LSTM` are the measured fractions. Dividing a count by its fraction gives
the number of operations that the large product would perform in the same time.

`sizes.py` explains s_e, s_se, s_sed, and s_v. y_h is the output of the generator's hidden layer.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from glove.cost import Estimate
from keras_gca.config import Config
from keras_gca.data.pairs import Pairs
from keras_gca.data.vocabulary import PAD
from keras_gca.engine.matrix_products import estimate_of
from keras_gca.engine.memory import IMPORTS
from keras_gca.models.sizes import TOPIC_UNITS, sizes_of

DENSE = 0.5  # the speed of the layers after the LSTMs, as a fraction of the speed of one large matrix product
LSTM = 0.2  # the speed of the LSTMs, as a fraction of the same speed
GRADIENT = 3  # the cost of a forward and a backward pass, in forward passes
# The values that are held for each weight: the weight itself, its gradient, Adam's moments, the copies of these in a
# checkpoint, and the generators that are kept.
COPIES = 9


class Lengths(NamedTuple):
    """The number of pairs in a set, with the mean lengths of their contexts and answers.

    Attributes:
        pairs: The number of pairs.
        context: The mean number of tokens in a context.
        answer: The mean number of tokens in an answer, including EOS.
    """

    pairs: float
    context: float
    answer: float

    @classmethod
    def of(cls, pairs: Pairs) -> "Lengths":
        """Return the number of pairs and the mean lengths of their contexts and answers.

        Args:
            pairs: The pairs. At least one pair is required.
        """
        return cls(len(pairs), float(np.mean(np.sum(pairs.contexts != PAD, axis=1))), pairs.tokens / len(pairs))

    def some(self, pairs: float) -> "Lengths":
        """Return a copy with another number of pairs and the same mean lengths."""
        return self._replace(pairs=pairs)


class Costs:
    """The costs of the networks that a config describes.

    Args:
        config: The settings.
        vocabulary: s_v, the number of tokens in the vocabulary.
    """

    def __init__(self, config: Config, vocabulary: int):
        self._config, self._sizes = config, sizes_of(config, vocabulary)

    def read(self, some: Lengths) -> float:
        """Return the number of operations that the generator needs to read pairs in one pass (`forward.py`)."""
        tokens = some.pairs * some.answer
        states = some.pairs * (some.context + some.answer + self._of_utterances)
        # The context's term in y_h is computed once for each pair (Eq. 2 and 3); a canonical model does not have it.
        of_contexts = 0 if self._config.generator == "canonical" else some.pairs * self._of_context
        return (tokens * self._of_token + of_contexts) / DENSE + states * self._lstm(self._sizes.sentence_embedding)

    def encode(self, some: Lengths) -> float:
        """Return the number of operations that the generator needs to encode the contexts of pairs (Eq. 2)."""
        states = some.pairs * (some.context + self._of_utterances)
        return states * self._lstm(self._sizes.sentence_embedding)

    def learn(self, some: Lengths) -> float:
        """Return the number of operations needed to train the generator on each pair once."""
        return GRADIENT * self.read(some)

    def judge(self, some: Lengths) -> float:
        """Return the number of operations that the discriminator needs to judge every answer token (Eq. 7 and 8)."""
        sizes, tokens = self._sizes, some.pairs * some.answer
        hidden = 2 * 2 * sizes.discriminator_sentence_embedding * (sizes.discriminator_hidden or 0)
        states = some.pairs * (some.context + some.answer + self._of_utterances)
        return states * self._lstm(sizes.discriminator_sentence_embedding) + tokens * hidden / DENSE

    def decode(self, some: Lengths, width: int = 1) -> float:
        """Return the number of operations needed to generate answers of a given mean length.

        Args:
            some: The number of answers to generate, with the mean lengths of their contexts and of the answers.
            width: The width of the beam, or 1 without a beam.
        """
        return self.read(some._replace(pairs=some.pairs * width))

    def estimate(
        self, operations: Mapping[str, float], pairs: int, at_once: int, copies: int = COPIES, rate: float | None = None
    ) -> Estimate:
        """Estimate the time and memory that a command needs.

        Args:
            operations: The number of operations in each part of the command, as counted by the other methods.
            pairs: The number of pairs in memory.
            at_once: The maximum number of answers processed at a time.
            copies: The number of values stored for each weight, which is 1 without training.
            rate: The speed of multiplying y_h by its matrix, in operations per second, or None to measure this speed.

        Returns:
            The estimate, as returned by `estimate_of`.
        """
        sizes = self._sizes
        weights = sum(sizes.numbers(self._config.generator == "canonical"))
        # For each partial answer, y_h, the logits, and the gradients of both are in memory at the same time.
        activations = at_once * sizes.sentence_length * 2 * (sizes.hidden_units + sizes.vocabulary)
        memory = IMPORTS + 4 * (
            copies * weights + activations + pairs * (self._config.context_columns + sizes.sentence_length + 1)
        )
        shape = sizes.hidden_units, sizes.vocabulary
        return estimate_of(operations, memory, shape, self._config.precision, rate)

    @property
    def _of_utterances(self) -> int:
        """The number of utterance states in a hierarchical encoder; each of them costs as much as a word's state."""
        return self._sizes.utterances or 0

    @property
    def _of_context(self) -> int:
        return 2 * self._sizes.sentence_embedding * self._sizes.hidden_units

    @property
    def _of_token(self) -> int:
        sizes = self._sizes
        operations = 2 * sizes.hidden_units * (sizes.sentence_embedding + sizes.vocabulary)
        if sizes.topic_words:  # the attention, its sum, and the bonus; and o in the hidden layer
            operations += 2 * sizes.topic_words * (TOPIC_UNITS + 2 * sizes.word_embedding)
            operations += 2 * sizes.word_embedding * sizes.hidden_units
        return operations

    def _lstm(self, units: int) -> float:
        """Return the number of operations per state: four gates multiply the word vector and the previous state."""
        return 2 * 4 * units * (self._sizes.word_embedding + units) / LSTM
