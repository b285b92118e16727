"""`Vocabulary`: PAD, BOS, EOS, UNK and the words."""

import collections
import json
from collections.abc import Iterable, Sequence

import numpy as np

PAD, BOS, EOS, UNK = range(4)
PERIOD = 4  # "." in the vocabularies of `original` padding, where it stands for the padding too
SPECIAL_TOKENS = ("<pad>", "<bos>", "<eos>", "<unk>")


class Vocabulary:
    """Words and their indices; index 0 is the padding and stands for nothing else (design rule 4).

    words:    the words after the four special tokens, most frequent first; word i has index i + 4.
    counts:   how often each of them stands in the training text.
    surfaces: how a word is usually written inside a sentence, where that is not its lower case.
    """

    def __init__(self, words: Sequence[str], counts: Sequence[int], surfaces: dict[str, str] | None = None):
        if len(words) != len(counts) or len(set(words)) != len(words) or set(words) & set(SPECIAL_TOKENS):
            raise ValueError("words must be distinct, not special tokens, and have one count each")
        self.tokens = [*SPECIAL_TOKENS, *words]
        self.counts = dict(zip(words, map(int, counts), strict=True))
        self.surfaces = dict(surfaces or {})
        self._index = {word: i for i, word in enumerate(words, start=len(SPECIAL_TOKENS))}

    @classmethod
    def build(
        cls,
        utterances: Iterable[Sequence[str]],
        size: int = 7000,
        minimum_count: int = 1,
        surfaces: dict[str, str] | None = None,
        period_first: bool = False,
    ) -> "Vocabulary":
        """The most frequent words of tokenised utterances, ties in alphabetical order.

        size: s_v, the special tokens included. minimum_count: rarer words become the unknown word, which is thereby
        learned too, and so does text that spells a special token. period_first: give "." the index PERIOD, for
        `original` padding.
        """
        counts = collections.Counter(token for utterance in utterances for token in utterance)
        kept = (word for word in counts if counts[word] >= minimum_count and word not in SPECIAL_TOKENS)
        words = sorted(kept, key=lambda word: (-counts[word], word))
        if period_first:
            words = [".", *(word for word in words if word != ".")]
        words = words[: max(size - len(SPECIAL_TOKENS), 0)]
        surfaces = {word: surfaces[word] for word in words if word in surfaces} if surfaces else {}
        return cls(words, [counts[word] for word in words], surfaces)

    def __len__(self) -> int:
        return len(self.tokens)

    def encode(self, tokens: Iterable[str]) -> np.ndarray:
        """Indices, int32; a word outside the vocabulary becomes UNK, and so does the spelling of a special token."""
        return np.array([self._index.get(token, UNK) for token in tokens], np.int32)

    def decode(self, indices: Iterable[int]) -> list[str]:
        """The words up to the first EOS, without PAD and BOS."""
        tokens = []
        for index in indices:
            if index == EOS:
                break
            if index not in (PAD, BOS):
                tokens.append(self.tokens[index])
        return tokens

    def to_json(self) -> str:
        words = self.tokens[len(SPECIAL_TOKENS) :]
        content = {"words": words, "counts": [self.counts[word] for word in words], "surfaces": self.surfaces}
        return json.dumps(content, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Vocabulary":
        return cls(**json.loads(text))


def usual_surfaces(cased: Iterable[Sequence[str]]) -> dict[str, str]:
    """How words are usually written inside a sentence: {lower-case word: surface} where the two differ.

    cased: tokenised utterances in their own case. The first word of a sentence says nothing and is not counted.
    """
    seen: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)
    for utterance in cased:
        start = True
        for token in utterance:
            if not start and token[0].isalpha():
                seen[token.lower()][token] += 1
            start = token in (".", "!", "?", ":")
    best = {word: max(forms, key=lambda form: (forms[form], form)) for word, forms in seen.items()}
    return {word: form for word, form in best.items() if form != word}
