"""Measures how a generator and a trigram model improve with the number of training pairs (the study `growth`).

All runs of a seed have the same held-out conversations and the same vocabulary, so their perplexities per token can be
compared. For each run, a trigram model (`trigram.py`) is fitted to the run's own training answers.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from keras_gca.agent import Agent
from keras_gca.data.vocabulary import UNK
from keras_gca.errors import UserError
from keras_gca.evaluation import trigram
from keras_gca.evaluation.tables import Table
from keras_gca.evaluation.variants import GROWTH, STUDIES
from keras_gca.training.run_folder import GCARun
from keras_gca.training.schedule import TEACHER_FORCING

STUDIED = "growth.json"  # in a run folder
GENERATOR = TEACHER_FORCING  # the generator that is measured


def evaluate_growth(run: str | Path) -> dict[str, Any]:
    """Measure a run and its trigram models on the run's held-out pairs.

    Args:
        run: The run folder.

    Returns:
        A JSON-serialisable dict:

        - "training pairs" and "training tokens": the size of the training data;
        - "held-out pairs", "held-out tokens" and "unknown share": the size of the held-out data, and the share of the
            unknown word in it;
        - "held out": a checksum of the held-out pairs, which shows whether those of several runs are the same;
        - "epochs": the number of epochs of teacher forcing;
        - "perplexity": the perplexity of the generator after teacher forcing and of each trigram model.

    Raises:
        UserError: A file is missing or damaged.
    """
    made = GCARun.open(run, "evaluate")
    agent, dataset = Agent.load(made.path), made.dataset()
    held_out = dataset.held_out
    perplexity = {GENERATOR: agent.perplexities(held_out)[GENERATOR]}
    for name, model in trigram.fitted(dataset.training.answers, len(agent.vocabulary)):
        perplexity[name] = model.perplexity(held_out.answers)
    return {
        "training pairs": len(dataset.training),
        "training tokens": dataset.training.tokens,
        "held-out pairs": len(held_out),
        "held-out tokens": held_out.tokens,
        "unknown share": float((held_out.answers == UNK).sum() / held_out.tokens),
        "held out": hashlib.sha256(held_out.contexts.tobytes() + held_out.answers.tobytes()).hexdigest(),
        "epochs": sum(row["phase"] == TEACHER_FORCING for row in made.read_facts()["history"]),
        "perplexity": perplexity,
    }


def refuse_other_held_out(runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Check that the runs of each seed have the same held-out pairs.

    Args:
        runs: The results of `evaluate_growth` for each variant, one for each seed.

    Raises:
        UserError: Two runs of a seed have different held-out pairs.
    """
    for of_seed in zip(*runs.values(), strict=True):
        if len({one["held out"] for one in of_seed}) > 1:
            raise UserError(
                f"the runs {', '.join(runs)} have different held-out pairs or vocabularies, so their perplexities "
                "cannot be compared; give another folder with --runs"
            )


def table(figures: Mapping[str, Any]) -> Table:
    """Make a table with a row for each number of training pairs.

    Args:
        figures: The results of `evaluate_growth` for each variant, with a `Summary` in place of each number.
    """
    first = next(iter(figures.values()))
    models = list(first["perplexity"])
    rows = [
        (
            f"{of_variant['training pairs'].mean:,.0f}",
            f"{of_variant['training tokens'].mean:,.0f}",
            format(of_variant["epochs"], ".0f"),
            *(format(of_variant["perplexity"][model], ".2f") for model in models),
        )
        for of_variant in figures.values()
    ]
    caption = (
        f"{STUDIES[GROWTH].question} Perplexity per token on the same {first['held-out pairs'].mean:,.0f} held-out "
        f"pairs ({first['held-out tokens'].mean:,.0f} tokens, of which {first['unknown share'].mean:.1%} are the "
        "unknown word), with the same vocabulary. Each trigram model is fitted to the same pairs as the generator."
    )
    named = ["generator", *(name.replace(" trigram", "") for name in models[1:])]
    return Table(None, caption, ("training pairs", "tokens", "epochs", *named), rows, 0)
