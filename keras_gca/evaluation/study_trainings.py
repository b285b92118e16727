"""Trains the variants defined in `variants.py`, which the studies compare.

Existing runs are reused, so several studies can share a run, and an interrupted study can be resumed.
"""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf

from glove.cost import Estimate, TimeLimit, in_turn
from keras_gca.config import Config, predicting_beginnings
from keras_gca.data.dataset import prepare
from keras_gca.data.source import Source
from keras_gca.engine import reporting
from keras_gca.evaluation.decoding_grid import Setting
from keras_gca.evaluation.variants import BACKWARD, CELLS, DIALOGUE_REWARDS, TEACHER_FORCED, VARIANTS
from keras_gca.storage.run_folder import CHECKPOINT
from keras_gca.training import pipeline
from keras_gca.training.after_line_3 import AFTER_LINE_3
from keras_gca.training.estimate import estimate
from keras_gca.training.run_folder import GCARun
from keras_gca.training.schedule import schedule
from keras_gca.training.session import GCASession


@dataclass(frozen=True)
class Setup:
    """The options shared by all training runs of a study.

    Args:
        runs: The folder of the runs.
        seeds: The seeds. Each variant is trained once with each seed.
        preset: The preset of all training runs.
        settings: Settings for all training runs. The settings that define a variant take precedence.
        source: The data. Its word vectors are also used for the similarity of replies.
        settings_of_grid: The points of a grid of temperatures and top-p values, at which the variants' generators are
            compared too, or None to skip this comparison.
        teacher_forced: The folder with the teacher-forcing runs whose generators the variants of the study
            `adversarial` start from, or None for `runs`.
    """

    runs: Path
    seeds: Sequence[int]
    preset: str
    settings: Mapping[str, Any]
    source: Source
    settings_of_grid: Sequence[Setting] | None = None
    teacher_forced: Path | None = None

    def folder(self, variant: str, seed: int) -> Path:
        """Return the run folder of a training run."""
        runs = self.teacher_forced if variant == TEACHER_FORCED and self.teacher_forced else self.runs
        return runs / variant / f"seed_{seed}"

    def config(self, variant: str, seed: int) -> Config:
        """Return the settings of a training run.

        Raises:
            UserError: A setting is invalid.
        """
        base = VARIANTS[TEACHER_FORCED] if first_of(variant) == TEACHER_FORCED else {}
        settings = {"ranking_epochs": 0, **self.settings}  # studies do not rank answers unless the user asks for it
        return Config.preset(self.preset, **{**settings, **base, **self.changes(variant), "seed": seed})

    def changes(self, variant: str) -> dict[str, Any]:
        """Return the settings that a variant changes relative to the run that its generator starts from."""
        if variant not in CELLS:
            return VARIANTS[variant]
        given = {name: value for name, value in self.settings.items() if name in AFTER_LINE_3}
        return {"adversarial_epochs": 1, **given, **CELLS[variant]}

    @functools.cached_property
    def training_pairs(self) -> int:
        """The number of pairs in the corpus to train on, with the first seed and without `--training-pairs`.

        Raises:
            UserError: The corpus cannot be used.
        """
        config = self.config("default", self.seeds[0]).changed(training_pairs=None)
        return len(prepare(self.source.read(config.splits)[0], config).training)

    def possible(self, variants: Sequence[str]) -> list[str]:
        """Return the variants without those that need more training pairs than the corpus has.

        Raises:
            UserError: The corpus cannot be used.
        """
        needed = {variant: self.changes(variant).get("training_pairs") or 0 for variant in variants}
        return [variant for variant in variants if not needed[variant] or needed[variant] < self.training_pairs]


def first_of(variant: str) -> str | None:
    """Return the variant whose teacher-forced generator a variant starts from, or None if it trains its own."""
    if variant in CELLS or variant == DIALOGUE_REWARDS:
        return TEACHER_FORCED
    changes = VARIANTS[variant]
    return "default" if changes and set(changes) <= set(AFTER_LINE_3) else None


def backward_of(variant: str) -> str | None:
    """Return the variant that provides p(x|y) for a variant's rewards, or None if the rewards do not need p(x|y)."""
    return BACKWARD if variant == DIALOGUE_REWARDS else None


