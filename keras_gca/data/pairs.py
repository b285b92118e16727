"""Context/answer pairs as arrays.

Index 0 is PAD and has no other meaning. s_s is the maximum number of tokens in a context or a partial answer, and N_u
is the number of utterances in a context. For n pairs the arrays are:

contexts: An int32 array of shape (n, s_s) with the last s_s tokens of the N_u utterances before the answer, padded on
          the left. For a hierarchical encoder, the shape is (n, N_u * s_s): each utterance has at most s_s tokens and
          ends with EOS, which occurs nowhere else in a context. With speaker embeddings, there is one more column, and
          the first token may stand for the speaker of the answer. The index of such a token is above s_v (see
          `Vocabulary.speakers`).
answers:  An int32 array of shape (n, s_s + 1) with `BOS w1 w2 ... EOS`, padded on the right. A row holds at most s_s
          partial answers and the token that follows each of them. An answer that does not end within s_s + 1 tokens is
          truncated and has no EOS.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keras_gca.data.vocabulary import BOS, EOS, PAD, Vocabulary


@dataclass(frozen=True)
class Pairs:
    """Contexts and answers as arrays, and the conversation that each pair comes from.

    Args:
        contexts: The contexts, padded on the left: an int32 array of shape (n, s_s), or (n, N_u * s_s) for a
            hierarchical encoder.
        answers: The answers, `BOS ... EOS` padded on the right: an int32 array of shape (n, s_s + 1).
        conversation: The index of the conversation that each pair comes from, an int32 array of shape (n,).
    """

    contexts: np.ndarray
    answers: np.ndarray
    conversation: np.ndarray

    def __len__(self) -> int:
        return len(self.contexts)

    def __getitem__(self, selection: slice | np.ndarray) -> "Pairs":
        return Pairs(self.contexts[selection], self.answers[selection], self.conversation[selection])

    @property
    def tokens(self) -> int:
        """The number of target tokens: every token after BOS, including EOS."""
        return int((self.answers[:, 1:] != PAD).sum())

    @property
    def in_memory(self) -> int:
        """The number of pairs held in memory: all pairs."""
        return len(self)

    def some(self) -> "Pairs":
        """Return all pairs. For token files, `TokenPairs.some` returns a sample instead."""
        return self

    def drawn(self, random: np.random.Generator, count: int) -> np.ndarray:
        """Draw the indices of `count` different pairs, or of all pairs if there are fewer, in random order."""
        return random.permutation(len(self))[:count]

    @staticmethod
    def concatenate(parts: Sequence["Pairs"]) -> "Pairs":
        """Concatenate several Pairs in the given order."""
        return Pairs(*(np.concatenate(arrays) for arrays in zip(*(part.arrays() for part in parts), strict=True)))

    @classmethod
    def of_arrays(
        cls,
        arrays: Sequence[np.ndarray],
        vocabulary_size: int,
        sentence_length: int,
        context_length: int | None = None,
        speakers: int = 0,
    ) -> "Pairs":
        """Make Pairs from the arrays returned by `arrays`, and check them.

        Args:
            arrays: The arrays.
            vocabulary_size: s_v.
            sentence_length: s_s.
            context_length: The number of columns of contexts (`Config.context_columns`), or None for s_s.
            speakers: The number of speakers who have an embedding.

        Raises:
            ValueError: The shapes differ from those expected, or a token is outside the vocabulary.
        """
        contexts, answers, conversation = arrays
        expected = [(conversation.size, context_length or sentence_length), (conversation.size, sentence_length + 1)]
        if [contexts.shape, answers.shape] != expected or conversation.ndim != 1:
            raise ValueError(
                f"the shapes of the pairs are {contexts.shape} and {answers.shape}; {expected} are expected"
            )
        if not conversation.size or any(array.dtype.kind not in "iu" for array in arrays):
            raise ValueError(
                "the arrays are empty or have the wrong type; at least one pair, with integer tokens, is expected"
            )
        tokens = vocabulary_size + speakers + 1 if speakers else vocabulary_size
        for array, limit in ((contexts, tokens), (answers, vocabulary_size)):
            if array.min() < 0 or array.max() >= limit:
                raise ValueError(
                    f"the word indices range from {array.min()} to {array.max()}; indices from 0 to {limit - 1} are "
                    "expected"
                )
        return cls(*arrays)

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the arrays of contexts, answers and conversation indices, for storage."""
        return self.contexts, self.answers, self.conversation


def make_pairs(
    conversations: Sequence[Sequence[Sequence[str]]],
    vocabulary: Vocabulary,
    context_utterances: int = 2,
    sentence_length: int = 50,
    hierarchical: bool = False,
) -> Pairs:
    """Make all pairs from tokenised conversations: each utterance after the first is the answer to those before it.

    Args:
        conversations: The tokens of each utterance of each conversation.
        vocabulary: The vocabulary.
        context_utterances: N_u, the number of utterances in a context.
        sentence_length: s_s, the maximum length of contexts and partial answers in tokens.
        hierarchical: Whether the contexts are for a hierarchical encoder.
    """
    contexts, answers, owner = [], [], []
    for number, conversation in enumerate(conversations):
        encoded = [vocabulary.encode(utterance) for utterance in conversation]
        for i in range(1, len(encoded)):
            contexts.append(joined(encoded[max(0, i - context_utterances) : i], sentence_length, hierarchical))
            answers.append(encoded[i])
            owner.append(number)
    length = sentence_length * (context_utterances if hierarchical else 1)
    return Pairs(pad_contexts(contexts, length), frame_answers(answers, sentence_length), np.array(owner, np.int32))


