"""The PPO buffer: responses that the policy has just given, human demonstrations among them, and what D says of them.

Shapes: B responses of the buffer, C and R the widths of conditions and responses, F numbers of D's features.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gail_tf.data.batches import Batch, take
from gail_tf.data.samples import Samples
from gail_tf.data.sentiment import sentiment
from gail_tf.data.tokenizer import Tokenizer
from gail_tf.imitation.judged_responses import JudgedResponses
from gail_tf.imitation.phases import human_demonstrations
from gail_tf.imitation.reference import Reading, Reference
from gail_tf.policies.base import LanguagePolicy
from gail_tf.policies.sampling import Sampling


class Rollouts(NamedTuple):
    """One buffer of responses.

    rows:      (B,) the trajectories whose history and prompt were answered.
    human:     (B,) bool, which responses are human demonstrations.
    log_probs: (B, R) float32, of the tokens under the policy that gave them.
    reference: (B, R) float32, of the same tokens under the reference.
    states:    (B, R, E) float32, a frozen GPT-2's last hidden states before each token, which need not be computed
        again while a head on it learns; None where they change.
    given:     the responses, for D. expert: the experts' to the same prompts.
    texts:     (B,), the responses as text.
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
        """Conditions and responses."""
        return self.given.batch

    @property
    def generated(self) -> np.ndarray:
        """(B,) bool."""
        return ~self.human

    @property
    def expert_length(self) -> float:
        """Mean tokens of the experts' responses to the same prompts."""
        return float(self.expert.batch.response_lengths.mean())

    def states_of(self, rows: np.ndarray, width: int | None = None) -> np.ndarray | None:
        """The states before the first `width` tokens of some responses, or before all."""
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
    """Responses to some conditions of a batch, `size` drawn at a time, in the order of `rows`.

    rows: (n,), preferably with like lengths side by side; a row's number determines its noise z, together with the
    seed. report: called after each drawing with the number of responses.

    Returns tokens, mask and log_probs as `Responses` has them, (n, max_new_tokens).
    """
    shape = len(rows), sampling.max_new_tokens
    tokens, mask, log_probs = np.zeros(shape, np.int32), np.zeros(shape, bool), np.zeros(shape, np.float32)
    for start in range(0, len(rows), size):
        part = rows[start : start + size]
        asked = take(batch, part, size)
        numbers = np.pad(part, (0, size - len(part))).astype(np.int32)
        found = policy.sample(asked.condition, asked.condition_mask, seed, sampling, numbers)
        for target, each in zip((tokens, mask, log_probs), found, strict=True):
            target[start : start + size] = each.numpy()[: len(part)]
        report(len(part))
    return tokens, mask, log_probs


class Collector:
    """Fills buffers with a policy's responses to the prompts of expert trajectories (Algorithm 2).

    Args:
        policy: Answers.
        reference: Reads what was answered.
        tokenizer: Makes text of the responses.
        samples: The expert trajectories.
        sampling: How responses are drawn.
        decoding_batch_size: How many responses are drawn at a time; the batch size of `collect` if not given. More are
            faster, since each step reads all weights, for however many.
        keep_experts: Whether to read the features of all experts' responses at the first use, and to keep them. It is
            worth it where buffers come back to the same trajectories. `forget` them when the reference changes.
        recompute: Whether to find the log-probabilities of all responses by a pass over them, as the experts' must be,
            in place of those that they were drawn with.
    """

    def __init__(
        self,
        policy: LanguagePolicy,
        reference: Reference,
        tokenizer: Tokenizer,
        samples: Samples,
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
        """The reference has changed."""
        self._kept = None

    def collect(self, rows: np.ndarray, seed: tuple[int, int], size: int, human_ratio: float = 0.0) -> Rollouts:
        """Answer the histories and prompts of trajectories.

        rows: (B,), their numbers. seed: of the noise z. size: of Table 1's batches; of each the part human_ratio is
        taken from the experts instead, and the reference reads as many at a time.
        """
        human = np.arange(len(rows)) % size < human_demonstrations(size, human_ratio)
        width = self.sampling.max_new_tokens
        order = np.argsort(self.samples.batch.condition_lengths[rows], kind="stable")  # like lengths are padded little
        rows, human = rows[order], human[order]
        buffer = take(self.samples.batch, rows, response_width=width)
        response, response_mask = buffer.response.copy(), buffer.response_mask.copy()
        log_probs = np.zeros(response.shape, np.float32)

        drawn = np.flatnonzero(~human)
        at_a_time = min(self._decoding_batch_size or size, len(rows))
        responses = respond(self.policy, buffer, drawn, seed, self.sampling, at_a_time)
        for target, each in zip((response, response_mask, log_probs), responses, strict=True):
            target[drawn] = each
        answered = buffer._replace(response=response, response_mask=response_mask)

        scored = np.flatnonzero(human | self._recompute)
        for start in range(0, len(scored), size):
            part = scored[start : start + size]
            scores = self.policy.log_probs(*take(answered, part, size, width), self.sampling)
            log_probs[part] = scores.log_probs.numpy()[: len(part)]

        reading, expert_features = self._read(answered, buffer, rows, size)
        texts = [self.tokenizer.decode(row[mask]) for row, mask in zip(response, response_mask, strict=True)]
        experts = [self.samples.trajectories[row] for row in rows]
        spoken = [(*each.history, each.prompt) for each in experts]
        asked = self.samples.sentiments[rows]
        expert = JudgedResponses(
            buffer,
            expert_features,
            _sentiments(asked, self.samples.response_sentiments[rows]),
            list(zip(spoken, (each.response for each in experts), strict=True)),
        )
        given = JudgedResponses(
            answered,
            reading.features,
            _sentiments(asked, np.array([sentiment(text).compound for text in texts], np.float32)),
            list(zip(spoken, texts, strict=True)),
        )
        return Rollouts(rows, human, log_probs, reading.log_probs, reading.states, given, expert, texts)

    def _read(self, given: Batch, expert: Batch, rows: np.ndarray, size: int) -> tuple[Reading, np.ndarray]:
        """What the reference makes of the responses given, and the features of the experts' to the same conditions."""
        if not self._keep_experts:
            return self.reference.read_with_experts(given, expert, size)
        if self._kept is None:
            # All at once, so that a resumed training, which reads them anew, meets each in the same company: in another
            # one the last bits may differ.
            width = expert.response.shape[1]
            everything = take(self.samples.batch, np.arange(len(self.samples)), response_width=width)
            self._kept = self.reference.features(everything, size)
        return self.reference.read(given, size), self._kept[rows]


def _sentiments(asked: np.ndarray, answered: np.ndarray) -> np.ndarray:
    """(B, 2) of prompts and histories, (B,) of responses -> (B, SENTIMENTS)."""
    return np.concatenate([asked, answered[:, None]], axis=1)


def draw_rows(count: int, number: int, start: int, seed: int) -> np.ndarray:
    """`number` of `count` rows from place `start` of an endless row of permutations: each equally often but for one."""
    places = np.arange(start, start + number)
    permutations = {i: np.random.default_rng([seed, i]).permutation(count) for i in np.unique(places // count)}
    return np.array([permutations[place // count][place % count] for place in places])
