"""`python -m keras_gca.inspect` shows how a corpus is read, without a training run."""

import pytest

from keras_gca import inspect
from keras_gca.engine import command_line


def shown(capsys, *arguments) -> list[str]:
    assert command_line.run(inspect.main, "inspect", list(map(str, arguments))) == 0
    return capsys.readouterr().out.splitlines()


def test_a_corpus_is_described(tmp_path, capsys):
    path = tmp_path / "a.txt"
    path.write_text(
        "Ann: Hi there.\nTim: Hello, Ann.\n\nAnn: Yes?\nTim: ...\nAnn: Hi there.\n\nTim: Oh.\nAnn: No.\n\nAnn: So.\n"
    )
    assert shown(capsys, path, "--exchanges", 2) == [
        f"{path}: read as plain text with speakers: 4 conversations, 8 utterances",
        "  context: Hi there.",
        "  answer:  Hello, Ann.",
        "  context: Yes?",
        "  answer:  ...",
        "utterances in a conversation: 1 to 3, median 2",
        "words in an utterance: 1 to 2, median 1",
        "speakers: 2; Ann (5), Tim (3)",
        "odd: 1 conversation with one utterance and no answer",
        "odd: 1 utterance without a letter or a digit",
        "every line can be used",
    ]
    assert shown(capsys, path, "--format", "text")[1] == "  context: Ann: Hi there."


def test_bad_lines_and_labels_are_shown(tmp_path, capsys):
    (tmp_path / "dialogues_x.txt").write_text("A __eou__ B __eou__\nC __eou__ D __eou__\nno mark\n")
    (tmp_path / "dialogues_emotion_x.txt").write_text("0 6\n6 4\n")
    said = shown(capsys, tmp_path / "dialogues_x.txt")
    assert "emotions: 2; most frequent: surprise, happiness" in said
    assert "speakers: not named in the file; they are assumed to take turns" in said
    assert said[-1] == f"bad lines skipped: 1; 1 without __eou__ (first {tmp_path / 'dialogues_x.txt'}:3)"


def test_what_cannot_be_read_is_one_line(said, tmp_path):
    (tmp_path / "a.srt").write_text("1\n00:01 --> 00:02\nHi.\n\n2\n00:03 --> 00:04\nYes.\n")
    assert "a.srt: the file looks like subtitles" in said(inspect.main, "inspect", "a.srt")
    assert "none.txt: no such file" in said(inspect.main, "inspect", "none.txt")


@pytest.mark.parametrize("text", ["One.\nTwo.\nThree.\n", "Same.\n" * 9])
def test_odd_corpora(tmp_path, capsys, text):
    (tmp_path / "a.txt").write_text(text)
    said = shown(capsys, tmp_path / "a.txt")
    assert "odd: only one conversation; in plain text, an empty line must separate conversations" in said
    assert ("odd: 9 utterances are identical: Same." in said) == (text.count("Same.") == 9)
