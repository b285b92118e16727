"""Algorithm 1, batched: greedy decoding, sampling, and beam search.

The context is encoded once, and each token costs one LSTM step. The whole loop is one compiled function, which ends
when every answer of the batch has ended.

An answer does not contain PAD and BOS, and has at least one word. Therefore PAD and BOS are never chosen, and EOS is
not chosen as the first token. The softmax still gives these tokens a probability. Algorithm 1 has no such rule, because
its arg-max does not pick these tokens. With `original` padding no token is excluded, as in the author's program.

Shapes: B contexts of at most s tokens; s_v tokens in the vocabulary; s_se units in the generator's LSTMs. Answers are
framed as in `data/pairs.py`: `BOS ... EOS`, (B, s_s + 1), padded on the right.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from keras_gca.data.batches import cut_contexts
from keras_gca.data.pairs import Pairs
from keras_gca.data.vocabulary import BOS, EOS, PAD, UNK
from keras_gca.engine.compiled import Compiled
from keras_gca.engine.nucleus import FORBIDDEN, lowest_in_nucleus
from keras_gca.engine.random import gumbel, sample_seeds
from keras_gca.models.forward import PrefixGenerator
from keras_gca.models.likelihood import Evaluator
from keras_gca.models.lstm import States, lstm_step
from keras_gca.models.networks import GenerativeConversationalAgent
from keras_gca.models.relu_matmul import relu_sparse_matmul
from keras_gca.models.rows import moved_right
from keras_gca.settings import check_sampling


class Decoded(NamedTuple):
    """Generated answers.

    Attributes:
        answers: (B, s_s + 1) int32, `BOS ... EOS` padded on the right; without EOS if s_s tokens were not enough.
        log_probabilities: (B,) float32, log p(y|x): Algorithm 1, line 11, EOS included.
        token_probabilities: (B, s_s) float32, p(y_t | x, y) of each token after BOS; 0 after the end.
    """

    answers: np.ndarray
    log_probabilities: np.ndarray
    token_probabilities: np.ndarray

    @property
    def probabilities(self) -> np.ndarray:
        """(B,) float64, p(y|x)."""
        return np.exp(self.log_probabilities.astype(np.float64))


class Decoder:
    """Decodes with the generator of a GenerativeConversationalAgent.

    Every method takes `contexts`, (B, s) int32 padded on the left, and `allow_unknown`: whether the unknown word may be
    chosen. Algorithm 1 chooses among all tokens; in a chat it is better to exclude the unknown word.

    Args:
        gca: the networks; the decoder follows later changes of their weights.
    """

    def __init__(self, gca: GenerativeConversationalAgent):
        self.gca = gca
        self._generator = PrefixGenerator.of(gca)
        self._evaluator = Evaluator(gca)
        self._sizes = gca.sizes
        self.compiled_decode_greedily = Compiled(self.decode_greedily, replicated=("forbidden",))
        self.compiled_draw = Compiled(self.draw, replicated=("forbidden",))
        self.compiled_search_beam = Compiled(self.search_beam, replicated=("forbidden",))

    def greedy(self, contexts: np.ndarray, allow_unknown: bool = True) -> Decoded:
        """Algorithm 1: choose the most probable token at every step.

        Args:
            contexts: (B, s) int32, padded on the left.
            allow_unknown: whether the unknown word may be chosen.

        Returns:
            One answer for each context.
        """
        return _decoded(self.compiled_decode_greedily(cut_contexts(contexts), self.forbidden(allow_unknown)))

    def sample(
        self,
        contexts: np.ndarray,
        seed: int | Sequence[int],
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float = 1.0,
        allow_unknown: bool = True,
    ) -> Decoded:
        """Draw tokens from the softmax at a temperature.

        The choice can be restricted to the top_k likeliest tokens, and to the nucleus: the smallest set of likeliest
        tokens whose total probability reaches top_p.

        Args:
            contexts: (B, s) int32, padded on the left.
            seed: one seed for the batch, or one for each context. The same seed gives the same answers. A context with
                a seed of its own gets the answer that it would get in any other batch.
            temperature: divides the logits; above 0.
            top_k: the number of tokens to choose among, or None for all tokens.
            top_p: the probability of the nucleus, or 1 for all tokens.
            allow_unknown: whether the unknown word may be chosen.

        Returns:
            One answer for each context. The probabilities are those of the model itself: temperature 1, no filter.

        Raises:
            ValueError: top_k is below 1.
            UserError: the temperature or top_p is out of range.
        """
        check_sampling(temperature, top_p)
        if top_k is not None and top_k < 1:
            raise ValueError(f"top_k is {top_k}; at least 1 is expected")
        count = len(contexts)
        rows: Sequence[int]
        if isinstance(seed, int | np.integer):
            rows, numbers = [int(seed)] * count, np.arange(count, dtype=np.int32)
        else:
            rows, numbers = seed, np.zeros(count, np.int32)
        arguments = (
            np.array([[row % 2**31, 0] for row in rows], np.int32),
            numbers,
            tf.constant(float(temperature)),
            None if top_k is None or top_k >= self._sizes.vocabulary else int(top_k),
            None if top_p == 1 else tf.constant(float(top_p)),
        )
        return _decoded(self.compiled_draw(cut_contexts(contexts), self.forbidden(allow_unknown), *arguments))

    def beam(
        self,
        contexts: np.ndarray,
        width: int = 5,
        length_penalty: float = 0.0,
        allow_unknown: bool = True,
        unwanted: np.ndarray | None = None,
        anti_language_model: float = 0.0,
        allow_repeats: bool = True,
    ) -> Decoded:
        """Search for the answer of highest log p(y|x) / tokens^length_penalty.

        With `anti_language_model` the answers of the beam are ranked anew, by (log p(y|x) - lambda log p(y)) /
        tokens^length_penalty (Li et al. 2016, "A Diversity-Promoting Objective Function for Neural Conversation
        Models"), so that an answer ranks lower if it would fit any context. p(y) is the probability that the generator
        gives to the answer for a context without tokens.

        Args:
            contexts: (B, s) int32, padded on the left.
            width: the number of partial answers that are kept at every step. A width of 1 gives greedy decoding.
            length_penalty: the exponent. 0 ranks by log p(y|x), and 1 by the mean of log p over the tokens.
            allow_unknown: whether the unknown word may be chosen.
            unwanted: (B, s_s + 1) int32, for each context an answer that must not be returned. If it is the best answer
                of the beam, the next best one is returned.
            anti_language_model: the weight lambda.
            allow_repeats: whether a token may follow itself, and a pair of neighbouring tokens may occur twice.

        Returns:
            One answer for each context.

        Raises:
            ValueError: the width is below 1.
        """
        lists = self.n_best(contexts, width, length_penalty, allow_unknown, allow_repeats)
        ranks = np.broadcast_to(-np.arange(lists.answers.shape[1], dtype=np.float64), lists.answers.shape[:2])
        if anti_language_model:
            tokens = np.count_nonzero(lists.answers[..., 1:] != PAD, axis=2)
            alone = self._log_probabilities_alone(lists.answers)
            ranks = (lists.log_probabilities - anti_language_model * alone) / tokens**length_penalty
        if unwanted is not None:
            ranks = np.where((lists.answers == unwanted[:, None]).all(axis=2), -np.inf, ranks)
        best = ranks.argmax(axis=1)  # the first one if all are unwanted, as in a beam of one
        return Decoded(*(array[np.arange(len(best)), best] for array in lists))

    def _log_probabilities_alone(self, answers: np.ndarray) -> np.ndarray:
        """Compute log p(y) of answers to contexts without tokens: (B, K, s_s + 1) int32 -> (B, K) float32."""
        rows = answers.reshape(-1, answers.shape[-1])
        contexts = np.full((len(rows), self._sizes.sentence_length), PAD, np.int32)
        pairs = Pairs(contexts, rows, np.zeros(len(rows), np.int32))
        return np.nansum(self._evaluator.token_log_probabilities(pairs), axis=1).reshape(answers.shape[:2])

    def n_best(
        self,
        contexts: np.ndarray,
        width: int = 5,
        length_penalty: float = 0.0,
        allow_unknown: bool = True,
        allow_repeats: bool = True,
    ) -> Decoded:
        """Return all answers that the beam search keeps, the best one first.

        The arguments and the errors are those of `beam`.

        Returns:
            Arrays of (B, width, ...). If width exceeds s_v, it is reduced to s_v.
        """
        if width < 1:
            raise ValueError(f"the width of the beam is {width}; at least 1 is expected")
        width = min(width, self._sizes.vocabulary)
        repeating = tf.constant(0.0 if allow_repeats else FORBIDDEN)
        arguments = tf.constant(width), tf.constant(float(length_penalty)), repeating
        return _decoded(self.compiled_search_beam(cut_contexts(contexts), self.forbidden(allow_unknown), *arguments))

    def forbidden(self, allow_unknown: bool) -> tf.Tensor:
        """Return a term for the log-probabilities, (s_v,) float32, that excludes tokens from the choice."""
        excluded = [] if self.gca.original_padding else [PAD, BOS]
        if not allow_unknown:
            excluded.append(UNK)
        return tf.constant([FORBIDDEN if i in excluded else 0.0 for i in range(self._sizes.vocabulary)])

    def _start(self, contexts: tf.Tensor) -> tuple[tf.Tensor, States]:
        """Compute the context's term in the hidden layer, and the memory of the answer's LSTM before the first token.

        The memory's parts h and c are (B, s_se). With `original` padding they are (B, steps, s_se): memory t has read
        the paddings that precede a partial answer of t + 1 tokens.
        """
        generator, count = self._generator, tf.shape(contexts)[0]
        lengths, moved = moved_right(generator.words_of(contexts))
        personas = [] if generator.persona_bot is None else [generator.personas(contexts)]
        inputs, lengths = generator.inputs_of_contexts(generator.embed(moved), moved, lengths)
        if self.gca.canonical:
            bias = tf.convert_to_tensor(generator.bot.bias)
            term = generator.context_term(*personas) if personas else tf.tile(bias[None], [count, 1])
            return term, generator.context_memory(inputs, lengths)
        term = generator.context_term(tf.concat([generator.encode_contexts(inputs, lengths), *personas], 1))
        if not self.gca.original_padding:
            zeros = tf.zeros([count, self._sizes.sentence_embedding])
            return term, States(zeros, zeros)
        counts = self._sizes.sentence_length - 1 - tf.range(self.gca.longest_answer)
        start = generator.after_paddings(generator.encoder_answer, counts)
        return term, States(*(tf.tile(memory[None], [count, 1, 1]) for memory in start))

    def _next(self, t: tf.Tensor, term: tf.Tensor, tokens: tf.Tensor, memory: States) -> tuple[tf.Tensor, States]:
        """Read one more token, and return log p of Eq. 3, (B, s_v), and the LSTM's memory after the token."""
        memory = lstm_step(self._generator.encoder_answer, self._generator.embed(tokens), memory)
        h = memory.h[:, t] if self.gca.original_padding else memory.h
        return tf.nn.log_softmax(self._token_logits(self._generator.hidden_layer(term, h))), memory

    def _token_logits(self, y_h: tf.Tensor) -> tf.Tensor:
        """Compute the argument of Eq. 3's softmax: (B, hidden) -> (B, s_v).

        For a single row, `relu_sparse_matmul` skips the hidden units that are zero.
        """
        if tf.config.list_physical_devices("GPU"):
            return self._generator.token_logits(y_h)
        layer = self._generator.decision_bot
        return tf.cond(
            tf.equal(tf.shape(y_h)[0], 1),
            lambda: relu_sparse_matmul(y_h, tf.convert_to_tensor(layer.kernel)) + layer.bias,
            lambda: self._generator.token_logits(y_h),
        )

    def _forbid_end(self, t: tf.Tensor) -> tf.Tensor:
        """Return a term for the log-probabilities, (s_v,) float32, that excludes EOS at step 0."""
        if self.gca.original_padding:
            return tf.zeros(self._sizes.vocabulary)
        return tf.where(t == 0, tf.one_hot(EOS, self._sizes.vocabulary, on_value=FORBIDDEN, off_value=0.0), 0.0)

    def _loop(
        self, contexts: tf.Tensor, forbidden: tf.Tensor, choose: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    ) -> tuple[tf.Tensor, ...]:
        """Decode with choose(log_probabilities (B, s_v), step) -> tokens (B,)."""
        term, memory = self._start(contexts)
        count = tf.shape(contexts)[0]
        length = self.gca.longest_answer

        def step(
            t: tf.Tensor,
            tokens: tf.Tensor,
            running: tf.Tensor,
            memory: States,
            chosen: tf.TensorArray,
            logs: tf.TensorArray,
        ) -> tuple[Any, ...]:
            log_p, memory = self._next(t, term, tokens, memory)
            tokens = choose(log_p + forbidden + self._forbid_end(t), t)
            tokens = tf.where(running, tokens, PAD)
            log = tf.where(running, tf.gather(log_p, tokens, batch_dims=1), -np.inf)
            running &= tokens != EOS
            return t + 1, tokens, running, memory, chosen.write(t, tokens), logs.write(t, log)

        arrays = (
            tf.TensorArray(tf.int32, length, element_shape=(None,)),
            tf.TensorArray(tf.float32, length, element_shape=(None,)),
        )
        state = (0, tf.fill([count], BOS), tf.fill([count], True), memory, *arrays)
        steps, _, _, _, chosen, logs = tf.while_loop(
            lambda t, _, running, *__: (t < length) & tf.reduce_any(running), step, state
        )
        return _frame(chosen.stack(), logs.stack(), steps, self._sizes.sentence_length)

    def decode_greedily(self, contexts: tf.Tensor, forbidden: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Choose the most probable token at every step. For use in a graph; see `greedy`."""
        return self._loop(contexts, forbidden, lambda log_p, _: tf.argmax(log_p, 1, output_type=tf.int32))

    def draw(
        self,
        contexts: tf.Tensor,
        forbidden: tf.Tensor,
        seeds: tf.Tensor,
        numbers: tf.Tensor,
        temperature: tf.Tensor,
        top_k: int | None,
        top_p: tf.Tensor | None,
    ) -> tuple[tf.Tensor, ...]:
        """Sample by the Gumbel-max trick. For use in a graph; see `sample`.

        `seeds`, (B, 2) int32, and `numbers`, (B,) int32, are those of `sample_seeds`.
        """
        keys = sample_seeds(seeds, numbers)

        def choose(log_p: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
            scores = keep_likeliest(log_p / temperature, top_k, top_p)
            return tf.argmax(scores + gumbel(keys, t, [self._sizes.vocabulary]), 1, output_type=tf.int32)

        return self._loop(contexts, forbidden, choose)

    def search_beam(
        self,
        contexts: tf.Tensor,
        forbidden: tf.Tensor,
        width: tf.Tensor,
        length_penalty: tf.Tensor,
        repeating: tf.Tensor,
    ) -> list[tf.Tensor]:
        """Search with a beam. For use in a graph; see `n_best`.

        Each context has K = width partial answers, so the batch of the model has B K rows. The scalar `repeating` is
        added to the log-probabilities of the tokens that `_repeating` names. Answers that have ended are continued by
        PAD, which does not change their scores.
        """
        term, memory = self._start(contexts)
        count, size, length = tf.shape(contexts)[0], self._sizes.vocabulary, self.gca.longest_answer
        term, memory = tf.repeat(term, width, 0), States(*(tf.repeat(part, width, 0) for part in memory))
        only_pad = tf.one_hot([PAD], size, on_value=0.0, off_value=FORBIDDEN)  # (1, s_v)

        def step(
            t: tf.Tensor,
            scores: tf.Tensor,
            answers: tf.Tensor,
            logs: tf.Tensor,
            running: tf.Tensor,
            memory: States,
        ) -> tuple[Any, ...]:
            log_p, memory = self._next(t, term, answers[:, t], memory)
            again = repeating * tf.cast(_repeating(answers, size), log_p.dtype)
            steps = tf.where(running[:, None], log_p + forbidden + again + self._forbid_end(t), only_pad)
            totals = tf.reshape(tf.reshape(scores, [-1, 1]) + steps, [count, -1])  # (B, K s_v)
            scores, best = tf.math.top_k(totals, width)
            parent = tf.reshape(best // size + tf.range(count)[:, None] * width, [-1])
            tokens = tf.reshape(best % size, [-1])
            was_running = tf.gather(running, parent)
            token_log = tf.where(was_running, tf.gather(tf.gather(log_p, parent), tokens, batch_dims=1), -np.inf)
            answers = tf.concat([tf.gather(answers, parent)[:, : t + 1], tokens[:, None]], 1)
            logs = tf.concat([tf.gather(logs, parent)[:, :t], token_log[:, None]], 1)
            return (
                t + 1,
                scores,
                answers,
                logs,
                was_running & (tokens != EOS),
                States(*(tf.gather(part, parent) for part in memory)),
            )

        # All partial answers of a context are equal at first, so the first step continues only one of them.
        scores = tf.tile(tf.where(tf.range(width) == 0, 0.0, FORBIDDEN)[None], [count, 1])
        answers = tf.fill([count * width, 1], BOS)
        state = (0, scores, answers, tf.zeros([count * width, 0]), tf.fill([count * width], True), memory)
        shapes = ((), (None, None), (None, None), (None, None), (None,))
        shapes = (*map(tf.TensorShape, shapes), States(*(tf.TensorShape([None, *part.shape[1:]]) for part in memory)))
        steps, scores, answers, logs, _, _ = tf.while_loop(
            lambda t, _, __, ___, running, *____: (t < length) & tf.reduce_any(running),
            step,
            state,
            shape_invariants=shapes,
        )
        tokens = tf.math.count_nonzero(answers[:, 1:], axis=1, dtype=tf.float32)
        ranked = scores / tf.reshape(tokens, tf.shape(scores)) ** length_penalty
        best = tf.argsort(ranked, 1, "DESCENDING", stable=True) + tf.range(count)[:, None] * width
        best = tf.reshape(best, [-1])
        tokens, logs = tf.gather(answers, best)[:, 1:], tf.gather(logs, best)
        frame = _frame(tf.transpose(tokens), tf.transpose(logs), steps, self._sizes.sentence_length)
        return [tf.reshape(array, tf.concat([[count, width], tf.shape(array)[1:]], 0)) for array in frame]


def _repeating(answers: tf.Tensor, size: int) -> tf.Tensor:
    """Find the tokens that would repeat the last token, or a pair of neighbouring tokens of the partial answer.

    Args:
        answers: (N, T) int32, the tokens so far, without padding.
        size: s_v.

    Returns:
        (N, s_v) bool.
    """
    last = answers[:, -1:]
    followers = tf.concat([answers[:, 1:], last], 1)  # the token after each token; itself after the last one
    rows = tf.repeat(tf.range(tf.shape(answers)[0])[:, None], tf.shape(answers)[1], 1)
    counts = tf.scatter_nd(
        tf.stack([rows, followers], 2), tf.cast(answers == last, tf.int32), [tf.shape(answers)[0], size]
    )
    return counts > 0


def keep_likeliest(scores: tf.Tensor, top_k: int | None, top_p: tf.Tensor | None) -> tf.Tensor:
    """Keep only the top_k likeliest tokens that also belong to the nucleus; see `engine/nucleus.py`.

    Args:
        scores: (B, s_v) float32, logarithms up to a constant.
        top_k: the number of tokens to keep, or None to keep all. Tokens that are as likely as the last of these are
            kept, too.
        top_p: a scalar, the probability of the nucleus, or None to keep all tokens.

    Returns:
        (B, s_v) float32, the scores, with FORBIDDEN for the tokens that are excluded.
    """
    kept = scores
    if top_k is not None:
        kept = tf.where(scores >= tf.math.top_k(scores, top_k).values[:, -1:], kept, FORBIDDEN)
    if top_p is not None:
        probabilities = tf.nn.softmax(scores)
        kept = tf.where(probabilities >= lowest_in_nucleus(probabilities, top_p), kept, FORBIDDEN)
    return kept


def _frame(chosen: tf.Tensor, logs: tf.Tensor, steps: tf.Tensor, length: int) -> tuple[tf.Tensor, ...]:
    """Turn (T, B) tokens and logarithms of `steps` steps into answers, log p(y|x) and token probabilities."""
    made = tf.range(tf.shape(chosen)[0])[:, None] < steps
    tokens = tf.transpose(tf.where(made, chosen, PAD))
    logs = tf.transpose(tf.where(made, logs, -np.inf))
    padding = [[0, 0], [0, length - tf.shape(tokens)[1]]]
    tokens, probabilities = tf.pad(tokens, padding), tf.pad(tf.exp(logs), padding)
    total = tf.reduce_sum(tf.where(tf.math.is_inf(logs), 0.0, logs), 1)
    return tf.pad(tokens, [[0, 0], [1, 0]], constant_values=BOS), total, probabilities


def _decoded(tensors: Sequence[tf.Tensor]) -> Decoded:
    return Decoded(*(tensor.numpy() for tensor in tensors))
