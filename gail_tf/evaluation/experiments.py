"""Experiments that train the systems of Table 2 and the ablations with several seeds, and compare them.

Finished training runs in the folder are reused, and an interrupted experiment continues where it stopped.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf

from gail_tf.agent import GAILAgent
from gail_tf.config import ALGORITHMS, FROM_SCRATCH, GAILConfig
from gail_tf.data.source import Source
from gail_tf.evaluation import ablations, learning_curves, wishes
from gail_tf.evaluation.quality_diversity import How, measure_policies
from gail_tf.evaluation.report import evaluate_run, evaluate_runs
from gail_tf.evaluation.results_file import Options
from gail_tf.evaluation.selection import SELECTIONS
from gail_tf.evaluation.tables import table_of_tests
from gail_tf.evaluation.variants import (
    ANSWERING,
    EXPERIMENTS,
    PRETRAINED,
    VARIANTS,
    settings_of,
    variants_of,
)  # fmt: skip
from gail_tf.imitation.phases import IMITATION, MAXIMUM_LIKELIHOOD
from gail_tf.training import pipeline
from gail_tf.training.run_folder import GAILRun
from glove.cost import TimeLimit
from keras_gca.engine import reporting
from keras_gca.errors import UserError
from keras_gca.evaluation import grid_report
from keras_gca.evaluation.paired_tests import as_json
from keras_gca.evaluation.provenance import Outcome
from keras_gca.evaluation.tables import Table
from keras_gca.invocation import hint
from keras_gca.storage.atomic import write_text
from keras_gca.storage.run_folder import CHECKPOINT

# The message that is printed if time runs out before all training runs are measured
CONTINUES = "the time limit has been reached; next: the same command continues the measurements"


@dataclass(frozen=True)
class Setup:
    """The folder, seeds and settings shared by all training runs of an experiment.

    Args:
        runs: The folder that contains the run folders.
        seeds: The seeds. Each variant is trained once with each seed.
        scale: A key of `variants.SCALES`, which determines the size of the training runs.
        settings: Settings that override those of the scale, but not those that define a variant.
        source: The files and pretrained networks to read. `source.model` may be given only if the scale is "paper" or
            "pretrained".
        encoder: The independent encoder; see `Options`.
        grid: Whether to also compare the policies over a grid of temperatures and top-p values.
        variants: The variants to compare. If None, the experiment's own variants are compared.
    """

    runs: Path
    seeds: Sequence[int]
    scale: str
    settings: dict[str, Any]
    source: Source
    encoder: str | None = None
    grid: bool = False
    variants: Sequence[str] | None = None

    def compared(self, experiment: str) -> Sequence[str]:
        """Return the variants that an experiment compares."""
        return variants_of(experiment, self.scale, self.variants)

    @property
    def how(self) -> Options:
        """How responses are sampled and measured in evaluations."""
        drawn = ANSWERING[self.scale]
        return Options(drawn["temperature"], drawn["top_p"], glove=self.glove, encoder=self.encoder)

    def folder(self, variant: str, seed: int) -> Path:
        """Return the run folder of a variant and seed."""
        return self.runs / variant / f"seed_{seed}"

    @property
    def glove(self) -> str | None:
        """The path of the word vector file as a string, for `Options`."""
        return None if self.source.glove is None else str(self.source.glove)


def not_started(names: Sequence[str], setup: Setup) -> list[tuple[str, int]]:
    """Return the training runs that the experiments still have to start, as (variant, seed) pairs.

    Args:
        names: Keys of EXPERIMENTS.
        setup: The folder, seeds and settings of the training runs.
    """
    needed: set[str] = set()
    for name in names:
        for variant in setup.compared(name):
            start: str | None = variant
            while start is not None:  # a variant from which another one starts is trained first
                needed.add(start)
                start = VARIANTS[start].start
    if setup.source.model is not None:
        needed.discard(PRETRAINED)
    trainings = [(variant, seed) for variant in VARIANTS if variant in needed for seed in setup.seeds]
    return [training for training in trainings if not (setup.folder(*training) / CHECKPOINT).exists()]


def run_experiment(
    name: str, setup: Setup, strategy: tf.distribute.Strategy | None = None, limit: TimeLimit | None = None
) -> Outcome | None:
    """Train the variants of an experiment, then write and print its tables.

    Args:
        name: A key of EXPERIMENTS.
        setup: The folder, seeds and settings of the training runs.
        strategy: The distribution strategy for training, or None for a single device.
        limit: The time limit, or None. When it is reached, training stops as if the user had pressed Ctrl-C, and no
            further run is measured.

    Returns:
        The results and tables, or None if the user interrupts the experiment or time runs out.
    """
    limit = limit or TimeLimit()
    for seed in setup.seeds:
        for variant in setup.compared(name):
            if not _train(variant, seed, setup, strategy, limit):
                print(f"next: the same command resumes {setup.folder(variant, seed)}")
                return None
            if setup.scale == "pretrained" and not limit.is_over:
                _write_system(name, variant, seed, setup)
    print(f"\n{EXPERIMENTS[name].question}\n")
    runs = {
        variant: [GAILRun.open(setup.folder(variant, seed)) for seed in setup.seeds] for variant in setup.compared(name)
    }
    how = setup.how
    if name == "table2":
        paths = [run.path for of_variant in runs.values() for run in of_variant]
        # The algorithm of a run does not determine, for example, whether its rewards were permuted.
        named = {run.path: variant for variant in runs if variant not in ALGORITHMS for run in runs[variant]}
        evaluated = evaluate_runs(paths, how, beside_paper=True, output=setup.runs / name, limit=limit, named=named)
        outcome = None if evaluated is None else evaluated[0]
    else:
        outcome = _compare(name, setup, runs, how, limit)
    return outcome if outcome is None or not setup.grid else _with_grid(name, setup, runs, outcome, limit)


# Finished training runs


def finished(folder: Path) -> dict[str, list[GAILRun]]:
    """Find the finished training runs in an experiment folder.

    Args:
        folder: The folder.

    Returns:
        The finished training runs, by variant and sorted by seed. Variants without a finished run are left out.

    Raises:
        UserError: No training run is finished, apart from runs of the variant PRETRAINED.
    """
    finished_runs = {}
    for variant in VARIANTS:
        started = [GAILRun.open(file.parent) for file in (folder / variant).glob("seed_*/checkpoint.h5")]
        runs = [run for run in started if run.is_finished()]
        if runs:
            finished_runs[variant] = sorted(runs, key=lambda run: run.config().seed)
    if not finished_runs.keys() - {PRETRAINED}:
        raise UserError(
            f"{folder}: there is no finished training run of an experiment; train with "
            f"{hint('gail_tf.experiments', 'all', '--runs', folder)}"
        )
    return finished_runs


def lacking(finished_runs: dict[str, list[GAILRun]]) -> dict[str, list[str]]:
    """Return the variants without a finished training run, by experiment. Complete experiments are left out.

    Args:
        finished_runs: The result of `finished`.
    """
    missing = {
        name: [variant for variant in made.variants if variant not in finished_runs]
        for name, made in EXPERIMENTS.items()
    }
    return {name: variants for name, variants in missing.items() if variants}


def compared(name: str, finished_runs: dict[str, list[GAILRun]]) -> dict[str, list[GAILRun]]:
    """Return an experiment's runs by variant, using only seeds for which every variant has a finished run.

    Args:
        name: A key of EXPERIMENTS.
        finished_runs: The result of `finished`.
    """
    runs = {variant: finished_runs[variant] for variant in EXPERIMENTS[name].variants}
    common = set.intersection(*({run.config().seed for run in of_variant} for of_variant in runs.values()))
    return {variant: [run for run in of_variant if run.config().seed in common] for variant, of_variant in runs.items()}


def table_of_runs(finished_runs: dict[str, list[GAILRun]]) -> Table:
    """Make a table of each variant's settings, epochs and updates."""
    rows = []
    for name, runs in finished_runs.items():
        variant, phases = VARIANTS[name], [row["phase"] for row in runs[0].read_log()]
        rows.append(
            (
                name.replace("_", " "),
                (variant.start or "").replace("_", " "),
                ", ".join(f"{key} {value}" for key, value in variant.settings.items()),
                ", ".join(str(run.config().seed) for run in runs),
                str(phases.count(MAXIMUM_LIKELIHOOD)),
                str(phases.count(IMITATION)),
            )
        )
    header = ("variant", "starts from", "own settings", "seeds", "epochs", "updates")
    return Table(
        None, "Training runs, with the numbers of maximum likelihood epochs and imitation updates.", header, rows, 4
    )


