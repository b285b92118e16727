"""Hostile files: a command ends with one line and status 2, or it skips and counts the file's bad lines.

Hostile files of models and runs are tested in `keras_gca/test_hostile_models.py` and `gail_tf/test_hostile_models.py`.
"""

import ast
import gzip
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import glove.__main__
from gail_tf import train as gail_train
from gail_tf.data.trajectories import read_trajectories, read_tweets
from glove import BadLines, VectorFileError, read_vectors
from glove.text_files import LONGEST, one_line
from keras_gca import train as gca_train
from keras_gca.data.conversations import EMPATHETIC_HEADER, Conversation, read_conversations
from keras_gca.data.vocabulary import read_words
from keras_gca.engine import command_line
from keras_gca.errors import UserError
from keras_gca.storage import json_files
from keras_gca.survey import __main__ as survey_command
from tests import fuzz_targets
from tests.places import PROJECT

GOOD = "Hello.\nHi there.\n\nBye.\nSee you.\n"
TURN = "hit:0_conv:{},{},sad,I lost it,{},{},5|5|5_5|5|5,\n"


def turns(*rows: tuple) -> bytes:
    """Return a file in EmpatheticDialogues' format with rows (conversation, turn, speaker, utterance)."""
    return (f"{EMPATHETIC_HEADER}\n" + "".join(TURN.format(*row) for row in rows)).encode()


TWO = ((1, 1, 0, "Hi"), (1, 2, 1, "Yes"))

