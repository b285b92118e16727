"""The base class of policies, which draw responses to conditions and compute the responses' probabilities (Section 3).

A condition consists of the tokens of the history and the prompt. In the paper's terms, the condition is the state and
the response is the action.

Algorithm 2 recovers a response from noise z. Here z is Gumbel noise: one number for each token in the vocabulary at
each position in the response. The token at a position is argmax(log p + z), which is a sample from p; the same z always
gives the same token. Since z depends only on a seed, the sample's number and the position, a response does not depend
on the rest of the batch or on the padding.

Shapes: B samples, C tokens in a condition (padded on the left), R tokens in a response (padded on the right), features
of width E, V tokens in the vocabulary.
"""

import abc
import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

import keras
import tensorflow as tf

from gail_tf.policies.sampling import DEFAULT, Responses, Sampling, TokenScores, choose, token_scores
from keras_gca.engine.compiled import Compiled
from keras_gca.engine.random import sample_seeds


class DecodingState(NamedTuple):
    """The state of a network that has read conditions and is about to read responses token by token.

    Attributes:
        features: The features before the first token, an array of shape (B, E).
        memory: The network's memory of all tokens so far, as tensors, such as a key-value cache.
        read: A function that reads one more token. Its arguments are t, the tokens at position t - 1, and the memory.
            It returns the features before position t and the updated memory.
        logits: A function that maps features to logits; see `LanguagePolicy.logits`.
    """

    features: tf.Tensor
    memory: Any
    read: Callable[[tf.Tensor, tf.Tensor, Any], tuple[tf.Tensor, Any]]
    logits: Callable[[tf.Tensor], tf.Tensor]


class CompiledDraw(Protocol):
    """The compiled form of `LanguagePolicy.draw`."""

    def __call__(self, *arguments: Any) -> Any: ...

    @property
    def traces(self) -> int:
        """The number of graphs that have been built."""


