"""The frozen reference (GPT-2 after maximum likelihood), and what it reads of responses: features, probabilities."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from gail_tf.data.batches import Batch, take
from gail_tf.models.gpt2 import GPT2
from gail_tf.policies.base import LanguagePolicy
from gail_tf.policies.language_model_policy import Policy
from gail_tf.policies.sampling import Sampling
from keras_gca.engine.compiled import Compiled


def token_features(hidden_states: tf.Tensor, response_mask: tf.Tensor) -> tf.Tensor:
    """Features of (history, prompt, partial response, token), (B, R, H) float32: the states after each token.

    What Eq. 7 and 8 of the first paper give its discriminator at each token, here from a causal language model.
    hidden_states: (B, R, H) at the response's tokens; response_mask: (B, R). Padding gets zeros.
    """
    return tf.where(tf.cast(response_mask, tf.bool)[:, :, None], tf.cast(hidden_states, tf.float32), 0.0)


def response_features(hidden_states: tf.Tensor, response_mask: tf.Tensor) -> tf.Tensor:
    """Features of (history, prompt, response), (B, 2 H) float32, from the states of a causal language model.

    hidden_states: (B, T, H) over history, prompt and response; response_mask: (B, T), the response's tokens, which
    stand side by side. The features are the mean over the response and its last state (EOS), both of which have read
    history and prompt too. Rows without a response get zeros.
    """
    mask = tf.cast(response_mask, tf.float32)
    last = mask - mask * tf.pad(mask[:, 1:], [[0, 0], [0, 1]])
    states = tf.where(mask[:, :, None] > 0, tf.cast(hidden_states, tf.float32), 0.0)
    mean = tf.math.divide_no_nan(tf.reduce_sum(states, axis=1), tf.reduce_sum(mask, axis=1, keepdims=True))
    return tf.concat([mean, tf.linalg.matvec(states, last, transpose_a=True)], axis=1)


class Reading(NamedTuple):
    """What the reference makes of B responses.

    Attributes:
        features: See `JudgedResponses.features`.
        log_probs: See `Rollouts.reference`.
        states: See `Rollouts.states`; None where they are not kept.
    """

    features: np.ndarray
    log_probs: np.ndarray
    states: np.ndarray | None = None


class Reference:
    """The frozen policy that the training starts from: D's features, and probabilities to measure the distance by.

    One pass gives both, of the experts' responses too: a condition is read once for the two. per_token: features are
    of every token, for a token discriminator. keep_states: give the states too, for a policy that learns on the same
    frozen GPT-2. A policy that is no GPT-2 gives probabilities alone: its features have no numbers.
    """

    def __init__(self, policy: LanguagePolicy, sampling: Sampling, per_token: bool = False, keep_states: bool = False):
        self.policy = policy
        self.per_token = per_token
        self._sampling, self._keep_states = sampling, keep_states
        self.compiled_read_all = Compiled(self.read_all)
        self.compiled_read_features = Compiled(self.read_features)

    def read(self, batch: Batch, size: int) -> Reading:
        """Read responses to conditions, `size` together."""
        return Reading(**self._in_parts(self.compiled_read_all, size, batch))

    def read_with_experts(self, batch: Batch, expert: Batch, size: int) -> tuple[Reading, np.ndarray]:
        """Read responses as `read` does, and in the same pass the experts' to the same conditions.

        expert: the conditions with the experts' responses, in arrays of the same width. Returns the features of these
        besides: they are found without the product with the vocabulary.
        """
        found = self._in_parts(self.compiled_read_all, size, batch, expert)
        expert_features = found.pop("expert_features")
        return Reading(**found), expert_features

    def features(self, batch: Batch, size: int) -> np.ndarray:
        """The features alone, (B, F) or (B, R, F): without the product with the vocabulary."""
        return self._in_parts(self.compiled_read_features, size, batch)["features"]

    def _in_parts(self, read: Compiled, size: int, batch: Batch, expert: Batch | None = None) -> dict[str, np.ndarray]:
        """What `read` finds of a batch's rows, a few at a time, those with conditions of like lengths together."""
        order, parts = np.argsort(batch.condition_lengths, kind="stable"), []
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            arrays = take(batch, rows, size)
            other = None if expert is None else tuple(take(expert, rows, size)[2:])
            parts.append({name: each.numpy()[: len(rows)] for name, each in read(*arrays, other).items()})
        of_tokens = {"log_probs", "states"} | ({"features", "expert_features"} if self.per_token else set())
        width, back = batch.response.shape[1], np.argsort(order)
        found = {name: [part[name] for part in parts] for name in parts[0]}
        return {
            name: np.concatenate([_widened(each, width) for each in several] if name in of_tokens else several)[back]
            for name, several in found.items()
        }

    def read_all(
        self,
        condition: tf.Tensor,
        condition_mask: tf.Tensor,
        response: tf.Tensor,
        response_mask: tf.Tensor,
        expert: tuple[tf.Tensor, tf.Tensor] | None,
    ) -> dict[str, tf.Tensor]:
        """Give the fields of a `Reading`, and `expert_features` where these are read, by name. For use in a graph.

        expert: tokens and mask of the experts' responses, or None.
        """
        responses = [(response, response_mask)] if expert is None else [(response, response_mask), expert]
        if isinstance(self.policy, Policy):
            read = read_responses(self.policy.gpt2, condition, condition_mask, responses, self.per_token)
            features, states = [each for each, _ in read], read[0][1]
        else:
            features = [self._no_features(response)] * len(responses)
            states = self.policy.features(condition, condition_mask, response, response_mask)
        log_probs = self.policy.scores(states, response, response_mask, self._sampling).log_probs
        found = dict(zip(("features", "expert_features"), features, strict=False)) | {"log_probs": log_probs}
        return found | {"states": states} if self._keep_states else found

    def read_features(
        self, condition: tf.Tensor, condition_mask: tf.Tensor, response: tf.Tensor, response_mask: tf.Tensor, _: None
    ) -> dict[str, tf.Tensor]:
        """Give the features alone, by name. For use in a graph."""
        if not isinstance(self.policy, Policy):
            return {"features": self._no_features(response)}
        responses = [(response, response_mask)]
        [(features, _)] = read_responses(self.policy.gpt2, condition, condition_mask, responses, self.per_token)
        return {"features": features}

    @staticmethod
    def _no_features(response: tf.Tensor) -> tf.Tensor:
        return tf.zeros([tf.shape(response)[0], 0])


def _widened(values: np.ndarray, width: int) -> np.ndarray:
    """(B, R, ...) -> (B, width, ...), with zeros."""
    return np.pad(values, [(0, 0), (0, width - values.shape[1]), *[(0, 0)] * (values.ndim - 2)])


def read_responses(
    gpt2: GPT2,
    condition: tf.Tensor,
    condition_mask: tf.Tensor,
    responses: Sequence[tuple[tf.Tensor, tf.Tensor]],
    per_token: bool = False,
) -> list[tuple[tf.Tensor, tf.Tensor]]:
    """D's features of responses, (B, 2 E), or of their tokens, (B, R, E), and the states before each token, (B, R, E).

    responses: tokens and mask of each response to the same conditions. One pass gives all. For use in a graph.
    """
    read, *after = gpt2.hidden_of_each(condition, condition_mask, responses)
    features = token_features if per_token else response_features
    return [
        (features(states, mask), tf.concat([read[:, -1:], states[:, :-1]], 1))
        for states, (_, mask) in zip(after, responses, strict=True)
    ]
