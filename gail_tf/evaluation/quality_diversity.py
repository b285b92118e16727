"""Measurement of policies over a grid of temperatures and top-p values; see `keras_gca.evaluation.quality_diversity`.

Quality is the perplexity of the responses under a 5-gram model of the experts' responses, or under a pretrained
language model that no run started from. If an independent encoder is given, the best point of each policy is the one
with the highest MAUVE.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from gail_tf.agent import GAILAgent
from gail_tf.base_models.locate import locate
from gail_tf.config import GAILConfig
from gail_tf.data.dataset import Data
from gail_tf.data.trajectories import Trajectory
from gail_tf.evaluation import estimate, mauve, metrics
from gail_tf.evaluation.comparability import refuse_incomparable, system_of
from gail_tf.evaluation.measure import MAUVE_TEXTS
from gail_tf.evaluation.outside_model import OutsideModel, refuse_own_model
from gail_tf.evaluation.responses import respond_to
from gail_tf.evaluation.selection import SELECTIONS, Selector, speakers_of
from gail_tf.evaluation.sentence_encoder import SentenceEncoder
from gail_tf.evaluation.systems import name
from gail_tf.imitation.phases import MAXIMUM_LIKELIHOOD
from gail_tf.policies.sampling import Sampling
from gail_tf.training.run_folder import GAILRun
from glove.cost import Estimate, TimeLimit
from keras_gca.evaluation.decoding_grid import Setting, grid
from keras_gca.evaluation.quality_diversity import Measure, Part, Results, Speaker, compare
from keras_gca.evaluation.stored_values import StoredValues, are_numbers, are_texts
from keras_gca.evaluation.word_model import WordModel

FOLDER = "grid"  # the folder for the responses and their costs, inside the run folder
MODEL_RESPONSES = 20_000  # the maximum number of training responses in the 5-gram model
Costs = Callable[[Sequence[Trajectory], Sequence[str]], np.ndarray]  # see `Part.costs`


@dataclass(frozen=True)
class How:
    """How responses are sampled and measured.

    Attributes:
        settings: The points of the grid.
        seed: The seed for sampling responses.
        max_responses: The maximum number of conversations to answer at each point of the grid, in the validation set
            and in the test set.
        batch_size: The number of responses to sample at a time.
        quality_model: A pretrained language model that measures quality, in any form that `locate` accepts. If None, a
            5-gram model of the training responses measures quality.
        encoder: The independent encoder for MAUVE, in any form that `locate` accepts. If None, MAUVE is not measured.
    """

    settings: Sequence[Setting] = tuple(grid())
    seed: int = 0
    max_responses: int = 500
    batch_size: int = 32
    quality_model: str | None = None
    encoder: str | None = None


DEFAULT = How()


def measure_runs(paths: Sequence[str | Path], how: How = DEFAULT, limit: TimeLimit | None = None) -> Results | None:
    """Measure the policies of several runs over a grid, and compare the systems of Table 2 at their best points.

    If several runs with the same seed have a policy trained only by maximum likelihood, only the first of these
    policies is included.

    Args:
        paths: Run folders.
        how: How responses are sampled and measured.
        limit: The time limit after which no further point is measured, or None.

    Returns:
        The results, or None if time runs out before all points are measured.

    Raises:
        UserError: The runs are not comparable, a run is not finished, or a run started from the model that measures
            quality.
    """
    runs = [GAILRun.open(path, "quality_diversity") for path in paths]
    refuse_incomparable(runs)
    by_system: dict[str, list[tuple[GAILRun, str]]] = {}
    for run in runs:
        for policy in speakers_of(GAILAgent.load(run.path)):
            of_system = by_system.setdefault(name(system_of(run, run.config(), policy)), [])
            if run.config().seed not in (other.config().seed for other, _ in of_system):
                of_system.append((run, policy))
    return measure_policies(by_system, how, limit)


def measure_policies(
    by_system: Mapping[str, Sequence[tuple[GAILRun, str | None]]], how: How = DEFAULT, limit: TimeLimit | None = None
) -> Results | None:
    """Measure policies over a grid, and compare systems at their best points.

    Args:
        by_system: The (run, policy) pairs of each system, one pair for each seed. A policy is given by its name, or as
            None for the run's last policy.
        how: How responses are sampled and measured.
        limit: The time limit after which no further point is measured, or None.

    Returns:
        The results, or None if time runs out before all points are measured.

    Raises:
        UserError: A run cannot be read, or a run started from the model that measures quality.
    """
    outside, encoder = None, None
    if how.quality_model is not None:
        refuse_own_model([run for of_system in by_system.values() for run, _ in of_system], how.quality_model)
        outside = OutsideModel.read(locate(how.quality_model))
    if how.encoder is not None:
        encoder = SentenceEncoder.read(locate(how.encoder))
    load = lru_cache(maxsize=1)(GAILAgent.load)  # only the last agent is kept, to save memory
    opened: dict[Path, tuple[Part, Part, Callable[[str, int], Estimate]]] = {}
    systems: dict[str, list[Speaker]] = {}
    for system, of_system in by_system.items():
        for run, policy in of_system:
            if run.path not in opened:
                opened[run.path] = _open(run, partial(load, run.path), how, outside, encoder)
            name_of_policy = policy or speakers_of(load(run.path))[-1]
            validation, test, cost = opened[run.path]
            speaker = Speaker(name_of_policy, run.config().seed, validation, test, partial(cost, name_of_policy))
            systems.setdefault(system, []).append(speaker)
    return compare(systems, how.settings, limit)


def _open(
    run: GAILRun,
    load: Callable[[], GAILAgent],
    how: How,
    outside: OutsideModel | None,
    encoder: SentenceEncoder | None,
) -> tuple[Part, Part, Callable[[str, int], Estimate]]:
    """Make the `Part`s for a run's validation and test sets, and a function that estimates the cost of a policy."""
    data, config = run.data(), run.config()
    costs: Costs
    if outside is None:
        learned = [metrics.words(data.train[i].response) for i in metrics.spread(len(data.train), MODEL_RESPONSES)]
        model = WordModel(learned)

        def costs(asked: Sequence[Trajectory], texts: Sequence[str]) -> np.ndarray:
            return model.costs([metrics.words(text) for text in texts])

    else:
        costs = partial(outside.costs, size=how.batch_size)
    store = StoredValues(run.path / FOLDER, run.bot)
    validation, test = (
        part_of(load, config, data, title, how, costs, store, encoder) for title in ("validation", "test")
    )
    return validation, test, partial(_cost, load, config, _asked(data.validation, how), _asked(data.test, how), how)


