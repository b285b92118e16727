"""Policies (Section 3): a state is a condition, history and prompt; an action is a response.

Algorithm 2 recovers a response from noise z. Here z is Gumbel noise, one number for each token of the vocabulary at
each place of the response, and the token there is arg-max(log p + z): a sample from p, and the same one whenever z is
the same. z comes from a seed, the sample's number and the place alone, so that neither the rest of the batch nor its
padding changes a response.

Shapes: B samples; conditions (B, C), padded on the left; responses (B, R), padded on the right; E features, V tokens.
"""

import abc
import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from gail_tf.policies.sampling import DEFAULT, Responses, Sampling, TokenScores, choose, counted_log_probs
from keras_gca.engine.compiled import Compiled
from keras_gca.engine.random import sample_seeds


class DecodingState(NamedTuple):
    """A network that has read conditions, and how it reads the tokens of responses one by one.

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
        self.compiled_draw = Compiled(self.draw, jit_compile)
        self.compiled_score = Compiled(self.score, jit_compile)

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
    ) -> "DecodingState":
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
        given = tf.convert_to_tensor(seed, tf.int32)
        if samples is None:
            samples = tf.range(count) if given.shape.rank == 1 else tf.range(count) % candidates
        samples = tf.convert_to_tensor(samples, tf.int32)
        if samples.shape != [count]:
            raise ValueError(f"samples of shape {samples.shape} for {count} responses")
        if given.shape not in ([2], [condition.shape[0], 2]):
            raise ValueError(f"seeds of shape {given.shape} for {condition.shape[0]} conditions")
        seeds = tf.repeat(given, candidates, axis=0) if given.shape.rank == 2 else tf.tile(given[None], [count, 1])
        return self.compiled_draw(condition, condition_mask, seeds, samples, dataclasses.astuple(sampling), candidates)

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
        arrays = [tf.convert_to_tensor(argument) for argument in (condition, condition_mask, response, response_mask)]
        self._check_widths(arrays[0].shape[1], arrays[2].shape[1])
        return self.compiled_score(*arrays, dataclasses.astuple(sampling))

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
        all_log_probs = counted_log_probs(tf.reshape(logits, [-1, logits.shape[-1]]), sampling, tokens)
        log_probs = tf.gather(all_log_probs, tokens, batch_dims=1)
        entropy = -tf.reduce_sum(tf.exp(all_log_probs) * all_log_probs, axis=1)
        shaped = (tf.reshape(values, tf.shape(response)) for values in (log_probs, entropy))
        return TokenScores(*(tf.where(response_mask, values, 0.0) for values in shaped))

    def trace_counts(self) -> dict[str, int]:
        """How often each compiled function was traced; see `Compiled`."""
        phases = {"sample": self.compiled_draw, "log_probs": self.compiled_score}
        return {name: function.traces for name, function in phases.items()}

    def _check_widths(self, condition: int, response: int) -> None:
        """Here and not in a graph, which does not know the widths."""
        if self.positions is not None and condition + response - 1 > self.positions:
            raise ValueError(
                f"conditions of {condition} and responses of {response} tokens where the network has {self.positions} "
                "positions"
            )

    def score(
        self,
        condition: tf.Tensor,
        condition_mask: tf.Tensor,
        response: tf.Tensor,
        response_mask: tf.Tensor,
        settings: tuple[Any, ...],
    ) -> TokenScores:
        """Give what `log_probs` returns. For use in a graph; settings: those of a `Sampling`, as a tuple."""
        features = self.features(condition, condition_mask, response, response_mask)
        return self.scores(features, response, response_mask, Sampling(*settings))

    def draw(
        self,
        condition: tf.Tensor,
        condition_mask: tf.Tensor,
        seeds: tf.Tensor,
        samples: tf.Tensor,
        settings: tuple[Any, ...],
        candidates: int,
    ) -> Responses:
        """Give what `sample` returns. For use in a graph; seeds: (B * candidates, 2) int32, one for each response."""
        sampling = Sampling(*settings)
        count, length = tf.shape(samples)[0], sampling.max_new_tokens
        seeds = sample_seeds(seeds, samples)
        repeat = partial(tf.repeat, repeats=candidates, axis=0)
        features, memory, read, logits = self._begin(condition, condition_mask, length, repeat)

        def draw_token(
            t: tf.Tensor | int, features: tf.Tensor, running: tf.Tensor, drawn: Sequence[tf.TensorArray]
        ) -> tuple[tf.Tensor, tf.Tensor, list[tf.TensorArray]]:
            tokens, log_probs = choose(logits(features), seeds, t, sampling)
            tokens, log_probs = tf.where(running, tokens, self._end), tf.where(running, log_probs, 0.0)
            drawn = [array.write(t, value) for array, value in zip(drawn, (tokens, running, log_probs), strict=True)]
            return tokens, running & (tokens != self._end), drawn

        def step(
            t: tf.Tensor, tokens: tf.Tensor, running: tf.Tensor, memory: Any, drawn: Sequence[tf.TensorArray]
        ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, Any, list[tf.TensorArray]]:
            features, memory = read(t, tokens, memory)
            tokens, running, drawn = draw_token(t, features, running, drawn)
            return t + 1, tokens, running, memory, drawn

        drawn = [tf.TensorArray(kind, length, element_shape=[None]) for kind in (tf.int32, tf.bool, tf.float32)]
        tokens, running, drawn = draw_token(0, features, tf.fill([count], True), drawn)
        state = (1, tokens, running, memory, drawn)
        *_, drawn = tf.while_loop(lambda t, _, running, *__: (t < length) & tf.reduce_any(running), step, state)
        tokens, mask, log_probs = (tf.transpose(array.stack()) for array in drawn)
        return Responses(tf.where(mask, tokens, self._end), mask, log_probs)  # the loop may leave places with zeros
