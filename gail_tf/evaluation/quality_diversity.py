"""Measures the quality and the diversity of a policy's responses at several temperatures of sampling.

Quality is the perplexity of the responses under a 5-gram model of the experts' responses. Diversity is distinct-2. A
point has both values at one temperature, and the points of a policy form a curve.
"""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gail_tf.agent import GAILAgent
from gail_tf.base_models.locate import locate
from gail_tf.data.dataset import Data
from gail_tf.data.samples import Samples
from gail_tf.evaluation import estimate, metrics
from gail_tf.evaluation.comparability import refuse_incomparable, system_of
from gail_tf.evaluation.measure import respond_to
from gail_tf.evaluation.outside_model import OutsideModel, refuse_own_model
from gail_tf.evaluation.systems import HUMAN, name
from gail_tf.policies.sampling import Sampling
from gail_tf.training.run_folder import GAILRun
from keras_gca.engine import reporting
from keras_gca.engine.training_loop import progress
from keras_gca.evaluation import quality_diversity
from keras_gca.evaluation.word_model import WordModel

MODEL_RESPONSES = 20_000  # the maximum number of training responses in the 5-gram model


def measure_runs(
    paths: Sequence[str | Path],
    temperatures: Sequence[float],
    seed: int = 0,
    max_responses: int = 500,
    batch_size: int = 32,
    quality_model: str | None = None,
) -> quality_diversity.Curves:
    """Measure runs, and average the curves of the runs that belong to one system of Table 2.

    Args:
        paths: Run folders.
        temperatures: The temperatures of sampling.
        seed: The seed of the responses.
        max_responses: How many test conversations are answered at each temperature, at most.
        batch_size: How many responses are drawn together.
        quality_model: The pretrained language model that measures the quality, as `locate` takes it; None takes a
            5-gram model of the training responses.

    Returns:
        The point of the human responses, and the mean curve of each system.

    Raises:
        UserError: The runs are not comparable, one is not finished, or one was trained from `quality_model`.
    """
    runs = [GAILRun.open(path, "quality_diversity") for path in paths]
    refuse_incomparable(runs)
    outside = None
    if quality_model is not None:
        refuse_own_model(runs, quality_model)
        outside = OutsideModel.read(locate(quality_model))
    curves_of_systems: dict[str, list[quality_diversity.Curve]] = {HUMAN: []}
    for run in runs:
        agent = GAILAgent.load(run.path)
        human, curves = measure(agent, run.data(), sorted(temperatures), seed, max_responses, batch_size, outside)
        curves_of_systems[HUMAN].append(human)
        for policy, curve in curves.items():
            curves_of_systems.setdefault(name(system_of(agent.config, policy)), []).append(curve)
    return {title: mean_curve(curves) for title, curves in curves_of_systems.items()}


def measure(
    agent: GAILAgent,
    data: Data,
    temperatures: Sequence[float],
    seed: int = 0,
    max_responses: int = 500,
    batch_size: int = 32,
    outside: OutsideModel | None = None,
) -> tuple[quality_diversity.Curve, dict[str, quality_diversity.Curve]]:
    """Measure the policies of an agent on test conversations, which are evenly spread over all test conversations.

    Args:
        agent: The agent.
        data: The data of its run.
        temperatures: The temperatures of sampling.
        seed: The seed of the responses.
        max_responses: How many test conversations are answered at each temperature, at most.
        batch_size: How many responses are drawn together.
        outside: The language model that measures the quality; None takes a 5-gram model of the training responses.

    Returns:
        The point of the human responses, and the curve of each policy.
    """
    learned = [metrics.words(data.train[i].response) for i in metrics.spread(len(data.train), MODEL_RESPONSES)]
    model = WordModel(learned)

    def point(temperature: float | None, texts: Sequence[str]) -> dict[str, Any]:
        replies = [metrics.words(text) for text in texts]
        quality = model.perplexity(replies) if outside is None else outside.perplexity(asked, texts, batch_size)
        return quality_diversity.point(temperature, quality, replies)

    parts = metrics.parts(data.test)
    rows = parts[metrics.ALL] if metrics.ALL in parts else parts[metrics.TWEETS]
    asked = [data.test[row] for row in rows[metrics.spread(len(rows), max_responses)]]
    config = agent.config
    limits = config.data.condition_tokens, config.data.response_tokens, config.data.sentiment == "on"
    batch = Samples.encode(agent.tokenizer, asked, *limits).batch
    reporting.say_cost(estimate.of_curves(config, agent.policies, batch, len(temperatures), batch_size))
    curves: dict[str, Any] = {policy: [] for policy in agent.policies}
    with progress(total=len(asked) * len(curves) * len(temperatures), desc="responses") as bar:
        for policy, temperature in itertools.product(agent.policies, temperatures):
            sampling = Sampling(config.data.response_tokens, top_p=1.0, temperature=temperature)
            speaker = agent.policies[policy], agent.tokenizer
            texts = respond_to(*speaker, batch, np.arange(len(asked)), seed, sampling, batch_size, bar.update)
            curves[policy].append(point(temperature, texts))
    return [point(None, [trajectory.response for trajectory in asked])], curves


def mean_curve(curves: Sequence[quality_diversity.Curve]) -> quality_diversity.Curve:
    """Average the curves of several runs at each temperature."""
    names = ("perplexity", "distinct_2")
    return [
        {"temperature": points[0]["temperature"]}
        | {figure: sum(one[figure] for one in points) / len(points) for figure in names}
        for points in zip(*curves, strict=True)
    ]
