"""Messages about data files say what is wrong and what to do. They do not repeat libraries' hints to programmers."""

import json
import re

import pytest

from gail_tf import experiments
from gail_tf import train as gail_train
from gail_tf.data.trajectories import read_trajectories, read_tweets
from keras_gca import inspect, studies
from keras_gca import train as gca_train
from keras_gca.data.conversations import read_corpus
from keras_gca.errors import UserError
from keras_gca.evaluation.human_ratings import read_ratings
from keras_gca.survey import __main__ as survey_command
from keras_gca.survey.paper_form import read_form
from tests import fuzz_targets

# Words of messages of Python and its libraries, which advise programmers.
FOR_PROGRAMMERS = re.compile(r"newline=|universal|set_int_max|open the file|Traceback|NoneType|utf_8|codec|\bsys\.")
HALF = b'["Hi.", "\\ud800"]'

# name of the file: its content, what the message says, and what it must not say
FILES: dict[str, tuple[bytes, str, str]] = {
    # Valid JSON is not called something else.
    "digits.json": (b"[[" + b"1" * 5000 + b"]]", "JSON cannot be used (a number has more than 4,300", "not JSON"),
    "half.json": (b"[" + HALF + b"]", "JSON cannot be used (a text contains half of a surrogate", "not JSON"),
    "half.jsonl": (HALF + b"\n", "JSON cannot be used (a text contains half of a surrogate pair", "not JSON"),
    "deep.json": (b"[" * 99 + b"]" * 99, "cannot be used (lists or objects are nested more than 50", "not JSON"),
    # What was read is named, so that its owner recognises it.
    "keys.jsonl": (
        b'{"title": "x", "year": 1}\n{"title": "y"}\n',
        "; the keys of this object are title, year",
        "not JSON",
    ),
    "keys.json": (b'{\n"title": "x",\n"year": 1\n}\n', "; the keys of this object are title, year", "not JSON"),
    # Skipping lines does not make an archive or a program readable.
    "a.gz": (
        b"\x1f\x8b\x08" + bytes(40),
        "a gzip archive, which cannot be read; unpack it and give",
        "--skip-bad-lines",
    ),
    "a.7z": (b"7z\xbc\xaf\x27\x1c" + bytes(40), "a 7z archive, which cannot be read; unpack it", "--skip-bad-lines"),
    "a.bin": (bytes(range(32)) * 9, "looks like a binary file, which cannot be read", "--skip-bad-lines"),
    # The fault of a table is where its row begins.
    "a.csv": (
        b'question,answer\nHi.,"Yes.\n' + b"No.,Oh.\n" * 9,
        "a.csv:2: not CSV (a field begins with a quotation mark",
        "data)",
    ),
    "b.csv": (
        b'question,answer\nHi.,"Yes" sir.\n',
        "b.csv:2: not CSV (text follows a closing quotation mark;",
        "expected",
    ),
    "c.csv": (
        b'question,answer\nHi.,"' + (b"x" * 99 + b"\n") * 2000,
        "c.csv:2: not CSV (a field has more than 131,072",
        "limit",
    ),
    # One is one.
    "d.csv": (b"question,answer\nHi.,Yes.\nNo.\n", "d.csv:3: 1 field; 2 are expected", "1 fields"),
}


@pytest.mark.parametrize("name", FILES)
def test_messages_about_corpora(tmp_path, name):
    content, message, misleading = FILES[name]
    (tmp_path / name).write_bytes(content)
    for read in (read_corpus, lambda path: read_trajectories([path])):
        with pytest.raises(UserError) as caught:
            read(tmp_path / name)
        said = str(caught.value).removeprefix(str(tmp_path))
        assert message in said
        assert misleading not in said
        assert not FOR_PROGRAMMERS.search(said)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"id,tweet\n1,Hi\n", "t.csv:1: the first line has no column `text`; its columns are id, tweet"),
        ("t.csv", b"id,text\n1\n", "t.csv:2: 1 field; 2 are expected, as on the first line"),
        ("t.csv", b'text\nHi\n"Yes\n', "t.csv:3: not CSV (a field begins with a quotation mark that is never closed)"),
        (
            "t.txt",
            bytes(range(32)) * 9,
            "t.txt: the file looks like a binary file, which cannot be read; a table (.csv",
        ),
    ],
)
def test_messages_about_tweets(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=re.escape(message)):
        read_tweets(tmp_path / name)


