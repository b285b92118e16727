"""What evaluations of several runs say together: Table 2, Figures 5 and 6, Table 3, paired tests, learning curves."""

import csv
import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from gail_tf import curves, metrics
from gail_tf.evaluation import OWN_VECTORS, PolicyEvaluation, RunEvaluation, system_of
from gail_tf.gail import IMITATION
from keras_gca.aggregate import Summary, summarise
from keras_gca.metrics import bleu
from keras_gca.tables import Table

# The algorithms of GAILConfig, as Table 2 calls them.
NAMES = {
    "mle": "GPT-2 + MLE",
    "seq2seq_mle": "Seq2Seq + MLE",
    "rl_seq2seq": "RL-Seq2Seq",
    "textgail": "TextGAIL",
    "trpo": "GAIL with TRPO",
    "gail": "EmpathyGAIL",
}

# Table 2 of the paper: mean and deviation over seeds, of 1, 2 and 3+ turns.
PAPER = {
    "perplexity": {
        "mle": ((36.61, 3.21), (29.03, 3.02), (21.02, 2.41)),
        "rl_seq2seq": ((116.96, 18.14), (86.31, 13.23), (74.35, 10.20)),
        "textgail": ((13.51, 2.39), (8.93, 1.88), (6.90, 1.45)),
        "gail": ((7.32, 1.35), (5.20, 1.03), (4.38, 0.81)),
    },
    "BLEU": {
        "mle": ((40.34, 4.15), (33.05, 3.82), (28.64, 3.12)),
        "rl_seq2seq": ((102.50, 16.35), (74.34, 12.91), (59.30, 9.29)),
        "textgail": ((16.63, 2.75), (10.34, 1.94), (8.58, 1.59)),
        "gail": ((8.10, 1.42), (6.72, 1.29), (5.12, 1.07)),
    },
}
IN_PAPER = {"perplexity": "perplexity, in the paper", "BLEU": "BLEU error, in the paper"}
TABLE_2 = ("perplexity", "perplexity per word", "BLEU")
HUMAN = "human"


class Measured(NamedTuple):
    """One policy of one run."""

    run: RunEvaluation
    policy: PolicyEvaluation

    @property
    def imitates(self) -> bool:
        """Whether it is the policy after imitation."""
        return self.run.policies.get(IMITATION) is self.policy


class PairedTest(NamedTuple):
    """A paired test of two systems on the same test trajectories; see `metrics.compare`."""

    systems: tuple[str, str]
    seed: int
    figure: str
    comparison: metrics.Comparison


Systems = dict[str, list[Measured]]  # by algorithm; one run for each seed


def systems(evaluations: Sequence[RunEvaluation]) -> tuple[Systems, list[str]]:
    """What is compared, in Table 2's order, and remarks: what is left out, and what has not learned to the end.

    Where several runs of one seed bring a policy after maximum likelihood, the first counts.
    """
    found: Systems = {}
    remarks = []
    for evaluation in evaluations:
        if IMITATION in evaluation.policies and evaluation.updates < evaluation.config.updates:
            remarks.append(
                f"{evaluation.run.path}: imitation stopped after {evaluation.updates} of {evaluation.config.updates} "
                "updates"
            )
        for name, policy in evaluation.policies.items():
            system = system_of(evaluation.config, name)
            same = [each.run for each in found.get(system, []) if each.run.config.seed == evaluation.config.seed]
            if same:
                remarks.append(
                    f"{evaluation.run.path}: its policy after maximum likelihood is left out; {same[0].run.path} has "
                    f"one of seed {evaluation.config.seed}"
                )
            else:
                found.setdefault(system, []).append(Measured(evaluation, policy))
    order = [*NAMES, *(name for name in found if name not in NAMES)]
    return {name: found[name] for name in order if name in found}, remarks


def paired_tests(found: Systems, seed: int = 0) -> list[PairedTest]:
    """Every pair of systems, on every pair of their runs whose test trajectories are the same; tweets left out."""
    results = []
    for first, second in itertools.combinations(found, 2):
        for a, b in itertools.product(found[first], found[second]):
            if a.run.test == b.run.test:
                compared = _compared(a, b, seed)
                results += [PairedTest((first, second), a.run.config.seed, *each) for each in compared.items()]
    return results


