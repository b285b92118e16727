"""The PPO buffer: responses that the policy has just given, human demonstrations among them, and what D says of them.

Shapes: B responses of the buffer, C and R the widths of conditions and responses, F numbers of D's features.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from gail_tf.batches import Batch
from gail_tf.discriminators import response_features
from gail_tf.policy import Policy, Sampling
from gail_tf.samples import SENTIMENTS, Samples, take
from gail_tf.schedules import human_demonstrations
from gail_tf.sentiment import sentiment
from gail_tf.tokenizer import Tokenizer


class Rollouts(NamedTuple):
    """One buffer of responses.

    batch:          conditions and responses.
    rows:           (B,) the trajectories whose history and prompt were answered.
    human:          (B,) bool, which responses are human demonstrations.
    log_probs:      (B, R) float32, of the tokens under the policy that gave them.
    reference:      (B, R) float32, of the same tokens under the reference.
    features:       (B, F) float32, of the responses, by the frozen reference; expert_features: of the experts'.
    sentiments:     (B, SENTIMENTS) float32, for D; expert_sentiments: with the experts' responses.
    """

    batch: Batch
    rows: np.ndarray
    human: np.ndarray
    log_probs: np.ndarray
    reference: np.ndarray
    features: np.ndarray
    expert_features: np.ndarray
    sentiments: np.ndarray
    expert_sentiments: np.ndarray

    @property
    def generated(self) -> np.ndarray:
        """(B,) bool."""
        return ~self.human


class Reference:
    """The frozen policy that the training starts from: D's features, and probabilities to measure the distance by.

    One pass gives both, and an expert's features are kept, since they never change.
    """

    def __init__(self, policy: Policy, sampling: Sampling):
        self.policy = policy
        self._sampling = sampling
        self._pass = tf.function(self._read, autograph=False)
        self._known: dict[int, np.ndarray] = {}

    @property
    def feature_size(self) -> int:
        return 2 * self.policy.gpt2.config.n_embd

    def __call__(self, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
        """Features (B, F) of the responses, and the log-probabilities (B, R) of their tokens."""
        return tuple(each.numpy() for each in self._pass(*map(tf.convert_to_tensor, batch)))

    def experts(self, samples: Samples, rows: np.ndarray, size: int) -> np.ndarray:
        """Features (n, F) of the experts' responses of some trajectories, read `size` at a time."""
        missing = np.unique([row for row in rows if row not in self._known])
        for start in range(0, len(missing), size):
            part = missing[start : start + size].astype(int)
            features, _ = self(take(samples.batch, part, size))
            self._known.update(zip(part.tolist(), features, strict=False))
        return np.stack([self._known[row] for row in rows])

    def _read(self, condition, condition_mask, response, response_mask):
        tokens, mask = tf.concat([condition, response], 1), tf.concat([condition_mask, response_mask], 1)
        hidden = self.policy.gpt2.hidden(tokens, mask)
        width = condition.shape[1]
        scores = self.policy.scores(hidden[:, width - 1 : -1], response, response_mask, self._sampling)
        return response_features(hidden[:, width:], response_mask), scores.log_probs


class Collector:
    """Fills buffers with a policy's responses to the prompts of expert trajectories (Algorithm 2)."""

    def __init__(
        self, policy: Policy, reference: Reference, tokenizer: Tokenizer, samples: Samples, sampling: Sampling
    ):
        self.policy, self.reference, self.tokenizer, self.samples = policy, reference, tokenizer, samples
        self.sampling = sampling

    def collect(self, rows: np.ndarray, seed: tuple[int, int], size: int, human_ratio: float = 0.0) -> Rollouts:
        """Answer the histories and prompts of trajectories.

        rows: (B,), their numbers. seed: of the noise z. size: responses drawn together; of each such batch the part
        human_ratio is taken from the experts instead (Table 1).
        """
        human = np.arange(len(rows)) % size < human_demonstrations(size, human_ratio)
        width = self.sampling.max_new_tokens
        order = np.argsort(self.samples.batch.condition_lengths[rows], kind="stable")  # like lengths are padded little
        rows, human = rows[order], human[order]
        buffer = take(self.samples.batch, rows, response_width=width)
        response, response_mask = buffer.response.copy(), buffer.response_mask.copy()
        log_probs = np.zeros(response.shape, np.float32)

        drawn = np.flatnonzero(~human)
        for start in range(0, len(drawn), size):
            part = drawn[start : start + size]
            batch = take(buffer, part, size)
            numbers = np.pad(part, (0, size - len(part))).astype(np.int32)
            found = self.policy.sample(batch.condition, batch.condition_mask, seed, self.sampling, numbers)
            for target, each in zip((response, response_mask, log_probs), found, strict=True):
                target[part] = each.numpy()[: len(part)]
        buffer = buffer._replace(response=response, response_mask=response_mask)

        demonstrated = np.flatnonzero(human)
        for start in range(0, len(demonstrated), size):
            part = demonstrated[start : start + size]
            scores = self.policy.log_probs(*take(buffer, part, size, width), self.sampling)
            log_probs[part] = scores.log_probs.numpy()[: len(part)]

        reference = np.zeros_like(log_probs)
        features = np.zeros((len(rows), self.reference.feature_size), np.float32)
        for start in range(0, len(rows), size):
            part = np.arange(start, min(start + size, len(rows)))
            found, by_reference = self.reference(take(buffer, part, size, width))
            features[part], reference[part] = found[: len(part)], by_reference[: len(part)]
        answered = [self.tokenizer.decode(row[mask]) for row, mask in zip(response, response_mask, strict=True)]
        asked = self.samples.sentiments[rows]
        return Rollouts(
            buffer,
            rows,
            human,
            log_probs,
            reference,
            features,
            self.reference.experts(self.samples, rows, size),
            _sentiments(asked, np.array([sentiment(text).compound for text in answered], np.float32)),
            _sentiments(asked, self.samples.response_sentiments[rows]),
        )

    def texts(self, rollouts: Rollouts) -> list[str]:
        """The responses as text."""
        batch = rollouts.batch
        return [self.tokenizer.decode(row[mask]) for row, mask in zip(batch.response, batch.response_mask, strict=True)]


def _sentiments(asked: np.ndarray, answered: np.ndarray) -> np.ndarray:
    found = np.concatenate([asked, answered[:, None]], axis=1)
    assert found.shape[1] == SENTIMENTS
    return found


def draw_rows(count: int, number: int, start: int, seed: int) -> np.ndarray:
    """`number` of `count` rows from place `start` of an endless row of permutations: each equally often but for one."""
    places = np.arange(start, start + number)
    permutations = {i: np.random.default_rng([seed, i]).permutation(count) for i in np.unique(places // count)}
    return np.array([permutations[place // count][place % count] for place in places])