def cost(variants: Iterable[str], setup: Setup) -> Estimate:
    """Estimate the cost of the training runs that are still missing.

    The context lengths and the vocabulary are taken from the first of these runs. Interrupted training runs are not
    included, and neither are evaluations, which print their own estimates.

    Args:
        variants: The variants to compare.
        setup: The options shared by all training runs.

    Returns:
        The estimate, with the total number of seconds for each variant over all seeds.

    Raises:
        UserError: The corpus cannot be used, or a setting is invalid.
    """
    wanted = set(variants)
    wanted |= {
        needed for variant in wanted for needed in (first_of(variant), backward_of(variant)) if needed is not None
    }
    needed = [(variant, seed) for variant in (*VARIANTS, *CELLS) if variant in wanted for seed in setup.seeds]
    lacking = [one for one in needed if not (setup.folder(*one) / CHECKPOINT).exists()]
    if not lacking:
        return Estimate({}, 0.0, "has nothing to train")
    config = setup.config(*lacking[0]).changed(training_pairs=None)
    dataset = prepare(setup.source.read(config.splits)[0], config)
    seconds: dict[str, float] = {}
    for variant, seed in lacking:
        config = setup.config(variant, seed)
        stages = schedule(config)[config.teacher_forcing_epochs if first_of(variant) else 0 :]
        data = len(dataset.vocabulary), dataset.training[: config.training_pairs], dataset.validation
        made = estimate(config, *data, stages)
        if config.keyword_epochs:  # an upper bound, because beginnings are shorter than answers
            made = in_turn([made, estimate(predicting_beginnings(config), *data)])
        seconds[variant] = seconds.get(variant, 0.0) + made.total
    return made._replace(seconds=seconds)


def refuse_other(variant: str, seed: int, setup: Setup) -> None:
    """Check that an existing run, and the run whose generator it starts from, are those that a study would train.

    The settings after line 3 do not matter for the run whose teacher-forced generator the cells start from. A cell has
    the settings of this run, except those that the cell or the user changes.

    Raises:
        UserError: One of the runs was trained with other settings or files.
    """
    config, first = setup.config(variant, seed), first_of(variant)
    if first is not None and (setup.folder(first, seed) / CHECKPOINT).exists():
        refuse_other(first, seed, setup)
        config = GCARun.open(setup.folder(first, seed)).config().changed(**setup.changes(variant))
    free = AFTER_LINE_3 if variant == TEACHER_FORCED else ()
    GCARun.open(setup.folder(variant, seed)).refuse_other(config, setup.source.names(), free)


def train(variant: str, seed: int, setup: Setup, strategy: tf.distribute.Strategy | None, limit: TimeLimit) -> bool:
    """Train a variant or resume its training, and return whether training is finished.

    Args:
        variant: The variant.
        seed: The seed.
        setup: The options shared by all training runs.
        strategy: The distribution strategy for training; see `pipeline.train_agent`.
        limit: The time limit, at which training stops as if Ctrl-C had been pressed.

    Raises:
        UserError: A file is missing or damaged, or an existing run has other settings.
    """
    path, first = setup.folder(variant, seed), first_of(variant)
    exists = (path / CHECKPOINT).exists()
    if exists:
        refuse_other(variant, seed, setup)
        if GCARun.open(path).is_finished():
            return True
    if limit.is_over:
        return False
    if exists:
        return pipeline.resume(path, strategy, limit.remaining).finished
    for needed in (first, backward_of(variant)):
        if needed is not None and not train(needed, seed, setup, strategy, limit):
            return False
    if limit.is_over:
        return False
    reporting.say(f"\n== {variant}, seed {seed}\n")
    if first is not None:
        folder, changes = setup.folder(first, seed), setup.changes(variant)
        start: Callable[..., GCASession] = pipeline.start_from
        if (backward := backward_of(variant)) is not None:
            start = functools.partial(start, backward=setup.folder(backward, seed))
        session = start(folder, changes, path, strategy, limit.remaining)
    else:
        session = pipeline.train_agent(
            setup.config(variant, seed), setup.source, path, strategy, minutes=limit.remaining
        )
    return session.finished