def _compared(a: Measured, b: Measured, seed: int) -> dict[str, metrics.Comparison]:
    """Of two policies on the same test trajectories, by figure."""
    parts = metrics.parts(a.run.test)
    rows = parts.get(metrics.ALL, parts.get(metrics.TWEETS))
    conversations = np.array([each.conversation for each in a.run.test])
    likelihoods = (metrics.Likelihoods(*(each[rows] for each in x.policy.likelihoods)) for x in (a, b))
    compared = {"nats a word": metrics.compare_likelihoods(*likelihoods, conversations[rows], seed)}
    answered = np.isin(a.policy.rows, rows)
    of = conversations[a.policy.rows[answered]]
    for figure, scores in a.policy.scores.items():
        other = b.policy.scores[figure]
        compared[figure] = metrics.compare(scores[answered], other[answered], np.ones(len(of)), of, seed)
    return {figure: each for figure, each in compared.items() if each is not None}


# Tables


def summary(measured: Sequence[Measured], part: str, figure: str) -> Summary | None:
    """A figure over the runs of a system; None where they do not have it."""
    values = [each.policy.figures.get(part, {}).get(figure) for each in measured]
    values = [each.value for each in values if each is not None and not math.isnan(each.value)]
    return summarise(values) if values else None


def table_2(found: Systems, beside_paper: bool = False) -> Table:
    """Table 2, with what it leaves out: perplexity per word, all turns together, tweets."""
    parts = _parts(found)
    rows = []
    for figure in TABLE_2:
        for system, measured in found.items():
            rows.append((figure, name(system), *(_cell(measured, part, figure) for part in parts)))
            if beside_paper and system in PAPER.get(figure, {}):
                said = dict(zip(metrics.TURNS, PAPER[figure][system], strict=True))
                cells = (f"{said[part][0]:.2f} ± {said[part][1]:.2f}" if part in said else "" for part in parts)
                rows.append((IN_PAPER[figure], name(system), *cells))
    return Table(2, f"Perplexity and BLEU on the test conversations{_bars(found)}.", ("", "model", *parts), rows, 2)


def table_of_responses(found: Systems) -> Table:
    """What Table 2 leaves out: the other figures of the responses, beside those of the human ones."""
    part = _parts(found)[-1] if metrics.ALL not in _parts(found) else metrics.ALL
    first = next(iter(found.values()))
    figures = [each for each in first[0].policy.figures[part] if each not in ("perplexity", "perplexity per word")]
    rows = []
    for figure in figures:
        runs = {each.run.run.path: each.run for measured in found.values() for each in measured}.values()
        human = [each.human.get(part, {}).get(figure) for each in runs]
        said = "" if None in human else f"{summarise([each.value for each in human]):.3g}"
        rows.append((figure, *(_cell(measured, part, figure, ".3g") for measured in found.values()), said))
    caption = f"Responses to test conversations, {part}{_bars(found)}."
    return Table(None, caption, ("", *map(name, found), HUMAN), rows)


def table_of_tests(results: Sequence[PairedTest]) -> Table:
    rows = [
        (
            f"{name(test.systems[0])} minus {name(test.systems[1])}",
            test.figure,
            str(test.seed),
            f"{test.comparison.difference:+.3g}",
            f"{test.comparison.p_value:.4f}",
            f"{test.comparison.conversations:,}",
        )
        for test in results
    ]
    caption = "Paired sign-flip tests over conversations, on the same test trajectories; p is two-sided."
    return Table(None, caption, ("systems", "figure", "seed", "difference", "p", "conversations"), rows, 2)


def table_3(found: Systems, count: int, seed: int) -> list[Table]:
    """Examples, as in Table 3: history, prompt, each system's response and the human one.

    They are drawn by seed among the conversations that the first run was asked about; with the systems whose runs have
    the same test trajectories.
    """
    first = next(iter(found.values()))[0]
    same = {
        system: each.policy
        for system, measured in found.items()
        for each in measured[:1] + [other for other in measured if other.run.test == first.run.test]
        if each.run.test == first.run.test
    }
    spoken = [i for i, row in enumerate(first.policy.rows) if first.run.test[row].source != "tweets"]
    places = spoken or list(range(len(first.policy.rows)))
    drawn = np.random.default_rng(seed).choice(places, min(count, len(places)), replace=False)
    examples = []
    for number, place in enumerate(sorted(drawn), start=1):
        asked = first.run.test[first.policy.rows[place]]
        rows = [("history", " / ".join(asked.history) or "None"), ("prompt", asked.prompt)]
        rows += [(name(system), policy.responses[place]) for system, policy in same.items()]
        rows.append((HUMAN, asked.response))
        examples.append(Table(None, f"Example {number}", ("", ""), rows, 2))
    return examples


