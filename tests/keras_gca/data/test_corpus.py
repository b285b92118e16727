"""The embedded corpus, from which a default run learns, must have a certain size and variety."""

import collections
import csv
import itertools
import re
from pathlib import Path

import pytest

import keras_gca.data
from keras_gca.data.conversations import read_conversations
from keras_gca.data.text import detokenise, tokenise
from tests.places import PROJECT

CORPUS = Path(keras_gca.data.__file__).parent / "corpus"
THEMES = sorted({*CORPUS.glob("*.txt")} - {*CORPUS.glob("first_*.txt"), *CORPUS.glob("speaker_*.txt")})
FIRST, SPEAKERS = sorted(CORPUS.glob("first_*.txt")), sorted(CORPUS.glob("speaker_*.txt"))


def conversations_of(files):
    """Return the conversations of a part of the corpus. A conversation is the list of its utterances."""
    return [conversation.utterances for file in files for conversation in read_conversations(file)]


def utterances(files=THEMES):
    return list(itertools.chain.from_iterable(conversations_of(files)))


def words(utterance):
    return re.findall(r"[a-z0-9]+(?:'[a-z]+)?", utterance.lower())


def repeated(things):
    """Return the share of things that are equal to an earlier one."""
    counts = collections.Counter(things)
    return sum(count - 1 for count in counts.values()) / counts.total()


def test_the_parts_are_the_whole_corpus():
    parts = conversations_of([*THEMES, *FIRST, *SPEAKERS])
    assert collections.Counter(parts) == collections.Counter(c.utterances for c in read_conversations())


def test_size_and_themes():
    conversations = conversations_of(THEMES)
    assert len(THEMES) >= 40
    assert len(conversations) >= 300
    assert len(utterances()) >= 2400
    lengths = {len(conversation) for conversation in conversations}
    assert min(lengths) >= 4
    assert len(lengths) >= 10


def test_at_most_2_percent_of_the_utterances_repeat_another():
    assert repeated(" ".join(re.findall(r"[a-z0-9']+", utterance.lower())) for utterance in utterances()) <= 0.02


def test_distinct_2_is_at_least_0_35_with_and_without_punctuation():
    for keep in (lambda token: True, lambda token: any(map(str.isalnum, token))):
        tokens = [[token for token in sentence if keep(token)] for sentence in tokenise(utterances())]
        bigrams = [pair for sentence in tokens for pair in itertools.pairwise(sentence)]
        assert len(set(bigrams)) / len(bigrams) >= 0.35


def test_conversations_open_in_different_ways():
    openings = collections.Counter(tokenise([c[0]])[0][0] for c in conversations_of(THEMES)[::5])
    assert len(openings) >= 30
    assert max(openings.values()) <= 0.25 * openings.total()


@pytest.mark.thorough
def test_the_text_is_clean_and_survives_the_tokeniser():
    everything = [*THEMES, *FIRST, *SPEAKERS]
    for utterance in utterances(everything):
        assert re.fullmatch(r"[A-Za-z0-9 ,.?!':]+", utterance), utterance
        assert utterance[-1] in ".?!", utterance
    for part in (THEMES, FIRST, SPEAKERS):
        spelled = [detokenise(tokens) for tokens in tokenise(utterances(part))]
        differing = sum(a.lower() != b.lower() for a, b in zip(utterances(part), spelled, strict=True))
        assert differing <= 0.005 * len(spelled)


def test_there_are_2000_short_conversations_that_begin_with_a_first_message():
    lengths = [len(conversation) for conversation in conversations_of([*FIRST, *SPEAKERS])]
    assert len(lengths) >= 2000
    assert min(lengths) == 2
    assert max(lengths) <= 6


def test_a_first_message_stands_in_at_most_6_conversations():
    first = collections.Counter(" ".join(words(c[0])) for c in conversations_of([*FIRST, *SPEAKERS]))
    assert max(first.values()) <= 6


def test_few_answers_to_first_messages_repeat():
    bare = [[" ".join(words(line)) for line in c] for c in conversations_of([*FIRST, *SPEAKERS])]
    assert repeated(pair for conversation in bare for pair in itertools.pairwise(conversation)) <= 0.02
    assert repeated(line for conversation in bare for line in conversation[1:]) <= 0.10


def test_the_conversations_are_not_made_from_a_pattern():
    conversations = conversations_of([*FIRST, *SPEAKERS])
    owners = collections.defaultdict(set)
    bigrams = []
    for number, conversation in enumerate(conversations):
        for line in map(words, conversation):
            bigrams += itertools.pairwise(line)
            for start in range(len(line) - 4):
                owners[tuple(line[start : start + 5])].add(number)
    assert sum(len(numbers) > 3 for numbers in owners.values()) <= 0.01 * len(owners)
    assert len(set(bigrams)) / len(bigrams) >= 0.30


def test_speakers_are_described_and_have_20_conversations_each():
    with (CORPUS / "speakers.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) >= 12
    assert [row["file"] for row in sorted(rows, key=lambda row: row["file"])] == [file.name for file in SPEAKERS]
    for row in rows:
        assert all(row.values()), row
        conversations = conversations_of([CORPUS / row["file"]])
        assert len(conversations) >= 20, row
        assert any(re.search(rf"\b{row['name']}\b", line) for c in conversations for line in c[1::2]), row


@pytest.mark.thorough
def test_no_judged_message_is_similar_to_a_line_of_the_corpus():
    """The similarity is the Jaccard index of the trigrams of words, with marks for both ends."""

    def trigrams(text):
        padded = ["<", *words(text), ">"]
        return {tuple(padded[i : i + 3]) for i in range(len(padded) - 2)}

    with (PROJECT / "docs" / "judging" / "first_messages.csv").open(encoding="utf-8", newline="") as stream:
        messages = [row["message"] for row in csv.DictReader(stream)]
    assert len(messages) == 100
    lines = [(line, trigrams(line)) for line in utterances([*THEMES, *FIRST, *SPEAKERS])]
    for message in messages:
        own = trigrams(message)
        similar = [line for line, other in lines if len(own & other) > 0.5 * len(own | other)]
        assert not similar, (message, similar)
