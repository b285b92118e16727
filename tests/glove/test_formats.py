"""Word vectors in the formats of word2vec and fastText, and files of which most lines cannot be used."""

import gzip
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from glove import BadLines, VectorFileError, read_vectors
from glove.__main__ import main

ROWS = {"the": [0.5, -0.25, 2.0], "of": [1.0, 2.0, 3.0], "café": [-1.5, 0.0, 0.125]}


def binary(rows=ROWS, newline=b"\n", header=None) -> bytes:
    """Make a binary file as word2vec.c does, with a newline after each vector, or as gensim does, without it."""
    size = len(next(iter(rows.values())))
    head = b"%d %d\n" % (len(rows), size) if header is None else header
    lines = [word.encode() + b" " + struct.pack(f"<{len(row)}f", *row) + newline for word, row in rows.items()]
    return head + b"".join(lines)


@pytest.fixture
def write(tmp_path):
    def make(content, name="v.txt"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return make


# Headers of text


@pytest.mark.parametrize("end", ["\n", " \n", "\r\n"])  # fastText ends its lines with a space
@pytest.mark.parametrize("name", ["v.vec", "v.txt", "v.vec.gz"])
def test_a_header_is_no_word(write, end, name):
    text = f"3 3\n{end.join(f'{word} {row[0]} {row[1]} {row[2]}' for word, row in ROWS.items())}{end}".encode()
    path = write(gzip.compress(text) if name.endswith("gz") else text, name)
    for dimension in (None, 3):
        vectors = read_vectors(path, dimension=dimension)
        assert vectors.words == list(ROWS)
        np.testing.assert_array_equal(vectors.matrix, list(ROWS.values()))
    assert read_vectors(path, ["of"]).matrix.tolist() == [ROWS["of"]]
    assert read_vectors(path, []).matrix.shape == (0, 3)
    with pytest.raises(VectorFileError, match=r"the vectors have 3 numbers; 5 are expected"):
        read_vectors(path, dimension=5)


def test_the_lines_of_a_file_with_a_header_have_their_own_numbers(write):
    with pytest.raises(VectorFileError, match=r"v\.txt:3: 1 number after the word; 2 are expected"):
        read_vectors(write("400000 2\nthe 1 2\nof 1\n"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("5 1\n6 2\n7 3\n", ["5", "6", "7"]),  # vectors of a single number, which no published header has
        ("5 2\n6 3\n", ["5", "6"]),
        ("5 2\n", ["5"]),
        ("12 1.5\nthe 2.5\n", ["12", "the"]),
        ("3 2\nthe a\n", ["3"]),
    ],
)
def test_numbers_that_are_words_are_no_header(write, text, words):
    bad = BadLines(skip=True)
    assert read_vectors(write(text), bad=bad).words == words


def test_a_bad_line_after_a_header(write):
    path = write("3 2\nbroken\nthe 1 2\nof 3 4\n")
    assert read_vectors(path, bad=BadLines(skip=True)).matrix.tolist() == [[1, 2], [3, 4]]
    with pytest.raises(VectorFileError, match=r"v\.txt:2: 0 numbers after the word; 1 to 10,000 numbers are expected"):
        read_vectors(path)


# The dimension


@pytest.mark.parametrize(
    "first",
    ["the 1 2 x\n", "the 1 nan\n", "# made by a program\n", "\n", "a b\n", "the " + "1" * 60 + " 2 3 4\n"],
)
@pytest.mark.parametrize("wanted", [None, ["of", "and"]])
def test_a_line_that_is_not_used_fixes_no_dimension(write, first, wanted):
    path = write(first + "of 1 2 3 4\nand 5 6 7 8\n")
    bad = BadLines(skip=True)
    vectors = read_vectors(path, wanted, bad=bad)
    assert vectors.words == ["of", "and"]
    assert vectors.matrix.tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert bad.counts.total() == 1
    with pytest.raises(VectorFileError, match=r"v\.txt:1: "):
        read_vectors(path, wanted)


# Nearly everything skipped


def test_a_file_of_which_nearly_all_is_skipped_is_an_error(write, capsys):
    path = write("the 1 2\n" + "".join(f"word{i} 1 2 3\n" for i in range(30)))
    message = (
        f"{path}: 30 of 31 lines cannot be used; the first error: {path}:2: 3 numbers after the word; 2 are expected"
    )
    with pytest.raises(VectorFileError) as caught:
        read_vectors(path, bad=BadLines(skip=True))
    assert str(caught.value) == message
    assert main(["neighbours", str(path), "the", "--skip-bad-lines"]) == 2
    assert capsys.readouterr().err == f"glove: {message}\n"


def test_lines_without_any_vector_are_not_an_empty_file(write):
    with pytest.raises(
        VectorFileError, match=r"v\.txt: 2 of 2 lines cannot be used; the first error: .*v\.txt:1: 'nothing"
    ):
        read_vectors(write("a nothing of the kind\nb at all\n"), bad=BadLines(skip=True))
    with pytest.raises(
        VectorFileError, match=r"v\.txt: 1 of 1 line cannot be used; the first error: .*: the line contains NUL bytes"
    ):
        read_vectors(write(b"a\0 1\n"), bad=BadLines(skip=True))


def test_one_line_in_ten_is_enough(write):
    lines = "".join(f"word{i} 1 2\n" for i in range(10)) + "".join(f"other{i} 1\n" for i in range(90))
    bad = BadLines(skip=True)
    assert len(read_vectors(write(lines), bad=bad).words) == 10
    assert bad.counts.total() == 90
    with pytest.raises(VectorFileError, match=r"91 of 101 lines cannot be used"):
        read_vectors(write(lines + "another 1\n"), bad=BadLines(skip=True))


def test_lines_of_other_files_do_not_count(write):
    """A corpus and a file of vectors may share one BadLines. Bad lines of the corpus do not count for the vectors."""
    bad = BadLines(skip=True)
    for i in range(100):
        bad.report(f"corpus.txt:{i}", "not UTF-8", "not UTF-8 text")
    assert read_vectors(write("the 1 2\nof 1\n"), bad=bad).words == ["the"]
    assert bad.counts.total() == 101


# word2vec's binary files


@pytest.mark.parametrize("newline", [b"\n", b""])
@pytest.mark.parametrize("name", ["v.bin", "v.bin.gz", "v.zip"])
def test_binary_files(write, tmp_path, newline, name):
    content = binary(newline=newline)
    if name == "v.zip":
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("v.bin", content)
        path = tmp_path / name
    else:
        path = write(gzip.compress(content) if name.endswith("gz") else content, name)
    vectors = read_vectors(path)
    assert vectors.words == list(ROWS)
    assert vectors.matrix.dtype == np.float32
    np.testing.assert_array_equal(vectors.matrix, list(ROWS.values()))
    assert read_vectors(path, ["café", "unheard"], dimension=3).matrix.tolist() == [ROWS["café"]]
    with pytest.raises(VectorFileError, match=r"v\.bin.*: the vectors have 3 numbers; 100 are expected"):
        read_vectors(path, dimension=100)


def test_a_binary_file_is_read_across_blocks(write):
    """Words and vectors may cross the borders of the blocks that are read, and have bytes that look like separators."""
    draw = np.random.default_rng(0)
    rows = {f"w{'x' * int(draw.integers(40))}{i}": draw.normal(size=50).astype(np.float32) for i in range(20_000)}
    rows["newlines"] = np.frombuffer(b"\n \n " * 50, np.float32)
    path = write(binary({word: row.tolist() for word, row in rows.items()}), "v.bin")
    vectors = read_vectors(path)
    assert vectors.words == list(rows)
    np.testing.assert_array_equal(vectors.matrix, list(rows.values()))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "v.bin: the file is empty"),
        (b"the 1 2 3\n", "v.bin:1: this is not the first line of a word2vec binary file; the number of words and"),
        (b"3 3", "v.bin:1: this is not the first line of a word2vec binary file; the number of words and"),
        (
            b"9" * 200 + b" 3\n",
            "v.bin:1: this is not the first line of a word2vec binary file; the number of words and",
        ),
        (b"3 -3\n", "v.bin:1: this is not the first line of a word2vec binary file; the number of words and"),
        (b"3 0\n", "v.bin:1: the dimension is 0; 1 to 10,000 is expected"),
        (b"3 10001\n" + b"x" * 99, "v.bin:1: the dimension is 10,001; 1 to 10,000 is expected"),
        (b"0 3\n", "v.bin:1: the number of words is 0; at least 1 is expected"),
        (
            struct.pack("<i", 793712314) + b"\0" * 99,
            "v.bin:1: this is a fastText model; use the model's .vec file instead",
        ),
        (
            binary(header=b"400000000000 3\n"),
            "v.bin: the file is cut short: 400,000,000,000 vectors of 3 numbers need more than the file's",
        ),
        (binary(header=b"4 3\n") + b"a", "v.bin: the file is cut short: word 4 of 4 is incomplete"),
        (binary()[:-6] + b"", "v.bin: the file is cut short: word 3 of 3 is incomplete"),
        (binary() + b"more", "v.bin: the file continues after the 3 words announced in its first line"),
        (b"1 3\n" + b"x" * 50_000, "v.bin: word 1: the word does not end within 1,000 bytes"),
        (binary({"a": [1.0, float("nan")]}), "v.bin: word 1: a number is infinite or NaN"),
        (binary({"a": [1.0, float("inf")]}), "v.bin: word 1: a number is infinite or NaN"),
        (binary().replace("café".encode(), b"caf\xff\xfe"), "v.bin: word 3: the word is not UTF-8 text"),
        (binary().replace(b"of", b"the"), "v.bin: word 2: 'the' is already word 1"),
    ],
)
def test_hostile_binary_files_end_in_one_line(write, capsys, content, message):
    path = write(content, "v.bin")
    assert main(["neighbours", str(path), "the"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert message in err.replace(str(path.parent) + "/", "")
    assert ("--skip-bad-lines" in err) == (message.startswith("v.bin: word ") and "does not end within" not in message)


def test_bad_words_of_a_binary_file_are_skipped(write):
    bad = BadLines(skip=True)
    path = write(binary(ROWS | {"x": [1.0, 2.0, float("nan")]}).replace(b"of", b"the"), "v.bin")
    assert read_vectors(path, bad=bad).words == ["the", "café"]
    assert bad.summary() == (
        f"bad lines skipped: 2; 1 with a repeated word (first {path}: word 2), "
        f"1 with infinity or NaN (first {path}: word 4)"
    )


def test_a_packed_binary_file_that_unpacks_to_far_more_is_refused(write):
    content = b"4000000 100\n" + (b"w " + b"\0" * 400) * 100_000  # 40 MB
    path = write(gzip.compress(content), "v.bin.gz")
    with pytest.raises(VectorFileError, match="more than 100 times as large as the compressed file"):
        read_vectors(path, [])
    path.write_bytes(gzip.compress(binary())[:-10])
    with pytest.raises(VectorFileError, match="compressed file is damaged or cut short"):
        read_vectors(path)


def test_memory_grows_with_the_words_kept_and_not_with_a_binary_file(write):
    rows = struct.pack("<100f", *range(100))
    content = b"80000 100\n" + b"".join(b"word%d " % i + rows + b"\n" for i in range(80_000))  # 33 MB
    path = write(content, "v.bin")
    tracemalloc.start()
    vectors = read_vectors(path, [f"word{i}" for i in range(0, 80_000, 200)])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert vectors.matrix.shape == (400, 100)
    assert peak < 5e6


# Messages


def test_that_words_are_in_lower_case_is_said_only_where_it_is_true(write, capsys):
    for text, word, said in (
        ("the 1 2\nof 3 4\n", "The", " (all words in the file are in lower case)"),
        ("the 1 2\nOf 3 4\n", "The", ""),
        ("the 1 2\nof 3 4\n", "and", ""),
    ):
        path = write(text)
        assert main(["neighbours", str(path), word]) == 2
        assert capsys.readouterr().err == f"glove: {path}: there is no vector for {word!r}{said}\n"
