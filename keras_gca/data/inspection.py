"""Describes a corpus, so that a user can check whether it was read correctly."""

import itertools
from collections import Counter
from collections.abc import Iterator

import numpy as np

from glove.text_files import BadLines, counted, one_line
from keras_gca.data.conversations import Conversation, Corpus

LONG = 200  # words; longer utterances are unusual and are reported
MOST_SPEAKERS = 8


def described(corpus: Corpus, bad: BadLines, exchanges: int) -> list[str]:
    """Return lines that describe a corpus.

    Args:
        corpus: The corpus.
        bad: The `BadLines` object that has counted the bad lines.
        exchanges: The number of exchanges to show, from the beginning of the corpus.
    """
    lines = [str(corpus)]
    for context, answer in itertools.islice(_exchanges(corpus.conversations), exchanges):
        lines += [f"  context: {one_line(context)}", f"  answer:  {one_line(answer)}"]
    utterances = [text for conversation in corpus.conversations for text in conversation.utterances]
    words = [len(text.split()) for text in utterances]
    lines.append(_lengths("utterances in a conversation", [len(each.utterances) for each in corpus.conversations]))
    lines.append(_lengths("words in an utterance", words))
    lines.append(_speakers(corpus.speakers))
    emotions = Counter(label for each in corpus.conversations for label in (each.emotion, *each.emotions) if label)
    if emotions:
        lines.append(
            f"emotions: {len(emotions)}; most frequent: {', '.join(name for name, _ in emotions.most_common(5))}"
        )
    return [*lines, *_odd(corpus, utterances, words), bad.summary() or "every line can be used"]


def _exchanges(conversations: list[Conversation]) -> Iterator[tuple[str, str]]:
    for conversation in conversations:
        yield from itertools.pairwise(conversation.utterances)


def _lengths(what: str, lengths: list[int]) -> str:
    return f"{what}: {min(lengths)} to {max(lengths)}, median {np.median(lengths):g}"


def _speakers(speakers: Counter[str]) -> str:
    if not speakers:
        return "speakers: not named in the file; they are assumed to take turns"
    most = ", ".join(f"{one_line(name)} ({count:,})" for name, count in speakers.most_common(MOST_SPEAKERS))
    return f"speakers: {len(speakers):,}; {most}{' ...' if len(speakers) > MOST_SPEAKERS else ''}"


def _odd(corpus: Corpus, utterances: list[str], words: list[int]) -> Iterator[str]:
    alone = sum(len(conversation.utterances) == 1 for conversation in corpus.conversations)
    if alone:
        yield f"odd: {counted(alone, 'conversation')} with one utterance and no answer"
    if long := sum(count > LONG for count in words):
        yield f"odd: {counted(long, 'utterance')} with more than {LONG} words"
    if without := sum(not any(map(str.isalnum, text)) for text in utterances):
        yield f"odd: {counted(without, 'utterance')} without a letter or a digit"
    text, count = Counter(utterances).most_common(1)[0]
    if count > max(2, len(utterances) / 20):
        yield f"odd: {count:,} utterances are identical: {one_line(text)}"
    if len(corpus.conversations) == 1:
        yield "odd: only one conversation; in plain text, an empty line must separate conversations"
