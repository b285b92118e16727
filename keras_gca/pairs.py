"""Context/answer pairs with N_u, as arrays.

The conventions of the `masked` padding (design rule 4): PAD is index 0 and stands for nothing else.

contexts: (n, s_s) int32, the last s_s tokens of the N_u utterances before the answer, padded on the left.
answers:  (n, s_s + 1) int32, `BOS w1 ... wn EOS` padded on the right: s_s partial answers, and the token after each.
          An answer too long to end within s_s + 1 tokens is cut, and then has no EOS: its end was never seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keras_gca.config import Config
from keras_gca.conversations import Conversation
from keras_gca.errors import UserError
from keras_gca.text import tokenise
from keras_gca.vocabulary import BOS, EOS, PAD, Vocabulary, usual_surfaces

MINIMUM_PAIRS = 20
BUCKET = 8  # batches are padded to multiples of this many tokens: few shapes to compile, little padding to compute
POOL = 32  # batches whose pairs are sorted by length together: wider pools pad less, narrower ones mix more


@dataclass(frozen=True)
class Pairs:
    """Contexts and answers as arrays (see the module), and the conversation that each pair comes from.

    conversation: (n,) int32. Where a corpus has ten conversations or more, none is divided between training and
    validation.
    """

    contexts: np.ndarray
    answers: np.ndarray
    conversation: np.ndarray

    def __len__(self) -> int:
        return len(self.contexts)

    def __getitem__(self, selection) -> "Pairs":
        return Pairs(self.contexts[selection], self.answers[selection], self.conversation[selection])

    @property
    def tokens(self) -> int:
        """The number of target tokens: every token after BOS, EOS included."""
        return int((self.answers[:, 1:] != PAD).sum())

    @staticmethod
    def concatenate(parts: Sequence["Pairs"]) -> "Pairs":
        """Several Pairs as one, in their order."""
        return Pairs(*(np.concatenate(arrays) for arrays in zip(*(part.arrays() for part in parts), strict=True)))

    @classmethod
    def of_arrays(cls, arrays: Sequence[np.ndarray], vocabulary_size: int, sentence_length: int) -> "Pairs":
        """What `arrays` gave. Raises ValueError where they are of other shapes, or of words that there are not."""
        contexts, answers, conversation = arrays
        expected = [(conversation.size, sentence_length), (conversation.size, sentence_length + 1)]
        if [contexts.shape, answers.shape] != expected or conversation.ndim != 1:
            raise ValueError(f"pairs of shapes {contexts.shape} and {answers.shape} where {expected} are expected")
        if not conversation.size or any(array.dtype.kind not in "iu" for array in arrays):
            raise ValueError("pairs of whole numbers are expected, one or more")
        for array in (contexts, answers):
            if array.min() < 0 or array.max() >= vocabulary_size:
                raise ValueError(f"a word from {array.min()} to {array.max()} where there are {vocabulary_size} words")
        return cls(*arrays)

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.contexts, self.answers, self.conversation


def make_pairs(
    conversations: Sequence[Sequence[Sequence[str]]],
    vocabulary: Vocabulary,
    context_utterances: int = 2,
    sentence_length: int = 50,
) -> Pairs:
    """All pairs of tokenised conversations: each utterance after the first is the answer to those before it.

    context_utterances: N_u. sentence_length: s_s.
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
    """The pairs the other way round: what was the answer is the context. Words beyond s_s tokens are cut."""
    length = pairs.contexts.shape[1]
    contexts = frame_answers([row[row != PAD] for row in pairs.contexts], length)
    return Pairs(answers_as_contexts(pairs.answers, length), contexts, pairs.conversation)


def unconditional(pairs: Pairs) -> Pairs:
    """The same answers to empty contexts."""
    return Pairs(np.full_like(pairs.contexts, PAD), pairs.answers, pairs.conversation)


PREDICTED = {"answer": lambda pairs: pairs, "context": backward, "unconditional": unconditional}  # Config.predict


