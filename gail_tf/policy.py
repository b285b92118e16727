"""Policies (Section 3): a state is a condition, history and prompt; an action is a response. GPT-2 as one of them.

Algorithm 2 recovers a response from noise z. Here z is Gumbel noise, one number for each token of the vocabulary at
each place of the response, and the token there is arg-max(log p + z): a sample from p, and the same one whenever z is
the same. z comes from a seed, the sample's number and the place alone, so that neither the rest of the batch nor its
padding changes a response.

Shapes: B samples; conditions (B, C), padded on the left; responses (B, R), padded on the right; E features, V tokens.
"""

import abc
import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from gail_tf.config import COUNTING, TRAINABLE
from gail_tf.gpt2 import GPT2, Kernels
from gail_tf.noise import gumbel, sample_seeds
from gail_tf.nucleus import nucleus_log_probs
from gail_tf.tanh_network import TanhNetwork
from keras_gca.compilation import Compiled
from keras_gca.errors import UserError


@dataclass(frozen=True)
class Sampling:
    """How responses are drawn, and how their probabilities are counted. TextGAIL's numbers.

    temperature: 0 takes the likeliest token. top_p: of the nucleus; 1 leaves nothing out.
    counting: "plain" counts a token's probability under the policy itself, as perplexity does. "filtered" counts it
        under what it was drawn from: at that temperature, within that nucleus. A token that is outside (of a human's
        response, or after an update) is then counted as if it were one of the nucleus, so that none has probability 0.
    """

    max_new_tokens: int = 50
    top_p: float = 0.9
    temperature: float = 0.9
    counting: str = "plain"

    def __post_init__(self):
        if self.max_new_tokens < 1:
            raise UserError(f"--max-new-tokens: {self.max_new_tokens}; 1 or more is expected")
        if not 0 < self.top_p <= 1:
            raise UserError(f"--top-p: {self.top_p}; a number above 0, at most 1, is expected")
        if self.temperature != 0 and not 0.01 <= self.temperature <= 100:
            raise UserError(f"--temperature: {self.temperature}; 0, or a number from 0.01 to 100, is expected")
        if self.counting not in COUNTING:
            raise UserError(f"--counting: {self.counting!r} is not one of {', '.join(COUNTING)}")
        if self.counting == "filtered" and self.temperature == 0:
            raise UserError("--counting filtered: with a temperature of 0 nothing is drawn; plain is expected")


DEFAULT = Sampling()


class Responses(NamedTuple):
    """What was drawn.

    tokens:    (B, max_new_tokens) int32, END included where one was drawn in time; END as padding.
    mask:      (B, max_new_tokens) bool, true at tokens, false at padding.
    log_probs: (B, max_new_tokens) float32, of each token as `Sampling.counting` says; 0 at padding.
    """

    tokens: tf.Tensor
    mask: tf.Tensor
    log_probs: tf.Tensor

    @property
    def lengths(self) -> tf.Tensor:
        """(B,) int32, tokens in each response."""
        return tf.reduce_sum(tf.cast(self.mask, tf.int32), axis=1)


class TokenScores(NamedTuple):
    """log_probs, entropy: (B, R) float32, of each token and of the distribution that it is from; 0 at padding."""

    log_probs: tf.Tensor
    entropy: tf.Tensor


class Beginning(NamedTuple):
    """A network that has read conditions, and what goes on from there.

    features: before the first token. memory: any structure of tensors. read: of one more token, (t, tokens before place
    t, memory) -> features before place t, and the memory. logits: as `LanguagePolicy.logits`.
    """

    features: tf.Tensor
    memory: Any
    read: Callable[[tf.Tensor, tf.Tensor, Any], tuple[tf.Tensor, Any]]
    logits: Callable[[tf.Tensor], tf.Tensor]


