"""Compares settings of adversarial training with teacher forcing; independent judges score equally diverse replies.

A cell is a combination of settings (`variants.CELLS`). All cells with the same seed start from the same stored
generator, which was trained by teacher forcing (line 3). When a cell has been trained and measured, its results are
written to cell.json in its run folder. The tables are made only from these files.

The replies of a cell's adversarial generator are sampled at temperature 1. The replies of the teacher-forced generator
are sampled at a temperature, chosen on validation conversations, at which they are about equally diverse. The replies
are scored by judges (`judges.CrossFitted`) that were trained neither on these replies nor on other replies in the same
conversations. Each generator gives DRAWS replies to each context, and there are as many judges, each trained on one of
these draws from other initial weights. A gain is the mean over all draws and judges, because the gain by a single judge
depends much on its initial weights. All cells with the same seed are compared with the same replies of the
teacher-forced generator, so chance in these replies changes the gains of all cells alike.

The gain of a cell is the mean log S (Eq. 10) of its replies minus the mean log S of the teacher-forced generator's
replies, in nats per token. The best cells are chosen by their gain on validation conversations. A study reports the
gain on test conversations.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from glove.cost import TimeLimit
from keras_gca.agent import Agent
from keras_gca.data.pairs import Pairs
from keras_gca.engine import reporting
from keras_gca.errors import UserError
from keras_gca.evaluation import judges, rated_cells, reply_metrics
from keras_gca.evaluation.adversarial_report import TEMPERATURES, TERMS, best_cells, by_cell, tables, tests
from keras_gca.evaluation.paired_tests import as_json as tests_as_json
from keras_gca.evaluation.paired_tests import compare_conversations, fewest_seeds
from keras_gca.evaluation.provenance import Outcome
from keras_gca.evaluation.replies import answers_to
from keras_gca.evaluation.study_trainings import Setup, refuse_other, train
from keras_gca.evaluation.variants import ADVERSARIAL, QUESTION
from keras_gca.evaluation.word_model import WordModel
from keras_gca.invocation import hint
from keras_gca.models import scoring
from keras_gca.models.decoding_settings import Decoding
from keras_gca.storage import json_files
from keras_gca.storage.atomic import write_text
from keras_gca.storage.run_folder import CHECKPOINT
from keras_gca.training.run_folder import GCARun
from keras_gca.training.schedule import DISCRIMINATOR, GENERATOR

FILE = "cell.json"
BEST = 4  # the number of cells in the command that is suggested at the end
DRAWS = 5  # With one draw of 1,300 test replies, the standard deviation of a gain between draws is 0.0044.

# Teacher-forced replies by the pairs (0 for the validation pairs, 1 for the test pairs), temperature, and draw
Sampled = dict[tuple[int, float, int], np.ndarray]


def run_cells(
    cells: Sequence[str],
    setup: Setup,
    strategy: tf.distribute.Strategy | None = None,
    limit: TimeLimit | None = None,
    ratings: Sequence[Path] = (),
) -> Outcome | None:
    """Train and measure cells one after the other, print their tables, and write RUNS/adversarial.md and .json.

    Cells whose results are stored are not measured again. If the study ends early, the tables contain the finished
    cells.

    Args:
        cells: The names of the cells, from CELLS.
        setup: The settings, data and files shared by all training runs.
        strategy: The strategy of the training runs; see `pipeline.train_agent`.
        limit: The time limit, or None for no limit. When the limit is reached, the current training run stops as if
            Ctrl-C had been pressed, and no more cells are measured.
        ratings: Files of human ratings with which the discriminator of each cell is compared; see `rated_cells`.

    Returns:
        The results and tables, which are not complete if the user interrupts the study or the time limit is reached, or
        None if no cell is finished then.

    Raises:
        UserError: A file is missing or damaged, or a run in the folder has different settings.
    """
    limit = limit or TimeLimit()
    config = setup.config(cells[0], setup.seeds[0])
    if not min(config.adversarial_epochs, config.discriminator_epochs, config.generator_epochs):
        raise UserError(
            "--adversarial-epochs, --discriminator-epochs, --generator-epochs: each must be at least 1, because "
            f"the study {ADVERSARIAL} measures the effect of all three"
        )
    rated_cells.refuse_unusable(ratings)
    left = _first_unfinished(cells, setup, strategy, limit, ratings)
    results = [
        values
        for seed in setup.seeds
        for cell in cells
        if (values := _stored_for(cell, setup.folder(cell, seed), setup, seed)) is not None
    ]
    outcome = _report(results, cells, setup, ratings, left is None) if results else None
    if left is not None:
        print(f"next: the same command continues with {left}")
    elif outcome is not None and len(cells) > BEST:
        new = range(max(setup.seeds) + 1, max(setup.seeds) + 1 + fewest_seeds(BEST))
        best = outcome.results["best"]
        command = hint("keras_gca.studies", ADVERSARIAL, "--cells", *best[:BEST], "--seeds", *new)
        print(
            f"next: train the {BEST} cells with the highest validation gains again, with other seeds and the other "
            f"options of this command: {command}"
        )
    return outcome


def _first_unfinished(
    cells: Sequence[str],
    setup: Setup,
    strategy: tf.distribute.Strategy | None,
    limit: TimeLimit,
    ratings: Sequence[Path],
) -> Path | None:
    """Train and measure cells until all are finished, or the user interrupts the study or the time limit is reached.

    Returns:
        The run folder of the first cell that is not finished, or None if all cells are finished.
    """
    for seed in setup.seeds:
        sampled: Sampled = {}  # all cells of a seed have the same teacher-forced generator
        for cell in cells:
            path = setup.folder(cell, seed)
            if _stored_for(cell, path, setup, seed) is not None and rated_cells.is_rated(path, ratings):
                continue
            try:
                if not train(cell, seed, setup, strategy, limit) or limit.is_over:
                    return path
                if _stored_for(cell, path, setup, seed) is None:
                    _measured(cell, path, setup, sampled)
                for file in ratings:
                    rated_cells.rate(path, file)
            except KeyboardInterrupt:
                return path
    return None


def _report(
    results: Sequence[Mapping[str, Any]], cells: Sequence[str], setup: Setup, ratings: Sequence[Path], complete: bool
) -> Outcome:
    """Print the tables of the given results, and write them to RUNS/adversarial.md and .json."""
    left = len(cells) * len(setup.seeds) - len(results)
    runs = {(one["cell"], one["seed"]): setup.folder(one["cell"], one["seed"]) for one in results}
    rated = {file.name: rated_cells.stored(runs, file) for file in ratings}
    made = tables(results, left) + [table for of_file in rated.values() for table in rated_cells.tables(of_file)]
    facts: dict[str, Any] = {
        "cells": list(results),
        "best": best_cells(results),
        "tests": tests_as_json(tests(by_cell(results))),
        "left": left,
    }
    if ratings:
        facts["ratings"] = {name: rated_cells.as_json(of_file) for name, of_file in rated.items()}
    print(f"\n{QUESTION}\n\n" + "\n\n".join(table.to_text() for table in made))
    target = setup.runs / f"{ADVERSARIAL}.md"
    write_text(target, "\n".join(table.to_markdown() for table in made))
    write_text(target.with_suffix(".json"), json.dumps(facts, indent=1) + "\n")
    print(f"\nwrote {target} and {target.with_suffix('.json')}")
    return Outcome({"runs": list(setup.seeds)}, facts, made, complete)


def _stored_for(cell: str, run: Path, setup: Setup, seed: int) -> dict[str, Any] | None:
    """Return the results of a cell if they are stored, and check that its run has the settings of this command."""
    if not (run / CHECKPOINT).exists():
        return None
    refuse_other(cell, seed, setup)
    return _stored(run)


def _stored(run: Path) -> dict[str, Any] | None:
    """Return the results of a cell if they are stored, are newer than the cell's bot, and are from DRAWS judges."""
    file = run / FILE
    bot = GCARun(run).bot
    if not (file.exists() and bot.exists()) or file.stat().st_mtime < bot.stat().st_mtime:
        return None
    values = json_files.read_object(file)
    if not {"cell", "seed", "terms", "decoding", "validation", "test"} <= set(values):
        raise UserError(f"{file}: the file does not contain the results of a cell; delete it to measure the cell again")
    return values if values.get("judges") == DRAWS else None