# name of the file: its content, and the expected line of error
CORPORA: dict[str, tuple[bytes, str]] = {
    "latin.txt": ("Hello.\nDéjà vu.\n".encode("latin-1"), ":2: the line is not UTF-8 text"),
    # Without a byte order mark; with one, the file is read.
    "utf16.txt": (GOOD.encode("utf-16-le"), ":1: the line contains NUL bytes; UTF-8 text is expected"),
    "nul.txt": (b"Hello.\nHi.\0\n", ":2: the line contains NUL bytes"),
    "empty.txt": (b"", "no conversation of two or more utterances"),
    "blank.txt": (b"\n" * 1000 + b" \t\r\n" * 1000, "no conversation of two or more utterances"),
    "mark.txt": (b"\xef\xbb\xbf", "no conversation of two or more utterances"),
    "cut.txt": ("Hello.\nHi 😀".encode()[:-1], ":2: the line is not UTF-8 text"),
    "long.txt": (b"a" * (LONGEST + 1), ":1: the line has more than 1,000,000 bytes"),
    "few.csv": (turns(*TWO) + b"hit:0_conv:2,1,sad\n", ":4: 3 fields; 8 are expected"),
    "comma.csv": (turns((1, 1, 0, "Hi, you")), ":2: 9 fields; 8 are expected"),
    "commas.csv": (turns(*TWO, (2, 1, 0, "a,b,c")), ":4: 10 fields; 8 are expected"),
    "missing.csv": (turns(*TWO, (1, 4, 1, "No")), ":4: turn '4' of hit:0_conv:1; turn 3 is expected"),
    "begun.csv": (turns((1, 2, 0, "Hi")), ":2: turn '2' of hit:0_conv:1; turn 1 is expected"),
    "number.csv": (turns((1, "one", 0, "Hi")), ":2: turn 'one'"),
    "alone.csv": (turns(*TWO, (2, 1, 0, "Hi"), (2, 2, 0, "Yes")), ":4: all turns of hit:0_conv:2 are by one speaker"),
    "silent.csv": (turns(*TWO, (2, 1, 0, " ")), ":4: the utterance is empty"),
    "header.csv": (turns(), "no conversation of two or more utterances"),
    "deep.jsonl": (
        b"[" * 100_000 + b"\n",
        ":1: the JSON cannot be used (lists or objects are nested more than 50 levels deep)",
    ),
    "deep2.jsonl": (
        b"[" * 60 + b"]" * 60 + b"\n",
        ":1: the JSON cannot be used (lists or objects are nested more than 50 levels deep)",
    ),
    "digits.jsonl": (
        b"[" + b"1" * 5000 + b"]\n",
        ":1: the JSON cannot be used (a number has more than 4,300 digits)",
    ),
    "half.jsonl": (
        b'["a", "b"]\n["a", "\\udead"]\n',
        ":2: the JSON cannot be used (a text contains half of a surrogate pair)",
    ),
    "half_key.jsonl": (
        b'{"\\udead": 1, "utterances": ["a", "b"]}\n',
        ":1: the JSON cannot be used (a text contains half of a surrogate pair",
    ),
    "emotion.jsonl": (b'{"utterances": ["a", "b"], "emotion": ["sad"]}\n', ":1: the emotion is not text"),
    "null.jsonl": (b'["a", null]\n', ":1: an utterance is not text"),
    "turns.jsonl": (b'{"utterances": {"a": "b"}}\n', ":1: no list of utterances; a list of strings or"),
    "scalar.jsonl": (b"12\n", ":1: no list of utterances; a list of strings or"),
    "open.jsonl": (b'["a", "b\n', ":1: the line is not JSON (Invalid control character at column"),
    "quotes.csv": (
        b'question,answer\n"Hi.","Yes."\n"No.""",Oh.\n"open',
        ":4: not CSV (a field begins with a quotation mark that is never closed",
    ),
    "columns.tsv": (b"question\tanswer\nHi.\tYes.\nNo.\n", ":3: 1 field; 2 are expected, as on the first line"),
    "pairs.csv": (b"question,answer\nHi.,Yes.\nNo.,Oh,no.\n", ":3: 3 fields; 2 are expected, as on the first line"),
    "named.csv": (b"question,answer\n", "no conversation of two or more utterances"),
    "persona.txt": (b"1 your persona: i ski.\n2 Hi.\tYes.\n3 No.\n", ":3: no answer; `NUMBER text<TAB>answer` or"),
    "personas.txt": (b"1 your persona: i ski.\n2 your persona: i sing.\n", "no conversation of two or more utterances"),
    "cut.json": (b'[\n["Hi.", "Yes."],\n["No."', "not JSON (Expecting ',' delimiter at line 3 column 7)"),
    "deep.json": (b"[\n" * 100_000, "JSON cannot be used (lists or objects are nested more than 50 levels deep)"),
    "other.json": (b'{\n"a": 1,\n"b": 2\n}\n', "valid JSON, but not a list of conversations"),
    "texts.json": (b'[\n"Hi.",\n"Yes."\n]\n', "valid JSON, but not a list of conversations"),
    "convokit.jsonl": (
        b'{"id": "1", "conversation_id": "1", "text": "Hi."}\n{"id": "2", "text": "Yes."}\n',
        ":2: not an utterance; an object with id, conversation_id, text and reply-to is expected",
    ),
    "saved.csv": (
        turns(*TWO).replace(b"conv_id,", b'"conv_id",') + b'hit:0_conv:2,1,sad,A,0,"Hi, you",5,\nhit:0_conv:2,2\n',
        ":5: 2 fields; 8 are expected, as on the first line",
    ),
    "subtitles.txt": (
        b"1\n00:01 --> 00:02\nHi.\n\n2\n00:03 --> 00:04\nYes.\n",
        "looks like subtitles, which cannot be",
    ),
    "archive.txt": (b"PK\x03\x04" + bytes(100), "looks like a ZIP archive or an office document"),
    "binary.txt": (bytes(range(256)) * 4, "looks like a binary file, which cannot be read"),
    "cut.parquet": (b"PAR1" + bytes(100), "cut.parquet: the data set is damaged or cannot be read"),
    "footer.parquet": (
        b"PAR1" + b"\xff" * 100 + b"\xff\xff\xff\x7fPAR1",
        "the data set is damaged or cannot be read",
    ),
    "rows.arrow": (b"\xff\xff\xff\xff" + bytes(100), "looks like an Arrow table, which cannot be read"),
    "cut.tar.gz": (gzip.compress(b"train.csv" + bytes(900))[:60], "cut.tar.gz: the archive is damaged or cannot be"),
    "half.txt": (b"Hi. __eou__ Yes. __eou__\nNo mark.\n", ":2: the line has no __eou__"),
}


