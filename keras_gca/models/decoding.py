"""Algorithm 1, batched: greedy decoding, sampling, and beam search.

`Decoder` takes and returns NumPy arrays. The loops over tokens are in `token_by_token.py` and `beam_search.py`, and
their shared steps are in `decoding_steps.py`. Each loop is one compiled function.

Shapes: B contexts of at most s tokens; s_v tokens in the vocabulary. Answers have shape (B, s_s + 1), and are framed as
in `data/pairs.py`: `BOS ... EOS`, padded on the right.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from keras_gca.data.batches import cut_contexts
from keras_gca.data.pairs import Pairs
from keras_gca.data.vocabulary import PAD
from keras_gca.engine.compiled import Compiled
from keras_gca.engine.nucleus import FORBIDDEN
from keras_gca.models.beam_search import BeamSearch
from keras_gca.models.decoding_steps import DecodingSteps
from keras_gca.models.likelihood import Evaluator
from keras_gca.models.networks import GenerativeConversationalAgent
from keras_gca.models.token_by_token import TokenByToken
from keras_gca.settings import check_sampling


class Decoded(NamedTuple):
    """Generated answers.

    Attributes:
        answers: `BOS ... EOS` padded on the right, shape (B, s_s + 1) and dtype int32. EOS is missing if an answer did
            not end within s_s tokens.
        log_probabilities: log p(y|x), including EOS (Algorithm 1, line 11), shape (B,) and dtype float32.
        token_probabilities: p(y_t | x, y) of each token after BOS, and 0 after the end, shape (B, s_s) and dtype
            float32.
    """

    answers: np.ndarray
    log_probabilities: np.ndarray
    token_probabilities: np.ndarray

    @property
    def probabilities(self) -> np.ndarray:
        """p(y|x), shape (B,) and dtype float64."""
        return np.exp(self.log_probabilities.astype(np.float64))


class Decoder:
    """A decoder for the generator of a GenerativeConversationalAgent.

    Every method takes `contexts` of shape (B, s) and dtype int32, padded on the left. `allow_unknown` says whether the
    unknown word may be chosen: Algorithm 1 allows it, but chats should exclude it. `beginnings` are the first tokens of
    each answer, which are given rather than chosen, shape (B, L) and dtype int32, padded on the right; None gives no
    tokens. The first of them takes the place of BOS: it is the first token that the generator reads, and not a part of
    the answer. After BOS, a beginning contains words only.

    Args:
        gca: The networks. The decoder follows later changes to their weights.
    """

    def __init__(self, gca: GenerativeConversationalAgent):
        self.gca = gca
        self._steps = DecodingSteps(gca)
        self._evaluator = Evaluator(gca)
        self._sizes = gca.sizes
        one_by_one, beam = TokenByToken(self._steps), BeamSearch(self._steps)
        self.compiled_decode_greedily = Compiled(one_by_one.decode_greedily, replicated=("forbidden",))
        self.compiled_draw = Compiled(one_by_one.draw, replicated=("forbidden",))
        self.compiled_search_beam = Compiled(beam.search_beam, replicated=("forbidden",))

    def greedy(self, contexts: np.ndarray, allow_unknown: bool = True, beginnings: np.ndarray | None = None) -> Decoded:
        """Choose the most probable token at every step (Algorithm 1).

        Args:
            contexts: The contexts, shape (B, s) and dtype int32, padded on the left.
            allow_unknown: Whether the unknown word may be chosen.
            beginnings: The first tokens of each answer, or None; see above.

        Returns:
            One answer for each context.
        """
        forbidden = self._steps.forbidden(allow_unknown)
        return _decoded(self.compiled_decode_greedily(cut_contexts(contexts), forbidden, beginnings))

    def sample(
        self,
        contexts: np.ndarray,
        seed: int | Sequence[int],
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float = 1.0,
        allow_unknown: bool = True,
        beginnings: np.ndarray | None = None,
    ) -> Decoded:
        """Draw tokens from the softmax at a temperature.

        The choice can be restricted to the top_k likeliest tokens, and to the nucleus: the smallest set of likeliest
        tokens whose total probability reaches top_p.

        Args:
            contexts: The contexts, shape (B, s) and dtype int32, padded on the left.
            seed: One seed for the batch, or one for each context. The same seed gives the same answers. If each context
                has its own seed, its answer does not depend on the rest of the batch.
            temperature: The temperature by which the logits are divided, above 0.
            top_k: The number of tokens to choose from, or None for all tokens.
            top_p: The probability of the nucleus, or 1 for all tokens.
            allow_unknown: Whether the unknown word may be chosen.
            beginnings: The first tokens of each answer, or None; see above.

        Returns:
            One answer for each context. Its probabilities are those of the model at temperature 1, without top_k or
            top_p.

        Raises:
            ValueError: top_k is below 1.
            UserError: The temperature or top_p is out of range.
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
            beginnings,
        )
        return _decoded(self.compiled_draw(cut_contexts(contexts), self._steps.forbidden(allow_unknown), *arguments))

    def beam(
        self,
        contexts: np.ndarray,
        width: int = 5,
        length_penalty: float = 0.0,
        allow_unknown: bool = True,
        unwanted: np.ndarray | None = None,
        anti_language_model: float = 0.0,
        allow_repeats: bool = True,
        beginnings: np.ndarray | None = None,
    ) -> Decoded:
        """Search for the answer with the highest log p(y|x) / tokens^length_penalty.

        With `anti_language_model`, the answers in the beam are reranked by (log p(y|x) - lambda * log p(y)) /
        tokens^length_penalty (Li et al. 2016, "A Diversity-Promoting Objective Function for Neural Conversation
        Models"), which lowers the rank of answers that would fit any context. p(y) is the generator's probability of
        the answer given an empty context.

        Args:
            contexts: The contexts, shape (B, s) and dtype int32, padded on the left.
            width: The number of partial answers kept at every step. A width of 1 gives greedy decoding.
            length_penalty: The exponent. 0 ranks by log p(y|x), and 1 by the mean of log p over the tokens.
            allow_unknown: Whether the unknown word may be chosen.
            unwanted: For each context, an answer that must not be returned, shape (B, s_s + 1) and dtype int32. If this
                answer is the best in the beam, the second-best answer is returned.
            anti_language_model: The weight lambda.
            allow_repeats: Whether the same token may occur twice in a row, and the same pair of neighbouring tokens
                twice in an answer.
            beginnings: The first tokens of each answer, or None; see above.

        Returns:
            One answer for each context.

        Raises:
            ValueError: The width is below 1.
        """
        lists = self.n_best(contexts, width, length_penalty, allow_unknown, allow_repeats, beginnings)
        ranks = np.broadcast_to(-np.arange(lists.answers.shape[1], dtype=np.float64), lists.answers.shape[:2])
        if anti_language_model:
            tokens = np.count_nonzero(lists.answers[..., 1:] != PAD, axis=2)
            alone = self._log_probabilities_alone(lists.answers)
            ranks = (lists.log_probabilities - anti_language_model * alone) / tokens**length_penalty
        return best_of(lists, ranks, unwanted)

    def _log_probabilities_alone(self, answers: np.ndarray) -> np.ndarray:
        """Compute log p(y), the log-probability of each answer given an empty context.

        The answers have shape (B, K, s_s + 1) and dtype int32; the result has shape (B, K) and dtype float32.
        """
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
        beginnings: np.ndarray | None = None,
    ) -> Decoded:
        """Return all answers that the beam search keeps, in order of decreasing score.

        The arguments and errors are those of `beam`.

        Returns:
            The fields of `Decoded` as arrays of shape (B, width, ...). If width exceeds s_v, it is reduced to s_v.
        """
        if width < 1:
            raise ValueError(f"the width of the beam is {width}; at least 1 is expected")
        width = min(width, self._sizes.vocabulary)
        repeating = tf.constant(0.0 if allow_repeats else FORBIDDEN)
        arguments = tf.constant(width), tf.constant(float(length_penalty)), repeating, beginnings
        return _decoded(
            self.compiled_search_beam(cut_contexts(contexts), self._steps.forbidden(allow_unknown), *arguments)
        )


def best_of(lists: Decoded, scores: np.ndarray, unwanted: np.ndarray | None = None) -> Decoded:
    """Choose the answer with the highest score for each context.

    Args:
        lists: K answers to each of B contexts, in arrays of shape (B, K, ...).
        scores: The scores of the answers, shape (B, K).
        unwanted: An answer for each context that must not be chosen, shape (B, s_s + 1) and dtype int32, or None. If
            all answers to a context are unwanted, which is possible if K is 1, the first one is chosen.
    """
    if unwanted is not None:
        scores = np.where((lists.answers == unwanted[:, None]).all(axis=2), -np.inf, scores)
    best = scores.argmax(axis=1)
    return Decoded(*(array[np.arange(len(best)), best] for array in lists))


def _decoded(tensors: Sequence[tf.Tensor]) -> Decoded:
    return Decoded(*(tensor.numpy() for tensor in tensors))
