"""`python -m keras_gca.figures`: Figures 1 and 2, painted from the Keras models themselves.

White blocks are shared, yellow ones are the generator's, green ones the discriminator's.
"""

import argparse
import sys
from pathlib import Path

from keras_gca.engine import command_line
from keras_gca.models.drawing import draw


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = _parser().parse_args(arguments)
    with command_line.quiet_imports():
        from keras_gca.config import Config
        from keras_gca.models.networks import build

    options.output.mkdir(parents=True, exist_ok=True)
    config = Config.preset("paper")
    gca = build(config, config.vocabulary_size)
    for number, model, title in (
        (1, gca.generator, "Figure 1: the generative conversational agent"),
        (2, gca.adversarial, "Figure 2: generator (yellow) and discriminator (green)"),
    ):
        for ending in ("png", "svg"):
            path = options.output / f"figure{number}.{ending}"
            draw(model, path, title)
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