@pytest.fixture
def command(said, tmp_path):
    """A function like `said`. It also checks that the command has not left a run behind."""

    def run(*arguments):
        err = said(*arguments)
        assert not (tmp_path / "runs").exists()
        return err

    return run


@pytest.mark.parametrize("name", CORPORA)
def test_hostile_corpora_end_both_trainings_in_one_line(command, tmp_path, name):
    content, message = CORPORA[name]
    (tmp_path / name).write_bytes(content)
    for main in (gca_train.main, gail_train.main):
        said = command(main, "train", "--preset", "tiny", "--data", name)
        assert name in said
        assert message in said
        assert ("--skip-bad-lines" in said) == (re.search(rf"{name}:\d", said) is not None)


def test_what_looks_odd_but_is_text_is_read(tmp_path):
    texts = ("שלום, מה שלומך?", "👩‍👩‍👧‍👦 😀", "a\u2028b\x85c", "\x1b[31mred\x07", "Zalgo\u0301\u0301\u0301")
    path = tmp_path / "odd.txt"
    path.write_text("\r\n".join(texts), encoding="utf-8-sig", newline="")
    assert read_conversations(path) == [Conversation(texts)]
    odd = turns((1, 1, 0, '_comma_ "a_comma__comma_b'), (1, 2, 1, "_comma"), (1, 3, 0, "comma_"))
    (tmp_path / "odd.csv").write_bytes(odd)
    assert read_conversations(tmp_path / "odd.csv")[0].utterances == (', "a,,b', "_comma", "comma_")


# Skipping

