"""Trains variants of the first paper's method over several seeds, and compares them; `variants.py` defines them.

Runs that exist in the folder are used again. Therefore several studies can share a run, and an interrupted study
continues where it stopped.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf

from glove.cost import Estimate, TimeLimit
from keras_gca.config import AFTER_LINE_3, Config
from keras_gca.data.dataset import prepare
from keras_gca.data.source import Source
from keras_gca.engine import reporting
from keras_gca.errors import UserError
from keras_gca.evaluation import grid_report, replies, reply_grid, reranking, system_studies
from keras_gca.evaluation.decoding_grid import Setting
from keras_gca.evaluation.paired_tests import PairedTest, table_of_tests, tests_by_seeds
from keras_gca.evaluation.paired_tests import as_json as tests_as_json
from keras_gca.evaluation.provenance import Outcome
from keras_gca.evaluation.quality_diversity import HUMAN, Speaker, compare
from keras_gca.evaluation.statistics import as_json, over_runs
from keras_gca.evaluation.system_studies import is_newer, shown
from keras_gca.evaluation.tables import Table
from keras_gca.evaluation.variants import STUDIES, VARIANTS
from keras_gca.storage import json_files
from keras_gca.storage.atomic import write_text
from keras_gca.storage.run_folder import CHECKPOINT
from keras_gca.training import pipeline
from keras_gca.training.estimate import estimate
from keras_gca.training.run_folder import GCARun
from keras_gca.training.schedule import schedule

REPLIES = ("distinct-2", "tokens", "repeated", "most frequent", "BLEU")


@dataclass(frozen=True)
class Setup:
    """The parts that all trainings of a study share.

    Args:
        runs: The folder of the runs.
        seeds: The seeds. Each variant is trained once with each seed.
        preset: The preset of all trainings.
        settings: Settings of all trainings; those that define a variant take precedence.
        source: The data. Its word vectors are also used for the similarities of replies.
        settings_of_grid: The points of a grid of temperatures and nuclei, over which the generators of the variants are
            compared, too, or None for no such comparison.
    """

    runs: Path
    seeds: Sequence[int]
    preset: str
    settings: Mapping[str, Any]
    source: Source
    settings_of_grid: Sequence[Setting] | None = None

    def folder(self, variant: str, seed: int) -> Path:
        """Return the run folder of a training."""
        return self.runs / variant / f"seed_{seed}"

    def config(self, variant: str, seed: int) -> Config:
        """Return the settings of a training.

        Raises:
            UserError: A setting is impossible.
        """
        return Config.preset(self.preset, **{**self.settings, **VARIANTS[variant], "seed": seed})


def cost(names: Sequence[str], setup: Setup) -> Estimate:
    """Estimate the cost of the trainings that studies lack.

    Lengths of contexts and the vocabulary are those of the first training. Trainings that were interrupted, and the
    evaluations, which print estimates of their own, are not counted.

    Args:
        names: Names of STUDIES.
        setup: The parts that all trainings share.

    Returns:
        The seconds of each variant, over all seeds.

    Raises:
        UserError: The corpus cannot be used, or a setting is impossible.
    """
    variants = {variant for name in names for variant in STUDIES[name].variants}
    if any(map(_shares_line_3, variants)):
        variants.add("default")
    needed = [(variant, seed) for variant in VARIANTS if variant in variants for seed in setup.seeds]
    lacking = [one for one in needed if not (setup.folder(*one) / CHECKPOINT).exists()]
    if not lacking:
        return Estimate({}, 0.0, "has nothing to train")
    dataset = prepare(setup.source.read()[0], setup.config(*lacking[0]))
    data = len(dataset.vocabulary), dataset.training, dataset.validation
    seconds: dict[str, float] = {}
    for variant, seed in lacking:
        config = setup.config(variant, seed)
        stages = schedule(config)[config.teacher_forcing_epochs if _shares_line_3(variant) else 0 :]
        made = estimate(config, *data, stages)
        seconds[variant] = seconds.get(variant, 0.0) + made.total
    return made._replace(seconds=seconds)


def run_study(
    name: str, setup: Setup, strategy: tf.distribute.Strategy | None = None, limit: TimeLimit | None = None
) -> Outcome | None:
    """Train the variants of a study, print its table, and write it to RUNS/NAME.md and all metrics to RUNS/NAME.json.

    Args:
        name: One of STUDIES.
        setup: The parts that all trainings share.
        strategy: The strategy of the trainings; see `pipeline.train_agent`.
        limit: The time limit, at which trainings stop as if Ctrl-C had been pressed, and after which no evaluation
            begins, or None for no limit.

    Returns:
        The metrics and tables, or None if the user has interrupted the study or its time is over.

    Raises:
        UserError: There is no such study, or a file is missing or damaged.
    """
    if name not in STUDIES:
        raise UserError(f"{name!r} is not a study; choose from {', '.join(STUDIES)}")
    study, limit = STUDIES[name], limit or TimeLimit()
    for seed in setup.seeds:
        for variant in study.variants:
            if not _train(variant, seed, setup, strategy, limit):
                print(f"next: the same command continues with {setup.folder(variant, seed)}")
                return None
    print(f"\n{study.question}\n")
    measured = _measure(name, setup, limit)
    if measured is None:
        print("the time is over; next: the same command continues with the evaluations")
        return None
    tables, figures = measured
    print("\n\n".join(table.to_text() for table in tables))
    target = setup.runs / f"{name}.md"
    write_text(target, "\n".join(table.to_markdown() for table in tables))
    write_text(target.with_suffix(".json"), json.dumps(figures, indent=2) + "\n")
    print(f"\nwrote {target} and {target.with_suffix('.json')}")
    return Outcome({"runs": list(setup.seeds), "evaluation": 0}, figures, tables)


def _systems(name: str, setup: Setup) -> dict[str, list[Speaker]]:
    """Return the generators of each variant of a study as systems, of which each has one run for each seed."""
    systems: dict[str, list[Speaker]] = {}
    for variant in STUDIES[name].variants:
        for seed in setup.seeds:
            for speaker in reply_grid.speakers(setup.folder(variant, seed)):
                systems.setdefault(f"{variant}, {speaker.name}", []).append(speaker)
    return systems


# Training


def _shares_line_3(variant: str) -> bool:
    """Return whether a variant starts from the default training's line 3."""
    changes = VARIANTS[variant]
    return bool(changes) and set(changes) <= set(AFTER_LINE_3)


