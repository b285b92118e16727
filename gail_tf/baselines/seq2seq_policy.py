"""The policy of RL-Seq2Seq (Fung et al. 2018): an LSTM encoder-decoder instead of GPT-2.

The network is the canonical generator of the first paper (Eq. 4, 5), with byte-level tokens instead of words. One LSTM
reads the condition (history and prompt), and its final state is the initial state of a second LSTM, which reads the
response. A hidden layer and a softmax follow (Eq. 3). The emotion of the prompt is a control token, which is read like
any other token of the condition.

The ids of the tokenizer are shifted by two, because in keras_gca the ids 0 and 1 are PAD and BOS. Each response begins
with BOS, and positions where the mask is false contain PAD. The tokenizer's END cannot serve as PAD, because END also
ends each utterance of a condition.

Shapes: Conditions have shape (B, C), and responses (B, R). V is the number of tokens in the tokenizer, E is
sentence_embedding_size, and H is the number of units in the hidden layer.
"""

from collections.abc import Callable, Mapping

import keras
import numpy as np
import tensorflow as tf

from gail_tf.data.tokenizer import Tokenizer
from gail_tf.policies.base import DecodingState, LanguagePolicy
from glove.vectors import Vectors
from keras_gca.data.vocabulary import BOS, PAD
from keras_gca.engine.random import dropout
from keras_gca.models.forward import SITES, Dropout, PrefixGenerator, no_dropout
from keras_gca.models.lstm import States, lstm_states, lstm_step
from keras_gca.models.networks import WHITE, YELLOW, GenerativeConversationalAgent, Sizes
from keras_gca.models.rows import moved_right

FIRST = BOS + 1  # this network's id for the tokenizer's token 0


