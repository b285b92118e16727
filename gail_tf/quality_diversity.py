"""`python -m gail_tf.quality_diversity`: compare policies, each at the best point of a grid of sampling settings.

The method is the same as in `keras_gca.quality_diversity`. `evaluation/quality_diversity.py` computes the results.
"""

import argparse
import sys
from pathlib import Path

from gail_tf.base_models import known_models
from glove.cost import TimeLimit
from keras_gca.engine import command_line, loading, reporting
from keras_gca.errors import refuse_missing
from keras_gca.evaluation.decoding_grid import CONTINUES, add_options, grid

DESCRIPTION = """\
Draw responses from each policy of the given runs at every point of a grid of temperatures and top-p values, and compare
their quality, diversity and, with --encoder, MAUVE. Quality is the perplexity under a 5-gram model of the experts'
training responses or under --quality-model; lower is better. Diversity is distinct-2.

The best point of each system is chosen on the validation conversations and measured on the test conversations, with
confidence intervals and paired tests. The best point is the one with the highest MAUVE or, without an encoder, the one
nearest to the human responses. Results are averaged over runs that used the same algorithm with different seeds.

The tables and a plot are written to DIR. The responses are stored in RUN/grid, so running an interrupted command again
does not draw the same responses twice.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return the exit status: 0, or 130 if time runs out before all points are measured."""
    options = make_parser().parse_args(arguments)
    settings = grid(options.temperatures, options.top_ps)
    if options.experiment is not None:
        refuse_missing(options.experiment.absolute().parent)
    loading.set_up_tensorflow()
    from gail_tf.base_models.locate import locate
    from gail_tf.evaluation.quality_diversity import How, measure_runs
    from keras_gca.evaluation import grid_report, provenance

    for model in filter(None, (options.quality_model, options.encoder)):
        locate(model, options.yes)  # if a model must be fetched, this asks the user before anything is measured
    limits = options.max_responses, options.batch_size
    how = How(settings, options.seed, *limits, options.quality_model, options.encoder)
    results = measure_runs(options.runs, how, TimeLimit(options.minutes))
    if results is None:
        print(CONTINUES)
        return 130
    model = options.quality_model or grid_report.MODEL
    grid_report.write(results, grid_report.folder_of(options.runs, options.output), model)
    command = provenance.command_of("gail_tf.quality_diversity", sys.argv[1:] if arguments is None else arguments)
    outcome = grid_report.outcome(results, {"responses": options.seed}, model)
    provenance.write_if_asked(options.experiment, command, outcome)
    return 0


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = command_line.Parser(prog="python -m gail_tf.quality_diversity", description=DESCRIPTION)
    parser.add_argument(
        "runs", type=Path, nargs="+", metavar="RUN", help="run folders written by python -m gail_tf.train"
    )
    add_options(parser)
    parser.add_argument(
        "--max-responses",
        type=command_line.at_least_one,
        default=500,
        metavar="N",
        help="number of conversations to respond to at each point in each of the two sets (validation and test), "
        "evenly spread over the set [500]",
    )
    parser.add_argument(
        "--batch-size",
        type=command_line.at_least_one,
        default=32,
        metavar="N",
        help="number of responses drawn in a batch [32]",
    )
    parser.add_argument(
        "--quality-model",
        metavar="MODEL",
        help="pretrained language model that measures quality: a folder, a file, or a known model. No run may have "
        "started from this model (default: a 5-gram model of the training responses)",
    )
    parser.add_argument(
        "--encoder",
        metavar="MODEL",
        help=f"choose the best points by their MAUVE under this encoder: {known_models.ENCODER}, or a folder",
    )
    parser.add_argument("--yes", action="store_true", help="fetch the models without asking")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="the folder for the results (default: RUN, or runs/evaluation for several runs)",
    )
    reporting.add_options(parser)
    return parser


if __name__ == "__main__":
    sys.exit(command_line.run(main, "quality_diversity"))
