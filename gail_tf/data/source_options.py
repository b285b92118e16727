"""The options with which commands are told which corpora to read."""

import argparse
from pathlib import Path

from keras_gca.data.conversations import FORMATS


def add_corpora(parser: argparse.ArgumentParser, positional: bool = False) -> None:
    """Add the options for the conversations, their format, the tweets, and the text for pretraining.

    Args:
        parser: The parser of a command.
        positional: Whether the conversations are the command's arguments DATA instead of the option --data.
    """
    data = "DATA" if positional else "--data"
    if positional:
        parser.add_argument("data", type=Path, nargs="*", metavar="DATA", help="conversations: files or folders")
    else:
        parser.add_argument(
            "--data",
            type=Path,
            nargs="+",
            default=[],
            metavar="FILE",
            help="conversations to use instead of the embedded ones, or a single folder of token files "
            "(gail_tf.prepare)",
        )
    parser.add_argument(
        "--format", choices=FORMATS, help=f"the format of {data} and --general (default: detected for each file)"
    )
    parser.add_argument(
        "--tweets", type=Path, nargs="+", default=[], metavar="FILE", help="tweets to add to the conversations"
    )
    parser.add_argument(
        "--general",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="conversations on which a GPT-2 from scratch is pretrained (default: the first paper's corpus)",
    )