def _asked(trajectories: Sequence[Trajectory], how: How) -> list[Trajectory]:
    """Return the trajectories to answer: those from conversations or, if there are none, those from tweets."""
    parts = metrics.parts(trajectories)
    rows = parts[metrics.ALL] if metrics.ALL in parts else parts[metrics.TWEETS]
    return [trajectories[row] for row in rows[metrics.spread(len(rows), how.max_responses)]]


def _cost(
    load: Callable[[], GAILAgent],
    config: GAILConfig,
    validation: Sequence[Trajectory],
    test: Sequence[Trajectory],
    how: How,
    policy: str,
    points: int,
) -> Estimate:
    """Estimate the cost of a policy's responses, as `Speaker.estimate` does."""
    agent = load()
    of_validation, of_test = (agent.encode(asked) for asked in (validation, test))
    if policy in SELECTIONS:
        policy, points = MAXIMUM_LIKELIHOOD, points * config.rollout.selection_candidates
    return estimate.of_grid(config, agent.policies[policy], of_validation, of_test, points, how.batch_size)


def part_of(
    load: Callable[[], GAILAgent],
    config: GAILConfig,
    data: Data,
    title: str,
    how: How,
    costs: Costs,
    store: StoredValues,
    encoder: SentenceEncoder | None = None,
) -> Part:
    """Make the `Part` for the validation or test set from conversations that are evenly spread over the set.

    Args:
        load: A function that loads the agent. It is called only if responses have not been stored yet.
        config: The settings of the agent.
        data: The data of the run.
        title: "validation" or "test".
        how: How responses are sampled and measured.
        costs: A function that computes the costs of responses under the quality model.
        store: The store for responses and their costs.
        encoder: The independent encoder, or None.
    """
    trajectories = {"validation": data.validation, "test": data.test}[title]
    asked = _asked(trajectories, how)
    count = len(asked)

    def place(policy: str, setting: Setting) -> tuple[str, dict[str, Any]]:
        """Return the name under which responses are stored, and the facts that are stored with the responses."""
        facts = {"part": title, "policy": policy, **setting._asdict(), "seed": how.seed, "responses": count}
        return f"{title}_{policy}_{setting.temperature:g}_{setting.top_p:g}", facts

    def sample(policy: str, setting: Setting) -> list[str]:
        def make() -> list[str]:
            agent = load()
            samples = agent.samples(asked)
            sampling = Sampling(config.data.response_tokens, top_p=setting.top_p, temperature=setting.temperature)
            if policy in SELECTIONS:
                return Selector(agent, samples, how.batch_size).respond(policy, np.arange(count), how.seed, sampling)
            speaker = agent.policies[policy], agent.tokenizer
            return respond_to(*speaker, samples.batch, np.arange(count), how.seed, sampling, how.batch_size)

        return store.get(*place(policy, setting), make, are_texts(count))

    def is_stored(policy: str, setting: Setting) -> bool:
        return store.has(*place(policy, setting))

    def stored_costs(texts: Sequence[str], of: str) -> np.ndarray:
        if how.quality_model is None:  # the 5-gram model is faster than reading a file
            return costs(asked, texts)
        facts = {"part": title, "of": of, "seed": how.seed, "model": how.quality_model, "responses": count}

        def make() -> list[list[float]]:
            return costs(asked, texts).tolist()

        numbers = "".join(letter if letter.isalnum() or letter == "." else "_" for letter in of)
        return np.array(store.get(f"{title}_{numbers}_costs", facts, make, are_numbers(count, 2)), np.float64)

    human = [trajectory.response for trajectory in asked]
    conversations = np.array([trajectory.conversation for trajectory in asked])
    if encoder is None or count < MAUVE_TEXTS:
        return Part(human, conversations, sample, stored_costs, metrics.words, is_stored=is_stored)
    vectors = encoder(human)
    others = [data.train[i].response for i in _of_same_kind(data.train, asked[0], count)]
    ceiling = mauve.mauve(encoder(others), vectors) if len(others) == count else None

    def measure_of(texts: Sequence[str]) -> Measure:
        clusters = mauve.clustered(encoder(texts), vectors)
        return lambda kept: mauve.of_clusters(*(labels[kept] for labels in clusters))

    return Part(human, conversations, sample, stored_costs, metrics.words, measure_of, ceiling, is_stored)


def _of_same_kind(trajectories: Sequence[Trajectory], one: Trajectory, count: int) -> list[int]:
    """Return the indices of at most `count` trajectories of the same kind (tweet or conversation) as `one`."""
    tweets = one.source == "tweets"
    rows = [i for i, other in enumerate(trajectories) if (other.source == "tweets") == tweets]
    return [rows[i] for i in metrics.spread(len(rows), count)]
