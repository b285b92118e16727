"""`python -m keras_gca.quality_diversity` plots quality against diversity of replies sampled at several temperatures.

The computation is in `evaluation/temperature_curves.py`, the plot in `evaluation/quality_diversity.py`.
"""

import argparse
import sys
from pathlib import Path

from keras_gca.engine import command_line, reporting
from keras_gca.evaluation.quality_diversity import add_options, refuse_temperatures, write

DESCRIPTION = """\
Sample replies to a run's held-out contexts at several temperatures, with each of its generators, and plot quality
(perplexity under a 5-gram model of the human answers; lower is better) against diversity (distinct-2). A separate
point shows the human replies. The results are written to RUN/quality_diversity.json and .png.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command, and return its exit status."""
    options = make_parser().parse_args(arguments)
    refuse_temperatures(options.temperatures)
    with command_line.quiet_imports():
        from keras_gca.evaluation import temperature_curves

    write(temperature_curves.measure_run(options.run, options.temperatures, options.seed), options.run)
    return 0


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command\'s options."""
    parser = command_line.Parser(prog="python -m keras_gca.quality_diversity", description=DESCRIPTION)
    parser.add_argument("run", type=Path, metavar="RUN", help="a run folder")
    add_options(parser)
    reporting.add_options(parser)
    return parser


if __name__ == "__main__":
    sys.exit(command_line.run(main, "quality_diversity"))