def notes(found: Systems) -> list[str]:
    """What a reader must know, as sentences."""
    measured = [each for every in found.values() for each in every]
    options = measured[0].run.options
    cut = np.concatenate([each.policy.likelihoods.cut for each in measured])
    _, signature = bleu(["a"], ["a"])
    vectors = Path(options.glove).name if options.glove else OWN_VECTORS
    return [
        "Perplexity is exp of the total negative log-likelihood of the human responses over their tokens, END counted; "
        "per word, over their words and one END each, which also compares models with different tokenizers. "
        f"{cut.mean():.1%} of the responses are longer than the models can say and are cut.",
        f"Responses are drawn at temperature {options.temperature:g} within a nucleus of {options.top_p:g}, by seed "
        f"{options.seed}, to {len(measured[0].policy.rows):,} of {len(measured[0].run.test):,} test trajectories.",
        f"BLEU is sacreBLEU's ({signature}), 0 to 100, higher is better. The \"BLEU error\" of the paper's Table 2 is "
        "another figure: lower is better there, it goes beyond 100, and the definition that the paper cites does not "
        "give it. The two cannot be compared.",
        "BLEU-1 to BLEU-4 are NLTK's of single responses (words in lower case, smoothing method 1), averaged.",
        f"Similarities are by word vectors ({vectors}). MAUVE has the features of the run's own "
        "GPT-2, after maximum likelihood; compare it only between runs with the same one.",
        "Tweets are no conversations and stand apart: their prompt is their response.",
    ]


def name(system: str) -> str:
    """What Table 2 calls an algorithm."""
    return NAMES.get(system, system)


def _parts(found: Systems) -> list[str]:
    present = {part for measured in found.values() for each in measured for part in each.policy.figures}
    return [part for part in (*metrics.TURNS, metrics.ALL, metrics.TWEETS) if part in present]


def _bars(found: Systems) -> str:
    runs = {len(measured) for measured in found.values()}
    if runs == {1}:
        return ", with 95 % intervals over conversations"
    counted = f"{min(runs)} to {max(runs)}" if len(runs) > 1 else str(*runs)
    return f", mean ± standard deviation over {counted} seeds"


def _cell(measured: Sequence[Measured], part: str, figure: str, form: str = ".2f") -> str:
    found = summary(measured, part, figure)
    if found is None:
        return ""
    if found.runs > 1:
        return f"{found:{form}}"
    low, high = _interval(measured, part, figure, found)
    return f"{found:{form}}" if low is None else f"{found:{form}} [{low:{form}}, {high:{form}}]"


# Figures


def figure_5(found: Systems, beside_paper: bool = False) -> Figure:
    """Perplexity over the turns of a conversation, per token as in the paper and per word."""
    figure = Figure(figsize=(10, 4.6), layout="constrained")
    axes = figure.subplots(1, 2)
    for each, title in zip(axes, ("perplexity", "perplexity per word"), strict=True):
        _lines(each, found, title)
        each.set_ylabel(f"{title} (lower is better)")
        each.set_yscale("log")
    if beside_paper:
        for line, system in zip(list(axes[0].containers), found, strict=True):
            if system in PAPER["perplexity"]:
                values, deviations = zip(*PAPER["perplexity"][system], strict=True)
                style = {"color": line[0].get_color(), "linestyle": ":", "marker": "x", "alpha": 0.7, "capsize": 3}
                label = f"{name(system)}, in the paper"
                axes[0].errorbar(range(len(values)), values, deviations, label=label, **style)
    return _finished(figure, found)


def figure_6(found: Systems) -> Figure:
    """sacreBLEU's corpus BLEU over the turns of a conversation."""
    figure = Figure(figsize=(6, 4.6), layout="constrained")
    axes = figure.subplots()
    _lines(axes, found, "BLEU")
    axes.set_ylabel("BLEU (higher is better)")
    axes.set_ylim(bottom=0)
    return _finished(figure, found)


def histories(found: Systems) -> dict[str, list[curves.History]]:
    """The logs of the systems that imitate, by their names, for `curves.compare`."""
    logs = {name(key): [each.run.run.read_log() for each in runs if each.imitates] for key, runs in found.items()}
    return {system: of_runs for system, of_runs in logs.items() if of_runs}


def _lines(axes: Any, found: Systems, figure: str) -> None:
    turns = [part for part in _parts(found) if part in metrics.TURNS]
    for number, (system, measured) in enumerate(found.items()):
        points = [(metrics.TURNS.index(part), *_with_error(measured, part, figure)) for part in turns]
        places, values, below, above = np.array(points, float).reshape(-1, 4).T
        places = places + 0.04 * (number - (len(found) - 1) / 2)  # beside each other, so that bars can be told apart
        axes.errorbar(places, values, [below, above], marker="o", capsize=4, label=name(system))
    axes.set_xticks(range(len(metrics.TURNS)), metrics.TURNS)
    axes.set_xlabel("turns of the conversation")
    axes.grid(alpha=0.3)


