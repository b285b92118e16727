"""`Vocabulary` assigns an index to every word and to the special tokens PAD, BOS, EOS and UNK."""

import collections
import heapq
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from glove.text_files import BadLines, text_lines
from keras_gca.errors import UserError

PAD, BOS, EOS, UNK = range(4)
PERIOD = 4  # the index of "." in vocabularies for `original` padding, where "." is also the padding token
BEGIN_SENTENCES = (".", "!", "?", ":")  # after these tokens a word may be capitalised because of its position
SPECIAL_TOKENS = ("<pad>", "<bos>", "<eos>", "<unk>")


class Vocabulary:
    """Words and their indices; index 0 is reserved for padding.

    Args:
        words: The words after the four special tokens, most frequent first; word i has index i + 4.
        counts: The frequency of each word in the training text.
        surfaces: The usual spelling of words that are not written in lower case inside a sentence.
        speakers: The names of the speakers who have an embedding (`--persona-size`). In a context, the index
            len(vocabulary) + k stands for speaker k, counted from 1.

    Raises:
        ValueError: A word or a speaker is repeated or is a special token, or the numbers of words and counts differ.

    Examples:
        >>> from keras_gca import Vocabulary
        >>> vocabulary = Vocabulary.build([["hello", "there"], ["hello", "tom"]], surfaces={"tom": "Tom"})
        >>> vocabulary.tokens
        ['<pad>', '<bos>', '<eos>', '<unk>', 'hello', 'there', 'tom']
        >>> vocabulary.encode(["hello", "zebra"])
        array([4, 3], dtype=int32)
        >>> vocabulary.decode([4, 6, 2, 0])
        ['hello', 'tom']
    """

    def __init__(
        self,
        words: Sequence[str],
        counts: Sequence[int],
        surfaces: dict[str, str] | None = None,
        speakers: Sequence[str] = (),
    ):
        if len(set(speakers)) != len(speakers):
            raise ValueError("the names of speakers must be distinct")
        if len(words) != len(counts) or len(set(words)) != len(words) or set(words) & set(SPECIAL_TOKENS):
            raise ValueError("words must be distinct, must not be special tokens, and must have one count each")
        self.tokens = [*SPECIAL_TOKENS, *words]
        self.counts = dict(zip(words, map(int, counts), strict=True))
        self.surfaces = dict(surfaces or {})
        self.speakers = tuple(speakers)
        self._index = {word: i for i, word in enumerate(words, start=len(SPECIAL_TOKENS))}

    @classmethod
    def build(
        cls,
        utterances: Iterable[Sequence[str]],
        size: int = 7000,
        minimum_count: int = 1,
        surfaces: dict[str, str] | None = None,
        period_first: bool = False,
        words: Sequence[str] | None = None,
    ) -> "Vocabulary":
        """Build a vocabulary of the most frequent words in utterances; ties are broken alphabetically.

        Args:
            utterances: The tokens of each utterance.
            size: s_v, the maximum number of tokens, including the special ones.
            minimum_count: Words that occur less often become the unknown word, so that the networks learn to handle it.
                Text that is spelled like a special token also becomes the unknown word.
            surfaces: The usual spelling of words; words outside the vocabulary are ignored.
            period_first: Whether "." gets the index PERIOD, for `original` padding.
            words: The words of the vocabulary in order. If given, `size`, `minimum_count` and `period_first` have no
                effect. If None, words are chosen by frequency.
        """
        counts = collections.Counter(token for utterance in utterances for token in utterance)
        return cls.of_counts(counts.items(), size, minimum_count, surfaces, period_first, words)

    @classmethod
    def of_counts(
        cls,
        counts: Iterable[tuple[str, int]],
        size: int = 7000,
        minimum_count: int = 1,
        surfaces: dict[str, str] | None = None,
        period_first: bool = False,
        words: Sequence[str] | None = None,
    ) -> "Vocabulary":
        """Build a vocabulary from words and their frequencies.

        Only the words of the vocabulary are held in memory.

        Args:
            counts: Each word of the training text once, with its frequency. The words may be read from a file.
            size: s_v, the maximum number of tokens, including the special ones.
            minimum_count: See `build`.
            surfaces: See `build`.
            period_first: See `build`.
            words: See `build`.
        """
        if words is None:
            first = ["."] if period_first else []
            free = max(size - len(SPECIAL_TOKENS), 0)
            left_out = {*SPECIAL_TOKENS, *first}
            known: dict[str, int] = {}

            def candidates() -> Iterator[tuple[int, str]]:
                for word, count in counts:
                    if word in first:
                        known[word] = count
                    elif count >= minimum_count and word not in left_out:
                        yield -count, word

            chosen = heapq.nsmallest(free, candidates())
            known |= {word: -negative for negative, word in chosen}
            words = [*first, *(word for _, word in chosen)][:free]
        else:
            wanted = set(words)
            known = {word: count for word, count in counts if word in wanted}
        surfaces = {word: surfaces[word] for word in words if word in surfaces} if surfaces else {}
        return cls(words, [known.get(word, 0) for word in words], surfaces)

    def __repr__(self) -> str:
        return f"<Vocabulary: {len(self):,} tokens>"

    def __len__(self) -> int:
        return len(self.tokens)

    def encode(self, tokens: Iterable[str]) -> np.ndarray:
        """Return the indices of tokens as an int32 array of shape (n,).

        A word outside the vocabulary becomes UNK, as does text that is spelled like a special token.
        """
        return np.array([self._index.get(token, UNK) for token in tokens], np.int32)

    def decode(self, indices: Iterable[int]) -> list[str]:
        """Return the words for the indices before the first EOS, leaving out PAD and BOS."""
        tokens = []
        for index in indices:
            if index == EOS:
                break
            if index not in (PAD, BOS):
                tokens.append(self.tokens[index])
        return tokens

    def decode_context(self, indices: Iterable[int]) -> list[str]:
        """Return the words of a context, in which each utterance may end with EOS (see `data/pairs.py`)."""
        return self.decode(index for index in indices if index != EOS and index < len(self))

    def token_of_speaker(self, name: str | None) -> int:
        """Return the index that stands for a speaker in a context, or PAD if the speaker has no embedding."""
        return len(self) + 1 + self.speakers.index(name) if name in self.speakers else PAD

    def to_values(self) -> dict[str, Any]:
        """Return the complete vocabulary as JSON-serialisable values."""
        words = self.tokens[len(SPECIAL_TOKENS) :]
        values = {"words": words, "counts": [self.counts[word] for word in words], "surfaces": self.surfaces}
        return values | ({"speakers": list(self.speakers)} if self.speakers else {})

    @classmethod
    def from_values(cls, values: Any) -> "Vocabulary":
        """Make a vocabulary from the values returned by `to_values`.

        Raises:
            ValueError: The values do not describe a vocabulary.
        """
        if not isinstance(values, dict) or values.keys() - {"speakers"} != {"words", "counts", "surfaces"}:
            raise ValueError("a vocabulary must have words, counts and surfaces")
        words, counts, surfaces = values["words"], values["counts"], values["surfaces"]
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise ValueError("the words of a vocabulary must be a list of strings")
        if not isinstance(counts, list) or not all(type(count) is int and 0 <= count < 2**63 for count in counts):
            raise ValueError("the counts of a vocabulary must be non-negative whole numbers")
        if not isinstance(surfaces, dict) or not all(isinstance(form, str) for form in surfaces.values()):
            raise ValueError("the surfaces of a vocabulary must be strings")
        speakers = values.get("speakers", [])
        if not isinstance(speakers, list) or not all(isinstance(speaker, str) for speaker in speakers):
            raise ValueError("the speakers of a vocabulary must be a list of strings")
        return cls(words, counts, surfaces, speakers)


