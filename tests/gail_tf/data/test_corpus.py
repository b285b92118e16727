"""The embedded corpus, from which a default run learns, must have a certain size and variety."""

import collections
import csv
import itertools
import re
from importlib import resources
from pathlib import Path

import pytest

from gail_tf.data.trajectories import EMBEDDED, count_trajectories, read_trajectories, read_tweets, split
from keras_gca.data.conversations import EMPATHETIC_HEADER, read_conversations
from keras_gca.data.text import detokenise, tokenise

EMOTIONS = """
    afraid angry annoyed anticipating anxious apprehensive ashamed caring confident content devastated
    disappointed disgusted embarrassed excited faithful furious grateful guilty hopeful impressed jealous joyful lonely
    nostalgic prepared proud sad sentimental surprised terrified trusting
"""
FOLDER = resources.files("gail_tf.data") / "corpus"
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def conversations():
    with resources.as_file(FOLDER / "conversations.csv") as file:
        return read_conversations(file)


@pytest.fixture(scope="module")
def uplifting():
    with resources.as_file(FOLDER / "uplifting.txt") as file:
        return read_tweets(file)


@pytest.fixture(scope="module")
def listening():
    with resources.as_file(FOLDER / "listening.csv") as file:
        return read_conversations(file)


@pytest.fixture(scope="module")
def texts(conversations, uplifting):
    return [utterance for conversation in conversations for utterance in conversation.utterances] + uplifting


@pytest.fixture(scope="module")
def of_listening(listening):
    return [utterance for conversation in listening for utterance in conversation.utterances]


def test_size_emotions_and_lengths(conversations, uplifting):
    emotions = collections.Counter(conversation.emotion for conversation in conversations)
    assert sorted(emotions) == EMOTIONS.split()
    assert min(emotions.values()) >= 8
    assert len(conversations) >= 256
    lengths = [len(conversation.utterances) for conversation in conversations]
    assert sum(lengths) >= 1200
    assert min(lengths) >= 4
    assert max(lengths) >= 8
    assert len(uplifting) >= 150


def test_the_short_conversations_have_all_emotions_and_one_or_two_responses(listening):
    emotions = collections.Counter(conversation.emotion for conversation in listening)
    assert sorted(emotions) == EMOTIONS.split()
    assert min(emotions.values()) >= 25
    assert len(listening) >= 3500
    lengths = collections.Counter(len(conversation.utterances) for conversation in listening)
    assert lengths.keys() == {2, 4}
    assert min(lengths.values()) >= 400


@pytest.mark.parametrize("name", EMBEDDED)
def test_the_layout_is_that_of_empathetic_dialogues(name):
    header, *lines = (FOLDER / name).read_text(encoding="utf-8").splitlines()
    assert header == EMPATHETIC_HEADER
    rows = [line.split(",") for line in lines]
    assert {len(row) for row in rows} == {8}
    groups = [(name, list(group)) for name, group in itertools.groupby(rows, key=lambda row: row[0])]
    assert len({name for name, _ in groups}) == len(groups)
    for _, group in groups:
        assert len({(context, prompt) for _, _, context, prompt, *_ in group}) == 1
        assert [row[1] for row in group] == [str(i + 1) for i in range(len(group))]
        assert [row[4] for row in group] == [str(i % 2) for i in range(len(group))]
    situations = {group[0][3] for _, group in groups}
    assert len(situations) == len(groups)


def test_no_text_repeats_another_but_short_responses(texts, listening):
    def counts(texts):
        return collections.Counter(" ".join(re.findall(r"[a-z0-9']+", text.lower())) for text in texts).values()

    assert max(counts(texts + [each.utterances[0] for each in listening])) == 1
    assert max(counts([text for each in listening for text in each.utterances[1::2]])) <= 6


def distinct_2(texts, keep):
    tokens = [[token for token in sentence if keep(token)] for sentence in tokenise(texts)]
    bigrams = [pair for sentence in tokens for pair in itertools.pairwise(sentence)]
    return len(set(bigrams)) / len(bigrams)


