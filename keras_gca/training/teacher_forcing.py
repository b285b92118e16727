"""Algorithm 2, lines 3 and 11: the generator of Figure 1 learns human answers with categorical cross-entropy.

The targets are token indices, so no large one-hot matrices are needed.
"""

import tensorflow as tf

from keras_gca.data.vocabulary import EOS, PAD
from keras_gca.engine import replicas
from keras_gca.engine.random import batch_dropout, batch_uniform
from keras_gca.models import likelihood
from keras_gca.models.forward import SITES
from keras_gca.models.networks import GenerativeConversationalAgent
from keras_gca.training.learner import BlockLearner


class TeacherForcing(BlockLearner):
    """A learner that trains the generator by teacher forcing: WHITE and `yellow` in line 3, only `yellow` in line 11.

    Args:
        gca: The networks.
        names: The names of the layers to train.
        learning_rate: Adam's learning rate.
        dropout: The dropout rate for the word vectors (Eq. 1) and the encoding e (Eq. 2). The paper uses no dropout.
        hidden_dropout: The dropout rate for the hidden layer y_h (Eq. 3).
        context_dropout: The probability of dropping a token of a context.
        answer_dropout: The probability that the word vector of a token in a partial answer is set to zero, which forces
            the generator to predict the next token from the context.
        average: See `BlockLearner`.
        precision: The dtype of the generator's two large matrix products, "float32" or "bfloat16".
    """

    replicated = ("seed",)
    metrics = staticmethod(likelihood.metrics)

    def __init__(
        self,
        gca: GenerativeConversationalAgent,
        names: tuple[str, ...],
        learning_rate: float,
        dropout: float = 0.0,
        hidden_dropout: float = 0.0,
        context_dropout: float = 0.0,
        answer_dropout: float = 0.0,
        average: float = 0.0,
        precision: str = "float32",
    ):
        super().__init__(gca, names, learning_rate, average, precision)
        self._context_dropout, self._answer_dropout = context_dropout, answer_dropout
        self._rates = dict.fromkeys(SITES, dropout) | {"y_h": hidden_dropout}

    @property
    def draws(self) -> bool:
        """Always True, because dropout draws random numbers."""
        return True

    def loss(
        self, contexts: tf.Tensor, answers: tf.Tensor, seed: tf.Tensor
    ) -> tuple[tf.Tensor, tuple[tf.Tensor, tf.Tensor]]:
        """Compute the mean of -log p(y_t | x, y) (Eq. 3) over the tokens of the answers.

        Args:
            contexts: Token ids of the contexts of B pairs, shape (B, s) and dtype int32.
            answers: Token ids of the answers, shape (B, T + 1) and dtype int32. Each answer consists of BOS and at most
                T tokens.
            seed: The random seed for dropout, shape (2,) and dtype int32.

        Returns:
            The mean loss, and two totals over the batch: the negative log-likelihood, and the number of tokens.
        """

        def drop(site: str, values: tf.Tensor) -> tf.Tensor:
            if site == "E_a" and self._answer_dropout:
                drawn = tf.random.experimental.stateless_fold_in(seed, len(SITES) + 1)
                values = hide_tokens(values, self._answer_dropout, drawn)
            return batch_dropout(
                values, self._rates[site], tf.random.experimental.stateless_fold_in(seed, SITES.index(site))
            )

        if self._context_dropout:
            drawn = tf.random.experimental.stateless_fold_in(seed, len(SITES))
            speakers = self.gca.sizes.vocabulary if self.gca.sizes.persona else None
            contexts = leave_tokens_out(contexts, self._context_dropout, drawn, speakers)
        losses = likelihood.negative_log_likelihoods(self.generator, contexts, answers, drop)
        return replicas.mean(losses), (tf.reduce_sum(losses), tf.size(losses))


def leave_tokens_out(contexts: tf.Tensor, rate: float, seed: tf.Tensor, speakers: int | None = None) -> tf.Tensor:
    """Drop random tokens from contexts, to imitate people who leave out words or final punctuation.

    Args:
        contexts: Token ids of the contexts, padded on the left, shape (B, s) and dtype int32. EOS, which ends
            utterances for a hierarchical encoder, is never dropped.
        rate: The probability of dropping a token.
        seed: The random seed for the batch, shape (2,) and dtype int32.
        speakers: The first index of speaker tokens, which are never dropped, or None if contexts have no speaker
            tokens.

    Returns:
        The remaining tokens in their original order, padded on the left: an int32 tensor of shape (B, s).
    """
    count, length = tf.unstack(tf.shape(contexts))
    drawn = batch_uniform(seed, replicas.place(count), [length]) >= rate
    always = contexts == EOS if speakers is None else (contexts == EOS) | (contexts >= speakers)
    kept = (contexts != PAD) & (drawn | always)
    order = tf.argsort(tf.cast(kept, tf.int32), axis=1, stable=True)  # padding first, then the tokens that are kept
    return tf.gather(tf.where(kept, contexts, PAD), order, batch_dims=1)


def hide_tokens(vectors: tf.Tensor, rate: float, seed: tf.Tensor) -> tf.Tensor:
    """Set randomly chosen token vectors to zero.

    Args:
        vectors: The token vectors, shape (B, T, s_e).
        rate: The probability of setting a vector to zero.
        seed: The random seed for the batch, shape (2,) and dtype int32.
    """
    count, length, _ = tf.unstack(tf.shape(vectors))
    return tf.where(batch_uniform(seed, replicas.place(count), [length, 1]) >= rate, vectors, 0)
