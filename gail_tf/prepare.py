"""`python -m gail_tf.prepare`: prepare trajectories of any number as token files, which a training run reads."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gail_tf.config import FROM_SCRATCH, PRESETS, PRETRAINED, GAILConfig
from gail_tf.data.token_folder import PREPARED
from keras_gca.data.conversations import FORMATS
from keras_gca.engine import command_line, reporting
from keras_gca.errors import UserError, refuse_missing
from keras_gca.settings import naming

if TYPE_CHECKING:
    from gail_tf.data.preparation import Model

DESCRIPTION = """\
Prepare expert conversations as a folder of token files. A training maps these files into memory, so that the corpora
need not fit into memory. The memory of this command does not grow with the corpora, either. An interrupted command
continues when it is repeated.

  python -m gail_tf.prepare FILE... --out FOLDER                      for a GPT-2 from scratch
  python -m gail_tf.prepare FILE... --model smollm2-135m --out FOLDER for a pretrained network
  python -m gail_tf.train --data FOLDER                               train on them
"""

EPILOG = """\
Corpora that fit into memory do not need this command: python -m gail_tf.train --data FILE... trains to the same
weights. The settings above are fixed by this command; all other settings are chosen when a training run begins.
docs/formats.md describes the formats of corpora and of token files.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return the exit status: 0, or 130 after an interruption or if its time is over."""
    options = make_parser().parse_args(arguments)
    changes = command_line.settings(options, GAILConfig)
    if not options.data and not options.tweets:
        raise UserError("there is nothing to prepare; name corpora, or files of tweets with --tweets")
    if options.preset == "pretrained" and options.model is None:
        options.model = PRETRAINED
    if options.model is not None:
        if options.general:
            raise UserError(
                "--general is text for pretraining a model, but --model is already pretrained; leave out one of the two"
            )
        if useless := [name for name in FROM_SCRATCH if name in changes]:
            raise UserError(
                f"{naming(useless)}: valid only for a GPT-2 from scratch, but --model names a pretrained network"
            )
    config = GAILConfig.preset(options.preset or "default", **changes)
    if options.general and not config.likelihood.pretraining_epochs:
        raise UserError("--general has no effect with --pretraining-epochs 0; leave out one of the two")
    refuse_missing(*options.data, *options.tweets, *options.general)
    from gail_tf.data import preparation

    corpora = preparation.Corpora(options.data, options.tweets, options.general, options.format, options.skip_bad_lines)
    try:
        folder = preparation.prepare_folder(
            corpora,
            config,
            options.out,
            command_line.bad_lines(options),
            _model(options.model, options.agreed),
            options.processes,
            options.minutes,
        )
    except KeyboardInterrupt:
        print()  # ends the line in which the terminal shows ^C
        folder = None
    if folder is None:
        print(f"next: the same command continues with {options.out}")
        return 130
    reporting.say(*folder.described())
    print(f"wrote {options.out}")
    print(f"next: {command_line.hint('gail_tf.train', '--data', options.out)}")
    return 0


def _model(name: str | None, agreed: bool) -> "Model | None":
    """Find a pretrained model; a path is stored in a form that is valid in any working directory."""
    if name is None:
        return None
    from gail_tf.base_models.locate import locate
    from gail_tf.data.preparation import Model

    return Model(str(Path(name).absolute()) if Path(name).exists() else name, locate(name, agreed))


def make_parser() -> command_line.Parser:
    """Make the parser of the command's options."""
    parser = command_line.Parser(prog="python -m gail_tf.prepare", description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("data", type=Path, nargs="*", metavar="DATA", help="conversations: files or folders")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="the folder to make")
    parser.add_argument(
        "--format", choices=FORMATS, help="the format of DATA and --general (default: detected for each file)"
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
    parser.add_argument(
        "--model",
        metavar="MODEL",
        help="the pretrained network, as for gail_tf.train, whose tokenizer encodes the text. Without this option, a "
        "tokenizer is fitted to the text, for a GPT-2 from scratch",
    )
    parser.add_argument("--yes", dest="agreed", action="store_true", help="do not ask before fetching a network")
    parser.add_argument(
        "--processes",
        type=command_line.at_least_one,
        default=os.cpu_count() or 1,
        metavar="N",
        help="the number of processes that work at the same time [one for each core]",
    )
    command_line.add_minutes(parser, "stop after this time, as after Ctrl-C; the same command then continues")
    parser.add_argument("--preset", choices=PRESETS, help="the preset of the settings below [default]")
    command_line.add_bad_lines(parser)
    reporting.add_options(parser)
    command_line.add_settings(parser, GAILConfig, (*PREPARED, "pretraining_epochs", "seed"))
    return parser


if __name__ == "__main__":
    sys.exit(command_line.run(main, "prepare"))
