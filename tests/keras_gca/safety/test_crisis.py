import time

import pytest

from gail_tf.data.trajectories import read_trajectories
from keras_gca.safety.crisis import FIRST_USE_NOTICE, NOTE, speaks_of_crisis
from tests.keras_gca.safety.crisis_messages import HELD_OUT_SILENT, HELD_OUT_SPEAK, SILENT, SPEAK


@pytest.mark.parametrize("message", SPEAK)
def test_messages_that_speak_of_crisis(message):
    assert speaks_of_crisis(message)


@pytest.mark.parametrize("message", SILENT)
def test_messages_that_do_not(message):
    assert not speaks_of_crisis(message)


def test_held_out_messages_that_name_the_matter():
    """The patterns recognised 23 of 30 new messages.

    The patterns were developed without these messages.
    """
    assert sum(map(speaks_of_crisis, HELD_OUT_SPEAK)) >= 23


def test_held_out_false_alarms():
    """The patterns took 2 of 40 new harmless messages for a crisis."""
    assert sum(map(speaks_of_crisis, HELD_OUT_SILENT)) <= 2


@pytest.mark.parametrize(
    "message",
    [
        "I WANT TO DIE",
        "i want   to\ndie",
        "I’m going to kill myself",
        "I am s*icidal",
        "thinking of su1cide",
        "i want to dieeee",
        "Nice weather. I want to die. What about you?",
        "I don`t want to live anymore",
    ],
)
def test_spelling_case_and_place_do_not_matter(message):
    assert speaks_of_crisis(message)


@pytest.mark.parametrize("message", ["", " ", "...", "?!", "42", "今日はいい天気です", "\x00", "😀"])
def test_messages_without_english_words(message):
    assert not speaks_of_crisis(message)


def test_words_of_two_sentences_are_not_read_as_one():
    assert not speaks_of_crisis("What do you want to? Die Hard or a comedy?")
    assert not speaks_of_crisis("I am tired of. Living room curtains are next.")


def test_long_messages_take_no_longer_than_their_length_asks():
    speaks_of_crisis("")  # compiles the patterns
    for part in ("i want to go and she will say that he said ", "my dad ", ". ", "a", "he would really want the die "):
        start = time.perf_counter()
        speaks_of_crisis(part * (20_000 // len(part)))
        assert time.perf_counter() - start < 5


def test_the_note_and_the_notice_say_what_they_must():
    for text in (NOTE, FIRST_USE_NOTICE):
        assert "research program" in text
        assert "emergency" in text
        assert "crisis line" in text
        assert not speaks_of_crisis(text)
    assert "cannot help" in NOTE
    assert "now" in NOTE


@pytest.mark.thorough
def test_the_embedded_corpus_speaks_of_no_crisis():
    texts = {text for each in read_trajectories() for text in (*each.history, each.prompt, each.response)}
    assert [text for text in texts if speaks_of_crisis(text)] == []


def test_few_prompts_of_empathetic_dialogues_raise_the_alarm(shared_file):
    trajectories = read_trajectories([shared_file("data/empatheticdialogues/valid.csv")])
    alarms = [each.prompt for each in trajectories if speaks_of_crisis(each.prompt)]
    assert len(alarms) <= 0.01 * len(trajectories)
    assert "I told my best friends about my suicidal thoughts." in alarms