def test_tweets_have_the_encodings_and_line_ends_of_corpora(tmp_path):
    said = ["Où est-ce? Là, à côté.", "Ça va, déjà très bien, où ça?"]
    for name, header in (("t.txt", []), ("t.csv", ["text"])):
        quoted = [f'"{text}"' for text in said] if header else said
        (tmp_path / name).write_bytes("\r".join([*header, *quoted, ""]).encode("cp1252"))
        assert read_tweets(tmp_path / name) == said


def test_forms_of_a_spreadsheet_program(tmp_path):
    form = fuzz_targets.FORM.replace("\r\n", "\r")  # as "CSV (Macintosh)"
    (tmp_path / "ann.csv").write_bytes(form.encode())
    assert len(read_form(tmp_path / "ann.csv", fuzz_targets.SURVEY)) == 1
    (tmp_path / "ann.csv").write_bytes(fuzz_targets.FORM.replace("b,c,1", "b\rb,c,1").encode())
    with pytest.raises(UserError, match=r"the line cannot be read as CSV \(a field contains a carriage return"):
        read_form(tmp_path / "ann.csv", fuzz_targets.SURVEY)


def test_ratings_may_contain_any_separator_of_lines_inside_a_text(tmp_path):
    path = tmp_path / "ratings.jsonl"
    rating = {"context": ["Hi.\u2028Tom?"], "response": "Yes.\x85", "system": "a", "scores": [1, 2]}
    path.write_text(json.dumps(rating, ensure_ascii=False) + "\n", encoding="utf-8")
    assert read_ratings(path)[0].context == ("Hi.\u2028Tom?",)
    path.write_bytes(HALF + b"\n")
    with pytest.raises(UserError, match=r"line 1: the JSON cannot be used \(a text contains half of a surrogate pair"):
        read_ratings(path)


def test_a_corpus_without_boundaries_says_what_marks_them(said, tmp_path):
    (tmp_path / "a.txt").write_text("Hi.\nYes.\nNo.\n")
    line = said(gail_train.main, "train", "--preset", "tiny", "--data", "a.txt")
    assert "1 conversation is too few to be divided" in line
    assert "(in plain text, an empty line ends a conversation)" in line


COMMANDS = {
    "gca": (gca_train.main, "train", ["--preset", "tiny", "--data"]),
    "gail": (gail_train.main, "train", ["--preset", "tiny", "--data"]),
    "general": (gail_train.main, "train", ["--preset", "tiny", "--general"]),
    "studies": (studies.main, "studies", ["training", "--preset", "tiny", "--data"]),
    "experiments": (experiments.main, "experiments", ["sentiment", "--scale", "tiny", "--data"]),
    "survey": (survey_command.main, "survey", ["make", "none.h5", "--output", "s.json", "--data"]),
    "inspect": (inspect.main, "inspect", []),
}
FAULTY = {
    "bad.jsonl": b'["Hi.", "Yes."]\n["No."\n',
    "a.srt": b"1\n00:01 --> 00:02\nHi.\n\n2\n00:03 --> 00:04\nYes.\n",
    "bad.csv": b"question,answer\nHi.,Yes.\nNo.\n",
    "a.bin": bytes(range(32)) * 9,
}


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=pytest.mark.thorough) if kind == "general" else kind for kind in COMMANDS]
)
def test_no_message_names_an_option_that_its_command_lacks(said, capsys, tmp_path, kind):
    main, name, arguments = COMMANDS[kind]
    with pytest.raises(SystemExit):
        main([*arguments[:1], "--help"] if name == "survey" else ["--help"])
    has = set(re.findall(r"--[a-z][a-z-]+", capsys.readouterr().out))
    for file, content in FAULTY.items():
        (tmp_path / file).write_bytes(content)
        if name == "inspect" and file in ("bad.jsonl", "bad.csv"):
            continue  # it shows bad lines, and ends with status 0
        line = said(main, name, *arguments, file)
        assert file in line
        assert set(re.findall(r"--[a-z][a-z-]+", line)) <= has, line
