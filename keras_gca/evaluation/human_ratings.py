"""Compares measures of responses with people's ratings of the same responses.

A file of ratings has one JSON object on each line, with `context` (the utterances before the response), `response`,
`system` (the system that made the response) and `scores` (one from each rater). Each context has responses from several
systems.

A measure gives each response a number, and a higher number should mean a better response. This module answers two
questions. Does the measure rank all responses as the raters do (Spearman's rank correlation)? Given two responses to
the same context, does the measure choose the better one (Eq. 11, Jaccard index)? A measure cannot be expected to agree
with the raters more than the raters agree with each other; `split_half` measures the agreement between raters.
"""

import collections
import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from keras_gca.errors import UserError
from keras_gca.evaluation import provenance, statistics
from keras_gca.evaluation.tables import Table
from keras_gca.models.scoring import is_tie_of_logs, jaccard_index
from keras_gca.storage import json_files

FILE = "ratings.json"  # in a run folder
RESAMPLES = 2000  # the number of bootstrap resamples of the contexts, for the intervals
SPLITS = 200  # the number of random divisions of the raters into halves
LENGTH = "length"  # the measure that all others must beat
RANDOM = "random numbers"  # the control, which should agree with the raters only by chance


@dataclass(frozen=True)
class Rated:
    """A response that people have rated.

    Attributes:
        context: The utterances before the response, oldest first.
        response: The response.
        system: The name of the system that made the response.
        scores: The raters' scores.
    """

    context: tuple[str, ...]
    response: str
    system: str
    scores: tuple[float, ...]


class Agreement(NamedTuple):
    """How well a measure agrees with the raters.

    Attributes:
        spearman: The rank correlation of the measure with the mean scores, or NaN if either is constant.
        low: The lower end of the 95 % interval of `spearman`, by a bootstrap over contexts.
        high: The upper end of this interval.
        jaccard: Eq. 11, computed from the responses that the measure and the raters choose as the better of two.
        jaccard_low: The lower end of the 95 % interval of `jaccard`.
        jaccard_high: The upper end of this interval.
        chance: The expected value of Eq. 11 on the same contexts for a measure that has as many ties but otherwise
            chooses at random.
        beats_length: Whether `spearman` is significantly higher than the absolute rank correlation between response
            length and the mean scores, that is, whether the 95 % interval of the difference lies above 0. None if the
            measure is the length itself.
    """

    spearman: float
    low: float
    high: float
    jaccard: float
    jaccard_low: float
    jaccard_high: float
    chance: float
    beats_length: bool | None


# Files