class LanguagePolicy(abc.ABC):
    """The base class of policies that predict a response token by token.

    Subclasses define three methods. `features` computes, in one pass, the network's output before each token of a given
    response. `logits` computes the next token's logits from these features. `_begin` prepares sampling, which computes
    the same features one token at a time.

    Args:
        end: The token that ends a response.
        jit_compile: Whether to compile `sample` and `log_probs` with XLA. XLA is useful on GPUs and TPUs; on CPUs,
            sampling is faster without XLA. The same seed gives different noise z with XLA than without.
    """

    compiled_draw: CompiledDraw

    def __init__(self, end: int, jit_compile: bool = False):
        self._end = end
        self._jit_compile = jit_compile
        self.compiled_draw = Compiled(self.draw, jit_compile)
        self.compiled_score = Compiled(self.score, jit_compile)

    @property
    @abc.abstractmethod
    def variables(self) -> list[keras.Variable]:
        """All weights, in a fixed order."""

    @property
    def read_variables(self) -> list[keras.Variable]:
        """All weights that are read when responses are drawn, also those that a bot does not store."""
        return self.variables

    @property
    @abc.abstractmethod
    def trainable_variables(self) -> list[keras.Variable]:
        """The trainable weights, in a fixed order. To save time, gradient tapes should watch only these."""

    @property
    def frozen_features(self) -> bool:
        """Whether `features` stay the same during training, because only a head on top of them is trained."""
        return False

    @property
    @abc.abstractmethod
    def feature_size(self) -> int:
        """The width E of the features."""

    @property
    @abc.abstractmethod
    def positions(self) -> int | None:
        """The maximum number of tokens that the network can read, or None for no limit.

        The network reads all tokens of the condition and all but the last token of the response.
        """

    @abc.abstractmethod
    def features(
        self,
        condition: tf.Tensor,
        condition_mask: tf.Tensor,
        response: tf.Tensor,
        response_mask: tf.Tensor,
        seeds: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Compute the features before each token of the response.

        This method can be called inside a TensorFlow graph.

        Args:
            condition: An int32 array of shape (B, C), padded on the left.
            condition_mask: A bool array of shape (B, C), false at padding.
            response: An int32 array of shape (B, R), padded on the right.
            response_mask: A bool array of shape (B, R), false at padding.
            seeds: The dropout seeds (`engine.random.sample_seeds`), an int32 array of shape (B, 2), or None for no
                dropout.

        Returns:
            A float32 array of shape (B, R, E).
        """

    @abc.abstractmethod
    def logits(self, features: tf.Tensor) -> tf.Tensor:
        """Compute the next token's logits, a float32 array of shape (..., V), from features of shape (..., E)."""

    @abc.abstractmethod
    def _begin(
        self,
        condition: tf.Tensor,
        condition_mask: tf.Tensor,
        length: int,
        repeat: Callable[[tf.Tensor], tf.Tensor],
    ) -> "DecodingState":
        """Read conditions in preparation for drawing responses of at most `length` tokens.

        This method can be called inside a TensorFlow graph.

        Args:
            condition: An int32 array of shape (B, C), padded on the left.
            condition_mask: A bool array of shape (B, C), false at padding.
            length: The maximum number of tokens in a response.
            repeat: A function that repeats each row of a tensor of shape (B, ...) once for each candidate response.
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
        """Draw responses to conditions by argmax(log p + z) (Algorithm 2).

        A compiled loop draws the tokens until all responses have ended.

        Args:
            condition: An int32 array of shape (B, C), padded on the left.
            condition_mask: A bool array of shape (B, C), false at padding.
            seed: Two numbers for the whole batch, or two numbers for each condition. The seed and `samples` determine
                z.
            sampling: How to draw tokens and compute their probabilities.
            samples: The numbers of the responses, an int32 array of shape (B * candidates,). By default, the responses
                in the batch are numbered 0, 1, ... If each condition has its own seed, the numbering starts at 0 for
                each condition.
            candidates: The number of responses to draw for each condition. Responses to the same condition are adjacent
                in the result.

        Returns:
            B * candidates responses.

        Raises:
            ValueError: Condition and response together are too long for the network, or the number of seeds or samples
                is wrong.
        """
        condition, condition_mask = tf.convert_to_tensor(condition, tf.int32), tf.convert_to_tensor(condition_mask)
        self._check_widths(condition.shape[1], sampling.max_new_tokens)
        count = condition.shape[0] * candidates
        given = tf.convert_to_tensor(seed, tf.int32)
        if samples is None:
            samples = tf.range(count) if given.shape.rank == 1 else tf.range(count) % candidates
        samples = tf.convert_to_tensor(samples, tf.int32)
        if samples.shape != [count]:
            raise ValueError(f"the shape of samples is {samples.shape}; ({count},) is expected")
        if given.shape not in ([2], [condition.shape[0], 2]):
            raise ValueError(f"the shape of the seeds is {given.shape}; (2,) or ({condition.shape[0]}, 2) is expected")
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
        """Compute the log-probabilities of given responses, processing all tokens in one pass.

        For responses drawn by `sample`, the result equals the log-probabilities that `sample` returned, up to rounding
        errors.

        Args:
            condition: An int32 array of shape (B, C), padded on the left.
            condition_mask: A bool array of shape (B, C), false at padding.
            response: An int32 array of shape (B, R), padded on the right.
            response_mask: A bool array of shape (B, R), false at padding.
            sampling: How to compute the probabilities; `max_new_tokens` has no effect.

        Returns:
            The log-probability log p(token | condition, earlier tokens) and the entropy at each token, two float32
            arrays of shape (B, R).

        Raises:
            ValueError: Condition and response together are too long for the network.
        """
        arrays = [tf.convert_to_tensor(argument) for argument in (condition, condition_mask, response, response_mask)]
        self._check_widths(arrays[0].shape[1], arrays[2].shape[1])
        return self.compiled_score(*arrays, dataclasses.astuple(sampling))

    def scores(
        self, features: tf.Tensor, response: tf.Tensor, response_mask: tf.Tensor, sampling: Sampling = DEFAULT
    ) -> TokenScores:
        """Compute the result of `log_probs` from features.

        This method can be called inside a TensorFlow graph.

        Args:
            features: A float32 array of shape (B, R, E).
            response: An int32 array of shape (B, R).
            response_mask: A bool array of shape (B, R).
            sampling: How to compute the probabilities.

        Returns:
            Log-probabilities and entropies, two float32 arrays of shape (B, R).
        """
        if self._jit_compile or sampling.compiles:
            return self.scores_of(self.logits(features), response, response_mask, sampling)
        # Logits at padding are not computed, which saves time and memory.
        places = tf.where(response_mask)
        logits, tokens = self.logits(tf.gather_nd(features, places)), tf.gather_nd(response, places)
        shape = tf.shape(response, tf.int64)
        return TokenScores(
            *(
                tf.ensure_shape(tf.scatter_nd(places, values, shape), response.shape)
                for values in token_scores(logits, tokens, sampling)
            )
        )

    @staticmethod
    def scores_of(
        logits: tf.Tensor, response: tf.Tensor, response_mask: tf.Tensor, sampling: Sampling = DEFAULT
    ) -> TokenScores:
        """Compute the result of `log_probs` from logits.

        This method can be called inside a TensorFlow graph.

        Args:
            logits: A float32 array of shape (B, R, V).
            response: An int32 array of shape (B, R).
            response_mask: A bool array of shape (B, R).
            sampling: How to compute the probabilities.

        Returns:
            Log-probabilities and entropies, two float32 arrays of shape (B, R).
        """
        scores = token_scores(tf.reshape(logits, [-1, logits.shape[-1]]), tf.reshape(response, [-1]), sampling)
        shaped = (tf.reshape(values, tf.shape(response)) for values in scores)
        return TokenScores(*(tf.where(response_mask, values, 0.0) for values in shaped))

    def trace_counts(self) -> dict[str, int]:
        """Return how often each compiled function has been traced; see `Compiled`."""
        phases = {"sample": self.compiled_draw, "log_probs": self.compiled_score}
        return {name: function.traces for name, function in phases.items()}

    def _check_widths(self, condition: int, response: int) -> None:
        """Raise ValueError if the network has too few positions. Call this outside graphs, where widths are known."""
        if self.positions is not None and condition + response - 1 > self.positions:
            raise ValueError(
                f"conditions of {condition} and responses of {response} tokens are too long for a network with "
                f"{self.positions} positions"
            )

    def score(
        self,
        condition: tf.Tensor,
        condition_mask: tf.Tensor,
        response: tf.Tensor,
        response_mask: tf.Tensor,
        settings: tuple[Any, ...],
    ) -> TokenScores:
        """Compute the result of `log_probs`. This method can be called inside a TensorFlow graph.

        Args:
            condition: An int32 array of shape (B, C).
            condition_mask: A bool array of shape (B, C).
            response: An int32 array of shape (B, R).
            response_mask: A bool array of shape (B, R).
            settings: The fields of a `Sampling`, as a tuple.

        Returns:
            Log-probabilities and entropies, two float32 arrays of shape (B, R).
        """
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
        """Compute the result of `sample`. This method can be called inside a TensorFlow graph.

        Args:
            condition: An int32 array of shape (B, C).
            condition_mask: A bool array of shape (B, C).
            seeds: The seed of each response, an int32 array of shape (B * candidates, 2).
            samples: The numbers of the responses, an int32 array of shape (B * candidates,).
            settings: The fields of a `Sampling`, as a tuple.
            candidates: The number of responses to draw for each condition.

        Returns:
            B * candidates responses.
        """
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
        # The loop may end early. At the positions that it has not reached, the arrays are 0.
        return Responses(tf.where(mask, tokens, self._end), mask, log_probs)
