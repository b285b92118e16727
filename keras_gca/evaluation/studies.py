"""The comparisons that the first paper argues with, each over several seeds; what they are is in `variants.py`.

What is trained already in the folder is used again, so that studies share their runs, and an interrupted study goes on
where it stopped.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf

from keras_gca.config import AFTER_LINE_3, Config
from keras_gca.data.source import Source
from keras_gca.engine import reporting
from keras_gca.errors import UserError
from keras_gca.evaluation import replies, reranking
from keras_gca.evaluation.statistics import as_json, over_runs
from keras_gca.evaluation.tables import Table
from keras_gca.evaluation.variants import STUDIES, VARIANTS
from keras_gca.storage import json_files
from keras_gca.storage.atomic import write_text
from keras_gca.storage.run_folder import CHECKPOINT
from keras_gca.training import pipeline
from keras_gca.training.run_folder import GCARun

REPLIES = ("distinct-2", "tokens", "repeated", "most frequent", "BLEU")


@dataclass(frozen=True)
class Setup:
    """What all trainings of a study share.

    runs: the folder that they go to. seeds: one training of each variant for each. preset, settings: of `Config`, given
    to all of them, but what makes a variant stays. source: their data; the similarities of replies are by its word
    vectors too.
    """

    runs: Path
    seeds: Sequence[int]
    preset: str
    settings: Mapping[str, Any]
    source: Source

    def folder(self, variant: str, seed: int) -> Path:
        return self.runs / variant / f"seed_{seed}"

    def config(self, variant: str, seed: int) -> Config:
        """Raises UserError on an impossible setting."""
        return Config.preset(self.preset, **{**self.settings, **VARIANTS[variant], "seed": seed})


def run_study(name: str, setup: Setup, strategy: tf.distribute.Strategy | None = None) -> bool:
    """Train what a study compares, and write its table; returns whether the user has let it end.

    name: one of STUDIES. strategy: of the trainings, see `pipeline.train_agent`. Prints the table, and writes it to
    RUNS/NAME.md, and all figures to RUNS/NAME.json. Raises UserError for another name, and where a file is missing or
    damaged.
    """
    if name not in STUDIES:
        raise UserError(f"{name!r} is not a study; choose from {', '.join(STUDIES)}")
    study = STUDIES[name]
    for seed in setup.seeds:
        for variant in study.variants:
            if not _train(variant, seed, setup, strategy):
                print(f"next: the same command goes on with {setup.folder(variant, seed)}")
                return False
    print(f"\n{study.question}\n")
    table, figures = _measure(name, setup)
    print(table.to_text())
    target = setup.runs / f"{name}.md"
    write_text(target, table.to_markdown())
    write_text(target.with_suffix(".json"), json.dumps(figures, indent=2) + "\n")
    print(f"\nwrote {target} and {target.with_suffix('.json')}")
    return True


# Training


def _train(variant: str, seed: int, setup: Setup, strategy: tf.distribute.Strategy | None) -> bool:
    """Train a variant, or go on with it; returns whether the training came to its end."""
    path = setup.folder(variant, seed)
    if (path / CHECKPOINT).exists():
        return GCARun.open(path).is_finished() or pipeline.resume(path, strategy).training.finished
    changes = VARIANTS[variant]
    shares_line_3 = bool(changes) and set(changes) <= set(AFTER_LINE_3)
    if shares_line_3 and not _train("default", seed, setup, strategy):
        return False
    reporting.say(f"\n== {variant}, seed {seed}\n")
    if shares_line_3:
        session = pipeline.start_from(setup.folder("default", seed), changes, path, strategy)
    else:
        session = pipeline.train_agent(setup.config(variant, seed), setup.source, path, strategy)
    return session.training.finished


# Measuring


def _measure(name: str, setup: Setup) -> tuple[Table, Any]:
    """The study's table for people, and its figures for JSON."""
    question, variants = STUDIES[name]
    if name == "mmi":
        figures = over_runs([_reranked(seed, setup) for seed in setup.seeds])
        return reranking.table(figures, question), as_json(figures)
    figures = {
        variant: over_runs([_evaluated(setup.folder(variant, seed), setup) for seed in setup.seeds])
        for variant in variants
    }
    table = _table_of_choices(figures, question) if name == "selection" else _table_of_replies(figures, question)
    return table, as_json(figures)


def _evaluated(run: Path, setup: Setup) -> dict[str, Any]:
    """The evaluation of a run, from its folder where it is newer than the bot."""
    done, vectors = run / replies.FILE, setup.source.glove
    if _is_newer(done, run):
        figures = json_files.read_object(done)
        if figures.get("vectors") == str(vectors or replies.OWN_VECTORS):
            return figures
    figures = replies.evaluate_run(run, vectors=vectors)
    print(f"{replies.report([run], over_runs([figures]))}\n\nwrote {done}")
    return figures


def _reranked(seed: int, setup: Setup) -> dict[str, Any]:
    """The figures of reranking of one seed, from the run's folder where they are newer than the bots."""
    runs = [setup.folder(variant, seed) for variant in STUDIES["mmi"].variants]
    done = runs[0] / reranking.FILE
    if _is_newer(done, *runs):
        return json_files.read_object(done)
    run, language_model, backward = runs
    figures = reranking.rerank(run, language_model, backward)
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
