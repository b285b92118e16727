"""`python -m keras_gca.mmi`: reranking by maximum mutual information (Li et al. 2016); see
`evaluation/reranking.py`.
"""

import argparse
import sys
from pathlib import Path

from keras_gca.engine import command_line, reporting
from keras_gca.evaluation.variants import Reranking

DESCRIPTION = """\
Reranks the N-best lists of a run's held-out contexts by maximum mutual information, both forms of Li et al. 2016, and
measures the chosen replies beside those of plain beam search and of people. Writes RUN/mmi.json.

  python -m keras_gca.train --run R ...                                                   the run
  python -m keras_gca.train --run U --predict unconditional --adversarial-epochs 0 ...    its p(y), the same settings
  python -m keras_gca.train --run B --predict context --adversarial-epochs 0 ...          its p(x|y)
  python -m keras_gca.mmi R --language-model U --backward B
"""

DEFAULT = Reranking()


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = _parser().parse_args(arguments)
    how = Reranking(options.generator, options.candidates, options.weights, options.words, options.length_bonus)
    with command_line.quiet_imports():
        from keras_gca.evaluation import reranking

    print(reranking.table(reranking.rerank(options.run, options.language_model, options.backward, how)).to_text())
    print(f"\nwrote {options.run / reranking.FILE}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = command_line.Parser(prog="python -m keras_gca.mmi", description=DESCRIPTION)
    parser.add_argument("run", type=Path, metavar="RUN", help="the run whose N-best lists are reranked")
    parser.add_argument("--language-model", type=Path, required=True, metavar="RUN", help="p(y)")
    parser.add_argument("--backward", type=Path, required=True, metavar="RUN", help="p(x|y)")
    parser.add_argument("--generator", metavar="NAME", help="teacher_forcing (if not given) or adversarial")
    parser.add_argument(
        "--candidates",
        type=command_line.at_least_one,
        default=DEFAULT.candidates,
        metavar="N",
        help=f"length of the lists [{DEFAULT.candidates}]",
    )
    parser.add_argument(
        "--weights", type=float, nargs="+", default=DEFAULT.weights, metavar="X", help=f"lambda {DEFAULT.weights}"
    )
    parser.add_argument(
        "--words",
        type=command_line.at_least_one,
        default=DEFAULT.words,
        metavar="N",
        help=f"words that U counts [{DEFAULT.words}]",
    )
    parser.add_argument(
        "--length-bonus",
        type=float,
        default=DEFAULT.length_bonus,
        metavar="X",
        help=f"gamma, for each token [{DEFAULT.length_bonus:g}]",
    )
    reporting.add_options(parser)
    return parser


if __name__ == "__main__":
    sys.exit(command_line.run(main, "mmi"))
