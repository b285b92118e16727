import bz2
import gzip
import lzma

import pytest

from glove.__main__ import main
from glove.cost import Estimate, TimeLimit


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "corpus.txt"
    path.write_text("the cat sat on the mat\nthe dog sat on the log\n")
    return path


def test_fit_then_neighbours_then_coverage(corpus, tmp_path, capsys):
    vectors = tmp_path / "v.txt"
    assert main(["fit", str(corpus), "--output", str(vectors), "--dimension", "5", "--epochs", "3"]) == 0
    assert f"wrote 7 vectors of 5 numbers to {vectors}" in capsys.readouterr().out
    assert main(["neighbours", str(vectors), "cat", "--count", "2"]) == 0
    assert capsys.readouterr().out.startswith("cat: ")
    (tmp_path / "other.txt").write_text("the bird sat\n")
    assert main(["coverage", str(vectors), str(tmp_path / "other.txt")]) == 0
    assert "2 of 3 words" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["neighbours", "none.txt", "cat"], "none.txt"),
        (["neighbours", "{corpus}", "cat"], ":1: 'cat' is not a number"),
        (["fit", "none.txt"], "none.txt"),
    ],
)
def test_errors_are_one_line_and_status_2(corpus, capsys, arguments, message):
    assert main([argument.format(corpus=corpus) for argument in arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("none/v.txt", "the folder {folder}/none does not exist; an existing folder is expected"),
        ("", "this is a folder"),
    ],
)
def test_an_output_that_cannot_be_written_is_refused_before_the_corpus_is_read(tmp_path, capsys, output, message):
    assert main(["fit", str(tmp_path / "none.txt"), "--output", str(tmp_path / output)]) == 2
    error = capsys.readouterr().err
    assert f"{tmp_path / output}: {message.format(folder=tmp_path)}" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("command", ["fit", "coverage"])
@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_a_compressed_corpus_is_one_line(corpus, tmp_path, capsys, command, compress):
    packed = tmp_path / "corpus.txt.gz"
    packed.write_bytes(compress(corpus.read_bytes()))
    arguments = [packed, "--output", tmp_path / "v.txt"] if command == "fit" else [tmp_path / "v.txt", packed]
    assert main([command, *map(str, arguments)]) == 2
    expected = f"glove: {packed}: the file is compressed; uncompressed text is expected, so unpack it first\n"
    assert capsys.readouterr().err == expected


@pytest.mark.parametrize("options", [["--x-max", "-5"], ["--seed", "-1"], ["--epochs", "none"], ["--nonsense"]])
def test_impossible_options_are_one_line_and_status_2(corpus, capsys, options):
    with pytest.raises(SystemExit) as exit:
        main(["fit", str(corpus), *options])
    assert exit.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_word_without_vector_is_one_line(tmp_path, capsys):
    (tmp_path / "v.txt").write_text("a 1 2\n")
    assert main(["neighbours", str(tmp_path / "v.txt"), "b"]) == 2
    assert "no vector for 'b'" in capsys.readouterr().err


def test_fit_says_what_it_costs_and_stops_when_its_time_is_over(corpus, tmp_path, capsys, monkeypatch):
    now = iter([0, 50, 61])
    monkeypatch.setattr("glove.__main__.TimeLimit", lambda minutes: TimeLimit(minutes, lambda: next(now)))
    monkeypatch.setattr("glove.__main__.estimate", lambda *sizes: Estimate({"epochs": 60.0}, 1e9, "is slow"))
    output = ["--output", str(tmp_path / "v.txt")]
    assert main(["fit", str(corpus), *output, "--dimension", "5", "--epochs", "9", "--minutes", "1"]) == 0
    out = capsys.readouterr().out
    assert "estimate: about 1 minute (epochs 1) and 1.0 GB of memory; this machine is slow\n" in out
    assert "stopped after 2 of 9 epochs, because the time limit was reached\nwrote 7 vectors" in out
    with pytest.raises(SystemExit):
        main(["fit", str(corpus), *output, "--minutes", "0"])
    assert "'0' is not a positive number" in capsys.readouterr().err
