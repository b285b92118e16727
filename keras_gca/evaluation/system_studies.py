"""Evaluates studies that have their own metrics: subject changes, personas, rewards, topics, seq2BF, and growth."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from glove.cost import TimeLimit
from keras_gca.evaluation import growth, personas, simulated_conversations, subject_changes, topic_systems
from keras_gca.evaluation.paired_tests import as_json as tests_as_json
from keras_gca.evaluation.paired_tests import table_of_tests, tests_by_seeds
from keras_gca.evaluation.statistics import as_json, over_runs
from keras_gca.evaluation.tables import Table
from keras_gca.evaluation.variants import DIALOGUE_REWARDS, GROWTH, SEQ2BF
from keras_gca.storage import json_files
from keras_gca.storage.atomic import write_text
from keras_gca.training.run_folder import GCARun

Folders = Mapping[str, Sequence[Path]]  # the run folders of each variant, one for each seed
Measured = tuple[list[Table], Any]  # tables, and metrics for JSON
# The metrics of simulated conversations for which there are tests
TESTED = ("turns", "distinct-1 at equal counts", "distinct-2 at equal counts", "tokens")


def after_changes(folders: Folders, limit: TimeLimit) -> Measured | None:
    """Compare variants after changes of subject; see `subject_changes`.

    Distances at which one of the runs has no answers are left out for all runs.

    Args:
        folders: The run folders.
        limit: The time limit, after which no further runs are evaluated.

    Returns:
        The tables and the metrics, or None if the time limit is reached before all runs are evaluated.
    """
    runs = _stored_or_measured(folders, limit, subject_changes.STUDIED, subject_changes.evaluate_subject_changes)
    if runs is None:
        return None
    every = [run for of_variant in runs.values() for run in of_variant]
    common = [distance for distance in subject_changes.DISTANCES if all(run["pairs"].get(distance) for run in every)]
    runs = {variant: [_at(common, run) for run in of_variant] for variant, of_variant in runs.items()}
    values: dict[str, dict[str, list[float]]] = {}
    for variant, of_variant in runs.items():
        for generator, by_kind in of_variant[0]["perplexity"].items():
            values[f"{variant}, {generator}"] = {
                f"log perplexity, {kind}, after {distance}": [
                    math.log(run["perplexity"][generator][kind][distance]) for run in of_variant
                ]
                for kind, by_distance in by_kind.items()
                for distance in by_distance
            }
    return _compared(runs, values, subject_changes.table)


def _at(distances: Sequence[str], figures: dict[str, Any]) -> dict[str, Any]:
    """Return the metrics of a run, restricted to the given distances."""
    return figures | {
        "pairs": {distance: figures["pairs"][distance] for distance in distances},
        "perplexity": {
            generator: {
                kind: {distance: by_distance[distance] for distance in distances}
                for kind, by_distance in by_kind.items()
            }
            for generator, by_kind in figures["perplexity"].items()
        },
    }


def of_personas(folders: Folders, limit: TimeLimit) -> Measured | None:
    """Compare speakers' own embeddings with those of an unnamed speaker and of another speaker; see `personas`.

    The arguments and the result are those of `after_changes`.
    """
    runs = _stored_or_measured(folders, limit, personas.STUDIED, personas.evaluate_personas)
    if runs is None:
        return None
    values = {
        f"judged as {kind}, {generator}": {
            "log perplexity": [math.log(run["perplexity"][generator][kind]) for run in of_variant]
        }
        for of_variant in runs.values()
        for generator, by_kind in of_variant[0]["perplexity"].items()
        for kind in by_kind
    }
    return _compared(runs, values, personas.table)


def of_conversations(folders: Folders, limit: TimeLimit) -> Measured | None:
    """Compare generators before and after training with dialogue rewards.

    The generator before this training is the teacher-forced generator of the same run. Runs that only provide p(x|y)
    are not measured. The metrics are those of `simulated_conversations`; the arguments and the result are those of
    `after_changes`.
    """
    measured = {DIALOGUE_REWARDS: folders[DIALOGUE_REWARDS]}
    file, evaluated = simulated_conversations.STUDIED, simulated_conversations.evaluate_conversations
    runs = _stored_or_measured(measured, limit, file, evaluated)
    if runs is None:
        return None
    values: dict[str, dict[str, list[float]]] = {}
    for variant, of_variant in runs.items():
        for system in of_variant[0]["systems"]:
            if system != simulated_conversations.HUMAN:
                compared = {key: [run["systems"][system][key] for run in of_variant] for key in TESTED}
                logs = [math.log(run["systems"][system]["perplexity"]) for run in of_variant]
                values[f"{variant}, {system}"] = compared | {"log perplexity": logs}
    return _compared(runs, values, simulated_conversations.table)


def of_topics(folders: Folders, limit: TimeLimit) -> Measured | None:
    """Compare a generator with topics with the plain generator and MMI; see `topic_systems` and `after_changes`.

    If there are runs of seq2BF, it is compared too. The significance tests compare greedy answers with each other, and
    answers from beam searches with each other.
    """
    runs = list[dict[str, Any]]()
    for of_seed in zip(*folders.values(), strict=True):
        if limit.is_over:
            return None
        of_variants = dict(zip(folders, of_seed, strict=True))
        done = topic_systems.file_of(of_variants)
        if not is_newer(done, *of_seed):
            topic_systems.evaluate_topics(of_variants)
        runs.append(json_files.read_object(done))
    names = [name for name in runs[0]["systems"] if name != topic_systems.HUMAN]
    values = {
        name: {key: [run["systems"][name][key] for run in runs] for key in topic_systems.TESTED} for name in names
    }
    greedy = {name: values[name] for name in names if name.endswith(topic_systems.GREEDY_ONLY)}
    tests = tests_by_seeds(greedy, {name: values[name] for name in names if name not in greedy})
    figures = {SEQ2BF if SEQ2BF in folders else "topics": over_runs(runs)}
    tables = [topic_systems.table(figures)] + ([table_of_tests(tests, shown)] if tests else [])
    return tables, {**as_json(figures), "tests": tests_as_json(tests)}


def of_growth(folders: Folders, limit: TimeLimit) -> Measured | None:
    """Compare runs with different numbers of training pairs; see `growth`.

    There are no significance tests. The arguments and the result are those of `after_changes`.

    Raises:
        UserError: Two runs of a seed have different held-out pairs.
    """
    runs = _stored_or_measured(folders, limit, growth.STUDIED, growth.evaluate_growth)
    if runs is None:
        return None
    growth.refuse_other_held_out(runs)
    figures = {variant: over_runs(of_variant) for variant, of_variant in runs.items()}
    return [growth.table(figures)], as_json(figures)


# By the name of the study
MEASURED = {
    "dynamic_context": after_changes,
    "persona": of_personas,
    DIALOGUE_REWARDS: of_conversations,
    "topics": of_topics,
    GROWTH: of_growth,
    SEQ2BF: of_topics,
}


def is_newer(file: Path, *runs: Path) -> bool:
    """Return whether a file exists and is newer than the runs' bots."""
    bots = [GCARun(run).bot for run in runs]
    return file.exists() and all(file.stat().st_mtime > bot.stat().st_mtime for bot in bots)


