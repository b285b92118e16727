"""`python -m keras_gca.inspect`: show how a corpus is read, without training on it."""

import sys
from pathlib import Path

from glove.text_files import BadLines
from keras_gca.data.conversations import FORMATS, read_corpus
from keras_gca.data.inspection import described
from keras_gca.engine import command_line
from keras_gca.errors import UserError

DESCRIPTION = """\
Show how a corpus is read: its format and encoding, its first exchanges, the number and length of its conversations and
utterances, its speakers, and the lines that cannot be used. The training commands read the corpus in the same way.

  python -m keras_gca.inspect FILE                  detect the format of FILE, and show how it is read
  python -m keras_gca.inspect FILE --format text    show how FILE is read as plain text
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command, and return its exit status, 0."""
    options = make_parser().parse_args(arguments)
    bad = BadLines(skip=True, error=UserError)
    corpus = read_corpus(options.data, options.format, bad)
    print(*described(corpus, bad, options.exchanges), sep="\n")
    return 0


def make_parser() -> command_line.Parser:
    """Make the parser of the command's options."""
    parser = command_line.Parser(prog="python -m keras_gca.inspect", description=DESCRIPTION)
    parser.add_argument("data", type=Path, metavar="FILE", help="the corpus: a file or a folder")
    parser.add_argument("--format", choices=FORMATS, help="the format of the corpus (default: detected)")
    parser.add_argument(
        "--exchanges",
        type=command_line.at_least_one,
        default=3,
        metavar="N",
        help="the number of exchanges to show from the beginning of the corpus [3]",
    )
    return parser


if __name__ == "__main__":
    sys.exit(command_line.run(main, "inspect"))
