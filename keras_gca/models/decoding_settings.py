"""The settings for generating replies (`Decoding`) by greedy decoding, sampling, or beam search.

x is a context, and y is an answer. s_s is the maximum number of tokens in a context and in a partial answer. B is the
number of contexts in a batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keras_gca.errors import UserError
from keras_gca.models.decoding import Decoded, Decoder
from keras_gca.settings import check_sampling

CHAT_BEAM = 10  # width of the beam search in a chat; after training on a small corpus, greedy decoding is less fluent


@dataclass(frozen=True)
class Decoding:
    """The settings for generating replies. Decoding is greedy (Algorithm 1) unless a temperature or a beam is given.

    Args:
        temperature: The sampling temperature, from 0.01 to 100, or None for no sampling.
        top_k: The number of most probable tokens to sample from, or None for all tokens.
        top_p: The probability of the nucleus, above 0 and at most 1. Sampling is restricted to the nucleus, the
            smallest set of likeliest tokens whose total probability reaches this value.
        beam: The width of a beam search, whose answers are ranked by log p(y|x) / tokens^length_penalty.
        length_penalty: The exponent in this formula. 0 favours short answers, and 1 favours long answers.
        anti_language_model: The weight lambda of the anti-language model in a beam search, which lowers the rank of
            answers that would fit any context; see `Decoder.beam`.
        bidirectional: The weight lambda of log p(x|y) in a beam search, whose answers are then ranked by
            (1 - lambda) log p(y|x) + lambda log p(x|y); see `bidirectional.py`. The agent must have a generator for
            p(x|y).
        repeats: Whether a beam search may produce the same word twice in a row, and the same pair of neighbouring words
            twice in an answer.
        keywords: Whether each answer is built around a keyword (seq2BF; see `seq2bf.py`). The agent must have been
            trained with `keyword_epochs`. All other settings then apply to both generators.

    Raises:
        UserError: Two arguments exclude each other, or an argument is out of range.

    Examples:
        >>> from keras_gca import Decoding
        >>> nucleus = Decoding(temperature=0.8, top_p=0.9)
        >>> search = Decoding(beam=5, length_penalty=0.5, repeats=False)
        >>> Decoding(temperature=0.8, beam=5)
        Traceback (most recent call last):
        keras_gca.errors.UserError: sampling (a temperature) and beam search exclude each other
    """

    temperature: float | None = None
    top_k: int | None = None
    top_p: float = 1.0
    beam: int | None = None
    length_penalty: float = 1.0
    anti_language_model: float = 0.0
    bidirectional: float = 0.0
    repeats: bool = True
    keywords: bool = False

    def __post_init__(self) -> None:
        if self.temperature is not None and self.beam is not None:
            raise UserError("sampling (a temperature) and beam search exclude each other")
        if self.temperature is None and (self.top_k is not None or self.top_p != 1.0):
            raise UserError("top-k and top-p restrict sampling, which needs a temperature")
        of_beam = self.length_penalty, self.anti_language_model, self.bidirectional, self.repeats
        if self.beam is None and of_beam != (1.0, 0.0, 0.0, True):
            raise UserError(
                "length penalty, anti-language model, bidirectional and repeats apply only to a beam search; add --beam"
            )
        if not 0 <= self.bidirectional <= 1:
            raise UserError(f"bidirectional: {self.bidirectional}; from 0 to 1 is expected")
        if self.bidirectional and (self.length_penalty, self.anti_language_model) != (0.0, 0.0):
            raise UserError("bidirectional excludes a length penalty and the anti-language model; set both to 0")
        if self.bidirectional and self.keywords:
            raise UserError("bidirectional and keywords exclude each other")
        check_sampling(self.temperature, self.top_p)
        for name, value in (("top-k", self.top_k), ("beam", self.beam)):
            if value is not None and value < 1:
                raise UserError(f"--{name}: {value}; at least 1 is expected")

    def run(
        self,
        decoder: Decoder,
        contexts: np.ndarray,
        seed: int | Sequence[int],
        allow_unknown: bool = False,
        unwanted: np.ndarray | None = None,
        beginnings: np.ndarray | None = None,
    ) -> Decoded:
        """Decode a batch of contexts.

        Args:
            decoder: The decoder of a generator.
            contexts: B contexts of at most s_s tokens, shape (B, s_s) and dtype int32, padded on the left.
            seed: The random seed for sampling: one for all contexts, or one for each context.
            allow_unknown: Whether an answer may contain the unknown word.
            unwanted: Answers that a beam search must not return, shape (B, s_s + 1) and dtype int32; see
                `Decoder.beam`.
            beginnings: The first tokens of each answer, shape (B, L) and dtype int32, or None; see `Decoder`.

        Returns:
            One answer for each context, with its probabilities.
        """
        if self.temperature is not None:
            sampling = self.temperature, self.top_k, self.top_p, allow_unknown
            return decoder.sample(contexts, seed, *sampling, beginnings=beginnings)
        if self.beam is not None:
            ranking = self.length_penalty, allow_unknown, unwanted, self.anti_language_model, self.repeats
            return decoder.beam(contexts, self.beam, *ranking, beginnings=beginnings)
        return decoder.greedy(contexts, allow_unknown, beginnings)


GREEDY = Decoding()

# Chosen on 120 development messages (docs/judging): among 25 ways to rank the answers of a beam, the plain
# likelihood gave the most sensible replies.
CHAT = Decoding(beam=CHAT_BEAM, length_penalty=0.0, repeats=False)

# The same for agents that have a generator for p(x|y)
RANKED = Decoding(beam=20, length_penalty=0.0, bidirectional=0.5, repeats=False)
