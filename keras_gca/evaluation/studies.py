"""The comparisons that the first paper argues with, each over several seeds.

A study names variants of one training; `default` is the training as its settings have it. What is trained already in
the folder is used again, so that studies share their runs, and an interrupted study goes on where it stopped.
"""

import argparse
from pathlib import Path
from typing import Any, NamedTuple

from keras_gca.config import AFTER_LINE_3, Config
from keras_gca.engine import command_line
from keras_gca.evaluation.statistics import as_json, over_runs
from keras_gca.storage import json_files

VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "canonical": {"generator": "canonical"},
    "reinforce": {"algorithm": "reinforce"},
    "human_contexts": {"self_conversation_turns": 1},
    "hidden_discriminator": {"discriminator_hidden_size": 100},
    "one_utterance": {"context_utterances": 1},
    "three_utterances": {"context_utterances": 3},
    "language_model": {"predict": "unconditional", "adversarial_epochs": 0},
    "backward": {"predict": "context", "adversarial_epochs": 0},
}


class Study(NamedTuple):
    question: str
    variants: tuple[str, ...]


STUDIES = {
    "architecture": Study("GCA or canonical seq2seq: are short, safe answers favoured?", ("default", "canonical")),
    "training": Study("teacher forcing or adversarial training?", ("default",)),
    "reinforce": Study("backpropagation through D, or Li et al.'s REINFORCE?", ("default", "reinforce")),
    "pairs": Study("D against self-conversation (x-, y-), or against (x+, y-)?", ("default", "human_contexts")),
    "selection": Study("choice by Eq. 9, or by Eq. 10?", ("default",)),
    "context": Study("N_u = 1, 2 or 3 utterances of context?", ("one_utterance", "default", "three_utterances")),
    "discriminator": Study("D as in Eq. 8, or with a hidden layer?", ("default", "hidden_discriminator")),
    "mmi": Study("does MMI reranking make replies more diverse?", ("default", "language_model", "backward")),
}

REPLIES = ("distinct-2", "tokens", "repeated", "most frequent", "BLEU")


# Training


def _folder(options: argparse.Namespace, variant: str, seed: int) -> Path:
    return options.runs / variant / f"seed_{seed}"


def _train(variant: str, seed: int, options: argparse.Namespace) -> int:
    """Train a variant, or go on with it; returns the exit status of the training."""
    from keras_gca import train

    path = _folder(options, variant, seed)
    if (path / "checkpoint.h5").exists():
        return 0 if _is_finished(path) else train.main(["--resume", str(path)])
    changes = VARIANTS[variant]
    if changes and set(changes) <= set(AFTER_LINE_3):
        status = _train("default", seed, options)
        if status:
            return status
        arguments = ["--start-from", str(_folder(options, "default", seed))]
    else:
        changes = command_line.settings(options, Config) | changes | {"seed": seed}
        given = ((f"--{name}", getattr(options, name)) for name in ("preset", "data", "format", "glove"))
        arguments = [text for name, value in given if value for text in (name, str(value))]
    settings = [text for name, value in changes.items() for text in (f"--{name.replace('_', '-')}", str(value))]
    print(f"\n== {variant}, seed {seed}\n")
    return train.main([*arguments, *settings, "--run", str(path)])


def _is_finished(path: Path) -> bool:
    from keras_gca.training.run_folder import GCARun
    from keras_gca.training.schedule import schedule

    run = GCARun.open(path)
    facts, _ = run.read_checkpoint()
    return run.bot.exists() and facts["position"] == len(schedule(run.config()))


# Measuring


def _measure(name: str, study: Study, options: argparse.Namespace) -> tuple[list[list[str]], Any]:
    """The study's table for people, and its figures for JSON."""
    if name == "mmi":
        return _measure_mmi(options)
    summaries = {
        variant: over_runs([_evaluated(_folder(options, variant, seed), options) for seed in options.seeds])
        for variant in study.variants
    }
    rows = _selection_rows(summaries) if name == "selection" else _rows(summaries)
    return rows, as_json(summaries)


def _evaluated(path: Path, options: argparse.Namespace) -> dict[str, Any]:
    """The evaluation of a run, from its folder where it is newer than the bot."""
    from keras_gca import evaluate
    from keras_gca.evaluation import replies

    done = path / "evaluation.json"
    glove = ["--glove", str(options.glove)] if options.glove else []
    vectors = str(options.glove or replies.OWN_VECTORS)
    if not _is_newer(done, path) or json_files.read(done)["vectors"] != vectors:
        evaluate.main([str(path), *glove])
    return json_files.read(done)


def _is_newer(file: Path, *runs: Path) -> bool:
    """Whether a file is there and was made from the runs' bots as they are now."""
    bots = [run / "bot.h5" for run in runs]
    return file.exists() and all(file.stat().st_mtime > bot.stat().st_mtime for bot in bots)


def _rows(summaries: dict[str, Any]) -> list[list[str]]:
    judged = "l, independent D", "best, independent D"
    rows = [["variant", "replies of", "perplexity", *REPLIES, *judged]]
    for variant, summary in summaries.items():
        judgement = summary["table_1"]["independent"]
        for system, figures in summary["replies"].items():
            perplexity = summary["perplexity"].get(system)
            share = judgement["equations"]["Eq. 10"]["shares"].get(system)
            rows.append(
                [
                    variant.replace("_", " "),
                    system.replace("_", " "),
                    "" if perplexity is None else f"{perplexity:.2f}",
                    *(f"{figures[title]:.3g}" for title in REPLIES),
                    f"{judgement['scores'][system]:.3f}",
                    "" if share is None else f"{share:.1%}",
                ]
            )
    return rows


def _selection_rows(summaries: dict[str, Any]) -> list[list[str]]:
    rows = [
        ["discriminator", "choice by", "ties", "adversarial answer best", "shorter answer best", "human above machine"]
    ]
    for judge, judgement in summaries["default"]["table_1"].items():
        for equation, chosen in judgement["equations"].items():
            shares = chosen["shares"]["adversarial"], chosen["shorter"], chosen["human_first"]
            rows.append([judge, equation, f"{chosen['ties']:.0f}", *(f"{share:.1%}" for share in shares)])
    return rows


def _measure_mmi(options: argparse.Namespace) -> tuple[list[list[str]], Any]:
    from keras_gca import mmi
    from keras_gca.evaluation import reranking

    results = []
    for seed in options.seeds:
        run, alone, backward = (_folder(options, name, seed) for name in STUDIES["mmi"].variants)
        done = run / "mmi.json"
        if not _is_newer(done, run, alone, backward):
            mmi.main([str(run), "--language-model", str(alone), "--backward", str(backward)])
        results.append(json_files.read(done))
    summary = over_runs(results)
    rows = [["replies", *reranking.SHOWN]]
    rows += [[name, *(f"{each[title]:.3g}" for title in reranking.SHOWN)] for name, each in summary.items()]
    return rows, as_json(summary)