SKIPPED: dict[str, tuple[bytes, list[tuple[str, ...]], dict[str, int]]] = {
    "a.txt": (
        b"Hello.\nD\xe9ja\nHi.\n\nX\0\n" + b"y" * (LONGEST + 5) + b"\nBye.\nSee you.",
        [("Hello.", "Hi."), ("Bye.", "See you.")],
        {"not UTF-8": 1, "with NUL bytes": 1, "too long": 1},
    ),
    "b.csv": (
        turns((1, 1, 0, "A"), (1, 2, 1, "B"), (1, 4, 1, "D"), (1, 5, 0, "E"), (2, 1, 0, "F"), (2, 2, 0, "G"),
              (3, 1, 0, "H"), (3, 2, 1, "I,J,K"), (3, 3, 0, "L"), (4, 1, 0, "M"), (4, 2, 1, "N")),
        [("A", "B"), ("H",), ("M", "N")],
        {"with missing turns": 3, "of one speaker only": 1, "with a wrong number of fields": 1},
    ),
    "c.jsonl": (
        b'["a", "b"]\n["a",\n[1]\n{}\n\n["c", "d"]\n', [("a", "b"), ("c", "d")], {"not JSON": 1, "with other JSON": 2}
    ),
    "dialogues_x.txt": (
        b"A __eou__ B __eou__\nnothing\nC __eou__ D __eou__\n", [("A", "B"), ("C", "D")], {"without __eou__": 1}
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SKIPPED)
def test_bad_lines_are_skipped_and_counted(tmp_path, name):
    content, utterances, counts = SKIPPED[name]
    path = tmp_path / name
    path.write_bytes(content)
    bad = BadLines(skip=True, error=UserError)
    found = read_conversations(path, bad=bad)
    assert [conversation.utterances for conversation in found] == utterances
    assert bad.counts == counts
    assert bad.summary().startswith(f"bad lines skipped: {sum(counts.values())}; ")
    assert bad.summary().count("(first ") == len(counts)
    assert "\n" not in bad.summary()


def test_labels_and_lines_of_other_files_are_skipped_too(tmp_path):
    (tmp_path / "dialogues_y.txt").write_text("A __eou__ B __eou__\nC __eou__ D __eou__\n")
    (tmp_path / "dialogues_emotion_y.txt").write_bytes(b"0 9\n4 0\n")
    bad = BadLines(skip=True, error=UserError)
    assert read_conversations(tmp_path / "dialogues_y.txt", bad=bad) == [
        Conversation(("C", "D"), emotions=("happiness", None))
    ]
    separator = " +++$+++ "
    (tmp_path / "movie_lines.txt").write_text(
        "".join(f"L{i}{separator * 3}A{separator}text\n" for i in (1, 2)) + "L3\n"
    )
    (tmp_path / "movie_conversations.txt").write_text("['L1', 'L3']\nnothing\n['L1', 'L2']\n")
    assert read_conversations(tmp_path, "cornell", bad)[0].utterances == ("text", "text")
    (tmp_path / "words").write_text(".\ntwo words\na\na\n<pad>\n")
    assert read_words(tmp_path / "words", bad) == [".", "a"]
    (tmp_path / "t.csv").write_text('id,text\n1,Joy\n2\n3,"open "x\n4,Peace\n')
    assert read_tweets(tmp_path / "t.csv", bad) == ["Joy", "Peace"]
    assert sum(bad.counts.values()) == 1 + 3 + 3 + 2
    assert bad.counts["not CSV"] == 1


def test_a_file_of_nothing_but_bad_lines_is_an_error_all_the_same(command, tmp_path):
    (tmp_path / "a.txt").write_text(GOOD, encoding="utf-16-le")
    said = command(gca_train.main, "train", "--preset", "tiny", "--data", "a.txt", "--skip-bad-lines")
    assert "no conversation of two or more utterances (the file was read as text); bad lines skipped: " in said
    said = command(gca_train.main, "train", "--preset", "tiny", "--data", "none.txt", "--skip-bad-lines")
    assert "none.txt: no such file" in said
    said = command(gail_train.main, "train", "--preset", "tiny", "--resume", "x", "--skip-bad-lines")
    assert "--skip-bad-lines" in said


@pytest.mark.thorough
def test_a_training_says_what_it_skipped_and_notes_it(tmp_path, capsys):
    text = "".join(f"Hello {i}, how are you?\nI am fine, {i} times.\nGood.\n\n" for i in range(40))
    path = tmp_path / "a.txt"
    path.write_bytes(text.encode() + b"b\xe9\n")
    small = ["--preset", "tiny", "--teacher-forcing-epochs", "1", "--adversarial-epochs", "0", "--max-pairs", "40"]
    arguments = [*small, "--data", str(path), "--skip-bad-lines", "--run", str(tmp_path / "run")]
    assert command_line.run(gca_train.main, "train", arguments) == 0
    assert f"bad lines skipped: 1; 1 not UTF-8 (first {path}:161)\n" in capsys.readouterr().out
    assert json.loads((tmp_path / "run" / "config.json").read_text())["source"]["skipped_lines"] == {"not UTF-8": 1}
    bad = BadLines(skip=True, error=UserError)
    assert len(read_trajectories([path], bad=bad)) == 40
    assert bad.counts == {"not UTF-8": 1}


# Word vectors


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"the 1 2 3\nof 1 2\n", ":2: 2 numbers after the word; 3 are expected"),
        (b"the 1 2\nof 1 nan\n", ":2: a number is infinite or NaN"),
        (b"the 1 2\nof 1 -inf\n", ":2: a number is infinite or NaN"),
        (b"the 1 2\nof 1 1e99\n", ":2: a number is infinite or NaN"),
        (b"the 1 2\nof 1 " + b"1" * 500_000 + b"\n", ":2: '" + "1" * 50 + "' is not a number"),
        (b"the 1 2\nof 1  2\n", ":2: "),
        (b"the 1 2\nthe 1 2\n", ":2: 'the' is already on line 1"),
        (b"the" + b" 1" * 10_001 + b"\n", ":1: 10,001 numbers after the word; 1 to 10,000 numbers are"),
        (b" " * 999_999 + b"\n", ":1: 0 numbers after the word; 1 to"),
        (b"\n\n", ":1: 0 numbers after the word; 1 to"),
        ("the 1 2\nof 1 2\n".encode("utf-16"), ":1: the line contains NUL bytes"),
        (b"", "the file is empty"),
    ],
)
def test_hostile_vectors_end_in_one_line(tmp_path, capsys, content, message):
    path = tmp_path / "v.txt"
    path.write_bytes(content)
    assert glove.__main__.main(["neighbours", str(path), "the"]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert ("--skip-bad-lines" in err) == bool(content)


def test_bad_lines_of_vectors_are_skipped_and_counted(tmp_path, capsys):
    path = tmp_path / "v.txt"
    path.write_bytes(b"the 1 2\nof 1\na 1 nan\nthe 5 6\nb x 1\n\xff 1 2\nc 3 4\n")
    assert glove.__main__.main(["neighbours", str(path), "the", "--skip-bad-lines"]) == 0
    assert capsys.readouterr().out == (
        "the: c 0.98\n"
        f"bad lines skipped: 5; 1 with a wrong number of fields (first {path}:2), "
        f"1 with infinity or NaN (first {path}:3), 1 with a repeated word (first {path}:4), "
        f"1 without numbers (first {path}:5), 1 not UTF-8 (first {path}:6)\n"
    )


def zipped(path: Path, content: bytes = b"the 1 2\n", name: str = "v.txt", **options) -> bytes:
    with zipfile.ZipFile(path, "w", **options) as archive:
        archive.writestr(name, content)
    return path.read_bytes()


def encrypted(content: bytes) -> bytes:
    """Return the same archive with two changed headers. Both now claim that the member needs a password."""
    changed = bytearray(content)
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        changed[content.index(mark) + place] |= 1
    return bytes(changed)


def test_archives_that_are_not_what_they_say(tmp_path):
    path = tmp_path / "v.zip"
    good = zipped(path)
    cases = {
        b"": "not a readable .zip file",
        good[:-5]: "not a readable .zip file",
        encrypted(good): "not a readable .zip file .*password",
        good.replace(b"the 1 2", b"the 9 9"): "compressed file is damaged or cut short .*CRC",
        zipped(path, b"the 1 2\n" * 1000, compression=zipfile.ZIP_BZIP2): "by an unsupported method; only deflate is",
        zipped(path, b"the 1 2\n" * 1000, compression=zipfile.ZIP_LZMA): "by an unsupported method; only deflate is",
        zipped(path, name="../../../etc/v.\n.md"): "name one of these members",
    }
    for content, message in cases.items():
        path.write_bytes(content)
        with pytest.raises(VectorFileError, match=message) as caught:
            read_vectors(path)
        assert one_line(caught.value).isprintable()
    # Archives are never unpacked to files, so that a path inside an archive can do no harm.
    zipped(path, name="../../outside.txt")
    assert read_vectors(path).words == ["the"]
    assert sorted(each.name for each in tmp_path.rglob("*")) == ["v.zip"]


# Large files with little memory: each command runs in a process of its own

MEMORY = 900_000_000  # bytes of address space; the interpreter and NumPy map some 400 million
COMMANDS = {
    "gca": "from keras_gca.engine import command_line; from keras_gca import train as module; name = 'train'",
    "gail": "from keras_gca.engine import command_line; from gail_tf import train as module; name = 'train'",
    "glove": "from keras_gca.engine import command_line; import glove.__main__ as module; name = 'glove'",
}


def bounded(kind: str, *arguments, seconds: float = 120) -> str:
    """Run a command with little memory, and return its standard error. It must end with status 2 in time."""
    code = (
        f"import resource, sys\nresource.setrlimit(resource.RLIMIT_AS, ({MEMORY}, {MEMORY}))\n{COMMANDS[kind]}\n"
        "sys.exit(command_line.run(module.main, name, sys.argv[1:]))"
    )
    environment = os.environ | {"PYTHONPATH": str(PROJECT), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code, *map(str, arguments)], env=environment, text=True,
                          capture_output=True, timeout=seconds)  # fmt: skip
    assert done.returncode == 2, done.stderr[-2000:]
    assert done.stderr.count("\n") == 1, done.stderr[-2000:]
    return done.stderr