def answers_as_contexts(answers: np.ndarray, sentence_length: int) -> np.ndarray:
    """Answers `BOS ... EOS` as contexts: their words, padded on the left."""
    words = [row[(row != PAD) & (row != BOS) & (row != EOS)] for row in answers]
    return pad_contexts(words, sentence_length)


def pad_contexts(contexts: Sequence[Sequence[int]], sentence_length: int) -> np.ndarray:
    """(n, s_s) int32: the last s_s tokens of each context, padded on the left."""
    rows = np.full((len(contexts), sentence_length), PAD, np.int32)
    for row, context in zip(rows, contexts, strict=True):
        tokens = np.asarray(context, np.int32)[-sentence_length:]
        row[sentence_length - len(tokens) :] = tokens
    return rows


def frame_answers(answers: Sequence[Sequence[int]], sentence_length: int) -> np.ndarray:
    """(n, s_s + 1) int32: `BOS answer EOS` padded on the right, cut where it is too long."""
    rows = np.full((len(answers), sentence_length + 1), PAD, np.int32)
    for row, answer in zip(rows, answers, strict=True):
        tokens = np.concatenate([[BOS], np.asarray(answer, np.int32), [EOS]])[: sentence_length + 1]
        row[: len(tokens)] = tokens
    return rows


@dataclass(frozen=True)
class Dataset:
    """A corpus made ready for training.

    vocabulary: built from the training text alone (but for how names are written).
    training, validation: its pairs. documents: the tokenised training conversations, to fit word vectors to.
    whole_conversations: whether whole conversations are held out, or single pairs (see `hold_out`).
    """

    vocabulary: Vocabulary
    training: Pairs
    validation: Pairs
    documents: list[list[str]]
    whole_conversations: bool


def prepare(conversations: Sequence[Conversation], config: Config, words: Sequence[str] | None = None) -> Dataset:
    """Tokenise conversations, hold a part of them out, build the vocabulary, and make the pairs.

    words: of the vocabulary, in their order, instead of the most frequent ones of the training text.
    Raises UserError where the corpus is too small to be divided, or where no word of it is in the vocabulary.
    """
    tokenised = _tokenise_all(conversations, config.contractions)
    if config.max_pairs is not None:
        tokenised = _some(tokenised, config.max_pairs, config.seed)
    owner = np.repeat(np.arange(len(tokenised)), [len(conversation) - 1 for conversation in tokenised])
    if len(owner) < MINIMUM_PAIRS:
        raise UserError(f"the corpus has {len(owner)} context/answer pairs; at least {MINIMUM_PAIRS} are needed")
    held_out = hold_out(owner, config.validation_fraction, config.seed)

    # Training text: the answers of the training pairs, and the first utterance of each of their conversations.
    documents, start = [], 0
    for conversation in tokenised:
        held = held_out[start : start + len(conversation) - 1]
        start += len(held)
        kept = [utterance for utterance, out in zip(conversation[1:], held, strict=True) if not out]
        if kept:
            documents.append([conversation[0], *kept])
    cased = tokenise(
        [text for conversation in conversations for text in conversation.utterances], config.contractions, lower=False
    )
    vocabulary = Vocabulary.build(
        (utterance for document in documents for utterance in document),
        config.vocabulary_size,
        config.minimum_count,
        usual_surfaces(cased),
        period_first=config.padding == "original",
        words=words,
    )
    if words is not None and not any(vocabulary.counts.values()):
        raise UserError("none of the vocabulary's words stands in the training text")
    if not vocabulary.counts:
        raise UserError(f"no word of the training text stands {config.minimum_count} times; try --minimum-count 1")
    pairs = make_pairs(tokenised, vocabulary, config.context_utterances, config.sentence_length)
    pairs = PREDICTED[config.predict](pairs)
    return Dataset(
        vocabulary,
        pairs[~held_out],
        pairs[held_out],
        [[token for utterance in document for token in utterance] for document in documents],
        whole_conversations=_is_divisible(owner),
    )


