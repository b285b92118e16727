"""`python -m keras_gca.studies` trains variants of the first paper's method with several seeds, and compares them.

A study compares variants of one training run; the variant `default` keeps all settings unchanged. Runs that already
exist are reused, so studies can share runs, and an interrupted study continues where it stopped. The study
`adversarial` differs from the others: it compares settings of adversarial training, and all its runs start from stored
teacher-forced generators (`evaluation/adversarial_cells.py`).
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from glove.cost import TimeLimit
from keras_gca.config import Config
from keras_gca.data.conversations import FORMATS
from keras_gca.data.source import Source
from keras_gca.engine import command_line, loading, reporting
from keras_gca.errors import UserError, refuse_missing
from keras_gca.evaluation.decoding_grid import grid
from keras_gca.evaluation.variants import ADVERSARIAL, CELLS, FACTORS, QUESTION, STUDIES, TEACHER_FORCED, WITHOUT_GRID
from keras_gca.presets import PRESETS

if TYPE_CHECKING:
    from keras_gca.evaluation.provenance import Outcome

DESCRIPTION = f"""\
Train variants of a run with several seeds, and print the mean and standard deviation of each metric. The studies are:

{chr(10).join(f"  {name:14} {study.question}" for name, study in STUDIES.items())}
  {"all":14} all of these
  {ADVERSARIAL:14} {QUESTION}

Runs are stored in RUNS/VARIANT/seed_N (see --runs). Finished runs are reused, and unfinished runs are continued. You
can also give training settings (see python -m keras_gca.train --help), which then apply to every variant. The results
are written to RUNS/STUDY.md and RUNS/STUDY.json.

The study {ADVERSARIAL} trains {len(CELLS)} combinations of these settings, called cells (see --cells), for one
iteration each:

{chr(10).join(f"  {factor:14} {', '.join(values)}" for factor, values in FACTORS.items())}

All cells start from the generator in RUNS/{TEACHER_FORCED}/seed_N, which is trained with N_u = 2. The results of each
cell are written to RUNS/CELL/seed_N/cell.json. If the study is interrupted or stopped by --minutes, the tables and the
file of --experiment contain the finished cells, and the same command continues the study.

The last line of the output names the cells that do best on the validation conversations. To measure how well these
cells do on the test conversations, train them again with other seeds. You can try other settings with the same
generators:

  python -m keras_gca.studies {ADVERSARIAL} --teacher-forced runs/studies --runs runs/replay --adversarial-epochs 3
    --replay 0.5 --label-smoothing 0.1

With --ratings, the discriminator of each cell is compared with human ratings of responses. The results are written to
RUNS/CELL/seed_N/ratings_NAME.json, where NAME is the name of the file of ratings.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command, and return its exit status: 0, or 130 after an interruption."""
    options = make_parser().parse_args(arguments)
    settings, preset = command_line.settings(options, Config), options.preset or "default"
    if "seed" in settings:
        raise UserError("--seed: a study takes several seeds; use --seeds")
    command_line.refuse_repeated(options.seeds)
    Config.preset(preset, **settings)  # raises UserError if a setting is invalid
    if options.experiment is not None:
        refuse_missing(options.experiment.absolute().parent)
    if options.study != ADVERSARIAL and (options.cells or options.teacher_forced):
        raise UserError(f"--cells, --teacher-forced: only the study {ADVERSARIAL} has these options; leave them out")
    if options.study != ADVERSARIAL and options.ratings:
        raise UserError(
            f"--ratings: only the study {ADVERSARIAL} has this option; for other runs, use keras_gca.evaluate --ratings"
        )
    refuse_missing(*options.ratings)
    if options.study == ADVERSARIAL and options.grid:
        raise UserError(f"--grid: the study {ADVERSARIAL} compares its generators at equal diversity; leave out --grid")
    if options.grid and options.study in WITHOUT_GRID:
        raise UserError(f"--grid: the study {options.study} has measurements of its own instead; leave out --grid")
    source = Source(options.data, options.format, glove=options.glove, skip_bad_lines=options.skip_bad_lines)
    loading.set_up_tensorflow()
    from keras_gca.evaluation import adversarial_cells, provenance
    from keras_gca.evaluation.studies import run_study
    from keras_gca.evaluation.study_trainings import Setup, cost

    points = grid() if options.grid else None
    setup = Setup(options.runs, options.seeds, preset, settings, source, points, options.teacher_forced)
    names = list(STUDIES) if options.study == "all" else [options.study]
    cells, limit = options.cells or list(CELLS), TimeLimit(options.minutes)
    variants = cells
    if options.study != ADVERSARIAL:
        variants = [variant for name in names for variant in setup.possible(STUDIES[name].variants)]
    reporting.say_cost(cost(variants, setup))

    def run(name: str) -> "Outcome | None":
        if name == ADVERSARIAL:
            return adversarial_cells.run_cells(cells, setup, limit=limit, ratings=options.ratings)
        return run_study(name, setup, limit=limit)

    command = provenance.command_of("keras_gca.studies", sys.argv[1:] if arguments is None else arguments)
    return provenance.run_all(names, run, options.experiment, command)


def make_parser() -> argparse.ArgumentParser:
    """Make the command's argument parser."""
    parser = command_line.Parser(prog="python -m keras_gca.studies", description=DESCRIPTION)
    parser.add_argument("study", choices=[*STUDIES, "all", ADVERSARIAL], metavar="STUDY", help="one of the above")
    parser.add_argument(
        "--seeds",
        type=int,
        nargs="+",
        default=[0, 1, 2],
        metavar="N",
        help="the random seeds to train each variant with [0 1 2]",
    )
    parser.add_argument(
        "--runs", type=Path, default=Path("runs/studies"), metavar="DIR", help="the folder for the runs [runs/studies]"
    )
    parser.add_argument("--preset", choices=PRESETS, help="the preset for all training runs [default]")
    parser.add_argument(
        "--data", type=Path, nargs="+", metavar="FILE", help="the corpora to use instead of the embedded one"
    )
    parser.add_argument("--format", choices=FORMATS, help="the format of the corpora (default: detected)")
    parser.add_argument(
        "--glove",
        type=Path,
        metavar="FILE",
        help="word vectors for training and for comparing replies",
    )
    command_line.add_minutes(parser, "stop after N minutes, as if by Ctrl-C; run the same command again to continue")
    parser.add_argument(
        "--grid",
        action="store_true",
        help="also compare all generators, each at the best temperature and top-p value from a grid. These studies "
        f"have no grid: {', '.join(WITHOUT_GRID)}",
    )
    parser.add_argument(
        "--cells",
        nargs="+",
        choices=CELLS,
        metavar="CELL",
        help=f"the cells of the study {ADVERSARIAL} to train, such as {next(iter(CELLS))} (default: all)",
    )
    parser.add_argument(
        "--teacher-forced",
        type=Path,
        metavar="DIR",
        help=f"the folder with the runs {TEACHER_FORCED}/seed_N that the cells start from (default: --runs)",
    )
    parser.add_argument(
        "--ratings",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help=f"files of human ratings, with which the discriminators of the study {ADVERSARIAL} are compared",
    )
    reporting.add_experiment(parser)
    command_line.add_bad_lines(parser)
    reporting.add_options(parser)
    command_line.add_settings(parser, Config)
    return parser


if __name__ == "__main__":
    sys.exit(command_line.run(main, "studies"))
