"""Collects buffers: the policy's responses and human demonstrations, with all inputs that D needs.

A condition consists of the tokens of a history and a prompt. A human demonstration is the expert's response to a
condition. D is the discriminator. The reference is a frozen copy of the policy from before imitation. z is the noise
from which the policy generates a response (Algorithm 2).

Shapes: B responses in the buffer; at most C tokens in a condition and R tokens in a response; hidden states of width E;
S sentiment scores.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gail_tf.data.batches import Batch, take
from gail_tf.data.samples import ExpertSamples
from gail_tf.data.sentiment import sentiment
from gail_tf.data.tokenizer import Tokenizer
from gail_tf.imitation.judged_responses import JudgedResponses
from gail_tf.imitation.phases import human_demonstrations
from gail_tf.imitation.reference import Reading, Reference
from gail_tf.policies.base import LanguagePolicy
from gail_tf.policies.sampling import Sampling

MOST_PERMUTED = 2**24  # rows


class Rollouts(NamedTuple):
    """A buffer of responses.

    Attributes:
        rows: The indices of the answered trajectories, shape (B,).
        human: A bool mask of the human demonstrations, shape (B,).
        log_probs: The tokens' log-probabilities under the policy that collected the buffer, shape (B, R) and dtype
            float32.
        reference: The tokens' log-probabilities under the reference, shape (B, R) and dtype float32.
        states: A frozen network's final hidden states before each token, shape (B, R, E) and dtype float32. Stored only
            for a policy that trains a head on the frozen network, because these states never change. None for other
            policies.
        given: The responses as inputs to the discriminator D.
        expert: The experts' responses to the same prompts, as inputs to D.
        texts: The B responses as text.
    """

    rows: np.ndarray
    human: np.ndarray
    log_probs: np.ndarray
    reference: np.ndarray
    states: np.ndarray | None
    given: JudgedResponses
    expert: JudgedResponses
    texts: list[str]

    @property
    def batch(self) -> Batch:
        """The conditions and responses."""
        return self.given.batch

    @property
    def generated(self) -> np.ndarray:
        """The bool mask of the policy's responses, shape (B,)."""
        return ~self.human

    @property
    def expert_length(self) -> float:
        """The mean number of tokens in the experts' responses to the same prompts."""
        return float(self.expert.batch.response_lengths.mean())

    def states_of(self, rows: np.ndarray, width: int | None = None) -> np.ndarray | None:
        """Select the states of some responses.

        Args:
            rows: The indices of n responses in the buffer.
            width: The number of tokens to select from the start of each response. If None, all tokens are selected.

        Returns:
            A float32 array of shape (n, width, E), or None if the buffer has no states.
        """
        return None if self.states is None else self.states[rows, :width]


