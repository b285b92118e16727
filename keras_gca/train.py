"""`python -m keras_gca.train`: Algorithm 2 from a corpus to a bot that chats."""

import dataclasses
import sys
from pathlib import Path

from keras_gca.config import AFTER_LINE_3, PRESETS, TOTALS, Config
from keras_gca.data.conversations import FORMATS
from keras_gca.data.source import Source
from keras_gca.engine import command_line, reporting
from keras_gca.errors import UserError

DESCRIPTION = """\
Train a generative conversational agent by Algorithm 2 of Ludwig 2017: teacher forcing, then, again and again,
self-conversation, the discriminator, the generator through the frozen discriminator, and teacher forcing.

  python -m keras_gca.train                            the embedded corpus of English courses; about 10 minutes
  python -m keras_gca.train --data FILE --glove FILE   your own conversations and word vectors
  python -m keras_gca.train --resume RUN               go on with an interrupted run
  python -m keras_gca.train --resume RUN --teacher-forcing-epochs 20
                                                       train line 3 further, to 20 epochs in all, and run the rest anew
  python -m keras_gca.train --start-from RUN           again from line 4, with other settings of lines 4 to 12
  python -m keras_gca.train --config RUN/config.json   a new run with another run's settings
  python -m keras_gca.train --strategy mirrored        on all GPUs of this machine
"""

EPILOG = f"""\
corpus formats: {", ".join(FORMATS)}; each is explained in keras_gca/data/conversations.py.
Ctrl-C stops after the current step; the run can be resumed, and chats with what it has learned so far.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status: 0, or 130 after an interruption."""
    options = _parser().parse_args(arguments)
    changes = command_line.settings(options, Config)
    given = {field.name: getattr(options, field.name) for field in dataclasses.fields(Source)}
    if options.resume is not None:
        others = ("preset", "config", *given, "run", "start_from")
        command_line.refuse_settings_of_resume(options, others, changes, TOTALS)
    elif options.start_from is not None:
        others = [name for name in changes if name not in AFTER_LINE_3]
        given_not = ("preset", "config", *given)
        command_line.refuse(options, given_not, others, "--start-from takes the other run's data and line 3")
    elif options.vocabulary and (idle := [name for name in ("vocabulary_size", "minimum_count") if name in changes]):
        raise UserError(f"--{idle[0].replace('_', '-')}: --vocabulary gives the words; leave one out")
    source, config = Source(**given), command_line.chosen_settings(options, Config)
    run = command_line.new_run(options)
    read = source.read() if options.resume is None and options.start_from is None else None
    strategy = command_line.set_up_tensorflow(options)
    from keras_gca.training import pipeline

    if options.resume is not None:
        session = pipeline.resume(options.resume, strategy, **changes)
    elif options.start_from is not None:
        session = pipeline.start_from(options.start_from, changes, run, strategy)
    else:
        session = pipeline.train_agent(config, source, run, strategy, read)
    return 0 if session.training.finished else 130


def _parser() -> command_line.Parser:
    parser = command_line.Parser(prog="python -m keras_gca.train", description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("--preset", choices=PRESETS, help="paper: every number of Section 5; default; tiny: seconds")
    command_line.add_config(parser)
    parser.add_argument(
        "--data", type=Path, metavar="FILE", help="a corpus (file or folder) instead of the embedded one"
    )
    parser.add_argument("--format", choices=FORMATS, help="the corpus' format; detected if not given")
    parser.add_argument(
        "--vocabulary",
        type=Path,
        metavar="FILE",
        help="the words to know: one a line, or the author's vocabulary_movie; the training text's if not given",
    )
    parser.add_argument(
        "--glove", type=Path, metavar="FILE", help="word vectors (glove.6B.100d.txt, .gz or .zip); fitted if not given"
    )
    parser.add_argument(
        "--glove-member", metavar="NAME", help="the file inside a .zip; chosen by its dimension if not given"
    )
    parser.add_argument(
        "--run", type=Path, metavar="DIR", help="the run folder to make; runs/ and the date if not given"
    )
    parser.add_argument(
        "--resume",
        type=Path,
        metavar="RUN",
        help="go on with this run, with its own settings; new totals may be given, to train it further, by "
        f"{command_line.naming(TOTALS)}",
    )
    parser.add_argument(
        "--start-from",
        type=Path,
        metavar="RUN",
        help="take this run's data, settings and generator after line 3, and go on from line 4 as a new run; what may "
        f"be set otherwise: {', '.join(name.replace('_', '-') for name in AFTER_LINE_3)}",
    )
    command_line.add_bad_lines(parser)
    command_line.add_devices(parser)
    reporting.add_options(parser)
    command_line.add_settings(parser, Config)
    return parser


if __name__ == "__main__":
    sys.exit(command_line.run(main, "train"))
