"""Table 2 and the ablations of the second paper, from corpora to tables.

A variant is one training; it starts from scratch, or from another variant's GPT-2, so that what they have in common is
trained once. What is trained already in the folder is used again, and an interrupted experiment goes on where it
stopped.
"""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from gail_tf.config import ALGORITHMS, GAILConfig
from gail_tf.pipeline import FROM_SCRATCH
from keras_gca.engine import command_line
from keras_gca.errors import UserError
from keras_gca.evaluation.tables import Table

if TYPE_CHECKING:
    from gail_tf.run_folder import GAILRun


class Variant(NamedTuple):
    """start: the variant whose GPT-2 it goes on with; None: from scratch (at --scale paper: --gpt2)."""

    start: str | None
    settings: dict[str, Any]


PRETRAINED, MLE, MLE_PLAIN = "pretrained", "mle", "mle_without_sentiment"

VARIANTS: dict[str, Variant] = {
    PRETRAINED: Variant(None, {"algorithm": "mle", "mle_epochs": 0}),
    MLE: Variant(PRETRAINED, {"algorithm": "mle"}),
    MLE_PLAIN: Variant(PRETRAINED, {"algorithm": "mle", "sentiment": "off"}),
    "rl_seq2seq": Variant(None, {"algorithm": "rl_seq2seq"}),
    "textgail": Variant(MLE_PLAIN, {"algorithm": "textgail"}),
    "trpo": Variant(MLE, {"algorithm": "trpo"}),
    "gail": Variant(MLE, {}),
    "contrastive": Variant(MLE, {"discriminator": "contrastive", "reward_form": "probability"}),
    "clip_alone": Variant(MLE, {"objective": "clip"}),
    "kl_alone": Variant(MLE, {"objective": "kl"}),
    "no_demonstrations": Variant(MLE, {"human_ratio": 0.0}),
    "no_sentiment": Variant(MLE_PLAIN, {"sentiment": "off"}),
    "lora": Variant(MLE, {"trainable": "lora"}),
    "head": Variant(MLE, {"trainable": "head"}),
    "token_rewards": Variant(MLE, {"discriminator": "token", "level": "token"}),
}


class Experiment(NamedTuple):
    question: str
    variants: tuple[str, ...]


EXPERIMENTS = {
    "table2": Experiment(
        "Table 2: four models, and TRPO in PPO's place", (MLE, "rl_seq2seq", "textgail", "trpo", "gail")
    ),
    "discriminator": Experiment(
        "D of single responses, of two, or of tokens?", (MLE, "gail", "contrastive", "token_rewards")
    ),
    "objective": Experiment("clipped objective, KL penalty, or both?", (MLE, "gail", "clip_alone", "kl_alone")),
    "demonstrations": Experiment(
        "a share of human demonstrations, 0.3 at first, or none?", (MLE, "gail", "no_demonstrations")
    ),
    "sentiment": Experiment("does the sentiment of each turn help?", (MLE, MLE_PLAIN, "gail", "no_sentiment")),
    "trainable": Experiment("all of GPT-2, low-rank adapters, or a head?", (MLE, "gail", "lora", "head", "trpo")),
}

# What the trainings of each scale have, beside the settings that are given.
SCALES: dict[str, dict[str, Any]] = {
    "tiny": {"preset": "tiny"},
    # For two CPU cores: a small GPT-2 from scratch.
    "small": {
        "preset": "default",
        "max_trajectories": 8000,
        "pretraining_epochs": 15,
        "dropout": 0.2,
        "mle_epochs": 3,
        "warmup_steps": 100,
    },
    # Table 1, on a real GPT-2 and RoBERTa: for a GPU or TPU.
    "paper": {"preset": "paper"},
}

_FILES = ("data", "tweets", "general")


# What is there


def finished(folder: Path) -> "dict[str, list[GAILRun]]":
    """The finished trainings in a folder of experiments: of each variant that has some, by rising seed.

    Raises UserError where there is none.
    """
    from gail_tf.run_folder import GAILRun

    found = {}
    for variant in VARIANTS:
        paths = (each.parent for each in (folder / variant).glob("seed_*/checkpoint.h5"))
        runs = [GAILRun.open(path) for path in paths if _is_finished(path)]
        if runs:
            found[variant] = sorted(runs, key=lambda run: run.config().seed)
    if not found.keys() - {PRETRAINED}:
        raise UserError(f"{folder}: no finished experiment here; python -m gail_tf.experiments all --runs {folder}")
    return found


def lacking(found: "dict[str, list[GAILRun]]") -> dict[str, list[str]]:
    """Of each experiment that is not whole, the variants that it lacks; `found` is as `finished` gives it."""
    missing = {name: [each for each in made.variants if each not in found] for name, made in EXPERIMENTS.items()}
    return {name: variants for name, variants in missing.items() if variants}


def compared(name: str, found: "dict[str, list[GAILRun]]") -> "dict[str, list[GAILRun]]":
    """The runs of an experiment's variants, of those seeds that each variant has; `found` is as `finished` gives it."""
    runs = {variant: found[variant] for variant in EXPERIMENTS[name].variants}
    common = set.intersection(*({run.config().seed for run in of_variant} for of_variant in runs.values()))
    return {variant: [run for run in of_variant if run.config().seed in common] for variant, of_variant in runs.items()}


