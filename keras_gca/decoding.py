"""Algorithm 1, batched: greedy decoding, sampling, and beam search.

The context is encoded once and each token costs one LSTM step; the whole loop is one compiled function, which ends when
every row has ended. PAD and BOS are no tokens of an answer and an answer has at least one word: their probabilities
are left out of the choice (not out of the softmax), where Algorithm 1's arg-max merely never picks them.

Shapes: B contexts; answers have the frame of `pairs.py`: `BOS ... EOS`, (B, s_s + 1), padded on the right.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from keras_gca.models import GenerativeConversationalAgent
from keras_gca.prefixes import PrefixEncoder
from keras_gca.recurrence import lstm_step
from keras_gca.vocabulary import BOS, EOS, PAD, UNK

FORBIDDEN = -1e9


class Decoded(NamedTuple):
    """Generated answers.

    answers:             (B, s_s + 1) int32, `BOS ... EOS` padded on the right; no EOS where s_s tokens were not enough.
    log_probabilities:   (B,) float32, log p(y|x): Algorithm 1, line 11, EOS included.
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

    Every method takes contexts, (B, s) int32 padded on the left, and `allow_unknown`: whether the unknown word may be
    chosen. It may in Algorithm 1, which chooses among all tokens; for a chat it is better left out.
    """

    def __init__(self, gca: GenerativeConversationalAgent):
        self.gca = gca
        self._encoder = PrefixEncoder(gca)
        self._sizes = gca.sizes

    def greedy(self, contexts: np.ndarray, allow_unknown: bool = True) -> Decoded:
        """Algorithm 1: the most probable token at every step."""
        return _decoded(self._greedy(contexts, self._forbidden(allow_unknown)))

    def sample(
        self,
        contexts: np.ndarray,
        seed: int,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float = 1.0,
        allow_unknown: bool = True,
    ) -> Decoded:
        """Draw tokens from the softmax at a temperature, among the top_k likeliest and the top_p nucleus.

        The same seed gives the same answers. Probabilities are those of the model itself (temperature 1, no filter).
        Raises ValueError on a temperature outside [0.01, 100], top_k < 1, or top_p outside (0, 1].
        """
        if not 0.01 <= temperature <= 100 or (top_k is not None and top_k < 1) or not 0 < top_p <= 1:
            raise ValueError(
                f"0.01 <= temperature {temperature} <= 100, top_k {top_k} >= 1, 0 < top_p {top_p} <= 1 are expected"
            )
        k = min(top_k or self._sizes.vocabulary, self._sizes.vocabulary)
        arguments = (
            tf.constant([seed % 2**31, 0]),
            tf.constant(float(temperature)),
            tf.constant(k),
            tf.constant(float(top_p)),
        )
        return _decoded(self._sample(contexts, self._forbidden(allow_unknown), *arguments))

    def beam(
        self, contexts: np.ndarray, width: int = 5, length_penalty: float = 0.0, allow_unknown: bool = True
    ) -> Decoded:
        """The answer of highest log p(y|x) / tokens^length_penalty that a beam of `width` finds; width 1 is greedy."""
        if width < 1:
            raise ValueError(f"a beam has a width of at least 1, not {width}")
        width = min(width, self._sizes.vocabulary)
        contexts = tf.convert_to_tensor(contexts)
        return _decoded(self._beam(contexts, self._forbidden(allow_unknown), tf.constant(width), float(length_penalty)))

    def _forbidden(self, allow_unknown: bool) -> tf.Tensor:
        """(s_v,) float32, added to the logarithms that tokens are chosen by."""
        barred = [PAD, BOS] if allow_unknown else [PAD, BOS, UNK]
        return tf.constant([FORBIDDEN if i in barred else 0.0 for i in range(self._sizes.vocabulary)])

    def _start(self, contexts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The context's term of the hidden layer, and an empty state of the answer LSTM."""
        term = self._encoder.context_term(self._encoder.contexts("bot", contexts))
        return term, tf.zeros([tf.shape(contexts)[0], self._sizes.sentence_embedding])

    def _next(self, term: tf.Tensor, tokens: tf.Tensor, h: tf.Tensor, c: tf.Tensor):
        """One turn of Algorithm 1's loop: log p of Eq. 3 after one more token, (B, s_v), and the LSTM's state."""
        h, c = lstm_step(self._encoder.gca.layer("encoder_answer_bot"), self._encoder.embed(tokens), h, c)
        return tf.nn.log_softmax(self._encoder.token_logits(self._encoder.hidden(term, h))), h, c

    def _loop(self, contexts: tf.Tensor, forbidden: tf.Tensor, choose):
        """Decode with choose(log_probabilities (B, s_v), step) -> tokens (B,)."""
        term, empty = self._start(contexts)
        count = tf.shape(contexts)[0]
        length = self._sizes.sentence_length
        forbid_end = tf.one_hot(EOS, self._sizes.vocabulary, on_value=FORBIDDEN, off_value=0.0)

        def step(t, tokens, running, h, c, chosen, logs):
            log_p, h, c = self._next(term, tokens, h, c)
            tokens = choose(log_p + forbidden + tf.where(t == 0, forbid_end, 0.0), t)
            tokens = tf.where(running, tokens, PAD)
            log = tf.where(running, tf.gather(log_p, tokens, batch_dims=1), -np.inf)
            running &= tokens != EOS
            return t + 1, tokens, running, h, c, chosen.write(t, tokens), logs.write(t, log)

        arrays = (
            tf.TensorArray(tf.int32, length, element_shape=(None,)),
            tf.TensorArray(tf.float32, length, element_shape=(None,)),
        )
        state = (0, tf.fill([count], BOS), tf.fill([count], True), empty, empty, *arrays)
        steps, _, _, _, _, chosen, logs = tf.while_loop(
            lambda t, _, running, *__: (t < length) & tf.reduce_any(running), step, state
        )
        return _frame(chosen.stack(), logs.stack(), steps, length)

    @tf.function(input_signature=[tf.TensorSpec((None, None), tf.int32), tf.TensorSpec((None,), tf.float32)])
    def _greedy(self, contexts, forbidden):
        return self._loop(contexts, forbidden, lambda log_p, _: tf.argmax(log_p, 1, output_type=tf.int32))

    @tf.function(
        input_signature=[
            tf.TensorSpec((None, None), tf.int32),
            tf.TensorSpec((None,), tf.float32),
            tf.TensorSpec((2,), tf.int32),
            tf.TensorSpec((), tf.float32),
            tf.TensorSpec((), tf.int32),
            tf.TensorSpec((), tf.float32),
        ]
    )
    def _sample(self, contexts, forbidden, seed, temperature, top_k, top_p):
        def choose(log_p, t):
            scores = keep_likeliest(log_p / temperature, top_k, top_p)
            uniform = tf.random.stateless_uniform(tf.shape(scores), tf.stack([seed[0], t]), minval=1e-20)
            return tf.argmax(
                scores - tf.math.log(-tf.math.log(uniform)), 1, output_type=tf.int32
            )  # the Gumbel-max trick

        return self._loop(contexts, forbidden, choose)

    @tf.function(
        input_signature=[
            tf.TensorSpec((None, None), tf.int32),
            tf.TensorSpec((None,), tf.float32),
            tf.TensorSpec((), tf.int32),
            tf.TensorSpec((), tf.float32),
        ]
    )
    def _beam(self, contexts, forbidden, width, length_penalty):
        """K = width partial answers a context, (B K,) for the model; ended ones wait with PAD at no cost."""
        term, empty = self._start(contexts)
        count, size, length = tf.shape(contexts)[0], self._sizes.vocabulary, self._sizes.sentence_length
        term, empty = tf.repeat(term, width, 0), tf.repeat(empty, width, 0)
        forbid_end = tf.one_hot(EOS, size, on_value=FORBIDDEN, off_value=0.0)
        only_pad = tf.one_hot([PAD], size, on_value=0.0, off_value=FORBIDDEN)  # (1, s_v)

        def step(t, scores, answers, logs, running, h, c):
            log_p, h, c = self._next(term, answers[:, t], h, c)
            steps = tf.where(running[:, None], log_p + forbidden + tf.where(t == 0, forbid_end, 0.0), only_pad)
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
                tf.gather(h, parent),
                tf.gather(c, parent),
            )

        # All beams start alike: only the first may be continued at the first step.
        scores = tf.tile(tf.where(tf.range(width) == 0, 0.0, FORBIDDEN)[None], [count, 1])
        answers = tf.fill([count * width, 1], BOS)
        state = (0, scores, answers, tf.zeros([count * width, 0]), tf.fill([count * width], True), empty, empty)
        shapes = ((), (None, None), (None, None), (None, None), (None,), (None, None), (None, None))
        steps, scores, answers, logs, _, _, _ = tf.while_loop(
            lambda t, _, __, ___, running, *____: (t < length) & tf.reduce_any(running),
            step,
            state,
            shape_invariants=tuple(tf.TensorShape(shape) for shape in shapes),
        )
        tokens = tf.math.count_nonzero(answers[:, 1:], axis=1, dtype=tf.float32)
        ranked = scores / tf.reshape(tokens, tf.shape(scores)) ** length_penalty
        best = tf.argmax(ranked, 1, output_type=tf.int32) + tf.range(count) * width
        return _frame(tf.transpose(tf.gather(answers, best)[:, 1:]), tf.transpose(tf.gather(logs, best)), steps, length)