limited = pytest.mark.skipif(sys.platform != "linux", reason="the limit on memory is Linux'")


@limited
def test_one_line_of_100_mb(tmp_path):
    path = tmp_path / "long.txt"
    with path.open("wb") as stream:
        for _ in range(100):
            stream.write(b"word " * 200_000)
    skip = "--skip-bad-lines"
    assert "long.txt:1: the line has more than" in bounded("gca", "--data", path)
    assert "bad lines skipped: 1; 1 too long" in bounded("gca", "--data", path, skip)
    assert "long.txt:1: the line has more than" in bounded("gail", "--tweets", path)
    assert "long.txt:1: the line has more than" in bounded("glove", "neighbours", path, "the")
    said = bounded("glove", "neighbours", path, "the", skip)
    assert "1 of 1 line cannot be used; the first error: " in said
    assert "long.txt:1: the line has more than" in said


@pytest.mark.thorough
@limited
def test_archives_that_unpack_without_end(tmp_path):
    endless = gzip.compress(b"1" * 50_000_000) * 40  # 2 GB, of 2 MB
    line = b"the" + b" 1" * 100 + b"\n"
    short = gzip.compress(line * 10_000) * 100  # 200 MB
    for name, content in (("a.gz", endless), ("b.gz", short)):
        (tmp_path / name).write_bytes(content)
        assert f"{name}:1: the line has more" in bounded("glove", "neighbours", tmp_path / name, "x") or name != "a.gz"
        said = bounded("glove", "neighbours", tmp_path / name, "x", "--skip-bad-lines")
        assert "more than 100 times as large as the compressed file" in said
    zipped(tmp_path / "c.zip", line * 100_000, compression=zipfile.ZIP_DEFLATED)
    said = bounded("glove", "neighbours", tmp_path / "c.zip", "x", "--skip-bad-lines")
    assert "more than 100 times as large as the compressed file" in said