def table_of_runs(found: "dict[str, list[GAILRun]]") -> Table:
    """What each variant is, and how long its runs have learned."""
    from gail_tf.imitation.phases import IMITATION, MAXIMUM_LIKELIHOOD

    rows = []
    for name, runs in found.items():
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
    header = ("variant", "goes on from", "settings of its own", "seeds", "epochs", "updates")
    return Table(None, "Trainings: epochs of maximum likelihood, and updates of imitation.", header, rows, 4)


# Training


def _folder(options: argparse.Namespace, variant: str, seed: int) -> Path:
    return options.runs / variant / f"seed_{seed}"


def _train(name: str, seed: int, options: argparse.Namespace) -> int:
    """Train a variant and what it starts from, or go on with it; returns the exit status."""
    from gail_tf import train

    if name == PRETRAINED and options.gpt2 is not None:
        return 0
    variant, path = VARIANTS[name], _folder(options, name, seed)
    if variant.start is not None:
        status = _train(variant.start, seed, options)
        if status:
            return status
    if (path / "checkpoint.h5").exists():
        return 0 if _is_finished(path) else train.main(["--resume", str(path)])
    print(f"\n== {name.replace('_', ' ')}, seed {seed}\n")
    return train.main([*_arguments(name, seed, options), "--run", str(path)])


def _arguments(name: str, seed: int, options: argparse.Namespace) -> list[str]:
    """Of `gail_tf.train`."""
    variant = VARIANTS[name]
    scale = dict(SCALES[options.scale])
    settings = {"preset": scale.pop("preset"), **scale, **command_line.settings(options, GAILConfig)}
    # What makes an algorithm or a variant goes before what is given to all.
    settings |= ALGORITHMS[variant.settings.get("algorithm", "gail")] | variant.settings | {"seed": seed}
    files = list(_FILES)
    if settings.get("discriminator_encoder") == "roberta" and options.roberta:
        settings["roberta"] = options.roberta
    if settings.get("algorithm") == "rl_seq2seq":
        settings |= {"glove": options.glove} if options.glove else {}
    elif variant.start is not None:
        start = (
            options.gpt2 if variant.start == PRETRAINED and options.gpt2 else _exported(variant.start, seed, options)
        )
        settings = {key: value for key, value in settings.items() if key not in FROM_SCRATCH} | {"gpt2": start}
        files.remove("general")
        if variant.start != PRETRAINED:
            settings["mle_epochs"] = 0
    given = [text for key, value in settings.items() for text in (f"--{key.replace('_', '-')}", str(value))]
    for key in files:
        if paths := getattr(options, key):
            given += [f"--{key}", *map(str, paths)]
    return given


def _exported(name: str, seed: int, options: argparse.Namespace) -> Path:
    """A variant's GPT-2 as a folder; made at the first use."""
    from gail_tf import export

    run = _folder(options, name, seed)
    folder = run / "exported"
    if not (folder / "config.json").exists():
        export.main([str(run), str(folder)])
    return folder


def _is_finished(path: Path) -> bool:
    from gail_tf.imitation.phases import schedule
    from gail_tf.run_folder import GAILRun

    run = GAILRun.open(path)
    facts, _ = run.read_checkpoint()
    from_scratch = bool(run.data().general)
    return run.bot.exists() and facts["position"] == len(schedule(run.config(), from_scratch))


# Measuring


def _table_2(options: argparse.Namespace) -> None:
    from gail_tf import evaluate

    runs = [_folder(options, variant, seed) for variant in EXPERIMENTS["table2"].variants for seed in options.seeds]
    glove = ["--glove", str(options.glove)] if options.glove else []
    evaluate.main([*map(str, runs), "--beside-paper", *glove, "--output", str(options.runs / "table2")])


def _compare(name: str, options: argparse.Namespace) -> None:
    """A line and a dot for each variant, mean and deviation over seeds, the human responses', and learning curves."""
    from gail_tf.evaluation import ablations, learning_curves
    from gail_tf.evaluation.measure import Options
    from gail_tf.run_folder import GAILRun
    from keras_gca.storage.atomic import write_text

    how = Options(glove=None if options.glove is None else str(options.glove))
    runs = {
        variant: [GAILRun.open(_folder(options, variant, seed)) for seed in options.seeds]
        for variant in EXPERIMENTS[name].variants
    }
    found = ablations.measure(runs, how)
    table = ablations.table(found, EXPERIMENTS[name].question)
    print(table.to_text())
    texts = {
        f"{name}.md": table.to_markdown(),
        f"{name}.json": json.dumps(found, indent=2) + "\n",
    }
    for file, text in texts.items():
        write_text(options.runs / file, text)
    figures = {
        f"{name}.png": ablations.paint(found),
        f"{name}_curves.png": learning_curves.compare(ablations.histories(runs)),
    }
    for file, figure in figures.items():
        figure.savefig(options.runs / file, dpi=130)
    print(f"\nwrote {options.runs}: {', '.join((*texts, *figures))}")