def respond(
    policy: LanguagePolicy,
    batch: Batch,
    rows: np.ndarray,
    seed: tuple[int, int],
    sampling: Sampling,
    size: int,
    report: Callable[[int], object] = lambda _: None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sample responses to selected conditions of a batch.

    Args:
        policy: The policy.
        batch: The conditions.
        rows: The indices of the conditions to answer, shape (n,), preferably sorted by length. The seed and a
            condition's index determine the noise z.
        seed: The seed for the noise z.
        sampling: How responses are sampled.
        size: The number of responses to sample at a time.
        report: A function that is called after each batch of `size` responses with the number of responses in the
            batch.

    Returns:
        Three arrays of shape (n, max_new_tokens) in the order of `rows`: the tokens (int32), the mask (bool) and the
        log-probabilities (float32); see `Responses`.
    """
    shape = len(rows), sampling.max_new_tokens
    tokens, mask, log_probs = np.zeros(shape, np.int32), np.zeros(shape, bool), np.zeros(shape, np.float32)
    for start in range(0, len(rows), size):
        part = rows[start : start + size]
        asked = take(batch, part, size)
        numbers = np.pad(part, (0, size - len(part))).astype(np.int32)
        drawn = policy.sample(asked.condition, asked.condition_mask, seed, sampling, numbers)
        for target, tensor in zip((tokens, mask, log_probs), drawn, strict=True):
            target[start : start + size] = tensor.numpy()[: len(part)]
        report(len(part))
    return tokens, mask, log_probs


class Collector:
    """A collector that fills buffers with a policy's responses to prompts of expert trajectories (Algorithm 2).

    Args:
        policy: The policy that answers.
        reference: The reference, which reads the responses.
        tokenizer: The tokenizer, which decodes responses.
        samples: The expert trajectories.
        sampling: How responses are sampled.
        decoding_batch_size: The number of responses to sample at a time. If None, the argument `size` of `collect` is
            used. Larger batches are faster than smaller ones, because each decoding step reads all weights once per
            batch.
        keep_experts: Whether to store the features of all experts' responses, which are computed on first use. This
            saves time if several buffers use the same trajectories. Call `forget` after the reference changes.
        recompute: Whether to recompute the log-probabilities of the policy's responses in a separate pass. If False,
            the log-probabilities from sampling are used. For human demonstrations, they are always computed in a
            separate pass.
    """

    def __init__(
        self,
        policy: LanguagePolicy,
        reference: Reference,
        tokenizer: Tokenizer,
        samples: ExpertSamples,
        sampling: Sampling,
        decoding_batch_size: int | None = None,
        keep_experts: bool = False,
        recompute: bool = False,
    ):
        self.policy, self.reference, self.tokenizer, self.samples = policy, reference, tokenizer, samples
        self.sampling = sampling
        self._decoding_batch_size = decoding_batch_size
        self._keep_experts, self._recompute = keep_experts, recompute
        self._kept: np.ndarray | None = None

    def forget(self) -> None:
        """Discard the stored features. Call this method when the reference has changed."""
        self._kept = None

    def collect(self, rows: np.ndarray, seed: tuple[int, int], size: int, human_ratio: float = 0.0) -> Rollouts:
        """Fill a buffer with responses to the given trajectories.

        Args:
            rows: The indices of the trajectories, shape (B,).
            seed: The seed for the noise z.
            size: The "Sample Batch Size" of Table 1, and the number of responses that the reference reads at a time.
            human_ratio: The share of human demonstrations in each batch of `size` responses.

        Returns:
            The buffer, sorted by the lengths of the conditions.
        """
        human = np.arange(len(rows)) % size < human_demonstrations(size, human_ratio)
        width = self.sampling.max_new_tokens
        asked = self.samples.at(rows)
        order = np.argsort(
            asked.batch.condition_lengths, kind="stable"
        )  # so that neighbours have similar lengths and need little padding
        rows, human, asked = rows[order], human[order], asked.at(order)
        buffer = take(asked.batch, np.arange(len(rows)), response_width=width)
        response, response_mask = buffer.response.copy(), buffer.response_mask.copy()
        log_probs = np.zeros(response.shape, np.float32)

        drawn = np.flatnonzero(~human)
        at_a_time = min(self._decoding_batch_size or size, len(rows))
        responses = respond(self.policy, buffer, drawn, seed, self.sampling, at_a_time)
        for target, values in zip((response, response_mask, log_probs), responses, strict=True):
            target[drawn] = values
        answered = buffer._replace(response=response, response_mask=response_mask)

        scored = np.flatnonzero(human | self._recompute)
        for start in range(0, len(scored), size):
            part = scored[start : start + size]
            scores = self.policy.log_probs(*take(answered, part, size, width), self.sampling)
            log_probs[part] = scores.log_probs.numpy()[: len(part)]

        reading, expert_features = self._read(answered, buffer, rows, size)
        texts = [self.tokenizer.decode(row[mask]) for row, mask in zip(response, response_mask, strict=True)]
        spoken = [(*trajectory.history, trajectory.prompt) for trajectory in asked.trajectories]
        expert = JudgedResponses(
            buffer,
            expert_features,
            _sentiments(asked.sentiments, asked.response_sentiments),
            list(zip(spoken, asked.response_texts, strict=True)),
        )
        given = JudgedResponses(
            answered,
            reading.features,
            _sentiments(asked.sentiments, np.array([sentiment(text).compound for text in texts], np.float32)),
            list(zip(spoken, texts, strict=True)),
        )
        return Rollouts(rows, human, log_probs, reading.log_probs, reading.states, given, expert, texts)

    def _read(self, given: Batch, expert: Batch, rows: np.ndarray, size: int) -> tuple[Reading, np.ndarray]:
        """Run the reference on the responses, and compute D's features of the experts' responses."""
        if not self._keep_experts:
            return self.reference.read_with_experts(given, expert, size)
        if self._kept is None:
            # The features of all responses are computed at once. A resumed run computes them again, and must use the
            # same batches, because the last bits may differ in other batches.
            width = expert.response.shape[1]
            everything = self.samples.batch.taken(np.arange(len(self.samples)), response_width=width)
            self._kept = self.reference.features(everything, size)
        return self.reference.read(given, size), self._kept[rows]


def _sentiments(asked: np.ndarray, answered: np.ndarray) -> np.ndarray:
    """Join sentiments of conditions, shape (B, S - 1), and of responses, shape (B,), into an array of shape (B, S)."""
    return np.concatenate([asked, answered[:, None]], axis=1)


def draw_rows(count: int, number: int, start: int, seed: int) -> np.ndarray:
    """Return consecutive rows from an endless sequence that consists of random permutations of all rows.

    Up to any position in the sequence, the counts of any two rows differ by at most one. A permutation of more than
    MOST_PERMUTED rows would need too much memory; for so many rows, each call draws distinct rows, independently of
    other calls.

    Args:
        count: The total number of rows.
        number: The number of rows to return.
        start: The position of the first returned row in the sequence.
        seed: The seed for the permutations.

    Returns:
        The rows, shape (number,).
    """
    if count > MOST_PERMUTED:
        return np.random.default_rng([seed, start]).choice(count, number, replace=False)
    places = np.arange(start, start + number)
    permutations = {i: np.random.default_rng([seed, i]).permutation(count) for i in np.unique(places // count)}
    return np.array([permutations[place // count][place % count] for place in places])
