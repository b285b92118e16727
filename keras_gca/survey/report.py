"""Writes the results of a survey as Markdown, LaTeX, CSV and JSON."""

import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from keras_gca.evaluation.tables import Table
from keras_gca.models.scoring import TIE
from keras_gca.survey.questionnaire import Survey
from keras_gca.survey.tables import Comparison, Results


def make_tables(results: Results) -> list[Table]:
    """Make Table 1, Table 2 and a table of the measures and their confidence intervals."""
    names = [readable(model) for model in results.models]
    columns = {"human evaluation": "humans", "D by Eq. 10": "Eq. 10", "D by Eq. 9": "Eq. 9"}
    compared = [results.best_answers[key] for key in columns.values()]
    second = names[1]
    measures = [
        (f"{second}, best answers by humans", *_share(results.best_answers["humans"])),
        (f"{second}, best answers by D, Eq. 10", *_share(results.best_answers["Eq. 10"])),
        (f"{second}, best answers by D, Eq. 9", *_share(results.best_answers["Eq. 9"])),
        (f"{second}, human votes", *_share(results.votes)),
        *(
            (f"J(H, A), D by {equation}", _number(jaccard.value), _range(jaccard.interval, _number))
            for equation, jaccard in results.jaccard.items()
        ),
        ("Krippendorff's alpha between volunteers", _number(results.alpha), ""),
        ("sign test on the lines, p", _number(results.p_value, 4), ""),
    ]
    return [
        Table(
            1,
            "The number of best machine-generated answers.",
            ("training method", *columns),
            [
                *((name, *(_count(comparison, i) for comparison in compared)) for i, name in enumerate(names)),
                ("ties", *(str(results.judged - comparison.total) for comparison in compared)),
            ],
        ),
        Table(
            2,
            "Number of human votes.",
            ("training method", "human votes"),
            [
                *((name, _count(results.votes, i)) for i, name in enumerate(names)),
                ("no difference", f"{results.no_difference:,}"),
            ],
        ),
        Table(
            None, "Measures and their intervals over dialogue lines.", ("measure", "value", "95 % interval"), measures
        ),
    ]


def about_ties() -> str:
    """Return two sentences that explain what the rows "ties" and "no difference" count."""
    return (
        "Ties are lines without a winner: for humans, both answers have the same number of votes; for D, the scores of "
        f"the two answers differ by less than {TIE:.0%} of the smaller score. "
        "Ties and votes for no difference count for neither method and are left out of the percentages."
    )


def summary(results: Results) -> str:
    """Return one line of text with the numbers of volunteers, votes and judged lines."""
    return (
        f"volunteers: {results.volunteers}; votes: {results.votes.total:,}; marked as no difference: "
        f"{results.no_difference:,}; lines judged: {results.judged:,} of {len(results.by_line):,}"
    )


def write(survey: Survey, results: Results, folder: str | os.PathLike) -> list[Path]:
    """Write the tables in all formats, and the votes and winners of each line to lines.csv.

    Args:
        survey: The survey.
        results: The results of the survey.
        folder: The folder to write to. It is created if it does not exist.

    Returns:
        The paths of the written files.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tables = make_tables(results)
    parts = [summary(results) + ".\n", *(table.to_markdown() for table in tables), about_ties() + "\n"]
    markdown = "\n".join(parts)
    latex = "\n".join(table.to_latex(f"tab:survey-{i}") for i, table in enumerate(tables, start=1))
    texts = {
        "tables.md": markdown,
        "tables.tex": latex,
        "tables.json": json.dumps(facts(survey, results), indent=2) + "\n",
        "table1.csv": _table_1(results).to_csv(),
        "table2.csv": _table_2(results).to_csv(),
        "lines.csv": _lines(survey, results).to_csv(),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8", newline="")
    return [folder / name for name in texts]


def readable(model: str) -> str:
    """Return the name of a model with spaces instead of underscores."""
    return model.replace("_", " ")


def _table_1(results: Results) -> Table:
    head = ["model"]
    for who in ("humans", "eq10", "eq9"):
        head += [f"{who}_best_answers", f"{who}_percent"]
    rows = []
    for i, model in enumerate(results.models):
        compared = ((judged.wins[i], _percent(judged.shares[i])) for judged in results.best_answers.values())
        rows.append([model, *(value for pair in compared for value in pair)])
    return Table(None, "", head, rows)


def _table_2(results: Results) -> Table:
    rows = zip(results.models, results.votes.wins, map(_percent, results.votes.shares), strict=True)
    return Table(None, "", ("model", "votes", "percent"), list(rows))


def _lines(survey: Survey, results: Results) -> Table:
    names = {0: survey.models[0], 1: survey.models[1], None: ""}
    votes = (f"votes_{model}" for model in survey.models)
    head = ["dialogue", "line", *votes, "no_difference", "humans", "eq9", "eq10"]
    rows = []
    winners = results.winners
    for dialogue in range(len(survey.dialogues)):
        for i, _ in survey.numbered(dialogue):
            won = (names[by_line[i]] for by_line in (winners.humans, winners.human, winners.score))
            rows.append([dialogue + 1, i + 1, *results.by_line[i].tolist(), *won])
    return Table(None, "", head, rows)


def facts(survey: Survey, results: Results) -> dict[str, Any]:
    """Return all results in the form of tables.json, with None for undefined values.

    Args:
        survey: The survey.
        results: The results of the survey.
    """

    def comparison(judged: Comparison) -> dict[str, Any]:
        by_model = zip(results.models, judged.wins, judged.shares, strict=True)
        return {
            **{model: {"count": count, "share": _defined(share)} for model, count, share in by_model},
            "interval_of_the_second_share": [_defined(end) for end in judged.interval],
        }

    return {
        "survey": survey.fingerprint,
        "source": survey.source,
        "models": list(results.models),
        "volunteers": results.volunteers,
        "lines": len(results.by_line),
        "judgements": results.judgements,
        "no_difference": results.no_difference,
        "table_1": {who: comparison(judged) for who, judged in results.best_answers.items()},
        "table_2": comparison(results.votes),
        "jaccard_index": {
            equation: {"value": _defined(index.value), "interval": [_defined(end) for end in index.interval]}
            for equation, index in results.jaccard.items()
        },
        "krippendorff_alpha": _defined(results.alpha),
        "sign_test_p_value": _defined(results.p_value),
    }


def _defined(value: float) -> float | None:
    return None if math.isnan(value) else value


def _count(comparison: Comparison, model: int) -> str:
    return f"{comparison.wins[model]} ({_in_percent(comparison.shares[model])})"


def _share(comparison: Comparison) -> tuple[str, str]:
    return _in_percent(comparison.shares[1]), _range(comparison.interval, _in_percent)


def _range(interval: tuple[float, float], shown: Callable[[float], str]) -> str:
    return "" if math.isnan(interval[0]) else " to ".join(map(shown, interval))


def _percent(share: float) -> str:
    return "" if math.isnan(share) else f"{100 * share:.2f}"


def _in_percent(share: float) -> str:
    return "undefined" if math.isnan(share) else f"{100 * share:.2f} %"


def _number(value: float, digits: int = 2) -> str:
    return "undefined" if math.isnan(value) else f"{value:.{digits}f}"
