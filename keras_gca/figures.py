"""`python -m keras_gca.figures`: draw Figures 1 and 2 from the Keras models.

White blocks are shared, yellow blocks belong to the generator, and green blocks to the discriminator.
"""

import argparse
import sys
from pathlib import Path

from keras_gca.config import Config
from keras_gca.engine import command_line, loading


def main(arguments: list[str] | None = None) -> int:
    """Run the command, and return its exit status."""
    options = make_parser().parse_args(arguments)
    config = Config.preset("paper", encoder=options.encoder, generator=options.generator)
    with loading.quiet_imports():
        from keras_gca.models import drawing

    for path in drawing.draw_figures(options.output, config):
        print(f"wrote {path}")
    return 0


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command's options."""
    parser = command_line.Parser(
        prog="python -m keras_gca.figures", description="Draw Figures 1 and 2 at the paper's sizes, as PNG and SVG."
    )
    parser.add_argument(
        "--output", type=Path, default=Path("figures"), metavar="DIR", help="the folder to write to [figures]"
    )
    for option in Config.options():
        if option.name in ("encoder", "generator"):
            what, choices = option.metadata["help"], option.metadata["choices"]
            help = f"{what} [{option.default}]"
            parser.add_argument(f"--{option.name}", choices=choices, default=option.default, help=help)
    return parser


if __name__ == "__main__":
    sys.exit(command_line.run(main, "figures"))