def joined(
    utterances: Sequence[Sequence[int] | np.ndarray], sentence_length: int, hierarchical: bool = False
) -> np.ndarray:
    """Join utterances into a context.

    Args:
        utterances: The tokens of each utterance.
        sentence_length: s_s. For a hierarchical encoder, each utterance is truncated to its last s_s - 1 words.
        hierarchical: Whether the context is for a hierarchical encoder. If so, EOS is appended to each utterance.

    Returns:
        The tokens of the context without padding, as a one-dimensional int32 array. `pad_contexts` truncates or pads
        the context to the required length.
    """
    parts = [np.asarray(utterance, np.int32) for utterance in utterances]
    if hierarchical:
        parts = [np.append(part[-(sentence_length - 1) :], np.int32(EOS)) for part in parts]
    return np.concatenate(parts) if parts else np.zeros(0, np.int32)


def with_speakers(contexts: np.ndarray, speakers: Sequence[int] | np.ndarray) -> np.ndarray:
    """Insert a speaker token before each context.

    Args:
        contexts: Contexts padded on the left, an int32 array of shape (n, s).
        speakers: The token of each answer's speaker, or PAD for a speaker without an embedding: an integer array of
            shape (n,).

    Returns:
        The contexts, padded on the left, with one more column: an int32 array of shape (n, s + 1).
    """
    made = np.pad(contexts, ((0, 0), (1, 0)))
    made[np.arange(len(made)), contexts.shape[1] - np.count_nonzero(contexts, axis=1)] = speakers
    return made


def without_speakers(contexts: np.ndarray, vocabulary_size: int) -> np.ndarray:
    """Remove the speaker tokens and the column that `with_speakers` added."""
    return np.where(contexts < vocabulary_size, contexts, PAD)[:, 1:]


def utterances_of(context: np.ndarray) -> list[np.ndarray]:
    """Return the words of each utterance in a context of shape (s,) whose utterances end with EOS."""
    tokens = context[context != PAD]
    return [words[words != EOS] for words in np.split(tokens, np.flatnonzero(tokens == EOS) + 1)[:-1]]


def backward(pairs: Pairs, hierarchical: bool = False) -> Pairs:
    """Swap contexts and answers. Words beyond the limit of s_s tokens are left out."""
    length = pairs.answers.shape[1] - 1
    contexts = frame_answers([row[(row != PAD) & (row != EOS)] for row in pairs.contexts], length)
    read = answers_as_contexts(pairs.answers, pairs.contexts.shape[1], hierarchical)
    return Pairs(read, contexts, pairs.conversation)


def unconditional(pairs: Pairs, hierarchical: bool = False) -> Pairs:
    """Replace all contexts with empty ones, which are the same for all encoders."""
    return Pairs(np.full_like(pairs.contexts, PAD), pairs.answers, pairs.conversation)


# Config.predict: (pairs, whether contexts are for a hierarchical encoder) -> pairs. Answers are replaced by their
# beginnings in each epoch anew (`keywords.beginnings`).
PREDICTED = {
    "answer": lambda pairs, hierarchical: pairs,
    "beginning": lambda pairs, hierarchical: pairs,
    "context": backward,
    "unconditional": unconditional,
}


def answers_as_contexts(answers: np.ndarray, context_length: int, hierarchical: bool = False) -> np.ndarray:
    """Turn answers of shape (n, s_s + 1) into left-padded contexts of shape (n, context_length) with the same words."""
    words = [row[(row != PAD) & (row != BOS) & (row != EOS)] for row in answers]
    length = answers.shape[1] - 1
    return pad_contexts([joined([row], length, hierarchical) for row in words], context_length)


def pad_contexts(contexts: Sequence[Sequence[int] | np.ndarray], length: int) -> np.ndarray:
    """Put the last `length` tokens of each context, padded on the left, into an int32 array of shape (n, length)."""
    rows = np.full((len(contexts), length), PAD, np.int32)
    for row, context in zip(rows, contexts, strict=True):
        tokens = np.asarray(context, np.int32)[-length:]
        row[length - len(tokens) :] = tokens
    return rows


def frame_answers(answers: Sequence[Sequence[int] | np.ndarray], sentence_length: int) -> np.ndarray:
    """Frame answers as `BOS answer EOS`, padded or truncated on the right, in an int32 array of shape (n, s_s + 1)."""
    rows = np.full((len(answers), sentence_length + 1), PAD, np.int32)
    for row, answer in zip(rows, answers, strict=True):
        tokens = np.concatenate([[BOS], np.asarray(answer, np.int32), [EOS]])[: sentence_length + 1]
        row[: len(tokens)] = tokens
    return rows
