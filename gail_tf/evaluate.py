"""`python -m gail_tf.evaluate`: compute Table 2, Figures 5 and 6 and Table 3 from trained runs."""

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import Any

from gail_tf.base_models import known_models
from glove.cost import TimeLimit
from keras_gca.engine import command_line, loading, reporting
from keras_gca.errors import refuse_missing

DESCRIPTION = """\
Measure trained policies on their runs' test conversations, and write the second paper's Table 2, its Figures 5 and 6,
and Table 3. Runs of one algorithm with different seeds are averaged.

  python -m gail_tf.evaluate RUN                     measure the last policy of a run, usually the one after imitation
  python -m gail_tf.evaluate RUN --policy all        also measure the one after maximum likelihood, as GPT-2 + MLE
  python -m gail_tf.evaluate runs/gail_* --policy all --output runs/evaluation
                                                     report mean and standard deviation over several seeds

perplexity    The perplexity of the human responses given history and prompt is computed per token and per word, for
              conversations of 1, 2 and 3+ turns, on all test trajectories. Another table divides them by corpus and
              turn, and by whether the human response stands in training.
responses     Responses are drawn from the policies. They are measured by BLEU (sacreBLEU's, and NLTK's BLEU-1 to BLEU-4
              of single responses), distinct-1 and distinct-2, length, the share of repeated responses, similarity to
              the human responses by word vectors, and MAUVE. With --encoder an independent encoder measures MAUVE, the
              relevance of responses to their contexts, and their similarity to the human responses. Further metrics
              are the shares of responses that have the same sentiment (by VADER) and the same emotion as the human
              response or the prompt. The classifiers of emotions learn from held-out conversations. Their accuracy and
              the agreement of shuffled pairs are shown as well. The human responses are measured in the same way.
uncertainty   The metrics of one run have 95 % intervals by a bootstrap over conversations. Those of several runs have
              the standard deviation over seeds. Systems with the same test trajectories are compared by paired
              sign-flip tests.
ratings       With --ratings, FILE has people's ratings of responses. Each line is a JSON object with context, response,
              system and scores. Spearman's correlation and Eq. 11 say how well each measure agrees with the raters.
"""

EPILOG = """\
RUN/evaluation.json keeps the metrics, likelihoods and responses. It is used again as long as the bot and the options
are the same. DIR (see --output) gets tables.md, tables.tex and tables.json with Table 2, the metrics of the responses
and the tests. It also gets table2.csv, responses.csv, figure5.png, figure6.png and table3.md. If a policy has learned
by imitation, curves.png plots how its metrics changed.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return the exit status: 0, or 130 if the time is over before all runs are measured."""
    options = make_parser().parse_args(arguments)
    refuse_missing(options.glove)
    refuse_missing(options.ratings)
    if options.ratings is not None:
        command_line.refuse(options, ("minutes",), (), "--ratings keeps nothing of a comparison that is not complete")
    if options.experiment is not None:
        refuse_missing(options.experiment.absolute().parent)
    loading.set_up_tensorflow()
    compute = _evaluate if options.ratings is None else _compare_with_ratings
    return reporting.print_results(lambda: compute(options, _command(arguments)), options.json)


def _evaluate(options: argparse.Namespace, command: str) -> dict[str, Any] | None:
    """Measure the runs, write and print the tables, and return the values for --json, or None if the time is over."""
    from gail_tf.evaluation.report import Options, evaluate_runs
    from keras_gca.evaluation import provenance

    _fetch_encoder(options)
    glove = None if options.glove is None else str(options.glove)
    how = Options(options.temperature, options.top_p, options.seed, options.max_responses, glove, options.encoder)
    evaluated = evaluate_runs(
        options.runs,
        how,
        options.policy,
        options.beside_paper,
        options.output,
        batch_size=options.batch_size,
        examples=options.examples,
        limit=TimeLimit(options.minutes),
    )
    if evaluated is None:
        return None
    outcome, written = evaluated
    written += provenance.write_if_asked(options.experiment, command, outcome)
    return provenance.document(command, outcome.results, written)


def _fetch_encoder(options: argparse.Namespace) -> None:
    """Fetch the encoder, if it is not on this machine. The user is asked before anything is measured."""
    from gail_tf.base_models.locate import locate

    if options.encoder is not None:
        locate(options.encoder, options.yes)


def _command(arguments: list[str] | None) -> str:
    """Return the command that was given."""
    from keras_gca.evaluation import provenance

    return provenance.command_of("gail_tf.evaluate", sys.argv[1:] if arguments is None else arguments)


def _compare_with_ratings(options: argparse.Namespace, command: str) -> dict[str, Any]:
    """Compare the measures of each run with people's ratings, write RUN/ratings.json, and return what --json prints."""
    from gail_tf.evaluation.rated_responses import evaluate_ratings
    from keras_gca.evaluation import human_ratings

    _fetch_encoder(options)
    compare = partial(
        evaluate_ratings,
        ratings=options.ratings,
        seed=options.seed,
        encoder=options.encoder,
        size=options.batch_size,
    )
    return human_ratings.compare_runs(options.runs, compare, command, options.seed, options.experiment)


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command's options."""
    parser = command_line.Parser(prog="python -m gail_tf.evaluate", description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="run folders of python -m gail_tf.train")
    parser.add_argument(
        "--policy",
        metavar="NAME",
        help="the policy to measure: maximum_likelihood, imitation or all (default: the last policy of the run)",
    )
    parser.add_argument(
        "--temperature", type=float, default=0.9, metavar="X", help="temperature at which responses are drawn [0.9]"
    )
    parser.add_argument(
        "--top-p",
        type=float,
        default=0.9,
        metavar="X",
        help="responses are drawn from the likeliest tokens that together have this probability [0.9]",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed from which responses are drawn [0]")
    parser.add_argument(
        "--max-responses",
        type=command_line.at_least_one,
        default=1000,
        metavar="N",
        help="how many test trajectories are answered, evenly spread; perplexity is always computed on all [1000]",
    )
    parser.add_argument(
        "--batch-size",
        type=command_line.at_least_one,
        default=32,
        metavar="N",
        help="how many trajectories are read together [32]",
    )
    parser.add_argument(
        "--glove",
        type=Path,
        metavar="FILE",
        help="a file of word vectors for similarities (default: word vectors fitted to the run's text)",
    )
    parser.add_argument(
        "--encoder",
        metavar="MODEL",
        help=f"measure MAUVE, relevance and similarity with this encoder: {known_models.ENCODER}, or a folder",
    )
    reporting.add_experiment(parser)
    parser.add_argument(
        "--ratings",
        type=Path,
        metavar="FILE",
        help="only compare D, the likelihood, the length and the relevance with the people's ratings in this file",
    )
    parser.add_argument("--yes", action="store_true", help="fetch the encoder without asking")
    parser.add_argument("--beside-paper", action="store_true", help="also show the paper's numbers in the tables")
    parser.add_argument(
        "--examples", type=command_line.at_least_one, default=8, metavar="N", help="number of examples in Table 3 [8]"
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="the folder for tables and plots (default: RUN/evaluation, or runs/evaluation for several runs)",
    )
    command_line.add_minutes(
        parser, "measure no further run after this time; the same command then continues, as the measured runs are kept"
    )
    reporting.add_json(parser)
    reporting.add_options(parser)
    return parser


if __name__ == "__main__":
    sys.exit(command_line.run(main, "evaluate"))
