"""Trains the variants of `variants.py` with several seeds, and compares them."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from glove.cost import TimeLimit
from keras_gca.engine import reporting
from keras_gca.errors import UserError
from keras_gca.evaluation import grid_report, replies, reply_grid, reranking, system_studies
from keras_gca.evaluation.paired_tests import PairedTest, table_of_tests, tests_by_seeds
from keras_gca.evaluation.paired_tests import as_json as tests_as_json
from keras_gca.evaluation.provenance import Outcome
from keras_gca.evaluation.quality_diversity import HUMAN, Speaker, compare
from keras_gca.evaluation.statistics import as_json, over_runs
from keras_gca.evaluation.study_trainings import Setup, train
from keras_gca.evaluation.system_studies import is_newer, shown
from keras_gca.evaluation.tables import Table
from keras_gca.evaluation.variants import STUDIES
from keras_gca.storage import json_files
from keras_gca.storage.atomic import write_text

REPLIES = ("distinct-2", "tokens", "repeated", "most frequent", "BLEU")
BY_TURN = ("context", "encoder")  # the studies that vary how many utterances a network reads


def run_study(
    name: str, setup: Setup, strategy: tf.distribute.Strategy | None = None, limit: TimeLimit | None = None
) -> Outcome | None:
    """Train the variants of a study, print its tables, and write RUNS/NAME.md (tables) and RUNS/NAME.json (metrics).

    Args:
        name: One of STUDIES.
        setup: The options shared by all training runs.
        strategy: The distribution strategy for training; see `pipeline.train_agent`.
        limit: The time limit, or None for no limit. When it is reached, training stops as if Ctrl-C had been pressed,
            and no further evaluation starts.

    Returns:
        The metrics and tables, or None if the user interrupts the study or the time limit is reached.

    Raises:
        UserError: There is no such study, or a file is missing or damaged.
    """
    if name not in STUDIES:
        raise UserError(f"{name!r} is not a study; choose from {', '.join(STUDIES)}")
    study, limit = STUDIES[name], limit or TimeLimit()
    variants = setup.possible(study.variants)
    if left_out := [variant for variant in study.variants if variant not in variants]:
        reporting.say(f"leaving out {', '.join(left_out)}: the corpus has {setup.training_pairs:,} pairs to train on")
    for seed in setup.seeds:
        for variant in variants:
            if not train(variant, seed, setup, strategy, limit):
                print(f"next: the same command continues with {setup.folder(variant, seed)}")
                return None
    print(f"\n{study.question}\n")
    measured = _measure(name, variants, setup, limit)
    if measured is None:
        print("the time limit has been reached; next: the same command continues with the evaluations")
        return None
    tables, figures = measured
    print("\n\n".join(table.to_text() for table in tables))
    target = setup.runs / f"{name}.md"
    write_text(target, "\n".join(table.to_markdown() for table in tables))
    write_text(target.with_suffix(".json"), json.dumps(figures, indent=2) + "\n")
    print(f"\nwrote {target} and {target.with_suffix('.json')}")
    return Outcome({"runs": list(setup.seeds), "evaluation": 0}, figures, tables)


def _systems(name: str, setup: Setup) -> dict[str, list[Speaker]]:
    """Return each generator of each variant as a system with one run per seed."""
    systems: dict[str, list[Speaker]] = {}
    for variant in STUDIES[name].variants:
        for seed in setup.seeds:
            for speaker in reply_grid.speakers(setup.folder(variant, seed)):
                systems.setdefault(f"{variant}, {speaker.name}", []).append(speaker)
    return systems


# Measuring


def _measure(name: str, variants: Sequence[str], setup: Setup, limit: TimeLimit) -> tuple[list[Table], Any] | None:
    """Return the tables of a study and its metrics for JSON, or None if the time limit is reached first."""
    question = STUDIES[name].question
    if name in system_studies.MEASURED:
        folders = {variant: [setup.folder(variant, seed) for seed in setup.seeds] for variant in variants}
        return system_studies.MEASURED[name](folders, limit)
    measured: dict[str, list[dict[str, Any]]] = {}
    for variant in variants[:1] if name == "mmi" else variants:  # reranking uses the runs of all three variants at once
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
        tables = [_table_of_replies(figures, question)]
        tables += [_table_by_turn(figures)] if name in BY_TURN else []
        tables += [table_of_tests(tests, shown)] if tests else []
        facts = {**as_json(figures), "tests": tests_as_json(tests)}
    if setup.settings_of_grid is None:
        return tables, facts
    results = compare(_systems(name, setup), setup.settings_of_grid, limit)
    if results is None:
        return None
    return [*tables, *grid_report.tables(results)], {**facts, "grid": grid_report.as_json(results)}


def _tests(of_runs: Mapping[str, Sequence[dict[str, Any]]]) -> list[PairedTest]:
    """Compare each pair of systems of a study over seeds, or return an empty list if there is only one seed.

    A system is a generator of a variant. The metrics are the logarithm of the perplexity and those in REPLIES.
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
    """Evaluate a run, or read its stored evaluation if that is newer than the run's bot."""
    done, vectors = run / replies.STUDIED, setup.source.glove
    if is_newer(done, run):
        figures = json_files.read_object(done)
        if figures.get("vectors") == str(vectors or replies.OWN_VECTORS):
            return figures
    figures = replies.evaluate_run(run, vectors=vectors, file=replies.STUDIED)
    reporting.say(f"{replies.report([run], replies.summarised([figures]))}\n\nwrote {done}")
    return figures


