"""Collects the PPO buffer: the policy's responses and human demonstrations, with all the inputs that D needs.

A condition is the history and the prompt that a response answers, as tokens. A human demonstration is the expert's
response to a condition. D is the discriminator. The reference is a frozen copy of the policy from before imitation. z
is the noise from which the policy generates a response (Algorithm 2).

Shapes: B responses in the buffer; C and R are the widths of conditions and responses in tokens; E is the width of
GPT-2's hidden states; F is the number of features that D reads.
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
        rows: (B,), the indices of the trajectories whose history and prompt were answered.
        human: (B,) bool, true for human demonstrations.
        log_probs: (B, R) float32, the tokens' log-probabilities under the policy that collected the buffer.
        reference: (B, R) float32, the same tokens' log-probabilities under the reference.
        states: (B, R, E) float32, the last hidden states of a frozen network before each token. They are stored only
            for a policy that trains a head on top of the network, because then they never change. For any other policy,
            this is None.
        given: The responses in the form that the discriminator D reads.
        expert: The experts' responses to the same prompts, in the same form.
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
        """(B,) bool, true for responses of the policy."""
        return ~self.human

    @property
    def expert_length(self) -> float:
        """The mean number of tokens in the experts' responses to the same prompts."""
        return float(self.expert.batch.response_lengths.mean())

    def states_of(self, rows: np.ndarray, width: int | None = None) -> np.ndarray | None:
        """Select the states of some responses.

        Args:
            rows: The indices of n responses in the buffer.
            width: The number of tokens that are selected from the beginning of each response. If None, all tokens are
                selected.

        Returns:
            (n, width, E) float32, or None if the buffer has no states.
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
    """Sample responses to some of the conditions in a batch.

    Args:
        policy: The policy.
        batch: The conditions.
        rows: (n,), the indices of the conditions to answer, preferably sorted by length. A row's index and the seed
            determine its noise z.
        seed: The seed of the noise z.
        sampling: How responses are sampled.
        size: The number of responses that are sampled at a time.
        report: A function that is called after each batch of `size` responses, with the number of responses in that
            batch.

    Returns:
        The tokens (int32), the mask (bool) and the log-probabilities (float32), each (n, max_new_tokens), in the order
        of `rows`; see `Responses`.
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
    """Fills buffers with a policy's responses to the prompts of expert trajectories (Algorithm 2).

    Args:
        policy: The policy that answers.
        reference: The reference that reads the responses.
        tokenizer: The tokenizer, which turns responses into text.
        samples: The expert trajectories.
        sampling: How responses are sampled.
        decoding_batch_size: The number of responses that are sampled at a time. If None, it is the argument `size` of
            `collect`. A larger number is faster, since every decoding step reads all weights once.
        keep_experts: Whether to compute the features of all experts' responses at the first use and to store them. This
            saves time if several buffers use the same trajectories. Call `forget` when the reference changes.
        recompute: Whether to compute the log-probabilities of the policy's responses in a separate pass over them. If
            False, the log-probabilities from sampling are used. The log-probabilities of human demonstrations are
            always computed in a separate pass.
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
        """Discard the stored features, since the reference has changed."""
        self._kept = None

    def collect(self, rows: np.ndarray, seed: tuple[int, int], size: int, human_ratio: float = 0.0) -> Rollouts:
        """Fill a buffer with responses to the histories and prompts of trajectories.

        Args:
            rows: (B,), the indices of the trajectories.
            seed: The seed of the noise z.
            size: "Sample Batch Size" of Table 1. In each batch of this size, the share `human_ratio` of the responses
                are human demonstrations. The size is also the number of responses that the reference reads at a time.
            human_ratio: The share of the responses in each batch that come from the experts instead of the policy.

        Returns:
            The buffer, sorted by the length of the conditions.
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
        """Run the reference on the responses, and compute the features of the experts' responses for D."""
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
    """Join the sentiments of histories and prompts, (B, S - 1), and of responses, (B,), to one array, (B, S)."""
    return np.concatenate([asked, answered[:, None]], axis=1)


def draw_rows(count: int, number: int, start: int, seed: int) -> np.ndarray:
    """Draw rows from an endless sequence of random permutations of all rows.

    The sequence uses all rows equally often: the counts of two rows differ by at most one. With more than MOST_PERMUTED
    rows, a permutation would take too much memory. Then each call draws different rows, independently of other calls.

    Args:
        count: The number of rows to draw from.
        number: The number of rows to draw.
        start: The position of the first drawn row in the sequence.
        seed: The seed of the permutations.

    Returns:
        (number,), the rows.
    """
    if count > MOST_PERMUTED:
        return np.random.default_rng([seed, start]).choice(count, number, replace=False)
    places = np.arange(start, start + number)
    permutations = {i: np.random.default_rng([seed, i]).permutation(count) for i in np.unique(places // count)}
    return np.array([permutations[place // count][place % count] for place in places])