def hold_out(owner: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Which pairs to hold out, (n,) bool: whole conversations at random by seed.

    owner: (n,) the conversation of each pair. fraction: the share of the conversations to hold out. A corpus of fewer
    than ten conversations, or with one that holds a tenth of all pairs, cannot be divided so (the paper's own, without
    boundaries, is one): there single pairs are drawn, and their contexts overlap with training utterances.
    """
    random = np.random.default_rng(seed)
    if _is_divisible(owner):
        groups = np.unique(owner)
        return np.isin(owner, random.choice(groups, max(1, round(fraction * len(groups))), replace=False))
    held_out = np.zeros(len(owner), bool)
    held_out[random.choice(len(owner), max(1, round(fraction * len(owner))), replace=False)] = True
    return held_out


def _is_divisible(owner: np.ndarray) -> bool:
    sizes = np.unique(owner, return_counts=True)[1]
    return len(sizes) >= 10 and int(sizes.max()) <= max(len(owner) / 10, 10)


def _tokenise_all(conversations: Sequence[Conversation], style: str) -> list[list[list[str]]]:
    """Tokenised conversations of at least two utterances; utterances without a token are left out."""
    flat = iter(tokenise([text for conversation in conversations for text in conversation.utterances], style))
    tokenised = [[tokens for _ in conversation.utterances if (tokens := next(flat))] for conversation in conversations]
    return [conversation for conversation in tokenised if len(conversation) > 1]


def _some(conversations: list[list[list[str]]], max_pairs: int, seed: int) -> list[list[list[str]]]:
    """Conversations at random by seed, in their order, until max_pairs are reached; the last one is cut there."""
    left, chosen = max_pairs, {}
    for number in np.random.default_rng(seed).permutation(len(conversations)):
        if left <= 0:
            break
        chosen[number] = conversations[number][: left + 1]
        left -= len(chosen[number]) - 1
    return [chosen[number] for number in sorted(chosen)]


def plan_batches(pairs: Pairs, batch_size: int, seed: int | None = None) -> list[np.ndarray]:
    """The batches of one epoch, as arrays of indices: pairs of like lengths go together, so that little is padding.

    seed: shuffles; None keeps a fixed order, for validation. The same seed gives the same plan, so that an epoch can be
        resumed in its middle.
    """
    random = np.random.default_rng(seed)
    order = np.arange(len(pairs)) if seed is None else random.permutation(len(pairs))
    context_widths = _bucket(np.count_nonzero(pairs.contexts, axis=1))
    answer_lengths = np.count_nonzero(pairs.answers, axis=1)
    batches = []
    pool = POOL * batch_size
    for start in range(0, len(order), pool):
        drawn = order[start : start + pool]
        drawn = drawn[np.lexsort((answer_lengths[drawn], context_widths[drawn]))]
        batches += [drawn[i : i + batch_size] for i in range(0, len(drawn), batch_size)]
    if seed is not None:
        batches = [batches[i] for i in random.permutation(len(batches))]
    return batches


def take_batch(pairs: Pairs, selection: np.ndarray, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
    """(contexts, answers) of one batch, cut to the width that its longest needs, rounded up to a multiple of BUCKET.

    A batch of fewer pairs is filled up with rows of padding, which have no tokens and count for nothing: every batch
    of a width has one shape, compiled once.
    """
    contexts = np.full((batch_size, pairs.contexts.shape[1]), PAD, np.int32)
    answers = np.full((batch_size, pairs.answers.shape[1]), PAD, np.int32)
    contexts[: len(selection)], answers[: len(selection)] = pairs.contexts[selection], pairs.answers[selection]
    steps = int(_bucket(np.count_nonzero(answers, axis=1) - 1).max())
    return cut_contexts(contexts), answers[:, : min(steps + 1, answers.shape[1])]


def cut_contexts(contexts: np.ndarray) -> np.ndarray:
    """Contexts without columns that are padding in every row: the widest row's length, rounded up to BUCKET."""
    width = int(_bucket(np.count_nonzero(contexts, axis=1)).max())
    return contexts[:, -min(width, contexts.shape[1]) :]


def _bucket(lengths: np.ndarray) -> np.ndarray:
    return np.maximum(-(-lengths // BUCKET), 1) * BUCKET