def _train(variant: str, seed: int, setup: Setup, strategy: tf.distribute.Strategy | None, limit: TimeLimit) -> bool:
    """Train a variant, or continue its training, and return whether the training has reached its end."""
    path = setup.folder(variant, seed)
    exists = (path / CHECKPOINT).exists()
    if exists and GCARun.open(path).is_finished():
        return True
    if limit.is_over:
        return False
    if exists:
        return pipeline.resume(path, strategy, limit.remaining).training.finished
    if _shares_line_3(variant) and not _train("default", seed, setup, strategy, limit):
        return False
    if limit.is_over:
        return False
    reporting.say(f"\n== {variant}, seed {seed}\n")
    if _shares_line_3(variant):
        first, changes = setup.folder("default", seed), VARIANTS[variant]
        session = pipeline.start_from(first, changes, path, strategy, limit.remaining)
    else:
        session = pipeline.train_agent(
            setup.config(variant, seed), setup.source, path, strategy, minutes=limit.remaining
        )
    return session.training.finished


# Measuring


def _measure(name: str, setup: Setup, limit: TimeLimit) -> tuple[list[Table], Any] | None:
    """Return the study's tables, and its metrics for JSON, or None if the time is over before all are made."""
    question, variants = STUDIES[name]
    if name in system_studies.MEASURED:
        folders = {variant: [setup.folder(variant, seed) for seed in setup.seeds] for variant in variants}
        return system_studies.MEASURED[name](folders, limit)
    measured: dict[str, list[dict[str, Any]]] = {}
    for variant in variants[:1] if name == "mmi" else variants:  # reranking takes the runs of all three together
        for seed in setup.seeds:
            if limit.is_over:
                return None
            of_seed = _reranked(seed, setup) if name == "mmi" else _evaluated(setup.folder(variant, seed), setup)
            measured.setdefault(variant, []).append(of_seed)
    if name == "mmi":
        (of_reranking,) = (over_runs(runs) for runs in measured.values())
        return [reranking.table(of_reranking, question)], as_json(of_reranking)
    figures = {variant: replies.summarised(runs) for variant, runs in measured.items()}
    if name == "selection":
        tables, facts = [_table_of_choices(figures, question)], as_json(figures)
    else:
        tests = _tests(measured)
        tables = [_table_of_replies(figures, question)] + ([table_of_tests(tests, shown)] if tests else [])
        facts = {**as_json(figures), "tests": tests_as_json(tests)}
    if setup.settings_of_grid is None:
        return tables, facts
    results = compare(_systems(name, setup), setup.settings_of_grid, limit)
    if results is None:
        return None
    return [*tables, *grid_report.tables(results)], {**facts, "grid": grid_report.as_json(results)}


