"""Context/answer pairs as arrays.

PAD is index 0, and index 0 means nothing else. s_s is the largest number of tokens of a context and of a partial
answer, and N_u the number of utterances in a context. For n pairs the arrays are:

contexts: (n, s_s) int32, the last s_s tokens of the N_u utterances before the answer, padded on the left.
answers:  (n, s_s + 1) int32, `BOS w1 w2 ... EOS` padded on the right. A row holds at most s_s partial answers, and the
          token after each of them. An answer that does not end within s_s + 1 tokens is cut and has no EOS.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keras_gca.data.vocabulary import BOS, EOS, PAD, Vocabulary


@dataclass(frozen=True)
class Pairs:
    """Contexts and answers as arrays, and the conversation that each pair comes from.

    Args:
        contexts: (n, s_s) int32, padded on the left.
        answers: (n, s_s + 1) int32, `BOS ... EOS` padded on the right.
        conversation: (n,) int32, the number of each pair's conversation.
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
        """The number of target tokens: every token after BOS, EOS included."""
        return int((self.answers[:, 1:] != PAD).sum())

    @property
    def in_memory(self) -> int:
        """The number of pairs that are held in memory: all."""
        return len(self)

    def some(self) -> "Pairs":
        """Return pairs that are typical of all; see `TokenPairs.some`."""
        return self

    def drawn(self, random: np.random.Generator, count: int) -> np.ndarray:
        """Draw the numbers of `count` different pairs, at most all, in random order."""
        return random.permutation(len(self))[:count]

    @staticmethod
    def concatenate(parts: Sequence["Pairs"]) -> "Pairs":
        """Join several Pairs in their order."""
        return Pairs(*(np.concatenate(arrays) for arrays in zip(*(part.arrays() for part in parts), strict=True)))

    @classmethod
    def of_arrays(cls, arrays: Sequence[np.ndarray], vocabulary_size: int, sentence_length: int) -> "Pairs":
        """Make Pairs from the arrays that `arrays` returned, and check them.

        Raises:
            ValueError: The shapes differ from those expected, or a token is outside the vocabulary.
        """
        contexts, answers, conversation = arrays
        expected = [(conversation.size, sentence_length), (conversation.size, sentence_length + 1)]
        if [contexts.shape, answers.shape] != expected or conversation.ndim != 1:
            raise ValueError(
                f"the shapes of the pairs are {contexts.shape} and {answers.shape}; {expected} are expected"
            )
        if not conversation.size or any(array.dtype.kind not in "iu" for array in arrays):
            raise ValueError("one or more pairs of whole numbers are expected")
        for array in (contexts, answers):
            if array.min() < 0 or array.max() >= vocabulary_size:
                raise ValueError(
                    f"words have numbers from {array.min()} to {array.max()}; 0 to {vocabulary_size - 1} is expected"
                )
        return cls(*arrays)

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return contexts, answers and conversation, for storing."""
        return self.contexts, self.answers, self.conversation


def make_pairs(
    conversations: Sequence[Sequence[Sequence[str]]],
    vocabulary: Vocabulary,
    context_utterances: int = 2,
    sentence_length: int = 50,
) -> Pairs:
    """Make all pairs of tokenised conversations: each utterance after the first is the answer to those before it.

    Args:
        conversations: The tokens of each utterance of each conversation.
        vocabulary: The vocabulary.
        context_utterances: N_u, the number of utterances in a context.
        sentence_length: s_s, the length of contexts and partial answers in tokens.
    """
    contexts, answers, owner = [], [], []
    for number, conversation in enumerate(conversations):
        encoded = [vocabulary.encode(utterance) for utterance in conversation]
        for i in range(1, len(encoded)):
            contexts.append(np.concatenate(encoded[max(0, i - context_utterances) : i]))
            answers.append(encoded[i])
            owner.append(number)
    return Pairs(
        pad_contexts(contexts, sentence_length), frame_answers(answers, sentence_length), np.array(owner, np.int32)
    )


def backward(pairs: Pairs) -> Pairs:
    """Exchange contexts and answers. Words beyond s_s tokens are cut."""
    length = pairs.contexts.shape[1]
    contexts = frame_answers([row[row != PAD] for row in pairs.contexts], length)
    return Pairs(answers_as_contexts(pairs.answers, length), contexts, pairs.conversation)


def unconditional(pairs: Pairs) -> Pairs:
    """Replace all contexts by empty ones."""
    return Pairs(np.full_like(pairs.contexts, PAD), pairs.answers, pairs.conversation)


PREDICTED = {"answer": lambda pairs: pairs, "context": backward, "unconditional": unconditional}  # Config.predict


def answers_as_contexts(answers: np.ndarray, sentence_length: int) -> np.ndarray:
    """Turn answers, (n, s_s + 1), into contexts of their words, (n, s_s) int32 padded on the left."""
    words = [row[(row != PAD) & (row != BOS) & (row != EOS)] for row in answers]
    return pad_contexts(words, sentence_length)


def pad_contexts(contexts: Sequence[Sequence[int] | np.ndarray], sentence_length: int) -> np.ndarray:
    """Pad the last s_s tokens of each context on the left: (n, s_s) int32."""
    rows = np.full((len(contexts), sentence_length), PAD, np.int32)
    for row, context in zip(rows, contexts, strict=True):
        tokens = np.asarray(context, np.int32)[-sentence_length:]
        row[sentence_length - len(tokens) :] = tokens
    return rows


def frame_answers(answers: Sequence[Sequence[int] | np.ndarray], sentence_length: int) -> np.ndarray:
    """Frame answers as `BOS answer EOS`, padded on the right and cut if too long: (n, s_s + 1) int32."""
    rows = np.full((len(answers), sentence_length + 1), PAD, np.int32)
    for row, answer in zip(rows, answers, strict=True):
        tokens = np.concatenate([[BOS], np.asarray(answer, np.int32), [EOS]])[: sentence_length + 1]
        row[: len(tokens)] = tokens
    return rows
