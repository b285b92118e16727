"""`python -m keras_gca.evaluate` measures the generators of one or more runs on held-out conversations."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from keras_gca.engine import command_line, loading, reporting
from keras_gca.errors import UserError, refuse_missing
from keras_gca.settings import naming
from keras_gca.storage.atomic import write_text

DESCRIPTION = """\
Measure the generators of a run on its held-out pairs. For several runs (seeds), the mean and standard deviation of
each metric are reported, and --summary adds a 95 % confidence interval of the mean (Student's t).

perplexity   exp of the total negative log-likelihood divided by the number of tokens, including EOS. A trigram model
             fitted to the training answers (interpolated Kneser-Ney, from NLTK) is also measured, for comparison.
             "contexts shuffled" means that each answer follows the context of another answer: the higher this
             perplexity, the more a generator uses the contexts
replies      diversity, length, repeated replies, the share of the most frequent reply, entropy, BLEU and word-vector
             similarities (--glove, or the run's own vectors). Human replies are measured in the same way
Table 1      how often a discriminator prefers each generator's answer (Eq. 10, without ties). The judges are the run's
             own discriminator and two independent ones. Each independent discriminator is trained on the human answers
             and the answers of all generators in one half of the held-out conversations, and judges the other half.
             Rankings by Eq. 9 and Eq. 10 are compared by how often the shorter answer wins, and by how often the human
             answer scores higher than a machine's
parts        perplexity and BLEU by the number of utterances before the answer (if complete conversations are held
             out), and separately for answers that do and do not occur among the training answers
changes      With --subject-changes, each held-out conversation is appended to another one. The perplexity of the
             appended conversation's answers is measured with and without the other conversation in front (see
             RUN/subject_changes.json)
personas     With --personas, the speakers of a run with --persona-size are measured: the perplexity of their answers,
             and their answers to different wordings of the same questions (see RUN/personas.json)
simulations  With --simulated-conversations, each generator talks to itself, beginning with held-out messages. Two
             things are measured: the number of turns before a dull response or a repetition, and the diversity of the
             first answers (see RUN/simulated_conversations.json)
ratings      With --ratings, FILE contains human ratings of responses. Each line is a JSON object with context,
             response, system and scores. Spearman's correlation and Eq. 11 show how well each measure agrees with the
             raters.

The results are also written to RUN/evaluation.json.
"""


# Measured without the other metrics, each by its own option
ALONE = ("subject_changes", "personas", "simulated_conversations")


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = make_parser().parse_args(arguments)
    for path in (options.summary, options.experiment):
        if path is not None:
            refuse_missing(path.absolute().parent)
    refuse_missing(options.ratings)
    chosen = [name for name in ("ratings", *ALONE) if getattr(options, name)]
    if len(chosen) > 1:
        raise UserError(
            f"{' and '.join(naming([name]) for name in chosen)} are separate measurements; give only one of these "
            "options"
        )
    command = sys.argv[1:] if arguments is None else arguments
    compute = _evaluate if options.ratings is None else _compare_with_ratings
    if any(getattr(options, name) for name in ALONE):
        compute = _measure_alone
    return reporting.print_results(lambda: compute(options, command), options.json)


def _evaluate(options: argparse.Namespace, arguments: Sequence[str]) -> dict[str, Any]:
    """Measure the runs, print the metrics, and return what --json prints."""
    with loading.quiet_imports():
        from keras_gca.evaluation import provenance, replies, statistics
        from keras_gca.models.decoding_settings import Decoding

    decoding = Decoding(options.temperature, beam=options.beam, keywords=options.keywords)
    figures = replies.evaluate_runs(options.runs, decoding, options.seed, options.glove)
    command, results = provenance.command_of("keras_gca.evaluate", arguments), statistics.as_json(figures)
    print(replies.report(options.runs, figures))
    written = [path / replies.FILE for path in options.runs]
    if options.experiment:
        seeds, tables = {"evaluation": options.seed}, replies.tables(figures)
        provenance.write_experiment(options.experiment, command, seeds, results, tables)
        written.append(options.experiment)
    if options.summary:
        write_text(options.summary, json.dumps(results, indent=2) + "\n")
        written.append(options.summary)
    print(f"\nwrote {', '.join(map(str, written))}")
    return provenance.document(command, results, written)


def _compare_with_ratings(options: argparse.Namespace, arguments: Sequence[str]) -> dict[str, Any]:
    """Compare each run's measures with human ratings, write RUN/ratings.json, and return what --json prints."""
    with loading.quiet_imports():
        from keras_gca.evaluation import human_ratings, provenance, rated_answers

    command_line.refuse(options, ("summary",), (), "--ratings computes no metrics that can be averaged over runs")
    command = provenance.command_of("keras_gca.evaluate", arguments)
    compare = partial(rated_answers.evaluate_ratings, ratings=options.ratings, seed=options.seed)
    return human_ratings.compare_runs(options.runs, compare, command, options.seed, options.experiment)


def _measure_alone(options: argparse.Namespace, arguments: Sequence[str]) -> dict[str, Any]:
    """Make one of the measurements in ALONE for each run, write the results, and return what --json prints."""
    with loading.quiet_imports():
        from keras_gca.evaluation import personas, provenance, simulated_conversations, subject_changes

    command, by_run = provenance.command_of("keras_gca.evaluate", arguments), {}
    evaluated: Callable[[Path], dict[str, Any]]
    if options.personas:
        file, table_of, evaluated = personas.FILE, personas.table, personas.evaluate_personas
    elif options.simulated_conversations:
        file, table_of = simulated_conversations.FILE, simulated_conversations.table
        evaluated = partial(simulated_conversations.evaluate_conversations, seed=options.seed)
    else:
        file, table_of = subject_changes.FILE, subject_changes.table
        evaluated = partial(subject_changes.evaluate_subject_changes, seed=options.seed)
    for run in options.runs:
        results = evaluated(run)
        by_run[str(run)], table = results, table_of({run.name: results})
        print(table.to_text())
        provenance.write_experiment(run / file, command, {"evaluation": options.seed}, results, [table])
        print(f"wrote {run / file}")
    return provenance.document(command, by_run, [run / file for run in options.runs])


def make_parser() -> argparse.ArgumentParser:
    """Create the parser for the command's options."""
    parser = command_line.Parser(prog="python -m keras_gca.evaluate", description=DESCRIPTION)
    parser.add_argument(
        "runs", type=Path, nargs="+", metavar="RUN", help="run folders; the metrics of several runs are averaged"
    )
    parser.add_argument(
        "--temperature", type=float, metavar="X", help="sample the replies at this temperature (default: greedy)"
    )
    parser.add_argument("--beam", type=int, metavar="N", help="generate the replies by beam search with this width")
    parser.add_argument(
        "--keywords",
        action="store_true",
        help="build the replies around keywords, as a chat does, in runs with --keyword-epochs",
    )
    parser.add_argument(
        "--glove", type=Path, metavar="FILE", help="word vectors for the similarities (default: the run's own)"
    )
    parser.add_argument(
        "--ratings",
        type=Path,
        metavar="FILE",
        help="measure only how well the discriminator, the likelihood and the answer length agree with the human "
        "ratings in this file",
    )
    parser.add_argument(
        "--subject-changes",
        action="store_true",
        help="measure only the perplexity after a change of subject, by joining held-out conversations",
    )
    parser.add_argument(
        "--personas",
        action="store_true",
        help="measure only the perplexity and consistency of each speaker's answers, in runs with --persona-size",
    )
    parser.add_argument(
        "--simulated-conversations",
        action="store_true",
        help="measure only how long each generator talks to itself without a dull response or a repetition",
    )
    reporting.add_experiment(parser)
    parser.add_argument(
        "--summary", type=Path, metavar="FILE", help="write the metrics of all runs, and their means, to a JSON file"
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="the random seed for training independent discriminators, sampling, joining conversations and "
        "choosing messages [0]",
    )
    reporting.add_json(parser)
    reporting.add_options(parser)
    return parser


if __name__ == "__main__":
    sys.exit(command_line.run(main, "evaluate"))