# Surveys


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe{\0}\0", "damaged; valid JSON is expected"),
        (b"[" * 500_000, "damaged; valid JSON is expected (lists or objects are nested"),
        (b'{"format": "keras_gca survey 1", "models": ["a", "\\udead"]}', "half of a surrogate pair"),
        (b'{"format": "keras_gca survey 1", "models": 5}', "damaged"),
        (b'{"format": "keras_gca survey 1", "models": ["a", "b"], "dialogues": [[5]], "source": {}}', "damaged"),
        (b"[]", "not a survey that this version can read"),
        (b"1" * 5000, "damaged; valid JSON is expected"),
    ],
)
def test_hostile_surveys_end_in_one_line(command, tmp_path, content, message):
    (tmp_path / "survey.json").write_bytes(content)
    assert message in command(survey_command.main, "survey", "print", "survey.json")


def test_hostile_forms_end_in_one_line(command, tmp_path):
    fuzz_targets.SURVEY.write(tmp_path / "survey.json")
    for content, message in (
        (b"\0" * 100, ":1: the line contains NUL bytes; UTF-8 text is expected"),
        (b"survey,line,vote\n\xff,1,1\n", ":2: the line is not UTF-8 text; save the form as CSV in UTF-8"),
        (b'survey,line,vote\n"open', "no votes in this form"),
        (b"survey,line,vote\n" + b"x" * 2_000_000, ":2: the line has more than"),
    ):
        (tmp_path / "ann.csv").write_bytes(content)
        assert message in command(survey_command.main, "survey", "import", "survey.json", "ann.csv")
        assert not (tmp_path / "votes.sqlite").exists()


