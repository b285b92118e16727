import gzip
import tracemalloc
import zipfile

import numpy as np
import pytest

from glove import BadLines, VectorFileError, Vectors, read_vectors, write_vectors

TEXT = "the 0.1 -0.2 3e-1\nof 1 2 3\ncafé -1.5 0 0.25\n"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


def test_reads_all_words_in_the_order_of_the_file(file):
    vectors = read_vectors(file)
    assert vectors.words == ["the", "of", "café"]
    assert vectors.matrix.dtype == np.float32
    np.testing.assert_allclose(vectors.matrix, [[0.1, -0.2, 0.3], [1, 2, 3], [-1.5, 0, 0.25]], rtol=1e-6)


@pytest.mark.parametrize("header", ["", "3 3\n"])
def test_a_byte_order_mark_is_not_part_of_the_first_word(tmp_path, header):
    path = tmp_path / "marked.txt"
    path.write_text(header + TEXT, encoding="utf-8-sig")
    assert read_vectors(path).words == ["the", "of", "café"]
    assert read_vectors(path, {"the"}).words == ["the"]


def test_keeps_only_the_words_asked_for(file):
    vectors = read_vectors(file, {"café", "unheard"})
    assert vectors.words == ["café"]
    assert vectors.matrix.shape == (1, 3)


def test_no_word_found_is_an_empty_matrix_of_the_files_dimension(file):
    assert read_vectors(file, ["unheard"]).matrix.shape == (0, 3)


def test_reads_gzip_and_members_of_zip(tmp_path):
    packed = tmp_path / "v.txt.gz"
    packed.write_bytes(gzip.compress(TEXT.encode()))
    assert read_vectors(packed).words == ["the", "of", "café"]
    archive = tmp_path / "glove.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("glove.3d.txt", TEXT)
        file.writestr("glove.2d.txt", "the 1 2\n")
    assert read_vectors(archive, dimension=3).dimension == 3
    assert read_vectors(archive, member="glove.2d.txt").dimension == 2
    with pytest.raises(VectorFileError, match=r"name one of these members: glove\.3d\.txt, glove\.2d\.txt"):
        read_vectors(archive)
    with pytest.raises(VectorFileError, match=r"no member other\.txt"):
        read_vectors(archive, member="other.txt")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("the 1 2 3\nof 1 2\n", r"v\.txt:2: 2 numbers after the word; 3 are expected"),
        ("the 1 2 3\nof 1 2 3 4\n", r"v\.txt:2: 4 numbers after the word; 3 are expected"),
        ("the 1 2 3\nof 1 x 3\n", r"v\.txt:2: 'x' is not a number"),
        ("the 1 2 3\nof 1 nan 3\n", r"v\.txt:2: a number is infinite or NaN"),
        ("the 1 2 3\nof 1 2 3\nand 0.5 0.", r"v\.txt:3: 2 numbers after the word; 3 are expected.*cut short"),
        ("the\n", r"v\.txt:1: 0 numbers after the word; 1 to 10,000 numbers are expected"),
        ("", r"v\.txt: the file is empty"),
    ],
)
def test_errors_name_file_and_line(tmp_path, text, message):
    path = tmp_path / "v.txt"
    path.write_text(text)
    with pytest.raises(VectorFileError, match=message):
        read_vectors(path)


def test_another_dimension_than_the_one_asked_for_is_an_error(file):
    with pytest.raises(VectorFileError, match=r":1: 3 numbers after the word; 100 are expected"):
        read_vectors(file, dimension=100)


def test_errors_of_encoding_and_of_a_cut_compressed_file(tmp_path):
    path = tmp_path / "v.txt"
    path.write_bytes(b"the 1 2\n\xff\xfe 1 2\n")
    with pytest.raises(VectorFileError, match=r"v\.txt:2: the word is not UTF-8"):
        read_vectors(path)
    packed = tmp_path / "v.gz"
    lines = "".join(f"word{i} 1 2 {i}\n" for i in range(150))
    packed.write_bytes(gzip.compress(lines.encode())[:-20])
    with pytest.raises(VectorFileError, match=r"v\.gz:\d+: the compressed file is damaged or cut short"):
        read_vectors(packed)


def test_words_with_spaces_and_repeated_words(tmp_path):
    path = tmp_path / "v.txt"
    path.write_text("the 1 2\n. . 3 4\nthe 5 6\n")
    with pytest.raises(VectorFileError, match=r"v\.txt:3: 'the' is already on line 1"):
        read_vectors(path)
    assert read_vectors(path, [". ."]).words == [". ."]
    bad = BadLines(skip=True)
    vectors = read_vectors(path, bad=bad)
    assert vectors.words == ["the", ". ."]
    np.testing.assert_array_equal(vectors.matrix, [[1, 2], [3, 4]])
    assert bad.summary() == f"bad lines skipped: 1; 1 with a repeated word (first {path}:3)"


def test_written_vectors_read_back(tmp_path):
    matrix = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)
    vectors = Vectors(["a", "b", "ü", "'s", "5"], matrix)
    for name in ("v.txt", "v.gz"):
        write_vectors(tmp_path / name, vectors)
        again = read_vectors(tmp_path / name)
        assert again.words == vectors.words
        np.testing.assert_allclose(again.matrix, matrix, rtol=1e-5)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["v.gz", "v.txt"]
    with pytest.raises(ValueError, match="white space"):
        write_vectors(tmp_path / "w.txt", Vectors(["two words"], matrix[:1]))


@pytest.mark.thorough
def test_memory_grows_with_the_words_kept_and_not_with_the_file(tmp_path):
    path = tmp_path / "large.txt"
    numbers = " ".join(["0.12345"] * 100)
    with path.open("w") as stream:
        for i in range(40_000):  # 32 MB of text
            stream.write(f"word{i} {numbers}\n")
    tracemalloc.start()
    vectors = read_vectors(path, [f"word{i}" for i in range(0, 40_000, 100)])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(vectors.words) == 400
    assert peak < 4e6


def test_nearest_words_by_cosine():
    vectors = Vectors(["a", "b", "c", "d"], np.array([[1, 0], [2, 0.1], [0, 1], [-1, 0]], np.float32))
    assert [word for word, _ in vectors.nearest("a", 2)] == ["b", "c"]
    assert vectors.nearest("a", 10)[-1] == ("d", pytest.approx(-1.0))
    with pytest.raises(KeyError):
        vectors.nearest("unheard")


def test_the_real_file(shared_file):
    path = shared_file("data/glove/glove.6B.100d.8275words.txt")
    vectors = read_vectors(path, ["king", "queen", "bread"], dimension=100)
    assert sorted(vectors.words) == ["bread", "king", "queen"]
    assert vectors.nearest("king", 1)[0][0] == "queen"


@pytest.mark.parametrize("name", ["v.bin", "v.bin.gz", "v.zip"])
def test_text_is_not_written_under_the_name_of_another_format(tmp_path, name, capsys):
    with pytest.raises(
        VectorFileError, match=r"word vectors are written only as text; use a name that ends with \.txt"
    ):
        write_vectors(tmp_path / name, Vectors(["word"], np.ones((1, 2), np.float32)))
    assert not list(tmp_path.iterdir())
