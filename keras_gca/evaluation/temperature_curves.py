"""Measures the first paper's curves of quality against diversity on held-out contexts.

`quality_diversity.py` defines the metrics and plots them.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_gca.agent import Agent, Decoding
from keras_gca.data.dataset import Dataset
from keras_gca.engine import reporting
from keras_gca.evaluation import estimate
from keras_gca.evaluation.quality_diversity import TEMPERATURES, Curves, point
from keras_gca.evaluation.replies import answers_to
from keras_gca.evaluation.word_model import WordModel
from keras_gca.training.run_folder import GCARun


def measure_run(run: str | Path, temperatures: Sequence[float] = TEMPERATURES, seed: int = 0) -> Curves:
    """Measure the curves of a run's generators, and the point of the human replies.

    Args:
        run: The run folder.
        temperatures: The temperatures of sampling.
        seed: The seed of sampling.

    Raises:
        UserError: The run is missing or damaged, or a temperature is out of range.
    """
    made = GCARun.open(run, "quality_diversity")
    agent, dataset = Agent.load(made.path), made.dataset()
    reporting.say_cost(estimate.of_curves(agent, dataset.validation, len(temperatures)))
    return measure(agent, dataset, temperatures, seed)


def measure(agent: Agent, dataset: Dataset, temperatures: Sequence[float], seed: int = 0) -> Curves:
    """Measure the curves of "human" and of each generator on held-out contexts."""

    def words(answers: np.ndarray) -> list[list[str]]:
        return [agent.vocabulary.decode(row[1:]) for row in answers]

    model = WordModel(words(dataset.training.answers))

    def measured(temperature: float | None, answers: np.ndarray) -> dict[str, Any]:
        replies = words(answers)
        return point(temperature, model.perplexity(replies), replies)

    held_out = dataset.validation
    curves = {"human": [measured(None, held_out.answers)]}
    for name in agent.generators:
        curves[name] = [
            measured(temperature, answers_to(agent, name, held_out.contexts, Decoding(temperature), seed))
            for temperature in temperatures
        ]
    return curves