def _reranked(seed: int, setup: Setup) -> dict[str, Any]:
    """Compute the reranking metrics for one seed, or read them from their file if it is newer than the bots."""
    runs = [setup.folder(variant, seed) for variant in STUDIES["mmi"].variants]
    done = runs[0] / reranking.STUDIED
    if is_newer(done, *runs):
        return json_files.read_object(done)
    run, language_model, backward = runs
    figures = reranking.rerank(run, language_model, backward, file=reranking.STUDIED)
    reporting.say(f"{reranking.table(figures).to_text()}\n\nwrote {done}")
    return figures


def _table_of_replies(figures: dict[str, Any], question: str) -> Table:
    """Make a table with a row for each system of each variant.

    The columns show the perplexity, metrics of the replies, and two results of the independent discriminator D: the
    mean score, and the share of contexts for which the system's reply has the highest score.
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
    judged = "mean score (Eq. 10), independent D", "best, independent D"
    return Table(None, question, ("variant", "replies of", "perplexity", *REPLIES, *judged), rows, 2)


def _table_by_turn(figures: dict[str, Any]) -> Table:
    """Make a table of the perplexity by turn (`replies.parts_of`), with a row for each generator of each variant."""
    turns = [turn for turn in replies.TURNS if all(turn in of_variant["parts"] for of_variant in figures.values())]
    rows = []
    for variant, of_variant in figures.items():
        for system, shuffled in of_variant["shuffled"].items():
            values = (of_variant["parts"][turn]["perplexity"][system] for turn in turns)
            cells = (f"{value:.2f}" for value in (*values, shuffled))
            rows.append((variant.replace("_", " "), system.replace("_", " "), *cells))
    caption = (
        "Perplexity of the human answers by the number of utterances before the answer, and of all human answers if "
        "the contexts are shuffled. If a generator ignored the contexts, shuffling would not change its perplexity."
    )
    return Table(None, caption, ("variant", "replies of", *turns, "contexts shuffled"), rows, 2)


def _table_of_choices(figures: dict[str, Any], question: str) -> Table:
    """Make a table that compares choosing by Eq. 9 with choosing by Eq. 10, for each discriminator."""
    rows = []
    for judge, judgement in figures["default"]["table_1"].items():
        for equation, chosen in judgement["equations"].items():
            shares = chosen["shares"]["adversarial"], chosen["shorter"], chosen["human_first"]
            rows.append((judge, equation, f"{chosen['ties']:.0f}", *(f"{share:.1%}" for share in shares)))
    header = (
        "discriminator", "choice by", "ties", "adversarial answer best", "shorter answer best", "human above machine"
    )  # fmt: skip
    return Table(None, question, header, rows, 2)
