"""Published corpora are read from their folders and their archives as they are downloaded."""

import gzip
import io
import tarfile
import zipfile

import pytest

from gail_tf.data.trajectories import read_trajectories
from glove.text_files import BadLines
from keras_gca.corpora import published
from keras_gca.data.conversations import Conversation, read_corpus
from keras_gca.errors import UserError

HEADER = "conv_id,utterance_idx,context,prompt,speaker_idx,utterance,selfeval,tags\n"
PARTS = ("train", "valid", "test")
EMPATHETIC = {
    f"{part}.csv": f"{HEADER}c{i},1,sad,A,0,Hi {part}.,5,\nc{i},2,sad,A,1,Yes_comma_ {i}.,5,\n"
    for i, part in enumerate(PARTS)
}
TALKS = [Conversation((f"Hi {part}.", f"Yes, {i}."), "sad") for i, part in enumerate(PARTS)]
SEPARATOR = " +++$+++ "
CORNELL = {
    "movie_lines.txt": "".join(SEPARATOR.join((f"L{i}", "u0", "m0", "A", text)) + "\n" for i, text in enumerate("ABC")),
    "movie_conversations.txt": SEPARATOR.join(("u0", "u1", "m0", "['L0', 'L1', 'L2']")) + "\n",
}
SEVERAL_FILES = "PK\6\7\1" + 15 * "\0" + "PK\5\6" + 18 * "\0"  # the end of an archive of several files


def zipped(files: dict[str, str | bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


def tarred(files: dict[str, str]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content.encode())
            archive.addfile(member, io.BytesIO(content.encode()))
    return made.getvalue()


def dailydialog(part: str) -> dict[str, str]:
    return {
        f"{part}/dialogues_{part}.txt": f"Hi {part} . __eou__ Yes . __eou__\n",
        f"{part}/dialogues_emotion_{part}.txt": "0 4\n",
        f"{part}/dialogues_act_{part}.txt": "1 2\n",
    }


DAILYDIALOG = ("train", "validation", "test")


@pytest.fixture
def archives(tmp_path):
    inner = {f"ijcnlp_dailydialog/{part}.zip": zipped(dailydialog(part)) for part in DAILYDIALOG}
    whole = {"ijcnlp_dailydialog/dialogues_text.txt": "Hi . __eou__ Yes . __eou__\n", "__MACOSX/._train.zip": b"\0"}
    for name, content in {
        "empatheticdialogues.tar.gz": tarred({f"empatheticdialogues/{name}": EMPATHETIC[name] for name in EMPATHETIC}),
        "ijcnlp_dailydialog.zip": zipped(whole | inner),
        "cornell_movie_dialogs_corpus.zip": zipped(
            {f"cornell movie-dialogs corpus/{n}": c for n, c in CORNELL.items()}
        ),
    }.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def test_archives_are_read_alike_in_both_packages(archives):
    read = read_corpus(archives / "empatheticdialogues.tar.gz")
    assert (read.format, read.conversations) == ("empathetic", TALKS)
    read = read_corpus(archives / "ijcnlp_dailydialog.zip")
    assert read.conversations == [
        Conversation((f"Hi {part} .", "Yes ."), emotions=(None, "happiness")) for part in DAILYDIALOG
    ]
    read = read_corpus(archives / "cornell_movie_dialogs_corpus.zip")
    assert read.conversations == [Conversation(("A", "B", "C"))]
    assert str(read).startswith(f"{archives / 'cornell_movie_dialogs_corpus.zip'}: read as the Cornell Movie-Dialogs ")
    for path, format in zip(sorted(archives.iterdir()), ("cornell", "empathetic", "dailydialog"), strict=True):
        assert {each.source for each in read_trajectories([path])} == {format}


def test_unpacked_folders_are_read(tmp_path):
    for name, content in EMPATHETIC.items():
        (tmp_path / name).write_text(content)
    assert read_corpus(tmp_path).conversations == TALKS
    folder = tmp_path / "dailydialog"
    for part in DAILYDIALOG:
        (folder / part).mkdir(parents=True)
        for name, content in dailydialog(part).items():
            (folder / name).write_text(content)
    assert [each.utterances[0] for each in read_corpus(folder).conversations] == [
        f"Hi {part} ." for part in DAILYDIALOG
    ]


def test_messages_name_the_archive(tmp_path):
    path = tmp_path / "a.zip"
    path.write_bytes(zipped(CORNELL | {"movie_conversations.txt": "['L0', 'L1']\n['L0', 'L9']\n"}))
    with pytest.raises(UserError, match=rf"^{path}/movie_conversations\.txt:2: the utterance L9 is not in"):
        read_corpus(path)
    bad = BadLines(skip=True, error=UserError)
    assert len(read_corpus(path, bad=bad).conversations) == 1
    assert bad.summary() == f"bad lines skipped: 1; 1 with missing turns (first {path}/movie_conversations.txt:2)"


def test_archives_that_are_not_what_they_say(tmp_path, monkeypatch):
    good = tarred(EMPATHETIC)
    large = "x" * 30_000_000
    cases = {
        "a.zip": (
            zipped({"readme.txt": "Hi."}),
            "an archive or an office document, but contains no known corpus",
        ),
        "b.tar.gz": (good[: len(good) // 2], "the archive is damaged or cannot be read"),
        "c.tar.gz": (gzip.compress(b"text"), "the archive is damaged or cannot be read"),
        "d.zip": (zipped({"train.csv": large}), "the unpacked archive is too large"),
        "e.tar.gz": (tarred({"other.csv": large}), "the unpacked archive is too large"),
        "f.zip": (
            zipped(CORNELL).replace(b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01"),
            "the archive is damaged",
        ),
        "g.zip": (zipped({f"x{i}": "" for i in range(50)}), "the archive has more than 40 members"),
        "h.zip": (b"PK\3\4" + SEVERAL_FILES.encode(), "the archive is damaged or cannot be read"),
    }
    monkeypatch.setattr(published, "MOST_MEMBERS", 40)
    for name, (content, message) in cases.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(UserError, match=message) as caught:
            read_corpus(path)
        assert str(caught.value).startswith(f"{path}: "), name


@pytest.mark.parametrize("end", ["PK\5\6" + 18 * "\0", SEVERAL_FILES])
def test_a_text_that_ends_like_an_archive_is_a_text(tmp_path, end):
    path = tmp_path / "a.txt"
    path.write_text(f"Hi.\nYes {end}\n")
    assert not published.is_archive(path)


def test_nothing_is_written_outside_of_the_temporary_folder(tmp_path):
    path = tmp_path / "corpus" / "a.tar.gz"
    path.parent.mkdir()
    path.write_bytes(
        tarred({f"../../../{name}": content for name, content in EMPATHETIC.items()} | {"../x.txt": "Hi."})
    )
    assert read_corpus(path).conversations == TALKS
    assert [each.name for each in tmp_path.rglob("*")] == ["corpus", "a.tar.gz"]
