"""`python -m gail_tf.evaluate`: Table 2, Figures 5 and 6 and Table 3 of trained runs."""

import argparse
import sys
from pathlib import Path

from keras_gca.engine import command_line, reporting
from keras_gca.errors import UserError

DESCRIPTION = """\
Measures trained policies on their runs' test conversations, and makes the second paper's Table 2 of them, its Figures 5
and 6, and Table 3. Runs of one algorithm with different seeds are averaged.

  python -m gail_tf.evaluate RUN                     the last policy of a run: of a GAIL run the one after imitation
  python -m gail_tf.evaluate RUN --policy all        also the one after maximum likelihood, as GPT-2 + MLE
  python -m gail_tf.evaluate runs/gail_* --policy all --output runs/evaluation
                                                     several seeds: mean and standard deviation

perplexity    of the human responses given history and prompt, per token and per word, for conversations of 1, 2 and 3+
              turns; of all test trajectories
responses     drawn from the policies: BLEU (sacreBLEU's; NLTK's BLEU-1 to BLEU-4 of single responses), distinct-1 and
              distinct-2, length, repeated ones, agreement of the sentiment (VADER's) and of the emotion (a classifier's
              of the training prompts' labels) with the human response's and the prompt's, similarity by word vectors,
              MAUVE; beside those of the human responses
uncertainty   of one run 95 % intervals by a bootstrap over conversations, of several the deviation over seeds; paired
              sign-flip tests between systems whose test trajectories are the same
"""

EPILOG = """\
Writes RUN/evaluation.json, which holds figures, likelihoods and responses and is used again while the bot and the
options are the same, and in DIR: tables.md, tables.tex, tables.json (Table 2, the responses' figures, the tests),
table2.csv, responses.csv, figure5.png, figure6.png, table3.md; of policies that imitate curves.png, how they learned.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = _parser().parse_args(arguments)
    if options.glove is not None and not options.glove.is_file():
        raise UserError(f"{options.glove}: no such file")
    command_line.set_up_tensorflow()
    from gail_tf.evaluation.report import Options, evaluate_runs

    glove = None if options.glove is None else str(options.glove)
    how = Options(options.temperature, options.top_p, options.seed, options.max_responses, glove)
    evaluate_runs(
        options.runs,
        how,
        options.policy,
        options.beside_paper,
        options.output,
        batch_size=options.batch_size,
        examples=options.examples,
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = command_line.Parser(prog="python -m gail_tf.evaluate", description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="run folders of python -m gail_tf.train")
    parser.add_argument(
        "--policy", metavar="NAME", help="maximum_likelihood, imitation or all; the last one if not given"
    )
    parser.add_argument("--temperature", type=float, default=0.9, metavar="X", help="of the responses [0.9]")
    parser.add_argument("--top-p", type=float, default=0.9, metavar="X", help="nucleus that they are drawn from [0.9]")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the responses [0]")
    parser.add_argument(
        "--max-responses",
        type=command_line.at_least_one,
        default=1000,
        metavar="N",
        help="test trajectories to respond to, evenly spread; perplexity is of all [1000]",
    )
    parser.add_argument(
        "--batch-size", type=command_line.at_least_one, default=32, metavar="N", help="trajectories read together [32]"
    )
    parser.add_argument(
        "--glove",
        type=Path,
        metavar="FILE",
        help="word vectors for similarities; fitted to the run's text if not given",
    )
    parser.add_argument("--beside-paper", action="store_true", help="the paper's numbers beside ours")
    parser.add_argument(
        "--examples", type=command_line.at_least_one, default=8, metavar="N", help="examples of Table 3 [8]"
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="of tables and figures; RUN/evaluation, or runs/evaluation",
    )
    reporting.add_options(parser)
    return parser


if __name__ == "__main__":
    sys.exit(command_line.run(main, "evaluate"))