def _measured(cell: str, run: Path, setup: Setup, sampled: Sampled) -> dict[str, Any]:
    """Measure a cell, and write the results to its run folder."""
    made = GCARun.open(run)
    agent, dataset = Agent.load(made.path), made.dataset()
    model = WordModel([agent.vocabulary.decode(row[1:]) for row in dataset.training.answers])
    divided = judges.parts(dataset, agent.config.seed)
    config = made.config()
    measured = {
        "cell": cell,
        "seed": config.seed,
        "settings": {name: getattr(config, name) for name in setup.changes(cell)},
        "terms": _terms(made.read_facts()["history"]),
        "perplexity": agent.perplexities(dataset.held_out),
        **measure(agent, divided, model, sampled),
    }
    values = json_files.plain(measured)  # the values that `_stored` would read
    write_text(run / FILE, json.dumps(values, indent=1) + "\n")
    reporting.say(f"wrote {run / FILE}")
    return values


def _terms(history: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Return the gap and the AUC of each term of Eq. 8, as measured after the last epoch of line 6 and of line 9."""
    last = {row["phase"]: row for row in history}
    return {
        phase: {name: last[phase][f"val_{name}"] for term in TERMS for name in (f"{term}_gap", f"{term}_auc")}
        for phase in (DISCRIMINATOR, GENERATOR)
        if phase in last
    }


def measure(agent: Agent, divided: tuple[Pairs, Pairs], model: WordModel, sampled: Sampled) -> dict[str, Any]:
    """Compare an agent's adversarial generator with its teacher-forced generator at equal diversity.

    Args:
        agent: The agent.
        divided: The validation and the test pairs.
        model: The word model that measures the quality of the replies.
        sampled: The replies already sampled from the teacher-forced generator. New replies are added.

    Returns:
        A JSON-serialisable dict: "decoding" has the temperature of each generator, and "validation" and "test" have the
        results of `compared`.
    """
    seed = agent.config.seed

    def draw(part: int, system: str, temperature: float, number: int) -> np.ndarray:
        decoding = Decoding(temperature=temperature)
        return answers_to(agent, system, divided[part].contexts, decoding, seed * DRAWS + number)

    def of_teacher_forcing(part: int, temperature: float, number: int) -> np.ndarray:
        place = part, temperature, number
        if place not in sampled:
            sampled[place] = draw(part, "teacher_forcing", temperature, number)
        return sampled[place]

    def words(answers: np.ndarray) -> list[list[str]]:
        return [agent.vocabulary.decode(row[1:]) for row in answers]

    own = [[draw(part, "adversarial", 1.0, number) for number in range(DRAWS)] for part in range(2)]
    temperature = as_diverse_as(words(own[0][0]), lambda at: words(of_teacher_forcing(0, at, 0)))
    results = {}
    for part, name in enumerate(("validation", "test")):
        others = [of_teacher_forcing(part, temperature, number) for number in range(DRAWS)]
        draws = [{"adversarial": one, "teacher_forcing": other} for one, other in zip(own[part], others, strict=True)]
        results[name] = compared(agent, divided[part], draws, model, seed)
    edge = temperature in (TEMPERATURES[0], TEMPERATURES[-1])
    decoding = {"adversarial": 1.0, "teacher_forcing": temperature, "edge": edge}
    return {"judges": DRAWS, "decoding": decoding, **results}


def as_diverse_as(replies: Sequence[Sequence[str]], sample: Callable[[float], Sequence[Sequence[str]]]) -> float:
    """Return the value of TEMPERATURES at which sampled replies are about as diverse as the given replies.

    Args:
        replies: The given replies.
        sample: A function that samples replies at a temperature.

    Returns:
        The temperature with the smallest difference in distinct-2, measured at equal numbers of tokens.
    """

    def difference(temperature: float) -> float:
        both = reply_metrics.equal_distinct({"given": replies, "other": sample(temperature)}, 2)[1]
        return abs(both["given"] - both["other"])

    return min(TEMPERATURES, key=difference)


def compared(
    agent: Agent, pairs: Pairs, draws: Sequence[dict[str, np.ndarray]], model: WordModel, seed: int
) -> dict[str, Any]:
    """Compare the replies of both generators on the validation pairs or on the test pairs.

    Args:
        agent: The agent.
        pairs: The validation pairs or the test pairs.
        draws: For each draw, the replies of each of SYSTEMS, an int32 array of shape (n, s_s + 1). For each draw, there
            is a pair of judges that learns from its replies.
        model: The word model that measures the quality of the replies.
        seed: The seed of the judges.

    Returns:
        A JSON-serialisable dict:

        - "gain": the `Comparison` of the two generators by conversations, over the mean of the draws' log S, averaged
            over the judges;
        - "gains of judges": the gain according to each pair of judges;
        - "log S": the mean log S (Eq. 10) of each generator's replies and of the human replies;
        - "log S of draws": the same mean for each draw of each generator;
        - "first": the share of contexts for which the adversarial reply scores higher, with a tie counted as one half;
        - "distinct-2": of each generator and of the human replies at equal numbers of tokens, averaged over the draws;
        - "word perplexity": the perplexity of the same replies under `model`.
    """
    seeds = np.random.default_rng(seed).integers(2**31, size=len(draws)).tolist()
    fitted = [judges.CrossFitted(agent, pairs, draw, one) for draw, one in zip(draws, seeds, strict=True)]

    def log_s(texts: np.ndarray) -> np.ndarray:
        return np.array([scoring.log_score(judge.judge(pairs.contexts, texts)) for judge in fitted])

    of_judges = {name: np.array([log_s(draw[name]) for draw in draws]) for name in draws[0]}  # (draws, judges, n)
    of_draws = {name: values.mean(axis=1) for name, values in of_judges.items()}
    differences = of_draws["adversarial"] - of_draws["teacher_forcing"]
    numbers, index = np.unique(pairs.conversation, return_inverse=True)
    if len(numbers) < 2:  # a corpus without boundaries between conversations, as in `judges.folds`
        numbers = index = np.arange(len(pairs))
    gain = compare_conversations(
        np.bincount(index, differences.mean(axis=0), len(numbers)),
        np.bincount(index, minlength=len(numbers)).astype(np.float64),
    )
    words = [
        {name: [agent.vocabulary.decode(row[1:]) for row in texts] for name, texts in each.items()}
        for each in ({**draw, "human": pairs.answers} for draw in draws)
    ]
    distinct = [reply_metrics.equal_distinct(each, 2)[1] for each in words]
    costs = {name: sum(model.costs(each[name]).sum(axis=0) for each in words) for name in words[0]}
    return {
        "gain": gain._asdict(),
        "gains of judges": (of_judges["adversarial"] - of_judges["teacher_forcing"]).mean(axis=(0, 2)).tolist(),
        "log S": {
            **{name: float(values.mean()) for name, values in of_draws.items()},
            "human": float(log_s(pairs.answers).mean()),
        },
        "log S of draws": {name: values.mean(axis=1).tolist() for name, values in of_draws.items()},
        "first": float(np.mean(differences > 0) + np.mean(differences == 0) / 2),
        "distinct-2": {name: float(np.mean([each[name] for each in distinct])) for name in distinct[0]},
        "word perplexity": {name: float(np.exp(nats / count)) for name, (nats, count) in costs.items()},
    }
