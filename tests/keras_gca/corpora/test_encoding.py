"""Encodings and line ends are detected and reported. A line whose encoding is uncertain is a bad line."""

import pytest

from glove.text_files import BadLines
from keras_gca.corpora.encoding import BLOCK, Encoding, detect_encoding
from keras_gca.data.conversations import read_corpus
from keras_gca.errors import UserError

ENGLISH = "I met José at the café. It was déjà vu, wasn’t it?\nYes – “naïve” of him, as his fiancée said.\n" * 4
FRENCH = "Où est la gare ? Elle est à côté de l’hôtel.\nTrès bien, merci. Ça va aller ?\n" * 8
ACCENTS = "Où est Zoé, Noël ?;Déjà là, à côté.\n" * 8  # so many that they look like another language's letters
GERMAN = "Schöne Grüße aus München, wie geht’s?\nIch möchte fünf Brötchen für später.\n" * 8
RUSSIAN = "Привет, как дела? Хорошо, спасибо.\nА у тебя? Тоже неплохо.\n" * 8
POLISH = "Dzień dobry, jak się masz? Świetnie, dziękuję.\nGdzie jest łazienka? Proszę iść prosto.\n" * 8
JAPANESE = "こんにちは、元気ですか。\nはい、元気です。ありがとうございます。\n" * 8
CHINESE = "你好，你最近怎么样？\n我很好，谢谢你。我们一起去吃饭吧。\n" * 8
KOREAN = "안녕하세요, 어떻게 지내세요?\n잘 지내요, 감사합니다.\n" * 8


def utterances(path):
    return [text for conversation in read_corpus(path).conversations for text in conversation.utterances]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (ENGLISH, "cp1252"),
        (FRENCH, "cp1252"),
        (ACCENTS, "cp1252"),
        (GERMAN, "cp1252"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8-r"),
        (POLISH, "cp1250"),
        (JAPANESE, "shift_jis"),
        (JAPANESE, "euc_jp"),
        (CHINESE, "gbk"),
        (KOREAN, "euc_kr"),
    ],
)
def test_encodings_are_detected_and_said(tmp_path, text, encoding):
    path = tmp_path / "a.txt"
    path.write_bytes(text.encode(encoding))
    assert utterances(path) == text.splitlines()
    assert " (detected): 1 conversation" in str(read_corpus(path))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\x85"])
def test_marks_of_byte_order_and_line_ends(tmp_path, encoding, end):
    path = tmp_path / "a.txt"
    path.write_bytes(RUSSIAN.replace("\n", end).encode(encoding))
    assert utterances(path) == RUSSIAN.splitlines()
    name = encoding.removesuffix("-sig")
    assert (f"plain text in {name}: " in str(read_corpus(path))) == (name != "utf-8")


def test_utf_8_is_not_guessed(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text(ENGLISH + JAPANESE + "😀\n", encoding="utf-8")
    assert detect_encoding(path) == Encoding("utf-8", "\n", False)
    # A character that is divided between two blocks is no fault.
    path.write_bytes(b"a" * (BLOCK - 1) + "é\nb\n".encode())
    assert detect_encoding(path) == Encoding("utf-8", "\n", False)


def test_quotation_marks_of_windows_need_no_evidence(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"I don\x92t.\nYou \x93do\x94 \x96 so \x85\n")
    assert utterances(path) == ["I don’t.", "You “do” – so …"]


@pytest.mark.parametrize(
    "content",
    [
        "Hello.\nDéjà vu.\n".encode("latin-1"),
        ("Привет, как дела?\n" * 9).encode() + b"caf\xe9\n",
        ("Hi.\n" * 99).encode() + b"\xff\xfe\n",
        "Hi.\nYes 😀".encode()[:-1],
    ],
)
def test_what_does_not_show_its_encoding_is_a_bad_line(tmp_path, content):
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"a\.txt:\d+: the line is not UTF-8 text$"):
        read_corpus(path)


def test_what_cannot_be_decoded_is_a_bad_line_in_other_encodings_too(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("Hi.\nYes.\n".encode("utf-16") + b"\x00\xd8" + "\nNo.\n".encode("utf-16-le"))
    with pytest.raises(UserError, match=r"a\.txt:3: the line is not utf-16 text$"):
        read_corpus(path)
    bad = BadLines(skip=True, error=UserError)
    assert [each.utterances for each in read_corpus(path, bad=bad).conversations] == [("Hi.", "Yes.", "No.")]
    assert bad.counts == {"not utf-16": 1}


def test_line_ends_inside_a_file_with_line_feeds_are_not_line_ends(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("a\x85b\nc\u2028d\r\n".encode())
    assert utterances(path) == ["a\x85b", "c\u2028d"]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8", "utf-8-sig", "utf-16"])
def test_cornell_as_published_and_saved_again(tmp_path, encoding):
    separator = " +++$+++ "
    lines = (("L1", "u0", "m0", "A", "They do!"), ("L2", "u1", "m0", "B", "Ils déjà!"))
    text = "".join(separator.join(line) + "\n" for line in lines)
    (tmp_path / "movie_lines.txt").write_text(text, encoding)
    conversation = separator.join(("u0", "u1", "m0", "['L1', 'L2']\n"))
    (tmp_path / "movie_conversations.txt").write_text(conversation, encoding)
    assert utterances(tmp_path) == ["They do!", "Ils déjà!"]


def test_bytes_of_windows_in_cornell(tmp_path):
    lines = b"L1 +++$+++ u0 +++$+++ m0 +++$+++ A +++$+++ Don\x92t \x81\x8d\x8f\x90\x9d\x85\n"
    lines += b"L2 +++$+++ u1 +++$+++ m0 +++$+++ B +++$+++ D\xe9j\xe0 \x93vu\x94\n"
    (tmp_path / "movie_lines.txt").write_bytes(lines)
    (tmp_path / "movie_conversations.txt").write_text("u0 +++$+++ u1 +++$+++ m0 +++$+++ ['L1', 'L2']\n")
    assert utterances(tmp_path) == ["Don’t \x81\x8d\x8f\x90\x9d…", "Déjà “vu”"]
