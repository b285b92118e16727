"""The comparisons that the first paper argues with, each over several seeds; what they are is in `options.py`.

What is trained already in the folder is used again, so that studies share their runs, and an interrupted study goes on
where it stopped.
"""

import json
from pathlib import Path
from typing import Any

from keras_gca.config import AFTER_LINE_3
from keras_gca.evaluation import replies, reranking
from keras_gca.evaluation.options import STUDIES, VARIANTS, Trainings
from keras_gca.evaluation.statistics import as_json, over_runs
from keras_gca.evaluation.tables import Table
from keras_gca.storage import json_files
from keras_gca.storage.atomic import write_text
from keras_gca.storage.run_folder import CHECKPOINT
from keras_gca.training import pipeline
from keras_gca.training.run_folder import GCARun

REPLIES = ("distinct-2", "tokens", "repeated", "most frequent", "BLEU")


def run_study(name: str, trainings: Trainings) -> Path | None:
    """Train what a study compares and is not there yet, and measure it.

    name: of STUDIES. Prints the study's table, and writes it to FOLDER/NAME.md with the figures in NAME.json; returns
    the path of the former, or None where the user has stopped a training before its end. Raises UserError where a file
    is missing or damaged.
    """
    study = STUDIES[name]
    for seed in trainings.seeds:
        for variant in study.variants:
            if not _train(variant, seed, trainings):
                print(f"next: the same command goes on with {trainings.run(variant, seed)}")
                return None
    print(f"\n{study.question}\n")
    table, figures = _measure(name, trainings)
    print(table.to_text())
    target = trainings.folder / f"{name}.md"
    write_text(target, table.to_markdown())
    write_text(target.with_suffix(".json"), json.dumps(figures, indent=2) + "\n")
    print(f"\nwrote {target} and {target.with_suffix('.json')}")
    return target


# Training


def _train(variant: str, seed: int, trainings: Trainings) -> bool:
    """Train a variant, or go on with it; returns whether the training came to its end."""
    path = trainings.run(variant, seed)
    if (path / CHECKPOINT).exists():
        return GCARun.open(path).is_finished() or pipeline.resume(path).training.finished
    changes = VARIANTS[variant]
    shares_line_3 = bool(changes) and set(changes) <= set(AFTER_LINE_3)
    if shares_line_3 and not _train("default", seed, trainings):
        return False
    print(f"\n== {variant}, seed {seed}\n")
    if shares_line_3:
        session = pipeline.start_from(trainings.run("default", seed), changes, path)
    else:
        session = pipeline.train_agent(trainings.config(variant, seed), trainings.source, path)
    return session.training.finished


# Measuring


def _measure(name: str, trainings: Trainings) -> tuple[Table, Any]:
    """The study's table for people, and its figures for JSON."""
    question, variants = STUDIES[name]
    if name == "mmi":
        figures = over_runs([_reranked(seed, trainings) for seed in trainings.seeds])
        return reranking.table(figures, question), as_json(figures)
    figures = {
        variant: over_runs([_evaluated(trainings.run(variant, seed), trainings) for seed in trainings.seeds])
        for variant in variants
    }
    table = _table_of_choices(figures, question) if name == "selection" else _table_of_replies(figures, question)
    return table, as_json(figures)


def _evaluated(run: Path, trainings: Trainings) -> dict[str, Any]:
    """The evaluation of a run, from its folder where it is newer than the bot."""
    done, vectors = run / replies.FILE, trainings.source.glove
    if _is_newer(done, run):
        figures = json_files.read_object(done)
        if figures.get("vectors") == str(vectors or replies.OWN_VECTORS):
            return figures
    figures = replies.evaluate_run(run, vectors=vectors)
    print(f"{replies.report([run], over_runs([figures]))}\n\nwrote {done}")
    return figures


def _reranked(seed: int, trainings: Trainings) -> dict[str, Any]:
    """The figures of reranking of one seed, from the run's folder where they are newer than the bots."""
    runs = [trainings.run(variant, seed) for variant in STUDIES["mmi"].variants]
    done = runs[0] / reranking.FILE
    if _is_newer(done, *runs):
        return json_files.read_object(done)
    figures = reranking.rerank(*runs)
    print(f"{reranking.table(figures).to_text()}\n\nwrote {done}")
    return figures


def _is_newer(file: Path, *runs: Path) -> bool:
    """Whether a file is there and was made from the runs' bots as they are now."""
    bots = [GCARun(run).bot for run in runs]
    return file.exists() and all(file.stat().st_mtime > bot.stat().st_mtime for bot in bots)


def _table_of_replies(figures: dict[str, Any], question: str) -> Table:
    """A line for each system of each variant: perplexity, replies, and what the independent discriminator says."""
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
    """What choosing by Eq. 9 and by Eq. 10 does, by each discriminator."""
    rows = []
    for judge, judgement in figures["default"]["table_1"].items():
        for equation, chosen in judgement["equations"].items():
            shares = chosen["shares"]["adversarial"], chosen["shorter"], chosen["human_first"]
            rows.append((judge, equation, f"{chosen['ties']:.0f}", *(f"{share:.1%}" for share in shares)))
    header = (
        "discriminator", "choice by", "ties", "adversarial answer best", "shorter answer best", "human above machine"
    )  # fmt: skip
    return Table(None, question, header, rows, 2)
