"""`python -m gail_tf.quality_diversity`: plot the quality of responses against their diversity.

The method is that of `keras_gca.quality_diversity` (Caccia et al. 2020). Responses are drawn at several temperatures.
Their quality is their perplexity under a 5-gram model of words, which is fitted to the experts' training responses.
Their diversity is distinct-2, the share of distinct pairs of adjacent words among all such pairs.
"""

import argparse
import sys
from pathlib import Path

from keras_gca.engine import command_line, reporting
from keras_gca.evaluation import quality_diversity

DESCRIPTION = """\
Draw responses to a run's test conversations at several temperatures from each of its policies, and plot their quality
(perplexity under a 5-gram model of the experts' training responses; lower is better) against their diversity
(distinct-2). The experts' responses are a single point. Responses are drawn from all tokens, not from a nucleus.
Several runs of one algorithm give one mean curve. The command writes quality_diversity.json and quality_diversity.png
to DIR.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return the exit status."""
    options = make_parser().parse_args(arguments)
    quality_diversity.refuse_temperatures(options.temperatures)
    command_line.set_up_tensorflow()
    from gail_tf.base_models.locate import locate
    from gail_tf.evaluation.quality_diversity import measure_runs

    if options.quality_model is not None:
        locate(options.quality_model, options.yes)  # asks before it fetches, and before anything is measured
    limits = options.max_responses, options.batch_size
    curves = measure_runs(options.runs, options.temperatures, options.seed, *limits, options.quality_model)
    folder = options.output or (options.runs[0] if len(options.runs) == 1 else Path("runs") / "evaluation")
    quality_diversity.write(curves, folder, options.quality_model or quality_diversity.MODEL)
    return 0


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command\'s options."""
    parser = command_line.Parser(prog="python -m gail_tf.quality_diversity", description=DESCRIPTION)
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="run folders of python -m gail_tf.train")
    quality_diversity.add_options(parser)
    parser.add_argument(
        "--max-responses",
        type=command_line.at_least_one,
        default=500,
        metavar="N",
        help="how many test conversations to respond to at each temperature, evenly spread [500]",
    )
    parser.add_argument(
        "--batch-size",
        type=command_line.at_least_one,
        default=32,
        metavar="N",
        help="how many responses are drawn together [32]",
    )
    parser.add_argument(
        "--quality-model",
        metavar="MODEL",
        help="measure quality by this pretrained language model, from which no run was trained: a folder, a file, or a "
        "known model; a 5-gram model of the training responses if not given",
    )
    parser.add_argument("--yes", action="store_true", help="fetch the model without asking")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="folder for the results; RUN, or runs/evaluation for several runs, if not given",
    )
    reporting.add_options(parser)
    return parser


if __name__ == "__main__":
    sys.exit(command_line.run(main, "quality_diversity"))