# Training


def _train(name: str, seed: int, setup: Setup, strategy: tf.distribute.Strategy | None, limit: TimeLimit) -> bool:
    """Train or resume a variant and, before it, the variant that it starts from. Return whether both are finished."""
    if name == PRETRAINED and setup.source.model is not None:
        return True
    variant, path = VARIANTS[name], setup.folder(name, seed)
    if variant.start is not None and not _train(variant.start, seed, setup, strategy, limit):
        return False
    exists = (path / CHECKPOINT).exists()
    if exists:
        config, source = _settings(name, seed, setup)
        run = GAILRun.open(path)
        run.refuse_other(config, source.names())
        if run.is_finished():
            return True
    if limit.is_over:
        return False
    if exists:
        return pipeline.resume(path, strategy, limit.remaining).training.finished
    reporting.say(f"\n== {name.replace('_', ' ')}, seed {seed}\n")
    made = _settings(name, seed, setup)
    return pipeline.train_agent(*made, path, strategy, minutes=limit.remaining).training.finished


def _settings(name: str, seed: int, setup: Setup) -> tuple[GAILConfig, Source]:
    """Return the settings and the source of a variant's training run."""
    variant, source = VARIANTS[name], dataclasses.replace(setup.source, model=None, roberta=None, glove=None)
    settings = settings_of(name, setup.scale, setup.settings, setup.source.roberta is not None) | {"seed": seed}
    if settings.get("discriminator_encoder") == "roberta":
        source = dataclasses.replace(source, roberta=setup.source.roberta)
    if settings.get("algorithm") == "rl_seq2seq":
        source = dataclasses.replace(source, glove=setup.source.glove)
    elif variant.start is not None:
        given = setup.source.model if variant.start == PRETRAINED else None
        source = dataclasses.replace(source, general=(), model=given or str(_exported(variant.start, seed, setup)))
        settings = {key: value for key, value in settings.items() if key not in FROM_SCRATCH}
        if variant.start != PRETRAINED:
            settings["mle_epochs"] = 0
    made = GAILConfig.preset(settings.pop("preset"), **settings)
    # Only the user's settings count as given. A scale's settings do not, because they were not chosen for the corpus.
    # Therefore a warm-up that is too long for the corpus, for example, is shortened instead of refused.
    by_user = {name: settings[name] for name in setup.settings if name in settings}
    return GAILConfig.from_values(made.to_values()).changed(**by_user), source


