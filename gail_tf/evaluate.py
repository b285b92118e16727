"""`python -m gail_tf.evaluate`: measure trained runs, and write Table 2, Figures 5 and 6, and Table 3."""

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
Measure trained policies on the test conversations of their runs, and write Table 2, Figures 5 and 6, and Table 3 of the
second paper. Results are averaged over runs that used the same algorithm with different seeds.

  python -m gail_tf.evaluate RUN                     measure the last policy of a run, usually the one after imitation
  python -m gail_tf.evaluate RUN --policy all        also measure the policy before imitation
  python -m gail_tf.evaluate runs/gail_* --policy all --output runs/evaluation
                                                     report the mean and standard deviation over seeds

perplexity    The perplexity of the human responses, given the history and the prompt, is computed per token and per
              word on all test trajectories, for turns 1, 2 and 3+ of the conversations. Another table divides the
              trajectories by corpus and turn, and by whether the human response also occurs in the training set.
responses     Responses are sampled from the policies. Their metrics are BLEU (sacreBLEU's corpus BLEU, and NLTK's
              BLEU-1 to BLEU-4 for single responses), distinct-1, distinct-2, length, the share of repeated responses,
              similarity to the human responses according to word vectors, and MAUVE. With --encoder, an independent
              encoder measures MAUVE, the relevance of responses to their contexts, and the similarity to the human
              responses. Further metrics are the shares of responses whose sentiment (according to VADER) or emotion
              matches that of the human response or the prompt. The emotion classifiers are trained on held-out
              conversations. The tables also show the accuracy of these classifiers, the shares of matches expected by
              chance, and the same metrics for the human responses.
uncertainty   The metrics of a single run have 95 % intervals from a bootstrap over conversations. For several runs, the
              tables show the standard deviation over seeds. Paired sign-flip tests compare systems on the same test
              trajectories.
ratings       --ratings reads people's ratings of responses from FILE. Each line is a JSON object with context,
              response, system and scores. Spearman's correlation and Eq. 11 of the first paper show how well each
              measure agrees with the raters.
"""

EPILOG = """\
RUN/evaluation.json stores the metrics, likelihoods and responses. This file is reused as long as the bot and the
options stay the same. The following files are written to DIR (see --output): tables.md, tables.tex and tables.json with
Table 2, the response metrics and the paired tests; table2.csv, responses.csv, figure5.png, figure6.png and
table3.md. If a policy was trained by imitation, curves.png shows how its metrics changed during imitation.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status: 0, or 130 if time runs out before all runs are measured."""
    options = make_parser().parse_args(arguments)
    refuse_missing(options.glove)
    refuse_missing(options.ratings)
    if options.ratings is not None:
        command_line.refuse(options, ("minutes",), (), "a comparison with --ratings cannot be interrupted and resumed")
    if options.experiment is not None:
        refuse_missing(options.experiment.absolute().parent)
    loading.set_up_tensorflow()
    compute = _evaluate if options.ratings is None else _compare_with_ratings
    return reporting.print_results(lambda: compute(options, _command(arguments)), options.json)


def _evaluate(options: argparse.Namespace, command: str) -> dict[str, Any] | None:
    """Measure the runs, write and print the tables, and return the values for --json. If time runs out, return None."""
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
    """If the encoder is not on this machine, ask the user and download it."""
    from gail_tf.base_models.locate import locate

    if options.encoder is not None:
        locate(options.encoder, options.yes)


def _command(arguments: list[str] | None) -> str:
    """Return the command line as the user typed it."""
    from keras_gca.evaluation import provenance

    return provenance.command_of("gail_tf.evaluate", sys.argv[1:] if arguments is None else arguments)


def _compare_with_ratings(options: argparse.Namespace, command: str) -> dict[str, Any]:
    """Compare each run's measures with people's ratings, write RUN/ratings.json, and return the values for --json."""
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
    """Make the parser for the command line."""
    parser = command_line.Parser(prog="python -m gail_tf.evaluate", description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument(
        "runs", type=Path, nargs="+", metavar="RUN", help="run folders created by python -m gail_tf.train"
    )
    parser.add_argument(
        "--policy",
        metavar="NAME",
        help="the policy to measure: maximum_likelihood, imitation or all (default: the last policy of the run)",
    )
    parser.add_argument(
        "--temperature", type=float, default=0.9, metavar="X", help="temperature for sampling responses [0.9]"
    )
    parser.add_argument(
        "--top-p",
        type=float,
        default=0.9,
        metavar="X",
        help="sample only from the smallest set of most likely tokens whose probabilities add up to X [0.9]",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="random seed for sampling responses [0]")
    parser.add_argument(
        "--max-responses",
        type=command_line.at_least_one,
        default=1000,
        metavar="N",
        help="number of evenly spaced test trajectories to answer; perplexity always covers the whole test set [1000]",
    )
    parser.add_argument(
        "--batch-size",
        type=command_line.at_least_one,
        default=32,
        metavar="N",
        help="number of trajectories in a batch [32]",
    )
    parser.add_argument(
        "--glove",
        type=Path,
        metavar="FILE",
        help="a file with word vectors for similarities (default: word vectors fitted to the run's text)",
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
        help="only compare the discriminator, likelihood, length and relevance with the human ratings in this file",
    )
    parser.add_argument("--yes", action="store_true", help="download the encoder without asking")
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
        parser, "start no further measurement after this time; run the same command again to measure the other runs"
    )
    reporting.add_json(parser)
    reporting.add_options(parser)
    return parser


if __name__ == "__main__":
    sys.exit(command_line.run(main, "evaluate"))
