"""Features of texts for MAUVE: the final hidden state of a policy's network at the last token of each text."""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from gail_tf.data.batches import encode_texts, take
from gail_tf.data.tokenizer import Tokenizer
from gail_tf.policies.base import LanguagePolicy
from keras_gca.engine.compiled import Compiled


class TextReader:
    """A reader that computes features of texts. It reads each text without a prompt and independently of other texts.

    Args:
        policy: The policy.
        tokenizer: The policy's tokenizer.
        limit: The number of tokens to read from the start of each text. Further tokens are ignored.
    """

    def __init__(self, policy: LanguagePolicy, tokenizer: Tokenizer, limit: int):
        self._policy, self._tokenizer, self._limit = policy, tokenizer, limit
        self.compiled_last_states = Compiled(self.last_states)

    def __call__(self, texts: Sequence[str], size: int, report: Callable[[int], object] = lambda _: None) -> np.ndarray:
        """Compute the features of n texts.

        Args:
            texts: The texts.
            size: The number of texts in a batch.
            report: A function that is called after each batch with the number of texts in the batch.

        Returns:
            A float32 array of shape (n, feature_size).
        """
        batch = encode_texts(self._tokenizer, texts, self._limit + 1)
        order = np.argsort(batch.response_lengths, kind="stable")
        features = np.zeros((len(texts), self._policy.feature_size), np.float32)
        for start in range(0, len(order), size):
            part = order[start : start + size]
            states = self.compiled_last_states(*map(tf.convert_to_tensor, take(batch, part, size)))
            features[part] = states.numpy()[: len(part)]
            report(len(part))
        return features

    def last_states(self, *arrays: tf.Tensor) -> tf.Tensor:
        """Return the state at the last token of each response in a `Batch`, shape (B, feature_size).

        This method can be called inside a TensorFlow graph.
        """
        response_mask = arrays[-1]
        before = self._policy.features(*arrays)  # the state before END is the state at the last token of the text
        last = tf.maximum(tf.reduce_sum(tf.cast(response_mask, tf.int32), axis=1) - 1, 0)
        return tf.gather(before, last, batch_dims=1)
