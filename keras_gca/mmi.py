"""`python -m keras_gca.mmi`: rerank replies by maximum mutual information (Li et al. 2016).

The computation is in `evaluation/reranking.py`.
"""

import argparse
import sys
from pathlib import Path

from keras_gca.engine import command_line, loading, reporting
from keras_gca.evaluation.variants import LENGTH_BONUSES, Reranking

DESCRIPTION = """\
Rerank the N-best lists for a run's held-out contexts by maximum mutual information, in both forms of Li et al. 2016,
and compare the chosen replies with those of plain beam search and of humans. The metrics are written to RUN/mmi.json.
If the run has a test set, the metrics are computed on it, and gamma is chosen on the validation set. Otherwise, gamma
is chosen on one half of the held-out conversations, and the metrics are computed on the other half.

This command needs three runs with the same settings, one for each of these probabilities of an answer y and its
context x:

  python -m keras_gca.train --run R ...                                                   p(y|x)
  python -m keras_gca.train --run U --predict unconditional --adversarial-epochs 0 ...    p(y)
  python -m keras_gca.train --run B --predict context --adversarial-epochs 0 ...          p(x|y)
  python -m keras_gca.mmi R --language-model U --backward B
"""

DEFAULT = Reranking()


def main(arguments: list[str] | None = None) -> int:
    """Run the command, and return its exit status."""
    options = make_parser().parse_args(arguments)
    how = Reranking(options.generator, options.candidates, options.weights, options.words, options.length_bonus)
    with loading.quiet_imports():
        from keras_gca.evaluation import reranking

    print(reranking.table(reranking.rerank(options.run, options.language_model, options.backward, how)).to_text())
    print(f"\nwrote {options.run / reranking.FILE}")
    return 0


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command's options."""
    parser = command_line.Parser(prog="python -m keras_gca.mmi", description=DESCRIPTION)
    parser.add_argument("run", type=Path, metavar="RUN", help="the run whose N-best lists are reranked")
    parser.add_argument("--language-model", type=Path, required=True, metavar="RUN", help="the run for p(y)")
    parser.add_argument("--backward", type=Path, required=True, metavar="RUN", help="the run for p(x|y)")
    parser.add_argument(
        "--generator", metavar="NAME", help="the generator, teacher_forcing or adversarial [the run's first generator]"
    )
    parser.add_argument(
        "--candidates",
        type=command_line.at_least_one,
        default=DEFAULT.candidates,
        metavar="N",
        help=f"the number of answers in each N-best list [{DEFAULT.candidates}]",
    )
    parser.add_argument(
        "--weights",
        type=float,
        nargs="+",
        default=DEFAULT.weights,
        metavar="X",
        help=f"the values of lambda, the weight of p(y) or p(x|y), to compare [{' '.join(map(str, DEFAULT.weights))}]",
    )
    parser.add_argument(
        "--words",
        type=command_line.at_least_one,
        default=DEFAULT.words,
        metavar="N",
        help=f"apply the penalty for p(y) only to the first N words of an answer [{DEFAULT.words}]",
    )
    parser.add_argument(
        "--length-bonus",
        type=float,
        metavar="X",
        help="gamma, a bonus for each token of an answer (default: for each lambda, the value among "
        f"{', '.join(f'{bonus:g}' for bonus in LENGTH_BONUSES)} with the highest BLEU on validation conversations)",
    )
    reporting.add_options(parser)
    return parser


if __name__ == "__main__":
    sys.exit(command_line.run(main, "mmi"))