def keep_likeliest(scores: tf.Tensor, top_k: tf.Tensor, top_p: tf.Tensor) -> tf.Tensor:
    """Bar all but the top_k highest scores of each row and its nucleus, the fewest whose probability reaches top_p.

    scores: (B, s_v) float32, logarithms up to a constant. Returns the scores with FORBIDDEN where barred.
    """
    ordered = tf.sort(scores, direction="DESCENDING")
    probabilities = tf.nn.softmax(ordered)
    # A score belongs to the nucleus if those before it do not reach top_p yet; the first always does.
    inside = (tf.cumsum(probabilities, axis=1, exclusive=True) < top_p) & (tf.range(tf.shape(scores)[1]) < top_k)
    lowest = tf.reduce_min(tf.where(inside, ordered, np.inf), axis=1, keepdims=True)
    return tf.where(scores >= lowest, scores, FORBIDDEN)


def _frame(chosen: tf.Tensor, logs: tf.Tensor, steps: tf.Tensor, length: int):
    """(T, B) tokens and logarithms, of which `steps` were made, to answers, log p(y|x) and token probabilities."""
    made = tf.range(tf.shape(chosen)[0])[:, None] < steps
    tokens = tf.transpose(tf.where(made, chosen, PAD))
    logs = tf.transpose(tf.where(made, logs, -np.inf))
    padding = [[0, 0], [0, length - tf.shape(tokens)[1]]]
    tokens, probabilities = tf.pad(tokens, padding), tf.pad(tf.exp(logs), padding)
    total = tf.reduce_sum(tf.where(tf.math.is_inf(logs), 0.0, logs), 1)
    return tf.pad(tokens, [[0, 0], [1, 0]], constant_values=BOS), total, probabilities


def _decoded(tensors) -> Decoded:
    return Decoded(*(tensor.numpy() for tensor in tensors))
