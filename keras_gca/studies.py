"""`python -m keras_gca.studies` trains variants of the first paper's method over several seeds, and compares them.

A study compares variants of one training. The variant `default` is the training with unchanged settings. Runs that
exist in the folder are used again. Therefore several studies can share a run, and an interrupted study continues where
it stopped.
"""

import argparse
import functools
import sys
from pathlib import Path

from glove.cost import TimeLimit
from keras_gca.config import PRESETS, Config
from keras_gca.data.conversations import FORMATS
from keras_gca.data.source import Source
from keras_gca.engine import command_line, reporting
from keras_gca.errors import UserError, refuse_missing
from keras_gca.evaluation.decoding_grid import grid
from keras_gca.evaluation.variants import STUDIES

DESCRIPTION = f"""\
Compare variants of a training over several seeds, and print mean and standard deviation:

{chr(10).join(f"  {name:14} {study.question}" for name, study in STUDIES.items())}
  {"all":14} all of these

Runs are stored in RUNS/VARIANT/seed_N (see --runs). A run that exists is used again, and continued if it is not
finished. Every other setting (see python -m keras_gca.train --help) applies to all variants. The results are written to
RUNS/STUDY.md and RUNS/STUDY.json.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command, and return its exit status: 0, or 130 after an interruption."""
    options = make_parser().parse_args(arguments)
    settings, preset = command_line.settings(options, Config), options.preset or "default"
    if "seed" in settings:
        raise UserError("--seed: a study takes several seeds; use --seeds")
    Config.preset(preset, **settings)  # raises UserError on an impossible setting
    if options.experiment is not None:
        refuse_missing(options.experiment.absolute().parent)
    source = Source(options.data, options.format, glove=options.glove, skip_bad_lines=options.skip_bad_lines)
    command_line.set_up_tensorflow()
    from keras_gca.evaluation import provenance
    from keras_gca.evaluation.studies import Setup, cost, run_study

    setup = Setup(options.runs, options.seeds, preset, settings, source, grid() if options.grid else None)
    names = list(STUDIES) if options.study == "all" else [options.study]
    reporting.say_cost(cost(names, setup))
    run = functools.partial(run_study, setup=setup, limit=TimeLimit(options.minutes))
    command = provenance.command_of("keras_gca.studies", sys.argv[1:] if arguments is None else arguments)
    return provenance.run_all(names, run, options.experiment, command)


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command's options."""
    parser = command_line.Parser(prog="python -m keras_gca.studies", description=DESCRIPTION)
    parser.add_argument("study", choices=[*STUDIES, "all"], metavar="STUDY", help="one of the above")
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[0, 1, 2], metavar="N", help="train each variant with each seed [0 1 2]"
    )
    parser.add_argument(
        "--runs", type=Path, default=Path("runs/studies"), metavar="DIR", help="the folder of the runs [runs/studies]"
    )
    parser.add_argument("--preset", choices=PRESETS, help="the preset of all trainings [default]")
    parser.add_argument("--data", type=Path, metavar="FILE", help="a corpus to use instead of the embedded one")
    parser.add_argument("--format", choices=FORMATS, help="the format of the corpus (default: detected)")
    parser.add_argument(
        "--glove", type=Path, metavar="FILE", help="word vectors for the trainings and for the similarities of replies"
    )
    command_line.add_minutes(parser, "stop after this time, as after Ctrl-C; the same command then continues")
    parser.add_argument(
        "--grid",
        action="store_true",
        help="also compare all generators at their best points of a grid of temperatures and nuclei",
    )
    reporting.add_experiment(parser)
    command_line.add_bad_lines(parser)
    reporting.add_options(parser)
    command_line.add_settings(parser, Config)
    return parser


if __name__ == "__main__":
    sys.exit(command_line.run(main, "studies"))
