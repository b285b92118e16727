"""`python -m keras_gca.quality_diversity`: compare generators at their best points on a grid of sampling settings.

The computation is in `evaluation/reply_grid.py` and `evaluation/quality_diversity.py`.
"""

import argparse
import sys
from pathlib import Path

from glove.cost import TimeLimit
from keras_gca.engine import command_line, loading, reporting
from keras_gca.errors import refuse_missing
from keras_gca.evaluation.decoding_grid import CONTINUES, add_options, grid

DESCRIPTION = """\
Sample replies to held-out contexts at every point of a grid of temperatures and top-p values, with each generator of
the runs. Compare the generators by quality (perplexity under a 5-gram model of the human answers; lower is better) and
diversity (distinct-2). The best point of each generator is the one nearest to the human replies. It is chosen on one
half of the held-out conversations and measured on the other half, with confidence intervals and paired tests. If there
are several runs (with different seeds), their results are averaged.

The tables and a plot are written to DIR. The sampled replies are kept in RUN/grid, so an interrupted command continues
when it is run again.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command, and return its exit status: 0, or 130 if the time limit stopped the measurements."""
    options = make_parser().parse_args(arguments)
    settings = grid(options.temperatures, options.top_ps)
    if options.experiment is not None:
        refuse_missing(options.experiment.absolute().parent)
    with loading.quiet_imports():
        from keras_gca.evaluation import grid_report, provenance, reply_grid

    results = reply_grid.measure_runs(options.runs, settings, options.seed, TimeLimit(options.minutes))
    if results is None:
        print(CONTINUES)
        return 130
    grid_report.write(results, grid_report.folder_of(options.runs, options.output))
    command = provenance.command_of("keras_gca.quality_diversity", sys.argv[1:] if arguments is None else arguments)
    provenance.write_if_asked(options.experiment, command, grid_report.outcome(results, {"sampling": options.seed}))
    return 0


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command's options."""
    parser = command_line.Parser(prog="python -m keras_gca.quality_diversity", description=DESCRIPTION)
    parser.add_argument(
        "runs", type=Path, nargs="+", metavar="RUN", help="run folders; the metrics of several runs are averaged"
    )
    add_options(parser)
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="the folder for the tables and the plot (default: RUN, or runs/evaluation for several runs)",
    )
    reporting.add_options(parser)
    return parser


if __name__ == "__main__":
    sys.exit(command_line.run(main, "quality_diversity"))
