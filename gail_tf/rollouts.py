"""The PPO buffer: responses that the policy has just given, human demonstrations among them, and what D says of them.

Shapes: B responses of the buffer, C and R the widths of conditions and responses, F numbers of D's features.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Self

import numpy as np
import tensorflow as tf

from gail_tf.batches import Batch
from gail_tf.discriminators import response_features, token_features
from gail_tf.gpt2 import GPT2
from gail_tf.policy import LanguagePolicy, Policy, Sampling
from gail_tf.samples import Samples, take
from gail_tf.schedules import human_demonstrations
from gail_tf.sentiment import sentiment
from gail_tf.tokenizer import Tokenizer
from keras_gca.compilation import Compiled


class Evidence(NamedTuple):
    """What D may look at of B responses.

    batch: conditions and responses. features: (B, F) float32, of the responses, by the frozen reference; (B, R, F) for
    a token discriminator. sentiments: (B, SENTIMENTS) float32. exchanges: the utterances that are answered, and the
    response, as text.
    """

    batch: Batch
    features: np.ndarray
    sentiments: np.ndarray
    exchanges: Sequence[tuple[Sequence[str], str]]

    def rows(self, rows: np.ndarray, size: int | None = None) -> Self:
        """Some of them, filled up with empty rows to `size`; see `samples.take`."""
        free = 0 if size is None else size - len(rows)
        batch = take(self.batch, rows, size, response_width=self.batch.response.shape[1])
        arrays = (
            np.pad(each[rows], [(0, free), *[(0, 0)] * (each.ndim - 1)]) for each in (self.features, self.sentiments)
        )
        return type(self)(batch, *arrays, [*(self.exchanges[row] for row in rows), *[((), "")] * free])


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
    given: Evidence
    expert: Evidence
    texts: list[str]

    @property
    def batch(self) -> Batch:
        """Conditions and responses."""
        return self.given.batch

    @property
    def generated(self) -> np.ndarray:
        """(B,) bool."""
        return ~self.human

    def states_of(self, rows: np.ndarray, width: int | None = None) -> np.ndarray | None:
        """The states before the first `width` tokens of some responses, or before all."""
        return None if self.states is None else self.states[rows, :width]


class Reading(NamedTuple):
    """What the reference makes of B responses: see `Evidence.features`, `Rollouts.reference` and `Rollouts.states`.

    expert_features: of the experts' responses, where they were read too.
    """

    features: np.ndarray
    log_probs: np.ndarray
    states: np.ndarray | None = None
    expert_features: np.ndarray | None = None


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
        self._pass = Compiled(self._read)
        self._features_pass = Compiled(self._read_features)

    def read(self, batch: Batch, size: int, expert: Batch | None = None) -> Reading:
        """Read responses to conditions, `size` together.

        expert: the same conditions with the experts' responses, in arrays of the same width. Of these only the features
        are found, without the product with the vocabulary.
        """
        return Reading(**self._over(self._pass, size, batch, expert))

    def features(self, batch: Batch, size: int) -> np.ndarray:
        """The features alone, (B, F) or (B, R, F): without the product with the vocabulary."""
        return self._over(self._features_pass, size, batch)["features"]

    def _over(self, read: Compiled, size: int, batch: Batch, expert: Batch | None = None) -> dict[str, np.ndarray]:
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

    def _read(self, condition, condition_mask, response, response_mask, expert):
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

    def _read_features(self, condition, condition_mask, response, response_mask, _):
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


def respond(
    policy: LanguagePolicy,
    batch: Batch,
    rows: np.ndarray,
    seed: tuple[int, int],
    sampling: Sampling,
    size: int,
    report: Callable[[int], object] = lambda _: None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Responses to some conditions of a batch, `size` drawn together, in the order of `rows`.

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

    together: how many responses are drawn together; the batch size of `collect` if not given. More are faster, since
    each step reads all weights, for however many. keep_experts: read the features of all experts' responses at the
    first use, and keep them; worth it where buffers come back to the same trajectories. `forget` them when the
    reference changes. recompute: find the log-probabilities of all responses by a pass over them, as the experts' must
    be, in place of those that they were drawn with.
    """

    def __init__(
        self,
        policy: LanguagePolicy,
        reference: Reference,
        tokenizer: Tokenizer,
        samples: Samples,
        sampling: Sampling,
        together: int | None = None,
        keep_experts: bool = False,
        recompute: bool = False,
    ):
        self.policy, self.reference, self.tokenizer, self.samples = policy, reference, tokenizer, samples
        self.sampling = sampling
        self._together, self._keep_experts, self._recompute = together, keep_experts, recompute
        self._kept: np.ndarray | None = None

    def forget(self) -> None:
        """The reference has changed."""
        self._kept = None

    def collect(self, rows: np.ndarray, seed: tuple[int, int], size: int, human_ratio: float = 0.0) -> Rollouts:
        """Answer the histories and prompts of trajectories.

        rows: (B,), their numbers. seed: of the noise z. size: of Table 1's batches; of each the part human_ratio is
        taken from the experts instead, and the reference reads as many together.
        """
        human = np.arange(len(rows)) % size < human_demonstrations(size, human_ratio)
        width = self.sampling.max_new_tokens
        order = np.argsort(self.samples.batch.condition_lengths[rows], kind="stable")  # like lengths are padded little
        rows, human = rows[order], human[order]
        buffer = take(self.samples.batch, rows, response_width=width)
        response, response_mask = buffer.response.copy(), buffer.response_mask.copy()
        log_probs = np.zeros(response.shape, np.float32)

        drawn = np.flatnonzero(~human)
        together = min(self._together or size, len(rows))
        found = respond(self.policy, buffer, drawn, seed, self.sampling, together)
        for target, each in zip((response, response_mask, log_probs), found, strict=True):
            target[drawn] = each
        given = buffer._replace(response=response, response_mask=response_mask)

        scored = np.flatnonzero(human | self._recompute)
        for start in range(0, len(scored), size):
            part = scored[start : start + size]
            scores = self.policy.log_probs(*take(given, part, size, width), self.sampling)
            log_probs[part] = scores.log_probs.numpy()[: len(part)]

        found = self._read(given, buffer, rows, size)
        asked, answered = self.samples.sentiments[rows], self.samples.response_sentiments[rows]
        texts = [self.tokenizer.decode(row[mask]) for row, mask in zip(response, response_mask, strict=True)]
        experts = [self.samples.trajectories[row] for row in rows]
        spoken = [(*each.history, each.prompt) for each in experts]
        said = list(zip(spoken, (each.response for each in experts), strict=True))
        expert = Evidence(buffer, found.expert_features, _sentiments(asked, answered), said)
        answered = np.array([sentiment(text).compound for text in texts], np.float32)
        said = list(zip(spoken, texts, strict=True))
        given = Evidence(given, found.features, _sentiments(asked, answered), said)
        return Rollouts(rows, human, log_probs, found.log_probs, found.states, given, expert, texts)

    def _read(self, given: Batch, expert: Batch, rows: np.ndarray, size: int) -> Reading:
        if not self._keep_experts:
            return self.reference.read(given, size, expert)
        if self._kept is None:
            # All at once, so that a resumed training, which reads them anew, meets each in the same company: in another
            # one the last bits may differ.
            width = expert.response.shape[1]
            everything = take(self.samples.batch, np.arange(len(self.samples)), response_width=width)
            self._kept = self.reference.features(everything, size)
        return self.reference.read(given, size)._replace(expert_features=self._kept[rows])


def _sentiments(asked: np.ndarray, answered: np.ndarray) -> np.ndarray:
    """(B, 2) of prompts and histories, (B,) of responses -> (B, SENTIMENTS)."""
    return np.concatenate([asked, answered[:, None]], axis=1)


def draw_rows(count: int, number: int, start: int, seed: int) -> np.ndarray:
    """`number` of `count` rows from place `start` of an endless row of permutations: each equally often but for one."""
    places = np.arange(start, start + number)
    permutations = {i: np.random.default_rng([seed, i]).permutation(count) for i in np.unique(places // count)}
    return np.array([permutations[place // count][place % count] for place in places])
