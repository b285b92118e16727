"""Evaluation of one or several runs: Table 2, Figures 5 and 6, Table 3, paired tests and learning curves.

Metrics are computed separately for parts of the test set, for example for first turns; see `metrics.parts`.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gail_tf.evaluation import learning_curves, metrics
from gail_tf.evaluation.comparability import refuse_incomparable
from gail_tf.evaluation.figures import figure_5, figure_6
from gail_tf.evaluation.measure import RunEvaluation, evaluate, read_files
from gail_tf.evaluation.results_file import FILE, Options
from gail_tf.evaluation.selection import SELECTIONS
from gail_tf.evaluation.systems import (
    Systems,
    finer_parts_of,
    histories,
    interval_of,
    notes,
    paired_tests,
    parts_of,
    summary,
    systems,
)
from gail_tf.evaluation.tables import (
    IN_PAPER,
    PAPER,
    TABLE_2,
    in_paper,
    table_2,
    table_3,
    table_of_parts,
    table_of_responses,
    table_of_tests,
)
from gail_tf.training.run_folder import GAILRun
from glove.cost import TimeLimit
from glove.text_files import counted
from keras_gca.errors import UserError
from keras_gca.evaluation.paired_tests import PairedTest, as_json
from keras_gca.evaluation.provenance import Outcome
from keras_gca.evaluation.statistics import Estimate
from keras_gca.evaluation.tables import Table
from keras_gca.invocation import hint

ALL = "all"  # the value of --policy that means all policies of a bot


# Runs


def evaluate_run(
    run: str | Path, options: Options | None = None, policy: str | None = ALL, batch_size: int = 32
) -> dict[str, Any]:
    """Measure a run's policies on its test conversations, and store the results in RUN/evaluation.json.

    Args:
        run: The run folder.
        options: How responses are sampled and measured. If None, the defaults of `Options` apply.
        policy: The name of a policy, ALL for all policies, or None for the last policy.
        batch_size: The number of trajectories in a batch.

    Returns:
        A dictionary of JSON values. `policies` maps the name of each policy to its metrics, and `human` contains the
        metrics of the human responses. Metrics have the form {part of the test set: {name of the metric: {"value",
        "low", "high"}}}. "low" and "high" are the ends of the 95 % interval from a bootstrap over conversations.
        Undefined values are None.

    Raises:
        UserError: The run is not finished, the run has no such policy, or the file of word vectors cannot be read.
    """
    measured = evaluate(GAILRun.open(run), options or Options(), chooser(policy), batch_size)
    policies = {name: _plain(evaluation.figures) for name, evaluation in measured.policies.items()}
    return {"policies": policies, "human": _plain(measured.human)}


def evaluate_runs(
    paths: Sequence[str | Path],
    options: Options,
    policy: str | None = None,
    beside_paper: bool = False,
    output: Path | None = None,
    batch_size: int = 32,
    examples: int = 8,
    limit: TimeLimit | None = None,
    named: Mapping[Path, str] | None = None,
) -> tuple[Outcome, list[Path]] | None:
    """Measure runs on their test conversations, write all tables and plots, and print the tables.

    Args:
        paths: Run folders. Runs of the same algorithm are averaged over their seeds.
        options: How responses are sampled and measured.
        policy: The name of a policy, ALL for all policies, or None for the last policy of each bot.
        beside_paper: Whether to also show the paper's numbers.
        output: The folder for tables and plots. The default is RUN/evaluation, or runs/evaluation for several runs.
        batch_size: The number of trajectories in a batch.
        examples: The number of examples in Table 3.
        limit: The time limit after which no further run is measured, or None.
        named: A mapping from run folders to names of systems, for runs whose algorithm does not determine their system.

    Returns:
        All results and tables, and the paths of the files that were written. None if time runs out before all runs are
        measured; a later call does not repeat finished measurements.

    Raises:
        UserError: The runs are not comparable, or a run is not finished.
    """
    if output is not None and output.exists() and not output.is_dir():
        raise UserError(f"{output}: this is a file; choose a folder with --output")
    runs = [GAILRun.open(path, "evaluate") for path in paths]
    refuse_incomparable(runs, named)

    choose = chooser(policy)
    if len(runs) > 1:  # check all runs before the first is measured; their data are not kept, to save memory
        for run in runs:
            read_files(run, options, choose)
    measured: list[RunEvaluation] = []
    for run in runs:
        if limit is not None and limit.is_over:
            print(f"the time limit has been reached; measured: {len(measured)} of {counted(len(runs), 'run')}")
            print(f"next: the same command continues with {run.path}")
            return None
        measured.append(evaluate(run, options, choose, batch_size))
    by_system, remarks = systems(measured, named)
    folder = output or (runs[0].path / "evaluation" if len(runs) == 1 else Path("runs") / "evaluation")
    tests = paired_tests(by_system)
    written = write(by_system, tests, folder, beside_paper, examples)
    for remark in remarks:
        print(remark)
    print((folder / "tables.md").read_text(encoding="utf-8"))
    kept = [run.path / FILE for run in runs]
    print(f"wrote {', '.join(map(str, kept))}")
    print(f"wrote {folder}: {', '.join(path.name for path in written)}")
    print(f"next: {hint('gail_tf.quality_diversity', *(run.path for run in runs))}")
    seeds = {"responses": options.seed, "runs": sorted({run.config().seed for run in runs})}
    outcome = Outcome(seeds, _facts(by_system, tests), tables_of(by_system, tests, beside_paper))
    return outcome, [*kept, *written]


def chooser(policy: str | None) -> Callable[[Sequence[str]], Sequence[str]]:
    """Return the function that selects the policies to measure; see `evaluate`.

    Args:
        policy: The name of a policy, ALL for all policies, or None for the last policy. For a run of `--algorithm
            selection`, None selects all methods in SELECTIONS.
    """

    def choose(names: Sequence[str]) -> Sequence[str]:
        if policy is None:
            return [name for name in names if name in SELECTIONS] or names[-1:]
        if policy == ALL:
            return names
        if policy not in names:
            raise UserError(f"--policy {policy}: this bot has no such policy; it has {' and '.join(names)}")
        return [policy]

    return choose


# Files


def write(
    by_system: Systems, results: Sequence[PairedTest], folder: Path, beside_paper: bool, examples: int
) -> list[Path]:
    """Write all tables and plots, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    tables = tables_of(by_system, results, beside_paper)
    listed = "".join(f"- {note}\n" for note in notes(by_system))
    shown = table_3(by_system, examples, next(iter(by_system.values()))[0].run.options.seed)
    texts = {
        "tables.md": "\n".join([*(table.to_markdown() for table in tables), listed]),
        "tables.tex": "\n".join(table.to_latex(f"tab:evaluation-{i}") for i, table in enumerate(tables, start=1)),
        "tables.json": json.dumps(_facts(by_system, results), indent=2, allow_nan=False) + "\n",
        "table3.md": "Table 3: Responses to test prompts, drawn at random.\n"
        + "".join("\n" + table.to_markdown() for table in shown),
        "table2.csv": _all_digits(by_system, TABLE_2, beside_paper).to_csv(),
        "responses.csv": _all_digits(by_system).to_csv(),
    }
    for file, text in texts.items():
        (folder / file).write_text(text, encoding="utf-8", newline="")
    figures = {"figure5.png": figure_5(by_system, beside_paper), "figure6.png": figure_6(by_system)}
    if logs := histories(by_system):
        figures["curves.png"] = learning_curves.compare(logs)
    for file, figure in figures.items():
        figure.savefig(folder / file, dpi=130)
    return [folder / file for file in (*texts, *figures)]