def test_messages_are_one_line_whatever_they_quote():
    said = one_line(ValueError("a\nb\x1b[2J\udcff" + "x" * 5000))
    assert said.isprintable()
    assert said.startswith("a\\nb\\x1b[2J\\udcff")
    assert len(said) < 1000


def test_json_that_cannot_be_written_again_is_not_read(tmp_path):
    assert json_files.loads('{"a": [1, 2.5, null, true, "ü😀", {}]}') == {"a": [1, 2.5, None, True, "ü😀", {}]}
    (tmp_path / "a.json").write_text("[]")
    with pytest.raises(UserError, match=r"a\.json: the content is not a JSON object"):
        json_files.read_object(tmp_path / "a.json")
    with (tmp_path / "b.json").open("wb") as stream:
        stream.truncate(json_files.LARGEST + 1)
    with pytest.raises(UserError, match=r"b\.json: the file is larger than 200,000,000 bytes"):
        json_files.read(tmp_path / "b.json")


# No code from a file is run

FORBIDDEN = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "os.execv", "subprocess", "marshal", "shelve",
    "dill", "joblib", "load_model", "model_from_json", "deserialize_keras_object", "load_weights", "allow_pickle",
    "enable_unsafe_deserialization", "extractall", "extract", "unpack_archive", "importlib.import_module", "runpy",
}  # fmt: skip
DOWNLOADS = "gail_tf/base_models/fetching.py"
PICKLES = {"keras_gca/data/pickled_vocabulary.py", "keras_gca/original/weights.py"}  # the reader, and the writer


def names(tree: ast.AST) -> set[str]:
    """Return every name that a module uses: plain names, module.attribute, keywords, and imported names."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found |= {node.attr} if node.attr in ("load_model", "load_weights", "extractall", "extract") else set()
            found |= {f"{node.value.id}.{node.attr}"} if isinstance(node.value, ast.Name) else set()
        elif isinstance(node, ast.keyword):
            found.add(node.arg)
        elif isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {(node.module or "").partition(".")[0], *(alias.name for alias in node.names)}
    return found


def test_no_module_can_run_code_of_a_file():
    """Weights are arrays of HDF5 and safetensors; no Keras model, whose layers could hold code, is ever loaded."""
    modules = [path for package in ("glove", "keras_gca", "gail_tf") for path in (PROJECT / package).rglob("*.py")]
    assert len(modules) > 80
    for path in modules:
        used = names(ast.parse(path.read_text(encoding="utf-8")))
        name = path.relative_to(PROJECT).as_posix()
        # A public face imports modules of its own package, by the names of a fixed table.
        allowed = {"importlib.import_module"} if name == "keras_gca/public_names.py" else set()
        allowed |= {"subprocess"} if name == DOWNLOADS else set()
        assert not used & FORBIDDEN - allowed, f"{name}: {used & FORBIDDEN}"
        assert ("pickle" in used) <= (name in PICKLES), name
        assert ("h5py" in used) <= (name == "keras_gca/storage/arrays.py"), name
    # This module opens files for reading only in `open_arrays`.
    opened = re.findall(r"h5py\.File\((.*?)\)", (PROJECT / "keras_gca/storage/arrays.py").read_text(encoding="utf-8"))
    assert sorted(opened) == ['path, "r"', 'sink, "w", **options']
    # One program is started: pip, without a shell, to download wheels; never to build or to install anything.
    downloads = (PROJECT / DOWNLOADS).read_text(encoding="utf-8")
    assert re.findall(r"subprocess\.\w+\(\w+", downloads) == ["subprocess.run(command"]
    assert 'command = [sys.executable, "-P", "-m", "pip", "download", *options, requirement]' in downloads
    assert '"--only-binary=:all:"' in downloads
    assert "shell" not in downloads
    for name in PICKLES:
        assert "pickle.load" not in (PROJECT / name).read_text(encoding="utf-8"), name