def read_ratings(path: str | Path) -> list[Rated]:
    """Read a file of ratings.

    Raises:
        UserError: The file cannot be read or has no ratings, or a line is invalid. The message names the line.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").split("\n")  # JSON may contain other line separators
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: the text is not UTF-8") from None
    rated = [_rated(f"{path}, line {number}", line) for number, line in enumerate(lines, start=1) if line.strip()]
    if not rated:
        raise UserError(f"{path}: the file has no ratings; one JSON object on each line is expected")
    return rated


def _rated(place: str, line: str) -> Rated:
    try:
        values = json_files.loads(line)
    except json_files.NotJSONError as error:
        raise UserError(f"{place}: valid JSON is expected ({error})") from None
    except ValueError as error:
        raise UserError(f"{place}: the JSON cannot be used ({error})") from None
    if not isinstance(values, dict):
        raise UserError(f"{place}: a JSON object is expected")
    context, scores = values.get("context"), values.get("scores")
    if not isinstance(context, list) or not context or not all(isinstance(text, str) and text for text in context):
        raise UserError(f"{place}: context is {context!r}; a list of strings is expected")
    for name in ("response", "system"):
        if not isinstance(values.get(name), str):
            raise UserError(f"{place}: {name} is {values.get(name)!r}; a string is expected")
    if not isinstance(scores, list) or len(scores) < 2 or not all(map(_is_score, scores)):
        raise UserError(f"{place}: scores is {scores!r}; a list of two or more numbers is expected")
    return Rated(tuple(context), values["response"], values["system"], tuple(map(float, scores)))


def _is_score(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < 1e9  # NaN is not below any number


def unseen(rated: Sequence[Rated], conversations: Iterable[Sequence[str]]) -> list[Rated]:
    """Leave out responses whose contexts occur in the data of a training run.

    A context occurs in a conversation if the conversation contains the context's utterances in direct succession. Case,
    spaces and punctuation are ignored.

    Args:
        rated: The rated responses.
        conversations: The utterances of each conversation in the data.
    """
    lengths = {len(one.context) for one in rated}
    known: set[tuple[str, ...]] = set()
    for conversation in conversations:
        keys = [_letters(text) for text in conversation]
        for length in lengths:
            known.update(tuple(keys[i : i + length]) for i in range(len(keys) - length + 1))
    return [one for one in rated if tuple(map(_letters, one.context)) not in known]


def _letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.lower())


# Agreement


def split_half(rated: Sequence[Rated], seed: int = 0, splits: int = SPLITS) -> float:
    """Compute the mean rank correlation between the mean scores of two random halves of each response's raters.

    A measure as good as half of the raters would reach this correlation with the other half.

    Args:
        rated: The rated responses.
        seed: The seed of the random splits.
        splits: The number of splits.
    """
    random = np.random.default_rng(seed)
    values = []
    for _ in range(splits):
        halves = []
        for one in rated:
            scores = random.permutation(one.scores)
            half = len(scores) // 2
            halves.append((scores[:half].mean(), scores[half:].mean()))
        values.append(_spearman(*np.array(halves).T))
    return float(np.mean(values))


def agreements(
    rated: Sequence[Rated], measures: Mapping[str, np.ndarray], logarithms: Sequence[str] = (), seed: int = 0
) -> dict[str, Agreement]:
    """Compare measures with the raters.

    Args:
        rated: n rated responses.
        measures: The measures by name, arrays of shape (n,). LENGTH and RANDOM are added.
        logarithms: The names of measures that are logarithms of the discriminator's scores. For these, Eq. 11 counts a
            difference below 5 % of the smaller score as a tie, as in Section 5. Values of all other measures tie only
            if they are equal.
        seed: The seed of the bootstrap and of RANDOM.
    """
    human = np.array([np.mean(one.scores) for one in rated])
    random = np.random.default_rng(seed)
    lengths = np.array([len(one.response.split()) for one in rated], np.float64)
    measures = {**measures, LENGTH: lengths, RANDOM: random.random(len(rated))}
    numbers: dict[tuple[str, ...], int] = {}
    groups = np.array([numbers.setdefault(one.context, len(numbers)) for one in rated])
    members = [np.flatnonzero(groups == group) for group in range(len(numbers))]
    drawn = [
        np.concatenate([members[group] for group in random.integers(len(members), size=len(members))])
        for _ in range(RESAMPLES)
    ]
    lengths_drawn = np.array([_spearman(lengths[rows], human[rows]) for rows in drawn])
    pairs = [pair for rows in members for pair in itertools.combinations(rows.tolist(), 2)]
    of_pairs = groups[[first for first, _ in pairs]]  # the context of each pair
    people = [_choice(human, *pair) for pair in pairs]
    weights = statistics.bootstrap(len(members), seed, RESAMPLES)
    results = {}
    for name, values in measures.items():
        correlations = np.array([_spearman(values[rows], human[rows]) for rows in drawn])
        low, high = statistics.bootstrap_interval(correlations[np.isfinite(correlations)])
        excess = correlations - np.abs(lengths_drawn)
        beats = statistics.bootstrap_interval(excess[np.isfinite(excess)])[0] > 0
        chosen = [_choice(values, *pair, logarithm=name in logarithms) for pair in pairs]
        both = np.array([p is not None and c is not None for p, c in zip(people, chosen, strict=True)], bool)
        voted = np.array([p is not None or c is not None for p, c in zip(people, chosen, strict=True)], bool)
        agreed = both & np.array([p == c for p, c in zip(people, chosen, strict=True)], bool)
        by_context = (np.bincount(of_pairs[mask], minlength=len(members)) for mask in (agreed, voted))
        ends = statistics.ratio_interval(weights, *by_context)
        results[name] = Agreement(
            _spearman(values, human), low, high,
            jaccard_index(people, chosen), *ends,
            float(both.sum() / 2 / voted.sum()) if voted.any() else float("nan"),
            None if name == LENGTH else bool(beats),
        )  # fmt: skip
    return results


def _choice(values: np.ndarray, first: int, second: int, logarithm: bool = False) -> int | None:
    """Return the index of the response with the higher value, 0 or 1, or None for a tie."""
    a, b = float(values[first]), float(values[second])
    if a == b or (logarithm and is_tie_of_logs(a, b)):
        return None
    return int(b > a)


def _spearman(first: np.ndarray, second: np.ndarray) -> float:
    """Compute the rank correlation, or return NaN if either input is constant."""
    a, b = stats.rankdata(first), stats.rankdata(second)
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size > 0 else float("nan")


# Reports


def compare(
    path: str | Path, rated: Sequence[Rated], kept: Sequence[Rated], measures: Mapping[str, np.ndarray], seed: int,
    logarithms: Sequence[str] = (),
) -> dict[str, Any]:  # fmt: skip
    """Compare measures with the raters, and return all results as JSON-serialisable values.

    Args:
        path: The file of ratings.
        rated: All rated responses in the file.
        kept: The responses to compare, without those left out by `unseen`.
        measures: The measures of `kept` by name.
        seed: The seed of the bootstrap, of the control and of the random splits of raters.
        logarithms: See `agreements`.
    """
    return {
        "file": Path(path).name,
        "seed": seed,
        "responses": len(kept),
        "left out": len(rated) - len(kept),
        "contexts": len({one.context for one in kept}),
        "systems": dict(collections.Counter(one.system for one in kept)),
        "split-half": split_half(kept, seed),
        "measures": {name: _plain(one) for name, one in agreements(kept, measures, logarithms, seed).items()},
    }


def _plain(agreement: Agreement) -> dict[str, float | bool | None]:
    """Return an agreement as JSON-serialisable values, with None for undefined numbers."""
    return {name: None if value is None or np.isnan(value) else value for name, value in agreement._asdict().items()}


def compare_runs(
    runs: Sequence[Path],
    compare_run: Callable[[Path], dict[str, Any]],
    command: str,
    seed: int,
    experiment: Path | None,
) -> dict[str, Any]:
    """Compare runs with people's ratings, print a table for each run, and write the results to RUN/ratings.json.

    Args:
        runs: The run folders.
        compare_run: A function that takes a run folder and returns the results of the run in the form of `compare`.
        command: The command; see `provenance.command_of`.
        seed: The seed of the bootstrap and of the control.
        experiment: The file of the option --experiment, or None.

    Returns:
        The document that --json prints, with the results of each run.
    """
    results, tables, written = {}, [], []
    for run in runs:
        results[str(run)] = compare_run(run)
        tables.append(report(results[str(run)]))
        print(tables[-1].to_markdown())
        written.append(run / FILE)
        provenance.write_experiment(written[-1], command, {"ratings": seed}, results[str(run)], tables[-1:])
        print(f"wrote {written[-1]}")
    written += provenance.write_if_asked(experiment, command, provenance.Outcome({"ratings": seed}, results, tables))
    return provenance.document(command, results, written)


def report(results: Mapping[str, Any]) -> Table:
    """Make a table of the results returned by `compare`."""
    rows = []
    for name, one in results["measures"].items():
        beats = "" if one["beats_length"] is None or name == RANDOM else "yes" if one["beats_length"] else "no"
        rows.append(
            (
                name,
                _cell(one["spearman"], one["low"], one["high"], "+.3f"),
                beats,
                _cell(one["jaccard"], one["jaccard_low"], one["jaccard_high"], ".3f"),
                "" if one["chance"] is None else f"{one['chance']:.3f}",
            )
        )
    rows.append(("one half of the raters (ceiling)", f"{results['split-half']:+.3f}", "", "", ""))
    caption = (
        f"{results['file']}: agreement with people's ratings of {results['responses']} responses to "
        f"{results['contexts']} contexts, with 95 % intervals over contexts. {results['left out']} responses to "
        "contexts in the training files are left out."
    )
    header = "measure", "Spearman", "beats length", "Jaccard (Eq. 11)", "Jaccard by chance"
    return Table(None, caption, header, rows)


def _cell(value: float | None, low: float | None, high: float | None, form: str) -> str:
    if value is None or low is None or high is None:
        return ""
    return f"{value:{form}} [{low:{form}}, {high:{form}}]"
