"""`python -m keras_gca.prepare`: prepare a corpus of any size as token files, which training reads from disk."""

import sys
from pathlib import Path

from keras_gca.config import Config
from keras_gca.data.conversations import FORMATS
from keras_gca.data.token_folder import PREPARED
from keras_gca.engine import command_line, preparing_command
from keras_gca.errors import UserError, refuse_missing
from keras_gca.presets import PRESETS
from keras_gca.settings import naming

DESCRIPTION = """\
Prepare a corpus as a folder of token files. Training maps these files into memory, so the corpus may be larger than the
memory. The memory that this command itself needs does not depend on the size of the corpus. If the command is
interrupted, run it again to continue.

  python -m keras_gca.prepare FILE... --out FOLDER    prepare one or more corpora
  python -m keras_gca.train --data FOLDER             train on them
"""

EPILOG = """\
A corpus that fits into memory does not need this command: python -m keras_gca.train --data FILE gives the same trained
weights. This command fixes the settings above; all other settings are chosen when training starts.
docs/formats.md describes the formats of corpora and of token files.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command, and return its exit status: 0, or 130 if Ctrl-C or the time limit stopped the command."""
    options = make_parser().parse_args(arguments)
    changes = command_line.settings(options, Config)
    if options.vocabulary and (idle := [name for name in ("vocabulary_size", "minimum_count") if name in changes]):
        raise UserError(
            f"{naming(idle)}: this has no effect with --vocabulary, which determines the words; leave "
            "out one of the two"
        )
    config = Config.preset(options.preset or "default", **changes)
    refuse_missing(*options.data, options.vocabulary)
    bad = command_line.bad_lines(options)
    from keras_gca.data import preparation
    from keras_gca.data.vocabulary_choice import given_words

    words = given_words(options.vocabulary, config, bad) if options.vocabulary else None
    corpora = preparation.Corpora(options.data, options.format, options.vocabulary, options.skip_bad_lines)
    return preparing_command.run(
        lambda: preparation.prepare_folder(
            corpora, config, options.out, bad, words, options.processes, options.minutes
        ),
        options.out,
        "keras_gca",
    )


def make_parser() -> command_line.Parser:
    """Make the parser of the command's options."""
    parser = command_line.Parser(prog="python -m keras_gca.prepare", description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("data", type=Path, nargs="+", metavar="DATA", help="the corpora: files or folders")
    parser.add_argument("--format", choices=FORMATS, help="the format of all DATA (default: detected)")
    parser.add_argument(
        "--vocabulary",
        type=Path,
        metavar="FILE",
        help="a file with one word of the vocabulary on each line (default: the words of the training text)",
    )
    preparing_command.add_options(parser, PRESETS, Config, (*PREPARED, "seed"))
    return parser


if __name__ == "__main__":
    sys.exit(command_line.run(main, "prepare"))
