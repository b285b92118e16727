"""Table 2, Table 3, tables of further metrics, and the table of paired tests."""

from collections.abc import Sequence

import numpy as np

from gail_tf.evaluation import metrics
from gail_tf.evaluation.systems import HUMAN, Systems, cell_of, finer_parts_of, kind_of_bars, name, parts_of
from keras_gca.evaluation import paired_tests, reply_metrics
from keras_gca.evaluation.paired_tests import PairedTest
from keras_gca.evaluation.statistics import summarise
from keras_gca.evaluation.tables import Table

# Table 2 of the paper: mean and standard deviation over seeds, for 1, 2 and 3+ turns.
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

# The paper's names for rows that have other names here, because the language model need not be GPT-2.
NAMES_IN_PAPER = {"mle": "GPT-2 + MLE"}

IN_PAPER = {"perplexity": "perplexity, in the paper", "BLEU": "BLEU error, in the paper"}
TABLE_2 = ("perplexity", "perplexity per word", "BLEU")


def in_paper(system: str) -> str:
    """Return the row of the paper's Table 2 that a system belongs to. All variants of TextGAIL share one row."""
    return "textgail" if system.startswith("textgail_") else system


def table_2(by_system: Systems, beside_paper: bool = False) -> Table:
    """Make Table 2, with additional rows for perplexity per word and columns for all turns and for tweets."""
    parts = parts_of(by_system)
    rows = []
    for figure in TABLE_2:
        for system, measured in by_system.items():
            rows.append((figure, name(system), *(cell_of(measured, part, figure) for part in parts)))
            if beside_paper and in_paper(system) in PAPER.get(figure, {}):
                said = dict(zip(metrics.TURNS, PAPER[figure][in_paper(system)], strict=True))
                cells = (f"{said[part][0]:.2f} ± {said[part][1]:.2f}" if part in said else "" for part in parts)
                row = in_paper(system)
                rows.append((IN_PAPER[figure], NAMES_IN_PAPER.get(row, name(row)), *cells))
    return Table(
        2, f"Perplexity and BLEU on the test conversations{kind_of_bars(by_system)}.", ("", "model", *parts), rows, 2
    )


def table_of_parts(by_system: Systems) -> Table:
    """Make a table of perplexity and BLEU by corpus and turn, and by whether responses occur in the training set."""
    rows = [
        (figure, part, *(cell_of(measured, part, figure) for measured in by_system.values()))
        for figure in TABLE_2
        for part in (*finer_parts_of(by_system), metrics.ALL)
    ]
    caption = (
        "Perplexity and BLEU by corpus and turn, and by whether the human response occurs in the training set "
        f"(ignoring case and punctuation){kind_of_bars(by_system)}. Compare turns only within the same corpus."
    )
    return Table(None, caption, ("", "part", *map(name, by_system)), rows, 2)


def table_of_responses(by_system: Systems) -> Table:
    """Make a table of all metrics except perplexity, for all systems and for the human responses."""
    part = parts_of(by_system)[-1] if metrics.ALL not in parts_of(by_system) else metrics.ALL
    first = next(iter(by_system.values()))
    figures = [title for title in first[0].policy.figures[part] if title not in ("perplexity", "perplexity per word")]
    rows = []
    for figure in figures:
        # The runs of a seed have the same test conversations, which are counted once.
        runs = {one.run.config.seed: one.run for measured in by_system.values() for one in measured}.values()
        human = [run.human[part][figure].value for run in runs if figure in run.human.get(part, {})]
        said = f"{summarise(human):.3g}" if len(human) == len(runs) else ""
        rows.append((figure, *(cell_of(measured, part, figure, ".3g") for measured in by_system.values()), said))
    rows += _equal_distinct(by_system, part)
    caption = f"Responses to test conversations, {part}{kind_of_bars(by_system)}."
    return Table(None, caption, ("", *map(name, by_system), HUMAN), rows)


def _equal_distinct(by_system: Systems, part: str) -> list[tuple[str, ...]]:
    """Make rows for distinct-1 and distinct-2, computed on equal numbers of words; see `reply_metrics.distinct_at`."""
    replies: dict[tuple[str, int], list[list[str]]] = {}
    for system, measured in by_system.items():
        for number, one in enumerate(measured):
            at = np.flatnonzero(np.isin(one.policy.rows, metrics.parts(one.run.test)[part]))
            replies[system, number] = [metrics.words(one.policy.responses[i]) for i in at]
            human = [metrics.words(one.run.test[one.policy.rows[i]].response) for i in at]
            replies.setdefault((HUMAN, one.run.config.seed), human)
    rows = []
    for n in (1, 2):
        tokens, values = reply_metrics.equal_distinct(replies, n)
        cells = [
            f"{summarise([value for (of, _), value in values.items() if of == system]):.3g}"
            for system in (*by_system, HUMAN)
        ]
        rows.append((f"distinct-{n} of {tokens:,} words", *cells))
    return rows


def table_of_tests(results: Sequence[PairedTest]) -> Table:
    """Make the table of paired tests."""
    return paired_tests.table_of_tests(results, name, " on the same test trajectories")


def table_3(by_system: Systems, count: int, seed: int) -> list[Table]:
    """Make examples as in Table 3: a history, a prompt, each system's response and the human response.

    Args:
        by_system: The systems. Systems without a run that shares the first run's test trajectories are left out.
        count: The number of examples to draw from the answered conversations of the first run.
        seed: The seed for drawing examples.
    """
    first = next(iter(by_system.values()))[0]
    same = {
        system: one.policy
        for system, measured in by_system.items()
        for one in measured[:1] + [other for other in measured if other.run.test == first.run.test]
        if one.run.test == first.run.test
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