def test_distinct_2_is_at_least_0_5_with_and_without_punctuation(texts, of_listening):
    assert distinct_2(texts, lambda token: True) >= 0.5
    assert distinct_2(texts, lambda token: any(map(str.isalnum, token))) >= 0.5
    assert distinct_2(of_listening, lambda token: True) >= 0.3  # of three times as many words, in simple responses


def test_speakers_and_listeners_open_in_different_ways(conversations, listening):
    """If the replies had been made by a template, many of them would begin alike. Simple responses often do."""
    for part, shares in ((conversations, (0.25, 0.05)), (listening, (0.4, 0.2))):
        for place, share in enumerate(shares):
            openings = collections.Counter(
                tuple(tokens[: place + 1]) for tokens in tokenise([each.utterances[place] for each in part])
            )
            assert len(openings) >= 60
            assert max(openings.values()) <= share * openings.total()


def stretches(texts, length):
    """Return every sequence of this number of tokens, with the number of texts that contain it."""
    places = collections.defaultdict(set)
    for number, tokens in enumerate(tokenise(texts)):
        for start in range(len(tokens) - length + 1):
            places[tuple(tokens[start : start + length])].add(number)
    return collections.Counter({" ".join(stretch): len(numbers) for stretch, numbers in places.items()})


def test_no_stretch_of_eight_words_comes_back(texts):
    assert [stretch for stretch, count in stretches(texts, 8).items() if count > 1] == []


def test_few_stretches_of_the_short_conversations_come_back(listening, of_listening):
    counts = stretches([each.utterances[0] for each in listening], 8).values()
    assert sum(count > 1 for count in counts) <= 0.005 * len(counts)
    assert max(counts) <= 4
    counts = stretches(of_listening, 8).values()
    assert sum(count > 1 for count in counts) <= 0.02 * len(counts)


def test_no_judged_prompt_is_similar_to_an_utterance(texts, of_listening):
    """The similarity is the Jaccard index of the trigrams of words, with marks for both ends."""

    def trigrams(text):
        words = ["<", *re.findall(r"[a-z0-9']+", text.lower()), ">"]
        return {tuple(words[i : i + 3]) for i in range(max(1, len(words) - 2))}

    with (ROOT / "docs" / "judging" / "empathy_prompts.csv").open(encoding="utf-8") as file:
        prompts = [trigrams(row["prompt"]) for row in csv.DictReader(file)]
    assert len(prompts) == 40
    for text in texts + of_listening:
        own = trigrams(text)
        assert max(len(own & other) / len(own | other) for other in prompts) <= 0.5, text


def test_the_text_is_clean_and_survives_the_tokeniser(texts, of_listening):
    texts = texts + of_listening
    for text in texts:
        assert re.fullmatch(r"[A-Za-z0-9 ,.?!':]+", text), text
        assert text[-1] in ".?!", text
    spelled = [detokenise(tokens) for tokens in tokenise(texts)]
    differing = sum(a.lower() != b.lower() for a, b in zip(texts, spelled, strict=True))
    assert differing <= 0.005 * len(spelled)


def test_without_files_the_embedded_corpus_is_read_and_every_part_has_one_two_and_three_turns(
    conversations, listening, uplifting
):
    trajectories = read_trajectories()
    assert len(trajectories) == count_trajectories(conversations + listening) + len(uplifting)
    divided = split(trajectories, seed=0)
    for part in (divided.train, divided.test, divided.validation):
        turns = collections.Counter(min(each.turn, 3) for each in part if each.source == "empathetic")
        assert min(turns[turn] for turn in (1, 2, 3)) >= 10
        assert any(each.source == "tweets" for each in part)


def test_nothing_long_is_taken_from_the_public_corpora(texts, of_listening, shared_file):
    """Short questions such as "What happened?" may occur in other corpora. Longer sentences must not."""

    def bare(text):
        return " ".join(re.findall(r"[a-z0-9']+", text.lower()))

    names = ["empatheticdialogues/train.csv", "dailydialog/dialogues_train.txt"]
    corpora = [read_conversations(shared_file(f"data/{name}")) for name in names]
    public = {bare(text) for corpus in corpora for each in corpus for text in each.utterances}
    public |= set(map(bare, read_tweets(shared_file("data/tweets/DalaiLama.csv"))))
    assert [text for text in map(bare, texts + of_listening) if len(text.split()) > 5 and text in public] == []
