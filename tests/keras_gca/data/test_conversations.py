import pytest

from keras_gca.data.conversations import Conversation, read_conversations
from keras_gca.errors import UserError

EMPATHETIC = """conv_id,utterance_idx,context,prompt,speaker_idx,utterance,selfeval,tags
hit:0_conv:1,1,sad,My cat_comma_ you know,0,"Hello_comma_ there",5|5|5_2|2|5,
hit:0_conv:1,2,sad,My cat_comma_ you know,1,Hi.,5|5|5_2|2|5,
hit:1_conv:2,1,proud,I won,0,I won!,,
hit:1_conv:2,2,proud,I won,1,Well done.,,
"""


def write(path, text, encoding="utf-8"):
    path.write_text(text, encoding=encoding)
    return path


def utterances(conversations):
    return [conversation.utterances for conversation in conversations]


def test_plain_text_with_empty_lines_between_conversations(tmp_path):
    file = write(tmp_path / "a.txt", "\ufeffHi.\n Hello. \n\n\n  \nBye.\r\nBye-bye.\n\n")
    assert utterances(read_conversations(file)) == [("Hi.", "Hello."), ("Bye.", "Bye-bye.")]


def test_a_folder_of_text_files_is_one_corpus(tmp_path):
    write(tmp_path / "b.txt", "3\n4\n")
    write(tmp_path / "a.txt", "1\n2")
    assert utterances(read_conversations(tmp_path)) == [("1", "2"), ("3", "4")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_folder_of_text_files_with_the_names_of_speakers(tmp_path, encoding):
    write(tmp_path / "a.txt", "Hi.\nHello.\nBye.\n")
    write(tmp_path / "speakers.csv", "file,name\na.txt,Zoë\n", encoding)
    assert [each.speakers for each in read_conversations(tmp_path)] == [(None, "Zoë", None)]


def test_dailydialog(tmp_path):
    file = write(tmp_path / "d.txt", "Hi . __eou__ I don ’ t , Let ' s ! __eou__\n\nA __eou__ B __eou__ C __eou__\n")
    assert utterances(read_conversations(file)) == [("Hi .", "I don't , Let's !"), ("A", "B", "C")]
    with pytest.raises(UserError, match=r"d\.txt: the file has the format dailydialog, not plain text"):
        read_conversations(tmp_path)


@pytest.mark.parametrize("tail", ["\t3\t0 4", "\t10", " \t3\t1 2\t0 4 ", "\t\t0 4", " 0 4", " # 0 4", "\t"])
def test_labels_after_the_last_mark_of_dailydialog_are_left_out(tmp_path, tail):
    file = write(tmp_path / "d.txt", f"A __eou__ B __eou__{tail}\n")
    assert utterances(read_conversations(file)) == [("A", "B")]


@pytest.mark.parametrize("tail", ["3", "0 4 4", "C 3", "It is 3\t4"])
def test_other_text_after_the_last_mark_of_dailydialog_is_an_utterance(tmp_path, tail):
    file = write(tmp_path / "d.txt", f"A __eou__ B __eou__ {tail}\n")
    assert utterances(read_conversations(file)) == [("A", "B", tail)]


@pytest.mark.parametrize(
    ("name", "emotions"),
    [
        ("dialogues_train.txt", "dialogues_emotion_train.txt"),
        ("dialogues_text.txt", "dialogues_emotion.txt"),
    ],
)
def test_dailydialog_with_the_emotions_beside_it(tmp_path, name, emotions):
    file = write(tmp_path / name, "Hi . __eou__ Boo ! __eou__\n\nNo . __eou__ Yes . __eou__ No ! __eou__\n")
    write(tmp_path / emotions, "0 6 \n\n5 4 1 \n")
    assert read_conversations(file) == [
        Conversation(("Hi .", "Boo !"), emotions=(None, "surprise")),
        Conversation(("No .", "Yes .", "No !"), emotions=("sadness", "happiness", "anger")),
    ]
    for wrong in ("0 6\n\n5 4\n", "0 6\n\n5 4 7\n", "0 6\n"):
        write(tmp_path / emotions, wrong)
        with pytest.raises(
            UserError, match=rf"{emotions}:3: the emotions do not match line 3 of {name}; 3 numbers from 0 to 6"
        ):
            read_conversations(file)


def test_empathetic_dialogues_with_literal_quotes_and_commas(tmp_path):
    file = write(tmp_path / "e.csv", EMPATHETIC)
    assert read_conversations(file) == [
        Conversation(('"Hello, there"', "Hi."), "sad"),
        Conversation(("I won!", "Well done."), "proud"),
    ]


def test_cornell(tmp_path):
    sep = " +++$+++ "
    lines = [
        ("L1", "u0", "m0", "A", "They do not!"),
        ("L2", "u1", "m0", "B", "Ils d\xe9j\xe0!"),
        ("L3", "u0", "m0", "A", "Oh"),
    ]
    write(tmp_path / "movie_lines.txt", "".join(sep.join(line) + "\n" for line in lines), "latin-1")
    write(
        tmp_path / "movie_conversations.txt", f"u0{sep}u1{sep}m0{sep}['L1', 'L2']\nu0{sep}u1{sep}m0{sep}['L2', 'L3']\n"
    )
    expected = [("They do not!", "Ils déjà!"), ("Ils déjà!", "Oh")]
    assert utterances(read_conversations(tmp_path)) == expected
    assert utterances(read_conversations(tmp_path / "movie_lines.txt")) == expected
    write(tmp_path / "movie_conversations.txt", f"u0{sep}u1{sep}m0{sep}['L1', 'L9']\n")
    with pytest.raises(UserError, match=r"movie_conversations\.txt:1: the utterance L9 is not in movie_lines\.txt"):
        read_conversations(tmp_path)
    (tmp_path / "movie_conversations.txt").unlink()
    with pytest.raises(UserError, match=r"movie_conversations\.txt: the file is missing"):
        read_conversations(tmp_path)


def test_json_lines(tmp_path):
    file = write(
        tmp_path / "c.jsonl",
        '["Hi.", "Hello\\nthere."]\n\n{"utterances": [{"text": "A", "speaker": 1}, {"text": "B"}], "emotion": "sad"}\n',
    )
    assert read_conversations(file) == [Conversation(("Hi.", "Hello there.")), Conversation(("A", "B"), "sad")]


@pytest.mark.parametrize(
    ("name", "text", "format", "message"),
    [
        (
            "a.txt",
            "only one line\n",
            None,
            r"a\.txt: the corpus has no conversation of two or more utterances \(the file was read as text\)",
        ),
        ("a.txt", "", None, "no conversation of two or more"),
        ("d.txt", "A __eou__ B __eou__\nno mark\n", None, r"d\.txt:2: the line has no __eou__"),
        ("e.csv", EMPATHETIC + "hit:2,1,sad\n", None, r"e\.csv:6: 3 fields; 8 are expected"),
        ("c.jsonl", '["A", "B"]\n["A", \n', None, r"c\.jsonl:2: the line is not JSON"),
        ("c.jsonl", '{"turns": []}\n', None, r"c\.jsonl:1: no list of utterances; a list of strings or"),
        ("c.jsonl", "[1, 2]\n", None, r"c\.jsonl:1: an utterance is not text"),
        (
            "c.jsonl",
            '["A", "\\ud83d"]\n',
            None,
            r"c\.jsonl:1: the JSON cannot be used \(a text contains half of a surrogate pair",
        ),
        ("a.txt", '["Phone rings"] Hello?\nHi.\n', None, r"--format text reads plain text"),
        ("a.txt", "A\nB\n", "xml", r"'xml' is not a corpus format; choose from text, cornell"),
    ],
)
def test_errors_say_where_and_what_would_be_right(tmp_path, name, text, format, message):
    with pytest.raises(UserError, match=message):
        read_conversations(write(tmp_path / name, text), format)


def test_a_missing_or_undecodable_file(tmp_path):
    with pytest.raises(UserError, match=r"none\.txt: no such file"):
        read_conversations(tmp_path / "none.txt")
    (tmp_path / "b.txt").write_bytes(b"fine\nalso\n\xff\xfebad\n")
    with pytest.raises(UserError, match=r"b\.txt:3: the line is not UTF-8"):
        read_conversations(tmp_path / "b.txt")


@pytest.mark.parametrize(
    ("name", "conversations", "count"),
    [
        ("data/ludwig_english_courses/dialog_simple", 1, 6921),
        ("data/dailydialog/dialogues_train.txt", 11118, 87170),
        ("data/empatheticdialogues/valid.csv", 2770, 12078),
    ],
)
def test_real_corpora_are_detected_and_read_whole(shared_file, name, conversations, count):
    corpus = read_conversations(shared_file(name))
    assert len(corpus) == conversations
    assert sum(len(conversation.utterances) for conversation in corpus) == count