class Seq2SeqPolicy(LanguagePolicy):
    """A policy whose network is an LSTM encoder-decoder. All weights are trained.

    Args:
        vocabulary_size: V, the number of tokens in the tokenizer.
        end: The id of the tokenizer's END.
        word_embedding_size: The size of the token embeddings.
        sentence_embedding_size: E, the number of units in each of the two LSTMs.
        hidden_size: H, the number of units in the hidden layer. By default, half the vocabulary size, as in the first
            paper.
        dropout: The dropout rate for the embeddings and the outputs of the LSTMs. Dropout is active only when
            `features` is called with seeds.
        word_vectors: The initial embeddings of some tokens, by token id (see `word_start_vectors`). All other
            embeddings are initialised at random.
        seed: The random seed for the initial weights.
        jit_compile: See `LanguagePolicy`.

    Raises:
        ValueError: A word vector has the wrong shape.
    """

    def __init__(
        self,
        vocabulary_size: int,
        end: int,
        word_embedding_size: int = 100,
        sentence_embedding_size: int = 300,
        hidden_size: int | None = None,
        dropout: float = 0.0,
        word_vectors: Mapping[int, np.ndarray] | None = None,
        seed: int = 0,
        jit_compile: bool = False,
    ):
        super().__init__(end, jit_compile)
        sizes = Sizes(
            vocabulary=FIRST + vocabulary_size,
            word_embedding=word_embedding_size,
            sentence_embedding=sentence_embedding_size,
            discriminator_sentence_embedding=1,  # the discriminator's layers, the green blocks of Figure 2, are unused
            hidden=hidden_size or vocabulary_size // 2,
        )
        self.gca = GenerativeConversationalAgent(sizes, seed=seed, canonical=True)
        self._generator = PrefixGenerator.of(self.gca)
        self._dropout = dropout
        if word_vectors:
            self._give(word_vectors)

    @property
    def variables(self) -> list[keras.Variable]:
        return self.trainable_variables

    @property
    def trainable_variables(self) -> list[keras.Variable]:
        return self.gca.variables(*WHITE, *YELLOW)

    @property
    def feature_size(self) -> int:
        return self.gca.sizes.sentence_embedding

    @property
    def positions(self) -> None:
        return None

    def features(
        self,
        condition: tf.Tensor,
        condition_mask: tf.Tensor,
        response: tf.Tensor,
        response_mask: tf.Tensor,
        seeds: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Compute the states of the LSTM that reads the response (Eq. 5); see `LanguagePolicy.features`."""

        def drop(site: str, values: tf.Tensor) -> tf.Tensor:
            return values if seeds is None else dropout(values, self._dropout, seeds, SITES.index(site))

        thought = self._thought(condition, condition_mask, drop)
        memory = States(*(drop("e_c", part) for part in thought))
        tokens = tf.pad(FIRST + response[:, :-1], [[0, 0], [1, 0]], constant_values=BOS)
        E_a = drop("E_a", self._generator.embed(tokens))
        return drop("e_a", lstm_states(self._generator.encoder_answer, E_a, memory))

    def logits(self, features: tf.Tensor) -> tf.Tensor:
        """Compute Eq. 3 without the softmax. PAD and BOS, which never occur in responses, are left out.

        Args:
            features: The states of the LSTM that reads the response, shape (..., E) and dtype float32.

        Returns:
            The logits, a float32 tensor of shape (..., V).
        """
        rows = tf.reshape(features, [-1, self.feature_size])
        _, W_a = self._generator.hidden_kernels()
        y_h = self._generator.hidden_layer(self._generator.bot.bias, rows, W_a)
        logits = self._generator.token_logits(y_h)[:, FIRST:]
        return tf.reshape(logits, [*tf.unstack(tf.shape(features))[:-1], self.gca.sizes.vocabulary - FIRST])

    def _begin(
        self,
        condition: tf.Tensor,
        condition_mask: tf.Tensor,
        length: int,
        repeat: Callable[[tf.Tensor], tf.Tensor],
    ) -> DecodingState:
        memory = States(*map(repeat, self._thought(condition, condition_mask)))

        def read(_: tf.Tensor | int, tokens: tf.Tensor, memory: States) -> tuple[tf.Tensor, States]:
            memory = lstm_step(self._generator.encoder_answer, self._generator.embed(FIRST + tokens), memory)
            return memory.h, memory

        begin = tf.fill([tf.shape(memory.h)[0]], BOS - FIRST)
        return DecodingState(*read(0, begin, memory), read, self.logits)

    def _thought(self, condition: tf.Tensor, mask: tf.Tensor, dropout: Dropout = no_dropout) -> States:
        """Compute the final state of the LSTM that reads the condition (Eq. 4): two tensors of shape (B, E)."""
        tokens = tf.where(mask, FIRST + condition, PAD)
        lengths, moved = moved_right(tokens)
        return self._generator.context_memory(dropout("E_c", self._generator.embed(moved)), lengths)

    def _give(self, word_vectors: Mapping[int, np.ndarray]) -> None:
        embeddings = self.gca.layers.shared.embeddings
        values = embeddings.numpy()
        for token, vector in word_vectors.items():
            if np.shape(vector) != values.shape[1:]:
                raise ValueError(f"the shape of a word vector is {np.shape(vector)}; {values.shape[1:]} is expected")
            values[FIRST + token] = vector
        embeddings.assign(values)


def word_start_vectors(tokenizer: Tokenizer, vectors: Vectors) -> dict[int, np.ndarray]:
    """Find word vectors for the tokens that consist of a space and a whole word.

    All other tokens, such as control tokens and parts of words, have no vector. Words are looked up in lower case, as
    in GloVe.

    Args:
        tokenizer: The tokenizer.
        vectors: The word vectors, with words in lower case.

    Returns:
        The word vectors by token id, float32 arrays of shape (dimension,).
    """
    position = {word: i for i, word in enumerate(vectors.words)}
    start = {}
    for token in range(len(tokenizer)):
        text = tokenizer.decode([token])
        if text.startswith(" ") and text[1:].lower() in position:
            start[token] = vectors.matrix[position[text[1:].lower()]]
    return start
