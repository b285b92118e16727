"""`python -m keras_gca.figures`: Figures 1 and 2, painted from the Keras models themselves.

White blocks are shared, yellow ones are the generator's, green ones the discriminator's.
"""

import argparse
import sys
from pathlib import Path

from keras_gca.config import Config
from keras_gca.engine import command_line


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = _parser().parse_args(arguments)
    with command_line.quiet_imports():
        from keras_gca.models import drawing

    for path in drawing.draw_figures(options.output, Config.preset("paper")):
        print(f"wrote {path}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = command_line.Parser(
        prog="python -m keras_gca.figures", description="Paint Figures 1 and 2 at the paper's sizes, as PNG and SVG."
    )
    parser.add_argument(
        "--output", type=Path, default=Path("figures"), metavar="DIR", help="folder; figures/ if not given"
    )
    return parser


if __name__ == "__main__":
    sys.exit(command_line.run(main, "figures"))
