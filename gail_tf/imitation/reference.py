"""The reference: a frozen copy of the policy from before imitation, used to compute features and probabilities.

D is the discriminator. Shapes: B conditions (history and prompt) with one response each; C tokens in a condition, R
tokens in a response; hidden states of width E; F features.
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
    """Return the features for a discriminator that judges tokens: the hidden state after each token.

    The state after a token depends on the history, the prompt, and the response up to this token, as does the input to
    the first paper's discriminator (Eq. 7 and 8).

    Args:
        hidden_states: The states of a causal language model at the response's tokens, shape (B, R, E).
        response_mask: The mask of the tokens, shape (B, R).

    Returns:
        A float32 tensor of shape (B, R, E), 0 at padding.
    """
    return tf.where(tf.cast(response_mask, tf.bool)[:, :, None], tf.cast(hidden_states, tf.float32), 0.0)


def response_features(hidden_states: tf.Tensor, response_mask: tf.Tensor) -> tf.Tensor:
    """Return the features of whole responses: the mean hidden state and the last hidden state of each response.

    The last token is usually END, which ends the response. The states also depend on the history and the prompt,
    because a causal language model has read them before the response.

    Args:
        hidden_states: The states of a causal language model at T tokens that include the response, shape (B, T, E).
        response_mask: The mask of the response's tokens, which must be contiguous, shape (B, T).

    Returns:
        A float32 tensor of shape (B, 2 * E), 0 in rows without a response.
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
        states: See `Rollouts.states`. None if the reference does not return states.
    """

    features: np.ndarray
    log_probs: np.ndarray
    states: np.ndarray | None = None


class Reference:
    """A frozen copy of the policy from before imitation, used to compute log-probabilities and the features for D.

    The KL to the reference is computed from the log-probabilities. A single pass over a condition serves two responses:
    the response in the buffer, for which features and log-probabilities are computed, and the expert's response, for
    which only features are computed. With a policy that has no language model, only log-probabilities are computed, and
    the features have width 0.

    Args:
        policy: The policy.
        sampling: The sampling settings, which affect the probabilities of tokens.
        per_token: Whether to compute features for every token, for a discriminator that judges tokens.
        keep_states: Whether to also return hidden states, for a policy that trains a head on the same frozen network.
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
            size: The number of responses to read at a time.

        Returns:
            The features, the log-probabilities and, with `keep_states`, the hidden states.
        """
        return Reading(**self._in_parts(self.compiled_read_all, size, batch))

    def read_with_experts(self, batch: Batch, expert: Batch, size: int) -> tuple[Reading, np.ndarray]:
        """Compute the result of `read` and, in the same pass, the features of the experts' responses.

        Args:
            batch: B conditions and responses.
            expert: The same conditions with the experts' responses, in arrays of equal widths.
            size: The number of conditions to read at a time.

        Returns:
            The result of `read`, and the features of the experts' responses.
        """
        arrays = self._in_parts(self.compiled_read_all, size, batch, expert)
        expert_features = arrays.pop("expert_features")
        return Reading(**arrays), expert_features

    def features(self, batch: Batch, size: int) -> np.ndarray:
        """Compute only the features. This is faster than `read`, because no logits are needed.

        Args:
            batch: B conditions and responses.
            size: The number of responses to read at a time.

        Returns:
            A float32 array of shape (B, F) or, for a discriminator that judges tokens, (B, R, F).
        """
        return self._in_parts(self.compiled_read_features, size, batch)["features"]

    def _in_parts(self, read: Compiled, size: int, batch: Batch, expert: Batch | None = None) -> dict[str, np.ndarray]:
        """Compute the arrays that `read` returns, for `size` rows at a time.

        Rows whose conditions have similar lengths are computed together to minimise padding.
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

        This method can be called inside a TensorFlow graph.

        Args:
            condition: The tokens of the conditions, shape (B, C) and dtype int32.
            condition_mask: The bool mask of these tokens, with the same shape.
            response: The tokens of the responses, shape (B, R) and dtype int32.
            response_mask: The bool mask of these tokens, with the same shape.
            expert: The tokens and the mask of the experts' responses, with the shape of `response`, or None.

        Returns:
            The arrays by name. If `expert` is given, they include `expert_features`, the features of the experts'
            responses.
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
        """Compute only the field `features` of a `Reading`. This method can be called inside a TensorFlow graph."""
        if not isinstance(self.policy, Policy):
            return {"features": self._no_features(response)}
        responses = [(response, response_mask)]
        [(features, _)] = read_responses(self.policy.network, condition, condition_mask, responses, self.per_token)
        return {"features": features}

    @staticmethod
    def _no_features(response: tf.Tensor) -> tf.Tensor:
        return tf.zeros([tf.shape(response)[0], 0])


def _widened(values: np.ndarray, width: int) -> np.ndarray:
    """Pad a tensor of shape (B, R, ...) with zeros to shape (B, width, ...)."""
    return np.pad(values, [(0, 0), (0, width - values.shape[1]), *[(0, 0)] * (values.ndim - 2)])


def read_responses(
    network: LanguageModel,
    condition: tf.Tensor,
    condition_mask: tf.Tensor,
    responses: Sequence[tuple[tf.Tensor, tf.Tensor]],
    per_token: bool = False,
) -> list[tuple[tf.Tensor, tf.Tensor]]:
    """Compute D's features of several responses to the same conditions in one pass.

    This function can be called inside a TensorFlow graph.

    Args:
        network: The language model.
        condition: The tokens of the conditions, shape (B, C) and dtype int32.
        condition_mask: The bool mask of these tokens, with the same shape.
        responses: A pair for each response: its int32 tokens and its bool mask, both of shape (B, R).
        per_token: Whether to compute features for every token.

    Returns:
        A pair for each response: its float32 features of shape (B, 2 * E) or, with `per_token`, (B, R, E), and the
        hidden states before each token, shape (B, R, E).
    """
    read, *after = network.hidden_of_each(condition, condition_mask, responses)
    features = token_features if per_token else response_features
    return [
        (features(states, mask), tf.concat([read[:, -1:], states[:, :-1]], 1))
        for states, (_, mask) in zip(after, responses, strict=True)
    ]
