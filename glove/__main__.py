"""`python -m glove fit | neighbours | coverage`: fit, examine and check word vectors."""

import argparse
import collections
import math
import re
import sys
from pathlib import Path
from typing import NoReturn

from glove.cost import TimeLimit
from glove.embedding import embedding_matrix
from glove.fit import estimate, fit
from glove.progress import bar_or_lines
from glove.standard_streams import show_and_read_anything
from glove.text_files import SKIP_HINT, BadLines, VectorFileError, counted, one_line, text_lines
from glove.vectors import read_vectors, refuse_unreadable_name, write_vectors

VECTORS = (
    "word vectors: a GloVe, word2vec or fastText text file or a word2vec .bin file, which may be a .gz or in a .zip"
)
COMPRESSED = re.compile(rb"\x1f\x8b|PK\x03\x04|BZh\d1AY&SY|\xfd7zXZ\x00|\x28\xb5\x2f\xfd")  # the first bytes of a file
CORPUS = "a UTF-8 text file with one document per line and spaces between the words"


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status: 0, 2 after an error, or 130 after Ctrl-C.

    An error is reported as one line on standard error.
    """
    show_and_read_anything()
    options = _parser().parse_args(arguments)
    options.bad_lines = BadLines(options.skip_bad_lines, hint=SKIP_HINT)
    try:
        status = options.run(options)
        if options.bad_lines.counts:
            print(options.bad_lines.summary())
        return status
    except (VectorFileError, OSError) as error:
        print(f"glove: {one_line(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nglove: interrupted", file=sys.stderr)
        return 130


def _fit(options: argparse.Namespace) -> int:
    refuse_unreadable_name(options.output)
    _refuse_unwritable(options.output)
    documents = _read_tokens(options.corpus, options.bad_lines)
    counts = collections.Counter(word for document in documents for word in document)
    words = [word for word, count in counts.most_common() if count >= options.minimum_count]
    print(f"{counted(len(documents), 'line')}, {counted(counts.total(), 'token')}, {counted(len(words), 'word')}")
    limit = TimeLimit(options.minutes)
    done = 0

    def begin(entries: int) -> None:
        sizes = len(words), options.dimension, options.window, options.epochs
        cost = estimate(counts.total(), entries, *sizes)
        if cost.is_long:
            print(cost, flush=True)

    try:
        with bar_or_lines(options.epochs, desc="fitting vectors, epoch") as bar:

            def report(epoch: int, error: float) -> None:
                nonlocal done
                done = epoch
                bar.set_postfix_str(f"weighted squared error {error:.5f}", refresh=False)
                bar.update()

            vectors = fit(
                documents,
                words,
                dimension=options.dimension,
                window=options.window,
                x_max=options.x_max,
                epochs=options.epochs,
                seed=options.seed,
                report=report,
                begin=begin,
                stop=lambda: limit.is_over,
            )
    except ValueError as error:
        raise VectorFileError(f"{options.corpus}: {error}") from None
    if done < options.epochs:
        print(f"stopped after {done} of {counted(options.epochs, 'epoch')}, because the time limit was reached")
    write_vectors(options.output, vectors)
    size = f"{counted(len(vectors.words), 'vector')} of {counted(vectors.dimension, 'number')}"
    print(f"wrote {size} to {options.output}")
    print(f"next: {sys.orig_argv[0]} -m glove neighbours {options.output} {vectors.words[len(vectors.words) // 20]}")
    return 0


def _neighbours(options: argparse.Namespace) -> int:
    vectors = read_vectors(options.vectors, member=options.member, bad=options.bad_lines)
    for word in options.words:
        try:
            nearest = vectors.nearest(word, options.count)
        except KeyError:
            folded = word != word.lower() and all(other == other.lower() for other in vectors.words)
            why = " (all words in the file are in lower case)" if folded else ""
            raise VectorFileError(f"{options.vectors}: there is no vector for {word!r}{why}") from None
        print(f"{word}: " + ", ".join(f"{other} {similarity:.2f}" for other, similarity in nearest))
    return 0


def _coverage(options: argparse.Namespace) -> int:
    documents = _read_tokens(options.corpus, options.bad_lines)
    counts = collections.Counter(word for document in documents for word in document)
    words = [word for word, _ in counts.most_common()]
    vectors = read_vectors(options.vectors, words, member=options.member, bad=options.bad_lines)
    print(embedding_matrix(words, vectors, counts).report(most=options.count))
    return 0


def _refuse_unwritable(output: Path) -> None:
    """Raise VectorFileError before a long computation if its result could not be written to this file."""
    if output.is_dir():
        raise VectorFileError(f"{output}: this is a folder; the name of a file is expected")
    if not output.parent.is_dir():
        raise VectorFileError(f"{output}: the folder {output.parent} does not exist; an existing folder is expected")


def _read_tokens(path: Path, bad: BadLines) -> list[list[str]]:
    try:
        with path.open("rb") as stream:
            beginning = stream.read(16)
    except OSError as error:
        raise VectorFileError(f"{path}: cannot be read ({error.strerror})") from None
    if COMPRESSED.match(beginning):
        raise VectorFileError(f"{path}: the file is compressed; uncompressed text is expected, so unpack it first")
    return [line.split() for _, line in text_lines(path, bad) if line.strip()]


class _Parser(argparse.ArgumentParser):
    """An ArgumentParser that reports an error in one line and exits with status 2."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"glove: {message} (see --help)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m glove", description="Fit, examine and check word vectors (GloVe).")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("fit", help="fit word vectors to a tokenised text")
    command.add_argument("corpus", type=Path, help=CORPUS)
    command.add_argument("--output", type=Path, default=Path("vectors.txt"), help="the file to write (.txt or .gz)")
    command.add_argument("--dimension", type=_positive, default=100, help="the dimension of the vectors")
    command.add_argument("--window", type=_positive, default=10, help="the number of context words on each side")
    command.add_argument(
        "--x-max",
        type=_positive_number,
        default=100.0,
        help="the co-occurrence count at which a pair of words reaches full weight; for small corpora, 10 is better "
        "than the default",
    )
    command.add_argument("--epochs", type=_positive, default=50, help="the number of passes over the co-occurrences")
    command.add_argument(
        "--minimum-count", type=_positive, default=1, help="ignore words that occur fewer times than this"
    )
    command.add_argument(
        "--minutes",
        type=_positive_number,
        help="the time limit in minutes, not counting the time to read the corpus; fitting stops after the epoch in "
        "which the limit is reached, and the vectors are written",
    )
    command.add_argument("--seed", type=_seed, default=0, help="the random seed; the same seed gives the same vectors")
    command.set_defaults(run=_fit)

    command = commands.add_parser("neighbours", help="list the words nearest to a word, by cosine similarity")
    command.add_argument("vectors", type=Path, help=VECTORS)
    command.add_argument("words", nargs="+", help="list the neighbours of these words")
    command.add_argument("--member", help="the file to read in a .zip archive")
    command.add_argument("--count", type=_positive, default=10, help="the number of neighbours to list")
    command.set_defaults(run=_neighbours)

    command = commands.add_parser("coverage", help="measure how many words of a tokenised text have vectors")
    command.add_argument("vectors", type=Path, help=VECTORS)
    command.add_argument("corpus", type=Path, help=CORPUS)
    command.add_argument("--member", help="the file to read in a .zip archive")
    command.add_argument("--count", type=_positive, default=20, help="the number of missing words to list")
    command.set_defaults(run=_coverage)
    for subparser in commands.choices.values():
        subparser.add_argument("--skip-bad-lines", action="store_true", help="skip and count lines that cannot be read")
        subparser.formatter_class = argparse.ArgumentDefaultsHelpFormatter
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number")
    return int(text)


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a non-negative whole number")
    return int(text)


def _positive_number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return value


if __name__ == "__main__":
    sys.exit(main())
