"""`python -m gail_tf.quality_diversity`: quality against diversity of responses, over the temperature of sampling.

As `keras_gca.quality_diversity`, after Caccia et al. 2020: quality is the perplexity of the responses under a trigram
model of the experts' training responses, in words; diversity is their distinct-2.
"""

import argparse
import itertools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_gca import command_line, quality_diversity

if TYPE_CHECKING:
    from gail_tf.agent import GAILAgent
    from gail_tf.run import Data, GAILRun

DESCRIPTION = """\
Responds to a run's test conversations at several temperatures, with each of its policies, and draws quality (perplexity
under a trigram model of the experts' training responses; lower is better) against diversity (distinct-2). The experts'
responses are a point of their own. Responses are drawn from all tokens, not from a nucleus. Of several runs, those of
one algorithm give one mean curve. Writes quality_diversity.json and .png to DIR.
"""

TRIGRAM_RESPONSES = 20_000  # training responses that the trigram model is made of, at most


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = _parser().parse_args(arguments)
    quality_diversity.refuse_temperatures(options.temperatures)
    command_line.set_up_tensorflow()
    from gail_tf.run import GAILRun

    runs = [GAILRun.open(path) for path in options.runs]
    curves = measure_runs(runs, options.temperatures, options.seed, options.max_responses, options.batch_size)
    folder = options.output or (runs[0].path if len(runs) == 1 else Path("runs") / "evaluation")
    quality_diversity.write(curves, folder)
    return 0


def measure_runs(
    runs: "Sequence[GAILRun]",
    temperatures: Sequence[float],
    seed: int = 0,
    max_responses: int = 500,
    batch_size: int = 32,
) -> quality_diversity.Curves:
    """The point of the human responses, and a curve for each of Table 2's systems: means over its runs; see `measure`.

    Raises UserError where runs cannot stand together, or one is not finished.
    """
    from gail_tf.agent import GAILAgent
    from gail_tf.evaluation import refuse_incomparable, system_of
    from gail_tf.report import HUMAN, name

    refuse_incomparable(runs)
    found: dict[str, list[quality_diversity.Curve]] = {HUMAN: []}
    for run in runs:
        agent = GAILAgent.load(run.path)
        human, curves = measure(agent, run.data(), sorted(temperatures), seed, max_responses, batch_size)
        found[HUMAN].append(human)
        for policy, curve in curves.items():
            found.setdefault(name(system_of(agent.config, policy)), []).append(curve)
    return {title: mean_curve(curves) for title, curves in found.items()}


def measure(
    agent: "GAILAgent",
    data: "Data",
    temperatures: Sequence[float],
    seed: int = 0,
    max_responses: int = 500,
    batch_size: int = 32,
) -> "tuple[quality_diversity.Curve, dict[str, quality_diversity.Curve]]":
    """The point of the human responses, and each policy's curve, on test conversations, evenly spread."""
    import numpy as np

    from gail_tf import metrics
    from gail_tf.evaluation import respond_to
    from gail_tf.policy import Sampling
    from gail_tf.samples import Samples
    from keras_gca.baselines.trigram import TrigramModel
    from keras_gca.training_loop import progress
    from keras_gca.vocabulary import BOS, EOS, Vocabulary

    learned = [metrics.words(data.train[i].response) for i in metrics.spread(len(data.train), TRIGRAM_RESPONSES)]
    vocabulary = Vocabulary.build(learned, size=sys.maxsize)

    def indices(reply):
        return [BOS, *vocabulary.encode(reply), EOS]

    trigram = TrigramModel(map(indices, learned), len(vocabulary), quality_diversity.DISCOUNT)

    def point(temperature, texts):
        replies = [metrics.words(text) for text in texts]
        return quality_diversity.point(trigram, temperature, [indices(reply) for reply in replies], replies)

    parts = metrics.parts(data.test)
    rows = parts.get(metrics.ALL, parts.get(metrics.TWEETS))
    asked = [data.test[row] for row in rows[metrics.spread(len(rows), max_responses)]]
    config = agent.config
    limits = config.condition_tokens, config.response_tokens, config.sentiment == "on"
    batch = Samples.encode(agent.tokenizer, asked, *limits).batch
    curves: dict[str, Any] = {policy: [] for policy in agent.policies}
    with progress(total=len(asked) * len(curves) * len(temperatures), desc="responses") as bar:
        for policy, temperature in itertools.product(agent.policies, temperatures):
            sampling = Sampling(config.response_tokens, top_p=1.0, temperature=temperature)
            speaker = agent.policies[policy], agent.tokenizer
            texts = respond_to(*speaker, batch, np.arange(len(asked)), seed, sampling, batch_size, bar.update)
            curves[policy].append(point(temperature, texts))
    return [point(None, [each.response for each in asked])], curves


def mean_curve(curves: "Sequence[quality_diversity.Curve]") -> "quality_diversity.Curve":
    """The means of several runs' curves, temperature by temperature."""
    names = ("perplexity", "distinct_2")
    return [
        {"temperature": points[0]["temperature"]}
        | {name: sum(each[name] for each in points) / len(points) for name in names}
        for points in zip(*curves, strict=True)
    ]


def _parser() -> argparse.ArgumentParser:
    parser = command_line.Parser(prog="python -m gail_tf.quality_diversity", description=DESCRIPTION)
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="run folders of python -m gail_tf.train")
    quality_diversity.add_options(parser)
    parser.add_argument(
        "--max-responses",
        type=command_line.at_least_one,
        default=500,
        metavar="N",
        help="test conversations to respond to at each temperature, evenly spread [500]",
    )
    parser.add_argument(
        "--batch-size", type=command_line.at_least_one, default=32, metavar="N", help="responses drawn together [32]"
    )
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="RUN, or runs/evaluation of several runs, if not given"
    )
    return parser


if __name__ == "__main__":
    sys.exit(command_line.run(main, "quality_diversity"))
