"""`python -m keras_gca.train`: train an agent by Algorithm 2 on a corpus."""

import dataclasses
import sys
from pathlib import Path

from keras_gca.config import Config
from keras_gca.data.conversations import FORMATS
from keras_gca.data.source import Source
from keras_gca.data.token_folder import TokenFolder
from keras_gca.engine import command_line, loading, reporting
from keras_gca.errors import UserError
from keras_gca.presets import PRESETS
from keras_gca.serving import watch_command
from keras_gca.settings import naming
from keras_gca.training.after_line_3 import AFTER_LINE_3, after_line_3

DESCRIPTION = """\
Train a generative conversational agent by Algorithm 2 of Ludwig 2017. First, the generator is trained by teacher
forcing (line 3). Adversarial iterations follow (lines 4 to 12). In each iteration, the generator talks to itself, the
discriminator is trained, the generator is trained through the frozen discriminator, and teacher forcing is repeated.

  python -m keras_gca.train                            train on the embedded corpus in about 15 minutes
  python -m keras_gca.train --data FILE --glove FILE   train on your own conversations and word vectors
  python -m keras_gca.train --resume RUN               resume an interrupted run
  python -m keras_gca.train --resume RUN --teacher-forcing-epochs 20
                                                       continue teacher forcing to epoch 20, and repeat lines 4 to 12
  python -m keras_gca.train --start-from RUN           start a new run at line 4 with the data and generator of RUN
  python -m keras_gca.train --start-from RUN --preset author
                                                       the same with the author's settings for lines 4 to 12
  python -m keras_gca.train --config RUN/config.json   start a new run with another run's settings
  python -m keras_gca.train --watch                    show curves and replies in the browser while training
  python -m keras_gca.train --strategy mirrored        train on all GPUs of this machine
"""

EPILOG = f"""\
The corpus formats are {", ".join(FORMATS)}. They are explained in docs/formats.md.
To see how a file is read, use python -m keras_gca.inspect FILE.
Ctrl-C stops training after the current step. You can resume the run later, and chat with its bot right away.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command, and return its exit status: 0, or 130 after an interruption."""
    options = make_parser().parse_args(arguments)
    changes = command_line.settings(options, Config)
    given = {field.name: getattr(options, field.name) for field in dataclasses.fields(Source)}
    if options.resume is not None:
        others = ("preset", "config", *given, "run", "start_from", "backward")
        command_line.refuse_settings_of_resume(options, others, changes, Config.totals)
    elif options.start_from is not None:
        fixed = [name for name in changes if name not in AFTER_LINE_3]
        own = ("config", *given)
        command_line.refuse(options, own, fixed, "--start-from uses the data and generator of the other run")
        if options.preset is not None:
            changes = after_line_3(options.preset) | changes
    elif options.vocabulary and (idle := [name for name in ("vocabulary_size", "minimum_count") if name in changes]):
        raise UserError(
            f"{naming(idle)}: this has no effect with --vocabulary, which determines the words; leave "
            "out one of the two"
        )
    source = Source(**given)
    # `start_from` takes its settings from the other run, so the changes are checked only when that run is read.
    config = command_line.chosen_settings(options, Config) if options.start_from is None else Config()
    run = command_line.new_run(options)
    read = None
    if options.resume is None and options.start_from is None:
        config.check_backward(options.backward)
        if source.prepared is not None:
            TokenFolder.open(source.prepared).settings_of(config)  # bad input is reported before TensorFlow is imported
        else:
            read = source.read(config.splits)
    watching = watch_command.watching(options)
    strategy = loading.set_up_tensorflow(options)
    from keras_gca.training import pipeline

    if options.resume is not None:
        session = pipeline.resume(options.resume, strategy, options.minutes, watching, **changes)
    elif options.start_from is not None:
        session = pipeline.start_from(
            options.start_from, changes, run, strategy, options.minutes, watching, options.backward
        )
    else:
        session = pipeline.train_agent(config, source, run, strategy, read, options.minutes, watching, options.backward)
    return 0 if session.finished else 130


def make_parser() -> command_line.Parser:
    """Make the command's argument parser."""
    parser = command_line.Parser(prog="python -m keras_gca.train", description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument(
        "--preset",
        choices=PRESETS,
        help="the preset of the settings. paper: the values of the paper's Section 5; author: the values of the "
        "paper, with the learning rates and epochs of adversarial training from the author's program; default: "
        "settings for the embedded corpus; large: the paper's sizes, for corpora of more than 100,000 pairs; tiny: a "
        "trial run that takes seconds",
    )
    command_line.add_config(parser)
    parser.add_argument(
        "--data",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="the corpora to use instead of the embedded one: files, folders, or one folder of token files "
        "(keras_gca.prepare)",
    )
    parser.add_argument("--format", choices=FORMATS, help="the format of --data (default: detected for each corpus)")
    parser.add_argument(
        "--vocabulary",
        type=Path,
        metavar="FILE",
        help="the vocabulary: a file with one word per line, or the author's file vocabulary_movie "
        "(default: the words of the training text)",
    )
    parser.add_argument(
        "--glove",
        type=Path,
        metavar="FILE",
        help="the initial word vectors: a text file such as glove.6B.100d.txt, which may be compressed as .gz or .zip "
        "(default: vectors fitted to the training text)",
    )
    parser.add_argument(
        "--glove-member",
        metavar="NAME",
        help="the file to read from the .zip given by --glove (default: the file with the right dimension)",
    )
    command_line.add_run(parser, Config.totals)
    parser.add_argument(
        "--start-from",
        type=Path,
        metavar="RUN",
        help="start a new run at line 4 of Algorithm 2 (adversarial training), with the data, the settings and the "
        "teacher-forced generator of RUN. Only these settings may be changed: "
        f"{', '.join(name.replace('_', '-') for name in AFTER_LINE_3)}. --preset sets all of these",
    )
    parser.add_argument(
        "--backward",
        type=Path,
        metavar="RUN",
        help="the run that models p(x|y), for --algorithm dialogue_rewards. It must be trained on the same data, "
        "with --predict context",
    )
    command_line.add_bad_lines(parser)
    command_line.add_devices(parser)
    watch_command.add_options(parser)
    reporting.add_options(parser)
    command_line.add_settings(parser, Config)
    return parser


if __name__ == "__main__":
    sys.exit(command_line.run(main, "train"))