def read_words(path: str | os.PathLike, bad: BadLines | None = None) -> list[str]:
    """Read words from a text file with one word per line, in index order. Empty lines are ignored.

    Args:
        path: The file.
        bad: The `BadLines` object, which skips bad lines or raises an error. If None, the first bad line raises an
            error.

    Raises:
        UserError: The file is missing, is not UTF-8, or has no words, or one of its lines has several words, a repeated
            word or a special token. The message names the file and the line.
    """
    bad = bad or BadLines(error=UserError)
    words: dict[str, int] = {}
    for number, line in text_lines(path, bad):
        where = f"{path}:{number}"
        parts = line.split()
        if not parts:
            continue
        word = parts[0]
        if len(parts) > 1:
            message = f"{line.strip()[:60]!r} is not a single word; one word on each line is expected"
            bad.report(where, "of several words", message)
        elif word in words:
            bad.report(where, "with a repeated word", f"{word!r} is already on line {words[word]}")
        elif word in SPECIAL_TOKENS:
            bad.report(where, "of a special token", f"{word!r} is a special token, which every vocabulary has")
        else:
            words[word] = number
    if not words:
        raise UserError(f"{path}: the file contains no words; one word on each line is expected")
    return list(words)


def usual_surfaces(cased: Iterable[Sequence[str]]) -> dict[str, str]:
    """Learn the usual spelling of words inside a sentence.

    The first word of a sentence is not counted, because it is always capitalised.

    Args:
        cased: Tokenised utterances in their original case.

    Returns:
        A dict from lower-case words to their usual spellings, for words that are not usually written in lower case.
    """
    seen: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)
    for utterance in cased:
        start = True
        for token in utterance:
            if not start and token[0].isalpha():
                seen[token.lower()][token] += 1
            start = token in BEGIN_SENTENCES
    return most_frequent(seen)


def most_frequent(seen: Mapping[str, Mapping[str, int]]) -> dict[str, str]:
    """Return the most frequent spelling of each word, leaving out words that are usually written in lower case.

    Args:
        seen: For each word in lower case, the frequency of each of its spellings inside a sentence.
    """
    best = {word: max(forms, key=lambda form: (forms[form], form)) for word, forms in seen.items()}
    return {word: form for word, form in best.items() if form != word}