def _with_error(measured: Sequence[Measured], part: str, figure: str) -> tuple[float, float, float]:
    found = summary(measured, part, figure)
    if found is None:
        return math.nan, math.nan, math.nan
    if found.runs > 1:
        return found.mean, found.deviation, found.deviation
    low, high = _interval(measured, part, figure, found)
    return (found.mean, 0.0, 0.0) if low is None else (found.mean, max(found.mean - low, 0), max(high - found.mean, 0))


def _finished(figure: Figure, found: Systems) -> Figure:
    for axes in figure.axes:
        if axes.get_yscale() == "log":
            curves.plain_logarithm(axes)
    # Below: with the paper's lines there is no room inside.
    shown, columns = figure.axes[0].get_legend_handles_labels(), 5 if len(figure.axes) > 1 else 3
    figure.legend(*shown, loc="outside lower center", ncols=columns, fontsize=8)
    bars = "95 % intervals" if "intervals" in _bars(found) else "standard deviation over seeds"
    figure.suptitle(f"error bars: {bars}", fontsize=9)
    return figure


# Files


def write(found: Systems, results: Sequence[PairedTest], folder: Path, beside_paper: bool, examples: int) -> list[Path]:
    """Write all tables and figures; returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    tables = [table_2(found, beside_paper), table_of_responses(found)]
    tables += [table_of_tests(results)] if results else []
    listed = "".join(f"- {note}\n" for note in notes(found))
    shown = table_3(found, examples, next(iter(found.values()))[0].run.options.seed)
    texts = {
        "tables.md": "\n".join([*(table.to_markdown() for table in tables), listed]),
        "tables.tex": "\n".join(table.to_latex(f"tab:evaluation-{i}") for i, table in enumerate(tables, start=1)),
        "tables.json": json.dumps(_facts(found, results), indent=2, allow_nan=False) + "\n",
        "table3.md": "Table 3: Responses to test prompts, drawn at random.\n"
        + "".join("\n" + table.to_markdown() for table in shown),
    }
    for file, text in texts.items():
        (folder / file).write_text(text, encoding="utf-8")
    for file, rows in (("table2.csv", _csv(found, TABLE_2, beside_paper)), ("responses.csv", _csv(found))):
        with (folder / file).open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream, lineterminator="\n").writerows(rows)
    figures = {"figure5.png": figure_5(found, beside_paper), "figure6.png": figure_6(found)}
    if logs := histories(found):
        figures["curves.png"] = curves.compare(logs)
    for file, figure in figures.items():
        figure.savefig(folder / file, dpi=130)
    return [folder / file for file in (*texts, "table2.csv", "responses.csv", *figures)]


def _csv(found: Systems, only: Sequence[str] = (), beside_paper: bool = False) -> Iterator[Sequence[Any]]:
    """A line for each figure, system and part; of a single run the interval is the bootstrap's."""
    yield "figure", "system", "part", "mean", "deviation", "low", "high", "runs"
    for system, measured in found.items():
        for part in _parts(found):
            for figure in only or measured[0].policy.figures.get(part, {}):
                value = summary(measured, part, figure)
                if value is not None:
                    low, high = _interval(measured, part, figure, value)
                    yield figure, system, part, value.mean, value.deviation, low, high, value.runs
        for figure, title in IN_PAPER.items() if beside_paper else ():
            for part, said in zip(metrics.TURNS, PAPER[figure].get(system, ()), strict=False):
                yield title, system, part, *said, "", "", ""


def _interval(
    measured: Sequence[Measured], part: str, figure: str, found: Summary
) -> tuple[float | None, float | None]:
    """Of the mean of several runs; of a single run over its conversations."""
    if found.runs > 1:
        return found.low, found.high
    estimates = (each.policy.figures.get(part, {}).get(figure) for each in measured)
    return next((each.low, each.high) for each in estimates if each is not None)


def _facts(found: Systems, results: Sequence[PairedTest]) -> dict[str, Any]:
    """All of it as JSON; what is undefined is null."""

    def figures(values: Mapping[str, Mapping[str, metrics.Estimate]]) -> dict[str, Any]:
        return {
            part: {
                figure: {"value": None if math.isnan(each.value) else each.value, "low": each.low, "high": each.high}
                for figure, each in of_part.items()
            }
            for part, of_part in values.items()
        }

    runs = {str(each.run.run.path): each.run for measured in found.values() for each in measured}
    return {
        "notes": notes(found),
        "systems": {
            system: [
                {"run": str(each.run.run.path), "seed": each.run.config.seed, "figures": figures(each.policy.figures)}
                for each in measured
            ]
            for system, measured in found.items()
        },
        "human": {path: figures(run.human) for path, run in runs.items()},
        "tests": [
            {"systems": test.systems, "seed": test.seed, "figure": test.figure, **test.comparison._asdict()}
            for test in results
        ],
    }