def shown(system: str) -> str:
    """Return the display name of a system for tables."""
    return system.replace("_", " ")


def _stored_or_measured(
    folders: Folders, limit: TimeLimit, file: str, evaluated: Callable[[Path], dict[str, Any]]
) -> dict[str, list[dict[str, Any]]] | None:
    """Return the metrics of each variant's runs, or None if the time limit is reached.

    The metrics of a run are read from their file if the file is newer than the run's bot.
    """
    measured: dict[str, list[dict[str, Any]]] = {variant: [] for variant in folders}
    for variant, runs in folders.items():
        for run in runs:
            if limit.is_over:
                return None
            if not is_newer(run / file, run):
                write_text(run / file, json.dumps(evaluated(run), indent=2) + "\n")
            measured[variant].append(json_files.read_object(run / file))
    return measured


def _compared(
    runs: Mapping[str, Sequence[dict[str, Any]]],
    values: Mapping[str, Mapping[str, Sequence[float]]],
    table: Callable[[Mapping[str, Any]], Table],
) -> Measured:
    """Return a table of all variants, a table of paired tests over seeds, and the content of both tables for JSON."""
    figures = {variant: over_runs(of_variant) for variant, of_variant in runs.items()}
    tests = tests_by_seeds(values)
    tables = [table(figures)] + ([table_of_tests(tests, shown)] if tests else [])
    return tables, {**as_json(figures), "tests": tests_as_json(tests)}
