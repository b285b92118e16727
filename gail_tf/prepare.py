"""`python -m gail_tf.prepare`: prepare any number of trajectories as token files, which training reads from disk."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gail_tf.config import PRESETS, PRETRAINED, GAILConfig, refuse_settings_from_scratch
from gail_tf.data.source import refuse_general_text
from gail_tf.data.source_options import add_corpora
from gail_tf.data.token_folder import PREPARED
from keras_gca.engine import command_line, preparing_command
from keras_gca.errors import UserError, refuse_missing

if TYPE_CHECKING:
    from gail_tf.data.preparation import Model

DESCRIPTION = """\
Prepare expert conversations as a folder of token files. Training maps these files into memory, so the corpora may be
larger than the memory. The memory that this command itself needs does not depend on the size of the corpora. If the
command is interrupted, run it again to continue.

  python -m gail_tf.prepare FILE... --out FOLDER                      for a GPT-2 from scratch
  python -m gail_tf.prepare FILE... --model smollm2-135m --out FOLDER for a pretrained network
  python -m gail_tf.train --data FOLDER                               train on them
"""

EPILOG = """\
Corpora that fit into memory do not need this command: python -m gail_tf.train --data FILE... gives the same trained
weights. This command fixes the settings above; all other settings are chosen when training starts.
docs/formats.md describes the formats of corpora and of token files.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command, and return its exit status: 0, or 130 if Ctrl-C or the time limit stopped the command."""
    options = make_parser().parse_args(arguments)
    changes = command_line.settings(options, GAILConfig)
    if not options.data and not options.tweets:
        raise UserError("there is nothing to prepare; give corpora, or files with tweets (--tweets)")
    if options.preset == "pretrained" and options.model is None:
        options.model = PRETRAINED
    if options.model is not None:
        refuse_general_text(options.model, options.general)
        refuse_settings_from_scratch(changes)
    config = GAILConfig.preset(options.preset or "default", **changes)
    if options.general and not config.likelihood.pretraining_epochs:
        raise UserError("--general has no effect with --pretraining-epochs 0; leave out one of the two")
    refuse_missing(*options.data, *options.tweets, *options.general)
    from gail_tf.data import preparation

    corpora = preparation.Corpora(options.data, options.tweets, options.general, options.format, options.skip_bad_lines)
    model, bad = _model(options.model, options.agreed), command_line.bad_lines(options)
    return preparing_command.run(
        lambda: preparation.prepare_folder(
            corpora, config, options.out, bad, model, options.processes, options.minutes
        ),
        options.out,
        "gail_tf",
    )


def _model(name: str | None, agreed: bool) -> "Model | None":
    """Find a pretrained model. A path is made absolute, so that it is valid in any working directory."""
    if name is None:
        return None
    from gail_tf.base_models.locate import locate
    from gail_tf.data.preparation import Model

    return Model(str(Path(name).absolute()) if Path(name).exists() else name, locate(name, agreed))


def make_parser() -> command_line.Parser:
    """Make the parser of the command's options."""
    parser = command_line.Parser(prog="python -m gail_tf.prepare", description=DESCRIPTION, epilog=EPILOG)
    add_corpora(parser, positional=True)
    parser.add_argument(
        "--model",
        metavar="MODEL",
        help="the pretrained network whose tokenizer encodes the text, as for gail_tf.train. Without this option, a "
        "tokenizer for a GPT-2 with random weights is fitted to the text",
    )
    parser.add_argument("--yes", dest="agreed", action="store_true", help="do not ask before fetching a network")
    preparing_command.add_options(parser, PRESETS, GAILConfig, (*PREPARED, "pretraining_epochs", "seed"))
    return parser


if __name__ == "__main__":
    sys.exit(command_line.run(main, "prepare"))
