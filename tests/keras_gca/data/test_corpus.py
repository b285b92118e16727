"""The embedded corpus, from which a default run learns, must have a certain size and variety."""

import collections
import itertools
import re
from importlib import resources

from keras_gca.data.conversations import read_conversations
from keras_gca.data.text import detokenise, tokenise


def utterances():
    return [utterance for conversation in read_conversations() for utterance in conversation.utterances]


def test_size_and_themes():
    conversations = read_conversations()
    themes = [file for file in (resources.files("keras_gca.data") / "corpus").iterdir() if file.name.endswith(".txt")]
    assert len(themes) >= 40
    assert len(conversations) >= 300
    assert len(utterances()) >= 2400
    lengths = {len(conversation.utterances) for conversation in conversations}
    assert min(lengths) >= 4
    assert len(lengths) >= 10


def test_at_most_2_percent_of_the_utterances_repeat_another():
    bare = collections.Counter(" ".join(re.findall(r"[a-z0-9']+", utterance.lower())) for utterance in utterances())
    repeated = sum(count - 1 for count in bare.values())
    assert repeated <= 0.02 * bare.total()


def test_distinct_2_is_at_least_0_35_with_and_without_punctuation():
    for keep in (lambda token: True, lambda token: any(map(str.isalnum, token))):
        tokens = [[token for token in sentence if keep(token)] for sentence in tokenise(utterances())]
        bigrams = [pair for sentence in tokens for pair in itertools.pairwise(sentence)]
        assert len(set(bigrams)) / len(bigrams) >= 0.35


def test_conversations_open_in_different_ways():
    openings = collections.Counter(tokenise([c.utterances[0]])[0][0] for c in read_conversations()[::5])
    assert len(openings) >= 30
    assert max(openings.values()) <= 0.25 * openings.total()


def test_the_text_is_clean_and_survives_the_tokeniser():
    for utterance in utterances():
        assert re.fullmatch(r"[A-Za-z0-9 ,.?!':]+", utterance), utterance
        assert utterance[-1] in ".?!", utterance
    spelled = [detokenise(tokens) for tokens in tokenise(utterances())]
    differing = sum(a.lower() != b.lower() for a, b in zip(utterances(), spelled, strict=True))
    assert differing <= 0.005 * len(spelled)