def _tests(of_runs: Mapping[str, Sequence[dict[str, Any]]]) -> list[PairedTest]:
    """Compare all systems of a study by seeds; with one seed there are no tests.

    A system is a generator of a variant. The metrics are the logarithm of perplexity, and those of the replies.
    """
    values: dict[str, dict[str, list[float]]] = {}
    for variant, runs in of_runs.items():
        for system in runs[0]["replies"]:
            if system != HUMAN:
                metrics = {title: [run["replies"][system][title] for run in runs] for title in REPLIES}
                metrics["log perplexity"] = [math.log(run["perplexity"][system]) for run in runs]
                values[f"{variant}, {system}"] = metrics
    return tests_by_seeds(values)


def _evaluated(run: Path, setup: Setup) -> dict[str, Any]:
    """Return the evaluation of a run; if the run folder has an evaluation that is newer than the bot, it is read."""
    done, vectors = run / replies.FILE, setup.source.glove
    if is_newer(done, run):
        figures = json_files.read_object(done)
        if figures.get("vectors") == str(vectors or replies.OWN_VECTORS) and "parts" in figures:
            return figures
    figures = replies.evaluate_run(run, vectors=vectors)
    reporting.say(f"{replies.report([run], replies.summarised([figures]))}\n\nwrote {done}")
    return figures


def _reranked(seed: int, setup: Setup) -> dict[str, Any]:
    """Return the metrics of reranking for one seed; stored metrics are read if they are newer than the bots."""
    runs = [setup.folder(variant, seed) for variant in STUDIES["mmi"].variants]
    done = runs[0] / reranking.FILE
    if is_newer(done, *runs):
        return json_files.read_object(done)
    run, language_model, backward = runs
    figures = reranking.rerank(run, language_model, backward)
    reporting.say(f"{reranking.table(figures).to_text()}\n\nwrote {done}")
    return figures


def _table_of_replies(figures: dict[str, Any], question: str) -> Table:
    """Make a table with a row for each system of each variant.

    The columns are perplexity, metrics of the replies, and the scores by the independent discriminator D.
    """
    rows = []
    for variant, of_variant in figures.items():
        judgement = of_variant["table_1"]["independent"]
        for system, of_system in of_variant["replies"].items():
            perplexity = of_variant["perplexity"].get(system)
            share = judgement["equations"]["Eq. 10"]["shares"].get(system)
            rows.append(
                (
                    variant.replace("_", " "),
                    system.replace("_", " "),
                    None if perplexity is None else f"{perplexity:.2f}",
                    *(f"{of_system[title]:.3g}" for title in REPLIES),
                    f"{judgement['scores'][system]:.3f}",
                    None if share is None else f"{share:.1%}",
                )
            )
    judged = "l, independent D", "best, independent D"
    return Table(None, question, ("variant", "replies of", "perplexity", *REPLIES, *judged), rows, 2)


def _table_of_choices(figures: dict[str, Any], question: str) -> Table:
    """Make a table of the effects of choosing by Eq. 9 and by Eq. 10, for each discriminator."""
    rows = []
    for judge, judgement in figures["default"]["table_1"].items():
        for equation, chosen in judgement["equations"].items():
            shares = chosen["shares"]["adversarial"], chosen["shorter"], chosen["human_first"]
            rows.append((judge, equation, f"{chosen['ties']:.0f}", *(f"{share:.1%}" for share in shares)))
    header = (
        "discriminator", "choice by", "ties", "adversarial answer best", "shorter answer best", "human above machine"
    )  # fmt: skip
    return Table(None, question, header, rows, 2)
