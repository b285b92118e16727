"""The reference, a frozen copy of the policy from before imitation, computes features and probabilities of responses.

D is the discriminator. Shapes: B conditions (history and prompt) with a response each; C tokens in a condition, R
tokens in a response; E the width of the language model's hidden states; F the number of features.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from gail_tf.data.batches import Batch, take
from gail_tf.models.language_model import LanguageModel
from gail_tf.policies.base import LanguagePolicy
from gail_tf.policies.language_model_policy import Policy
from gail_tf.policies.sampling import Sampling
from keras_gca.engine.compiled import Compiled


def token_features(hidden_states: tf.Tensor, response_mask: tf.Tensor) -> tf.Tensor:
    """Return the features of each token for a discriminator that judges tokens: the hidden states after each token.

    A state depends on the history, the prompt, and the response up to the token. It therefore corresponds to the input
    of the first paper's discriminator at each token (Eq. 7 and 8).

    Args:
        hidden_states: The states of a causal language model at the response's tokens, shape (B, R, E).
        response_mask: (B, R), true at tokens.

    Returns:
        (B, R, E) float32; 0 at padding.
    """
    return tf.where(tf.cast(response_mask, tf.bool)[:, :, None], tf.cast(hidden_states, tf.float32), 0.0)


def response_features(hidden_states: tf.Tensor, response_mask: tf.Tensor) -> tf.Tensor:
    """Return the features of whole responses: the mean of a response's hidden states, and its last hidden state.

    The last token is usually END, which ends the response. The states also depend on the history and the prompt,
    because a causal language model has read them before the response.

    Args:
        hidden_states: The states of a causal language model at T tokens, which include the response's tokens, shape (B,
            T, E).
        response_mask: (B, T), true at the tokens of the response, which are contiguous.

    Returns:
        (B, 2 E) float32; 0 in rows without a response.
    """
    mask = tf.cast(response_mask, tf.float32)
    last = mask - mask * tf.pad(mask[:, 1:], [[0, 0], [0, 1]])
    states = tf.where(mask[:, :, None] > 0, tf.cast(hidden_states, tf.float32), 0.0)
    mean = tf.math.divide_no_nan(tf.reduce_sum(states, axis=1), tf.reduce_sum(mask, axis=1, keepdims=True))
    return tf.concat([mean, tf.linalg.matvec(states, last, transpose_a=True)], axis=1)


class Reading(NamedTuple):
    """The reference's features and probabilities of B responses.

    Attributes:
        features: See `JudgedResponses.features`.
        log_probs: See `Rollouts.reference`.
        states: See `Rollouts.states`. They are None if the reference does not return them.
    """

    features: np.ndarray
    log_probs: np.ndarray
    states: np.ndarray | None = None


class Reference:
    """A frozen copy of the policy from before imitation. It computes log-probabilities and the features that D reads.

    The log-probabilities are needed to measure the KL divergence from the reference. One pass over a condition serves
    two responses to it: the response in the buffer, for which features and log-probabilities are computed, and the
    expert's response, for which only features are computed. A policy without a language model computes only
    log-probabilities, and its features have width 0.

    Args:
        policy: The policy.
        sampling: The sampling settings, which determine how the probabilities of tokens are computed.
        per_token: Whether to compute features for every token, for a discriminator that judges tokens.
        keep_states: Whether to return the hidden states as well, for a policy that trains a head on the same frozen
            network.
    """

    def __init__(self, policy: LanguagePolicy, sampling: Sampling, per_token: bool = False, keep_states: bool = False):
        self.policy = policy
        self.per_token = per_token
        self._sampling, self._keep_states = sampling, keep_states
        self.compiled_read_all = Compiled(self.read_all)
        self.compiled_read_features = Compiled(self.read_features)

    def read(self, batch: Batch, size: int) -> Reading:
        """Compute the features and log-probabilities of responses.

        Args:
            batch: B conditions and responses.
            size: The number of responses that are read at a time.

        Returns:
            The features and log-probabilities and, with `keep_states`, the states.
        """
        return Reading(**self._in_parts(self.compiled_read_all, size, batch))

    def read_with_experts(self, batch: Batch, expert: Batch, size: int) -> tuple[Reading, np.ndarray]:
        """Read responses as `read` does, and compute the features of the experts' responses in the same pass.

        Args:
            batch: B conditions and responses.
            expert: The same conditions with the experts' responses, in arrays of the same widths.
            size: The number of conditions that are read at a time.

        Returns:
            The result of `read`, and the features of the experts' responses.
        """
        arrays = self._in_parts(self.compiled_read_all, size, batch, expert)
        expert_features = arrays.pop("expert_features")
        return Reading(**arrays), expert_features

    def features(self, batch: Batch, size: int) -> np.ndarray:
        """Compute only the features, which is faster because no logits are computed.

        Args:
            batch: B conditions and responses.
            size: The number of responses that are read at a time.

        Returns:
            (B, F) float32 or, for a discriminator that judges tokens, (B, R, F).
        """
        return self._in_parts(self.compiled_read_features, size, batch)["features"]

    def _in_parts(self, read: Compiled, size: int, batch: Batch, expert: Batch | None = None) -> dict[str, np.ndarray]:
        """Compute the arrays that `read` returns for a batch, for `size` rows at a time.

        Rows whose conditions have similar lengths are computed together, so that little padding is needed.
        """
        order, parts = np.argsort(batch.condition_lengths, kind="stable"), []
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            arrays = take(batch, rows, size)
            other = None if expert is None else tuple(take(expert, rows, size)[2:])
            parts.append({name: tensor.numpy()[: len(rows)] for name, tensor in read(*arrays, other).items()})
        of_tokens = {"log_probs", "states"} | ({"features", "expert_features"} if self.per_token else set())
        width, back = batch.response.shape[1], np.argsort(order)
        several = {name: [part[name] for part in parts] for name in parts[0]}
        return {
            name: np.concatenate([_widened(array, width) for array in arrays] if name in of_tokens else arrays)[back]
            for name, arrays in several.items()
        }

    def read_all(
        self,
        condition: tf.Tensor,
        condition_mask: tf.Tensor,
        response: tf.Tensor,
        response_mask: tf.Tensor,
        expert: tuple[tf.Tensor, tf.Tensor] | None,
    ) -> dict[str, tf.Tensor]:
        """Compute the fields of a `Reading`, and the features of experts' responses.

        Can be called inside a TensorFlow graph.

        Args:
            condition: (B, C) int32.
            condition_mask: (B, C) bool.
            response: (B, R) int32.
            response_mask: (B, R) bool.
            expert: The tokens and the mask of the experts' responses, of the same shape as the responses, or None.

        Returns:
            The arrays by name. If `expert` is given, `expert_features` are the features of the experts' responses.
        """
        responses = [(response, response_mask)] if expert is None else [(response, response_mask), expert]
        if isinstance(self.policy, Policy):
            read = read_responses(self.policy.network, condition, condition_mask, responses, self.per_token)
            features, states = [part for part, _ in read], read[0][1]
        else:
            features = [self._no_features(response)] * len(responses)
            states = self.policy.features(condition, condition_mask, response, response_mask)
        log_probs = self.policy.scores(states, response, response_mask, self._sampling).log_probs
        arrays = dict(zip(("features", "expert_features"), features, strict=False)) | {"log_probs": log_probs}
        return arrays | {"states": states} if self._keep_states else arrays

    def read_features(
        self, condition: tf.Tensor, condition_mask: tf.Tensor, response: tf.Tensor, response_mask: tf.Tensor, _: None
    ) -> dict[str, tf.Tensor]:
        """Compute only the field `features` of a `Reading`. Like `read_all`, it can be called inside a graph."""
        if not isinstance(self.policy, Policy):
            return {"features": self._no_features(response)}
        responses = [(response, response_mask)]
        [(features, _)] = read_responses(self.policy.network, condition, condition_mask, responses, self.per_token)
        return {"features": features}

    @staticmethod
    def _no_features(response: tf.Tensor) -> tf.Tensor:
        return tf.zeros([tf.shape(response)[0], 0])


def _widened(values: np.ndarray, width: int) -> np.ndarray:
    """Pad (B, R, ...) with zeros to (B, width, ...)."""
    return np.pad(values, [(0, 0), (0, width - values.shape[1]), *[(0, 0)] * (values.ndim - 2)])


def read_responses(
    network: LanguageModel,
    condition: tf.Tensor,
    condition_mask: tf.Tensor,
    responses: Sequence[tuple[tf.Tensor, tf.Tensor]],
    per_token: bool = False,
) -> list[tuple[tf.Tensor, tf.Tensor]]:
    """Compute D's features for several responses to the same conditions in one pass.

    Can be called inside a TensorFlow graph.

    Args:
        network: The language model.
        condition: (B, C) int32.
        condition_mask: (B, C) bool.
        responses: The tokens, (B, R) int32, and the mask, (B, R) bool, of each response.
        per_token: Whether to compute features for every token.

    Returns:
        For each response, a pair: the features, (B, 2 E) float32 or, with `per_token`, (B, R, E); and the hidden states
        before each token, (B, R, E).
    """
    read, *after = network.hidden_of_each(condition, condition_mask, responses)
    features = token_features if per_token else response_features
    return [
        (features(states, mask), tf.concat([read[:, -1:], states[:, :-1]], 1))
        for states, (_, mask) in zip(after, responses, strict=True)
    ]
