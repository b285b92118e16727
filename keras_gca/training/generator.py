"""Algorithm 2, line 9: the generator learns to appear human by backpropagation through the frozen discriminator.

G is the generator, and D the discriminator. D's output l (Eq. 8) says how human a token looks, from 0 to 1. M is the
set of pairs that G generated in line 5.
"""

import numpy as np
import tensorflow as tf

from keras_gca.engine import replicas
from keras_gca.engine.random import batch_gumbel
from keras_gca.models.networks import GenerativeConversationalAgent
from keras_gca.models.rows import rows_of
from keras_gca.training.discriminator import HUMAN
from keras_gca.training.learner import BlockLearner


class GeneratorTraining(BlockLearner):
    """A learner that trains the generator G to raise the output of the frozen discriminator D for G's tokens towards 1.

    Args:
        gca: The networks.
        learning_rate: Adam's learning rate.
        precision: The dtype of the generator's two large matrix products, "float32" or "bfloat16".
        kind: The loss of a token: "squared" is (1 - l)^2, as in the paper, and "log" is -log l, the non-saturating loss
            of Goodfellow et al. 2014.
        tokens: The form in which D reads G's current token; see `shown_tokens`.
        temperature: The temperature of the Gumbel-softmax.
    """

    replicated = ("seed",)

    def __init__(
        self,
        gca: GenerativeConversationalAgent,
        learning_rate: float,
        precision: str = "float32",
        kind: str = "squared",
        tokens: str = "probabilities",
        temperature: float = 1.0,
    ):
        super().__init__(gca, gca.yellow, learning_rate, precision=precision)
        self._kind, self._tokens, self._temperature = kind, tokens, temperature

    @property
    def draws(self) -> bool:
        """Whether training steps draw tokens at random."""
        return self._tokens == "gumbel"

    def loss(
        self, contexts: tf.Tensor, answers: tf.Tensor, seed: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
        """Compute the mean of (1 - l)^2 or -log l over the generator's tokens, where l is D's output for a token
        (Figure 2).

        Args:
            contexts: Token ids of the contexts of B pairs of M, shape (B, s) and dtype int32.
            answers: Token ids of the answers, shape (B, T + 1) and dtype int32. Each answer consists of BOS and at most
                T tokens.
            seed: The random seed for the Gumbel noise, shape (2,) and dtype int32, or None for no noise.

        Returns:
            The mean loss, and three totals over the batch: the loss, D's output l, and the number of tokens.
        """
        rows = rows_of(answers)
        shown = shown_tokens(self.generator(contexts, answers, rows), self._tokens, self._temperature, seed)
        logits = self.discriminator(contexts, answers, rows, shown)
        l = tf.sigmoid(logits)  # noqa: E741  (Eq. 8's name)
        errors = tf.square(HUMAN - l) if self._kind == "squared" else tf.math.softplus(-logits)
        sums = (tf.reduce_sum(errors), tf.reduce_sum(l), tf.cast(tf.size(l), tf.float32))
        return replicas.mean(errors), sums

    @staticmethod
    def metrics(sums: np.ndarray) -> dict[str, float]:
        """Compute the mean loss, and the discriminator's mean output for the generator's tokens."""
        errors, judged, tokens = sums
        return {"loss": float(errors / tokens), "judged_human": float(judged / tokens)}


def shown_tokens(logits: tf.Tensor, how: str, temperature: float = 1.0, seed: tf.Tensor | None = None) -> tf.Tensor:
    """Compute the vector that the discriminator D reads in line 9 as the current token of the generator G.

    In line 6, D learns from one-hot vectors, but G's output is a distribution p over tokens. If D has no hidden layer,
    D's logit for p is the mean of D's logits for single tokens, weighted by p. With a hidden layer, D's output for p
    may be arbitrary, because D saw no such input in line 6. D can therefore be given one-hot vectors instead of p.

    Args:
        logits: The argument of the softmax in Eq. 3, shape (R, s_v) and dtype float32.
        how: "probabilities" returns p, as in the paper. "straight_through" returns the most probable token with the
            gradient of p (Bengio et al. 2013). "gumbel" returns a token drawn from p, with the gradient of
            softmax((log p + noise) / temperature) (Jang et al. 2017).
        temperature: The temperature of the Gumbel-softmax.
        seed: The random seed for the Gumbel noise, shape (2,) and dtype int32, or None for no noise.

    Returns:
        A float32 tensor of shape (R, s_v) with a probability distribution in each row.
    """
    if how == "gumbel":
        if seed is not None:
            count, size = tf.unstack(tf.shape(logits))
            logits = logits + batch_gumbel(seed, replicas.place(count), [size])
        logits = logits / temperature
    p = tf.nn.softmax(logits)
    if how == "probabilities":
        return p
    token = tf.one_hot(tf.argmax(p, 1), tf.shape(p)[1])
    return token + (p - tf.stop_gradient(p))  # the difference is exactly 0, but has the gradient of p