def tables_of(by_system: Systems, results: Sequence[PairedTest], beside_paper: bool) -> list[Table]:
    """Make Table 2, the table of response metrics and, unless empty, the tables of finer parts and of paired tests."""
    tables = [table_2(by_system, beside_paper), table_of_responses(by_system)]
    if finer_parts_of(by_system):
        tables.append(table_of_parts(by_system))
    return tables + ([table_of_tests(results)] if results else [])


def _all_digits(by_system: Systems, only: Sequence[str] = (), beside_paper: bool = False) -> Table:
    """Make a table of unrounded values with one row for each metric, system and part of the test set.

    Args:
        by_system: The systems.
        only: The metrics to include. If empty, all metrics are included.
        beside_paper: Whether to add rows with the paper's numbers.
    """
    header = "figure", "system", "part", "mean", "deviation", "low", "high", "runs"
    return Table(None, "", header, list(_lines(by_system, only, beside_paper)), 3)


def _lines(by_system: Systems, only: Sequence[str], beside_paper: bool) -> Iterator[Sequence[Any]]:
    for system, measured in by_system.items():
        for part in (*parts_of(by_system), *finer_parts_of(by_system)):
            for figure in only or measured[0].policy.figures.get(part, {}):
                value = summary(measured, part, figure)
                if value is not None:
                    low, high = interval_of(measured, part, figure, value) or (None, None)
                    yield figure, system, part, value.mean, value.deviation, low, high, value.runs
        for figure, title in IN_PAPER.items() if beside_paper else ():
            for part, said in zip(metrics.TURNS, PAPER[figure].get(in_paper(system), ()), strict=False):
                yield title, system, part, *said, "", "", ""


def _facts(by_system: Systems, results: Sequence[PairedTest]) -> dict[str, Any]:
    """Return all results as JSON values. Undefined values are None."""
    runs = {str(one.run.run.path): one.run for measured in by_system.values() for one in measured}
    return {
        "notes": notes(by_system),
        "systems": {
            system: [
                {"run": str(one.run.run.path), "seed": one.run.config.seed, "figures": _plain(one.policy.figures)}
                for one in measured
            ]
            for system, measured in by_system.items()
        },
        "human": {path: _plain(run.human) for path, run in runs.items()},
        "tests": as_json(results),
    }


def _plain(figures: Mapping[str, Mapping[str, Estimate]]) -> dict[str, Any]:
    """Return the metrics of each part as JSON values. Undefined values are None."""
    return {
        part: {
            name: {"value": None if math.isnan(figure.value) else figure.value, "low": figure.low, "high": figure.high}
            for name, figure in of_part.items()
        }
        for part, of_part in figures.items()
    }