class LanguagePolicy(abc.ABC):
    """A network that foretells the next token of a response, as a policy: what all such networks have in common.

    A network has `features` before each token of a given response, and `logits` that come of them; `_begin` gives the
    same features one token at a time.

    end: the token that ends a response. jit_compile: whether `sample` and `log_probs` are XLA programs, which other
    devices want; on CPUs sampling is faster without. z differs between the two.
    """

    def __init__(self, end: int, jit_compile: bool = False):
        self._end = end
        self._sample = Compiled(self._draw, jit_compile)
        self._log_probs = Compiled(self._score, jit_compile)

    @property
    @abc.abstractmethod
    def variables(self) -> list[keras.Variable]:
        """All weights, in a fixed order."""

    @property
    @abc.abstractmethod
    def trainable_variables(self) -> list[keras.Variable]:
        """What learns, in a fixed order. A gradient tape should watch these alone: then nothing else costs a thing."""

    @property
    def frozen_features(self) -> bool:
        """Whether `features` stays the same, whatever the policy learns."""
        return False

    @property
    @abc.abstractmethod
    def feature_size(self) -> int:
        """E."""

    @property
    @abc.abstractmethod
    def positions(self) -> int | None:
        """How many tokens the network can read, of a condition and all but the last of a response; None: any number."""

    @abc.abstractmethod
    def features(
        self,
        condition: tf.Tensor,
        condition_mask: tf.Tensor,
        response: tf.Tensor,
        response_mask: tf.Tensor,
        seeds: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """What the network knows before each token of the response: (B, R, E) float32.

        seeds: (B, 2) int32, for dropout (`noise.sample_seeds`); None leaves it out. For use inside a step's own graph.
        """

    @abc.abstractmethod
    def logits(self, features: tf.Tensor) -> tf.Tensor:
        """(..., E) -> (..., V) float32."""

    @abc.abstractmethod
    def _begin(
        self,
        condition: tf.Tensor,
        condition_mask: tf.Tensor,
        length: int,
        repeat: Callable[[tf.Tensor], tf.Tensor],
    ) -> "Beginning":
        """Read conditions, before responses of at most `length` tokens, inside a graph.

        repeat: gives what belongs to the conditions, (B, ...), one row for each candidate.
        """

    def sample(
        self,
        condition: tf.Tensor,
        condition_mask: tf.Tensor,
        seed: tuple[int, int] | Sequence[tuple[int, int]],
        sampling: Sampling = DEFAULT,
        samples: tf.Tensor | None = None,
        candidates: int = 1,
    ) -> Responses:
        """Responses to conditions (Algorithm 2): one compiled loop, which ends when every row has ended.

        condition, condition_mask: (B, C) int32 and bool. seed: two numbers, or two for each condition; with `samples`
        they determine z. samples: the global numbers of the responses, int32; 0, 1, ... if not given, of all responses
        or, with a seed for each condition, of each condition's. candidates: responses to each condition, which follow
        each other in the result; it has B * candidates rows, and so has `samples`.

        Raises ValueError where condition and response do not fit into the network, or `samples` or the seeds are not
        as many.
        """
        condition, condition_mask = tf.convert_to_tensor(condition, tf.int32), tf.convert_to_tensor(condition_mask)
        self._check_widths(condition.shape[1], sampling.max_new_tokens)
        count = condition.shape[0] * candidates
        seed = tf.convert_to_tensor(seed, tf.int32)
        if samples is None:
            samples = tf.range(count) if seed.shape.rank == 1 else tf.range(count) % candidates
        samples = tf.convert_to_tensor(samples, tf.int32)
        if samples.shape != [count]:
            raise ValueError(f"samples of shape {samples.shape} for {count} responses")
        if seed.shape not in ([2], [condition.shape[0], 2]):
            raise ValueError(f"seeds of shape {seed.shape} for {condition.shape[0]} conditions")
        seeds = tf.repeat(seed, candidates, axis=0) if seed.shape.rank == 2 else tf.tile(seed[None], [count, 1])
        return self._sample(condition, condition_mask, seeds, samples, dataclasses.astuple(sampling), candidates)

    def log_probs(
        self,
        condition: tf.Tensor,
        condition_mask: tf.Tensor,
        response: tf.Tensor,
        response_mask: tf.Tensor,
        sampling: Sampling = DEFAULT,
    ) -> TokenScores:
        """Probabilities of given responses, from one pass over (condition, response): those that `sample` returned.

        response, response_mask: (B, R) int32 and bool. Of `sampling` only what says how to count matters. Raises
        ValueError where condition and response do not fit into the network.
        """
        arrays = [tf.convert_to_tensor(each) for each in (condition, condition_mask, response, response_mask)]
        self._check_widths(arrays[0].shape[1], arrays[2].shape[1])
        return self._log_probs(*arrays, dataclasses.astuple(sampling))

    def scores(
        self, features: tf.Tensor, response: tf.Tensor, response_mask: tf.Tensor, sampling: Sampling = DEFAULT
    ) -> TokenScores:
        """The rest of `log_probs`, from features (B, R, E). For use inside a step's own graph."""
        return self.scores_of(self.logits(features), response, response_mask, sampling)

    @staticmethod
    def scores_of(
        logits: tf.Tensor, response: tf.Tensor, response_mask: tf.Tensor, sampling: Sampling = DEFAULT
    ) -> TokenScores:
        """The same from logits (B, R, V)."""
        tokens = tf.reshape(response, [-1])
        all_log_probs = _counted(tf.reshape(logits, [-1, logits.shape[-1]]), sampling, tokens)
        log_probs = tf.gather(all_log_probs, tokens, batch_dims=1)
        entropy = -tf.reduce_sum(tf.exp(all_log_probs) * all_log_probs, axis=1)
        shaped = (tf.reshape(each, tf.shape(response)) for each in (log_probs, entropy))
        return TokenScores(*(tf.where(response_mask, each, 0.0) for each in shaped))

    def trace_counts(self) -> dict[str, int]:
        """How often each compiled function was traced; see `Compiled`."""
        phases = {"sample": self._sample, "log_probs": self._log_probs}
        return {name: function.traces for name, function in phases.items()}

    def _check_widths(self, condition: int, response: int) -> None:
        """Here and not in a graph, which does not know the widths."""
        if self.positions is not None and condition + response - 1 > self.positions:
            raise ValueError(
                f"conditions of {condition} and responses of {response} tokens where the network has {self.positions} "
                "positions"
            )

    def _score(self, condition, condition_mask, response, response_mask, settings):
        features = self.features(condition, condition_mask, response, response_mask)
        return self.scores(features, response, response_mask, Sampling(*settings))

    def _draw(self, condition, condition_mask, seeds, samples, settings, candidates):
        sampling = Sampling(*settings)
        count, length = tf.shape(samples)[0], sampling.max_new_tokens
        seeds = sample_seeds(seeds, samples)
        repeat = partial(tf.repeat, repeats=candidates, axis=0)
        features, memory, read, logits = self._begin(condition, condition_mask, length, repeat)

        def draw(t, features, running, drawn):
            tokens, log_probs = _choose(logits(features), seeds, t, sampling)
            tokens, log_probs = tf.where(running, tokens, self._end), tf.where(running, log_probs, 0.0)
            drawn = [array.write(t, each) for array, each in zip(drawn, (tokens, running, log_probs), strict=True)]
            return tokens, running & (tokens != self._end), drawn

        def step(t, tokens, running, memory, drawn):
            features, memory = read(t, tokens, memory)
            tokens, running, drawn = draw(t, features, running, drawn)
            return t + 1, tokens, running, memory, drawn

        drawn = [tf.TensorArray(kind, length, element_shape=[None]) for kind in (tf.int32, tf.bool, tf.float32)]
        tokens, running, drawn = draw(0, features, tf.fill([count], True), drawn)
        state = (1, tokens, running, memory, drawn)
        *_, drawn = tf.while_loop(lambda t, _, running, *__: (t < length) & tf.reduce_any(running), step, state)
        tokens, mask, log_probs = (tf.transpose(array.stack()) for array in drawn)
        return Responses(tf.where(mask, tokens, self._end), mask, log_probs)  # the loop may leave places with zeros


class Policy(LanguagePolicy):
    """GPT-2 with what learns of it.

    trainable: "full": all of GPT-2. "lora": its low-rank adapters. "head": a network of the paper's shape on a frozen
    GPT-2. The paper does not say how such a network makes responses; here it adds a correction to GPT-2's last hidden
    state, before the product with the vocabulary, and starts as no correction at all: every policy starts as GPT-2.

    seed: of the head. jit_compile: see `LanguagePolicy`. Raises ValueError where adapters and `trainable` do not go
    together.
    """

    def __init__(self, gpt2: GPT2, trainable: str = "full", seed: int = 0, jit_compile: bool = False):
        if trainable not in TRAINABLE:
            raise UserError(f"--trainable: {trainable!r} is not one of {', '.join(TRAINABLE)}")
        if (trainable == "lora") != (gpt2.adapters is not None):
            raise ValueError(f"a GPT-2 with adapters, and no other, is trained as lora, not {trainable}")
        super().__init__(gpt2.config.eos_token_id, jit_compile)
        self.gpt2 = gpt2
        self.trainable = trainable
        width = gpt2.config.n_embd
        self._correction = TanhNetwork(width, width, seed, "head") if trainable == "head" else None

    @property
    def variables(self) -> list[keras.Variable]:
        """GPT-2's own weights, then those of adapters or head."""
        own = list(self.gpt2.weights.values())
        return own if self.trainable == "full" else [*own, *self.trainable_variables]

    @property
    def trainable_variables(self) -> list[keras.Variable]:
        if self.trainable == "lora":
            return self.gpt2.adapter_weights
        if self.trainable == "head":
            return self._correction.trainable_variables
        return list(self.gpt2.weights.values())

    @property
    def frozen_features(self) -> bool:
        return self.trainable == "head"

    @property
    def feature_size(self) -> int:
        return self.gpt2.config.n_embd

    @property
    def positions(self) -> int:
        return self.gpt2.config.n_positions

    def features(
        self,
        condition: tf.Tensor,
        condition_mask: tf.Tensor,
        response: tf.Tensor,
        response_mask: tf.Tensor,
        seeds: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """GPT-2's last hidden states before each token of the response; see `LanguagePolicy.features`.

        With `head` no gradient passes and the values never change: compute them once, outside of the tape.
        """
        tokens = tf.concat([condition, response[:, :-1]], axis=1)
        mask = tf.concat([condition_mask, response_mask[:, :-1]], axis=1)
        hidden = self.gpt2.hidden(tokens, mask, seeds)[:, tf.shape(condition)[1] - 1 :]
        return tf.stop_gradient(hidden) if self.trainable == "head" else hidden

    def logits(
        self, features: tf.Tensor, head: Sequence[tf.Tensor] | None = None, kernels: Kernels | None = None
    ) -> tf.Tensor:
        """(..., E) -> (..., V) float32. head: weights in place of the head's own, for TRPO. kernels: see `GPT2`."""
        if self._correction is not None:
            correct = self._correction
            features += correct(features) if head is None else correct.stateless_call(head, [], features)[0]
        return self.gpt2.logits(features, kernels)

    def _begin(self, condition, condition_mask, length, repeat):
        width = tf.shape(condition)[1]
        hidden, cache = self.gpt2.prefill(condition, condition_mask, width + length - 1)
        lengths = repeat(tf.reduce_sum(tf.cast(condition_mask, tf.int32), axis=1))
        in_condition = repeat(tf.pad(condition_mask, [[0, 0], [0, length - 1]]))  # (B, places in the cache)
        places = tf.range(width + length - 1)
        kernels = self.gpt2.kernels()  # once, before the loop

        def read(t, tokens, cache):
            seen = in_condition | ((places >= width) & (places < width + t))
            return self.gpt2.step(tokens, lengths + t - 1, seen, cache, width + t - 1, kernels)

        cache = tf.nest.map_structure(repeat, cache)
        return Beginning(repeat(hidden[:, -1]), cache, read, partial(self.logits, kernels=kernels))


def _choose(logits: tf.Tensor, seeds: tf.Tensor, t: tf.Tensor, sampling: Sampling) -> tuple[tf.Tensor, tf.Tensor]:
    """One token for each row of (B, V), and its log-probability as it is counted."""
    if sampling.temperature == 0:
        scores = logits
    else:
        drawn_from = _filtered(logits, sampling)
        scores = drawn_from + gumbel(seeds, t, [logits.shape[1]])
    tokens = tf.argmax(scores, axis=1, output_type=tf.int32)
    counted = tf.nn.log_softmax(logits) if sampling.counting == "plain" else drawn_from
    return tokens, tf.gather(counted, tokens, batch_dims=1)


def _counted(logits: tf.Tensor, sampling: Sampling, tokens: tf.Tensor) -> tf.Tensor:
    """The log-probabilities, (N, V), that tokens (N,) are counted by."""
    return tf.nn.log_softmax(logits) if sampling.counting == "plain" else _filtered(logits, sampling, tokens)


def _filtered(logits: tf.Tensor, sampling: Sampling, also: tf.Tensor | None = None) -> tf.Tensor:
    scores = logits / sampling.temperature
    return tf.nn.log_softmax(scores) if sampling.top_p == 1 else nucleus_log_probs(scores, sampling.top_p, also)
