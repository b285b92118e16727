"""Measures the first paper's generators over a grid of temperatures and top-p values; see `quality_diversity`."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from glove.cost import TimeLimit
from keras_gca.agent import Agent
from keras_gca.data.pairs import Pairs
from keras_gca.errors import UserError
from keras_gca.evaluation import estimate, judges
from keras_gca.evaluation.decoding_grid import Setting, grid
from keras_gca.evaluation.quality_diversity import Part, Results, Speaker, compare
from keras_gca.evaluation.replies import answers_to
from keras_gca.evaluation.stored_values import StoredValues, are_texts
from keras_gca.evaluation.word_model import WordModel
from keras_gca.models.decoding_settings import Decoding
from keras_gca.training.run_folder import GCARun

FOLDER = "grid"  # the folder of the sampled replies, in the run folder


def measure_runs(
    runs: Sequence[str | Path],
    settings: Sequence[Setting] = grid(),
    seed: int = 0,
    limit: TimeLimit | None = None,
) -> Results | None:
    """Measure the generators of runs over a grid, and compare them at their best points.

    Args:
        runs: The run folders, whose seeds differ. Each generator is one system.
        settings: The points of the grid.
        seed: The seed for sampling.
        limit: The time limit, after which no further points are measured, or None for no limit.

    Returns:
        The results, or None if the time limit is reached before all points are measured.

    Raises:
        UserError: A run is missing or damaged, or two runs have the same seed.
    """
    systems: dict[str, list[Speaker]] = {}
    for run in runs:
        for speaker in speakers(run, seed):
            systems.setdefault(speaker.name, []).append(speaker)
    for of_system in systems.values():
        seeds = [speaker.seed for speaker in of_system]
        if len(set(seeds)) < len(seeds):
            raise UserError(f"{', '.join(map(str, runs))}: the runs need different seeds, but their seeds are {seeds}")
    return compare(systems, settings, limit)


def speakers(run: str | Path, seed: int = 0) -> list[Speaker]:
    """Return the generators of a run as `Speaker` objects for `quality_diversity.compare`.

    The held-out conversations are divided into a validation set and a test set; see `judges.parts`. Replies are stored
    in RUN/grid, so that an interrupted measurement can be resumed.

    Args:
        run: The run folder.
        seed: The seed for sampling.

    Raises:
        UserError: The run is missing or damaged, or its held-out pairs cannot be divided.
    """
    made = GCARun.open(run, "quality_diversity")
    agent, dataset = Agent.load(made.path), made.dataset()
    model = WordModel([agent.vocabulary.decode(row[1:]) for row in dataset.training.answers])
    store = StoredValues(made.path / FOLDER, made.bot)
    divided = judges.parts(dataset, agent.config.seed)
    validation, test = (
        part_of(agent, pairs, model, store, title, seed)
        for pairs, title in zip(divided, ("validation", "test"), strict=True)
    )
    cost = partial(estimate.of_grid, agent, *divided)
    return [Speaker(name, agent.config.seed, validation, test, cost) for name in agent.generators]


def part_of(agent: Agent, pairs: Pairs, model: WordModel, store: StoredValues, title: str, seed: int) -> Part:
    """Make a `Part` for `quality_diversity.compare` from held-out pairs.

    Args:
        agent: The agent.
        pairs: The held-out pairs.
        model: The model that measures quality.
        store: The store for sampled replies.
        title: The name of this set of pairs.
        seed: The seed for sampling.
    """

    def texts(answers: np.ndarray) -> list[str]:
        return [" ".join(agent.vocabulary.decode(row[1:])) for row in answers]

    def place(generator: str, setting: Setting) -> tuple[str, dict[str, Any]]:
        """Return the name under which replies are stored, and the facts that determine these replies."""
        facts = {"part": title, "generator": generator, **setting._asdict(), "seed": seed, "replies": len(pairs)}
        return f"{title}_{generator}_{setting.temperature:g}_{setting.top_p:g}", facts

    def sample(generator: str, setting: Setting) -> list[str]:
        def make() -> list[str]:
            decoding = Decoding(setting.temperature, top_p=setting.top_p)
            return texts(answers_to(agent, generator, pairs.contexts, decoding, seed))

        return store.get(*place(generator, setting), make, are_texts(len(pairs)))

    def is_stored(generator: str, setting: Setting) -> bool:
        return store.has(*place(generator, setting))

    def costs(replies: Sequence[str], name: str) -> np.ndarray:
        return model.costs([reply.split() for reply in replies])

    groups = pairs.conversation
    if len(np.unique(groups)) < 2:  # a corpus without boundaries between conversations, as in `judges.folds`
        groups = np.arange(len(pairs))
    return Part(texts(pairs.answers), groups, sample, costs, str.split, is_stored=is_stored)