def _exported(name: str, seed: int, setup: Setup) -> Path:
    """Return the folder with a variant's exported GPT-2. Export the GPT-2 first if necessary."""
    run = setup.folder(name, seed)
    folder = run / "exported"
    if not (folder / "config.json").exists():
        GAILAgent.load(run).export(folder)
    return folder


# Measuring


def _write_system(name: str, variant: str, seed: int, setup: Setup) -> None:
    """Measure a finished training run, and write its metrics to DIR/EXPERIMENT_systems.

    Each run is measured as soon as it is finished, so a long experiment yields results even if it is stopped.
    """
    run = GAILRun.open(setup.folder(variant, seed))
    values = {"variant": variant, "seed": seed, "settings": run.config().to_values()}
    values |= evaluate_run(run.path, setup.how, policy=None)
    folder = setup.runs / f"{name}_systems"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{variant}_seed_{seed}.json"
    write_text(file, json.dumps(values, indent=2, allow_nan=False) + "\n")
    reporting.say(f"wrote {file}")


def _compare(
    name: str, setup: Setup, runs: Mapping[str, Sequence[GAILRun]], how: Options, limit: TimeLimit
) -> Outcome | None:
    """Write a table and a plot of each variant's means and standard deviations over seeds, and plot learning curves.

    Returns:
        The results and tables, or None if time runs out before all runs are measured. In that case no file is written.
    """
    measurements = ablations.measure(runs, how, limit)
    if measurements is None:
        print(CONTINUES)
        return None
    of_wishes = wishes.measure(runs, how, limit)
    if of_wishes is None:
        print(CONTINUES)
        return None
    tests = ablations.paired_tests(measurements)
    tables = [ablations.table(measurements, EXPERIMENTS[name].question)] + ([table_of_tests(tests)] if tests else [])
    results: dict[str, Any] = {"metrics": measurements, "tests": as_json(tests)}
    if of_wishes:
        tests = wishes.paired_tests(of_wishes)
        tables += [wishes.table(of_wishes)] + ([table_of_tests(tests)] if tests else [])
        results["wishes"] = {"shares": of_wishes, "tests": as_json(tests)}
    print("\n\n".join(table.to_text() for table in tables))
    texts = {
        f"{name}.md": "\n".join(table.to_markdown() for table in tables),
        f"{name}.json": json.dumps(measurements, indent=2) + "\n",
    }
    for file, text in texts.items():
        write_text(setup.runs / file, text)
    figures = {
        f"{name}.png": ablations.paint(measurements),
        f"{name}_curves.png": learning_curves.compare(ablations.histories(runs)),
    }
    for file, figure in figures.items():
        figure.savefig(setup.runs / file, dpi=130)
    print(f"\nwrote {setup.runs}: {', '.join((*texts, *figures))}")
    seeds = {"responses": how.seed, "runs": list(setup.seeds)}
    return Outcome(seeds, results, tables)


def _with_grid(
    name: str, setup: Setup, runs: Mapping[str, Sequence[GAILRun]], outcome: Outcome, limit: TimeLimit
) -> Outcome | None:
    """Compare the variants' last policies over a grid of sampling settings, and add the results to an outcome.

    Returns:
        The extended outcome, or None if time runs out before all points are measured.
    """
    by_system: dict[str, list[tuple[GAILRun, str | None]]] = {}
    for variant, of_variant in runs.items():
        chosen = VARIANTS[variant].settings.get("algorithm") == "selection"
        for policy in SELECTIONS if chosen else (None,):
            by_system[(policy or variant).replace("_", " ")] = [(run, policy) for run in of_variant]
    results = measure_policies(by_system, How(encoder=setup.encoder), limit)
    if results is None:
        print(CONTINUES)
        return None
    grid_report.write(results, setup.runs / f"{name}_grid")
    tables = [*outcome.tables, *grid_report.tables(results)]
    return Outcome(outcome.seeds, {**outcome.results, "grid": grid_report.as_json(results)}, tables)
