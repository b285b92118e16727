"""Measures the generators of a run on held-out conversations: their perplexity, their replies, and Table 1.

evaluate_run(run)           measures one run, and writes the metrics to its folder
evaluate_runs(runs)         returns the mean, standard deviation, and interval of each metric over several runs
report(runs, figures)       formats the metrics from `evaluate_runs` as tables for a terminal
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import glove
from keras_gca.agent import Agent
from keras_gca.data.dataset import Dataset
from keras_gca.data.pairs import Pairs
from keras_gca.data.text import detokenise
from keras_gca.data.vocabulary import UNK
from keras_gca.engine import reporting
from keras_gca.evaluation import estimate, reply_metrics, trigram
from keras_gca.evaluation.judges import CrossFitted, Judging, judge
from keras_gca.evaluation.statistics import over_runs
from keras_gca.evaluation.tables import Cell, Table
from keras_gca.models.decoding_settings import GREEDY, Decoding
from keras_gca.storage.atomic import write_text
from keras_gca.training.run_folder import GCARun

FILE = "evaluation.json"  # written by `keras_gca.evaluate`
STUDIED = "studied_evaluation.json"  # written by `keras_gca.studies`
BATCH = 32
DECODING_BATCH = 128
OWN_VECTORS = "the run's own"
TURNS = ("1 utterance before", "2 utterances before", "3+ utterances before")
NEW, KNOWN = "answers that are not in training", "answers that are in training"


# Runs


def evaluate_run(
    run: str | Path, decoding: Decoding = GREEDY, seed: int = 0, vectors: Path | None = None, file: str = FILE
) -> dict[str, Any]:
    """Measure a run on its held-out pairs, and write the metrics to a JSON file in its folder.

    Args:
        run: The run folder.
        decoding: How the generators answer the held-out contexts.
        seed: The seed for the independent discriminator and for sampling.
        vectors: A file of word vectors for the similarity of replies, or None for the word vectors of the run.
        file: The name of the JSON file.

    Returns:
        The metrics, as `evaluate` returns them.

    Raises:
        UserError: A file is missing or damaged.
    """
    made = GCARun.open(run, "evaluate")
    agent = Agent.load(made.path)
    by_word = None
    if vectors is not None:
        read = glove.read_vectors(vectors, list(agent.vocabulary.counts))
        by_word = dict(zip(read.words, read.matrix, strict=True))
    dataset = made.dataset()
    reporting.say_cost(estimate.of_evaluation(agent, dataset.held_out, decoding))
    figures = evaluate(agent, dataset, decoding, seed, by_word)
    figures["vectors"] = str(vectors or OWN_VECTORS)
    write_text(made.path / file, json.dumps(figures, indent=2) + "\n")
    return figures


def evaluate_runs(
    runs: Sequence[str | Path], decoding: Decoding = GREEDY, seed: int = 0, vectors: Path | None = None
) -> dict[str, Any]:
    """Measure several runs; the arguments and errors are those of `evaluate_run`.

    Returns:
        The metrics as returned by `evaluate`, with a `Summary` over the runs in place of each number.
    """
    return summarised([evaluate_run(run, decoding, seed, vectors) for run in runs])


def summarised(figures: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Summarise the metrics from `evaluate_run` over several runs, leaving out parts that any of the runs lacks."""
    common = [part for part in figures[0]["parts"] if all(part in of_run["parts"] for of_run in figures)]
    return over_runs([of_run | {"parts": {part: of_run["parts"][part] for part in common}} for of_run in figures])


# Agents


def evaluate(
    agent: Agent,
    dataset: Dataset,
    decoding: Decoding = GREEDY,
    seed: int = 0,
    vectors: Mapping[str, np.ndarray] | None = None,
) -> dict[str, Any]:
    """Compute all metrics of one agent.

    Args:
        agent: The agent.
        dataset: The data of its training run, including the held-out pairs.
        decoding: How the generators answer the held-out contexts.
        seed: The seed for the independent discriminators and for sampling.
        vectors: Word vectors, {word: vector of shape (size,)}, for the similarity of replies, or None for the word
            vectors of the agent.

    Raises:
        UserError: Fewer than two pairs are held out.

    Returns:
        A dictionary for JSON:

        - "perplexity": the perplexity of each generator and of the trigram models;
        - "shuffled": the perplexity of each generator if every answer follows the context of another answer. The more a
            generator uses the contexts, the more this perplexity exceeds the one above;
        - "replies": the metrics of each system's replies (`reply_figures`);
        - "table_1": the results of `judges.judge` for the agent's own discriminator and for independent ones;
        - "parts": the number of pairs, the perplexity, and BLEU for each part of the held-out pairs (`parts_of`);
        - "tokens": the number of tokens in the held-out answers;
        - "unknown_share": the share of these tokens that are the unknown word.
    """
    held_out = dataset.held_out
    logs = {name: agent.token_log_probabilities(held_out, name) for name in agent.generators}
    for name, model in trigram.fitted(dataset.training.answers, len(agent.vocabulary)):
        logs[name] = np.full_like(held_out.answers[:, 1:], np.nan, np.float64)
        for row, answer in zip(logs[name], held_out.answers, strict=True):
            of_answer = model.log_probabilities(answer)
            row[: len(of_answer)] = of_answer
    answers = {name: answers_to(agent, name, held_out.contexts, decoding, seed) for name in agent.generators}
    judges: dict[str, Judging] = {"own": agent, "independent": CrossFitted(agent, held_out, answers, seed)}
    return {
        "tokens": held_out.tokens,
        "unknown_share": float(np.count_nonzero(held_out.answers == UNK) / held_out.tokens),
        "perplexity": {name: _perplexity(of_model) for name, of_model in logs.items()},
        "shuffled": agent.perplexities(with_shuffled_contexts(held_out, seed), BATCH),
        "replies": reply_figures(agent, {"human": held_out.answers, **answers}, vectors),
        "parts": {
            part: _part_figures(agent, rows, logs, {"human": held_out.answers, **answers})
            for part, rows in parts_of(dataset).items()
        },
        "table_1": {name: judge(judging, held_out, answers) for name, judging in judges.items()},
    }


def with_shuffled_contexts(pairs: Pairs, seed: int) -> Pairs:
    """Return pairs with the same answers in the same order, but with the contexts in a random order."""
    order = np.random.default_rng(seed).permutation(len(pairs))
    return Pairs(pairs.contexts[order], pairs.answers, pairs.conversation)


def parts_of(dataset: Dataset) -> dict[str, np.ndarray]:
    """Divide the held-out pairs by turn, and by whether the answer occurs in the training data.

    The turn is the number of utterances before the answer. It is known only if complete conversations are held out.
    Answers that occur in the training data may have been memorised. Answers are compared token by token, so all unknown
    words count as equal.

    Returns:
        {part: the indices of its pairs, dtype int64}, without empty parts.
    """
    held_out = dataset.held_out
    learned = {row.tobytes() for row in dataset.training.answers}
    known = np.array([row.tobytes() in learned for row in held_out.answers], bool)
    masks = {NEW: ~known, KNOWN: known}
    if dataset.whole_conversations:
        _, first = np.unique(held_out.conversation, return_index=True)
        starts = np.zeros(len(held_out), np.int64)
        starts[first] = first
        before = np.minimum(np.arange(len(held_out)) - np.maximum.accumulate(starts) + 1, len(TURNS))
        masks = {part: before == turn for turn, part in enumerate(TURNS, start=1)} | masks
    return {part: np.flatnonzero(mask) for part, mask in masks.items() if mask.any()}


def _perplexity(logs: np.ndarray) -> float:
    """Compute the perplexity from the log-probabilities of tokens, which are NaN after the end of an answer."""
    return float(np.exp(-np.nanmean(logs, dtype=np.float64)))


def _part_figures(
    agent: Agent, rows: np.ndarray, logs: Mapping[str, np.ndarray], answers: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """Compute the metrics of one part of the pairs.

    Args:
        agent: The agent.
        rows: The indices of the pairs in this part.
        logs: The log-probability of each token under each model, shape (n, s_s), with NaN after the end of an answer.
        answers: The answers of each system and the human answers, shape (n, s_s + 1) and dtype int32.
    """
    vocabulary = agent.vocabulary
    texts = {
        name: [detokenise(vocabulary.decode(of_system[row, 1:]), vocabulary.surfaces) for row in rows]
        for name, of_system in answers.items()
    }
    return {
        "pairs": len(rows),
        "perplexity": {name: _perplexity(of_model[rows]) for name, of_model in logs.items()},
        "BLEU": {name: reply_metrics.bleu(said, texts["human"])[0] for name, said in texts.items() if name != "human"},
    }


def answers_to(agent: Agent, name: str, contexts: np.ndarray, decoding: Decoding, seed: int) -> np.ndarray:
    """Return answers to n contexts as an int32 array of shape (n, s_s + 1), framed as in `data/pairs.py`."""
    starts = range(0, len(contexts), DECODING_BATCH)
    parts = [agent.decode(name, contexts[i : i + DECODING_BATCH], decoding, seed + i).answers for i in starts]
    return np.concatenate(parts)


def reply_figures(
    agent: Agent, answers: dict[str, np.ndarray], vectors: Mapping[str, np.ndarray] | None = None
) -> dict[str, dict[str, float | str]]:
    """Compute the metrics of each system's replies to the same contexts.

    Args:
        agent: The agent that encodes the replies.
        answers: The replies of each system, shape (n, s_s + 1) and dtype int32. The replies of the system "human" are
            the references.
        vectors: Word vectors; see `evaluate`.

    Returns:
        {system: {metric: value}}.
    """
    vocabulary = agent.vocabulary
    if vectors is None:
        vectors = dict(zip(vocabulary.tokens, agent.discriminator[0], strict=True))
    replies = {name: [vocabulary.decode(row[1:]) for row in rows] for name, rows in answers.items()}
    texts = {name: [detokenise(reply, vocabulary.surfaces) for reply in of] for name, of in replies.items()}
    equal = {f"distinct-{n} at equal counts": reply_metrics.equal_distinct(replies, n)[1] for n in (1, 2)}
    figures: dict[str, dict[str, float | str]] = {}
    for name, tokenised in replies.items():
        score, signature = reply_metrics.bleu(texts[name], texts["human"])
        similarities = reply_metrics.embedding_similarities(tokenised, replies["human"], vectors)
        figures[name] = {
            "distinct-1": reply_metrics.distinct(tokenised, 1),
            "distinct-2": reply_metrics.distinct(tokenised, 2),
            **{title: values[name] for title, values in equal.items()},
            "tokens": reply_metrics.mean_length(tokenised),
            "repeated": reply_metrics.repeated(tokenised),
            "most frequent": reply_metrics.most_frequent(tokenised),
            "entropy, bits": reply_metrics.entropy(tokenised),
            "BLEU": score,
            **{f"vectors, {kind}": value for kind, value in similarities.items()},
            "BLEU signature": signature,
        }
    return figures


# Reports


def report(runs: Sequence[str | Path], figures: dict[str, Any]) -> str:
    """Format the metrics from `evaluate_runs` as tables for a terminal."""
    heading = (
        f"{', '.join(map(str, runs))}: {figures['tokens']:,.0f} held-out tokens, "
        f"of which {figures['unknown_share']:.2%} are the unknown word"
    )
    perplexities, of_replies, *others = (table.to_text() for table in tables(figures))
    signature = f"BLEU: {figures['replies']['human']['BLEU signature']}; vectors: {figures['vectors']}"
    return "\n\n".join([heading, perplexities, of_replies, signature, *others])


def tables(figures: dict[str, Any]) -> list[Table]:
    """Make tables of the metrics from `evaluate_runs`.

    The tables show the perplexity, the metrics of the replies, Table 1, the choices by Eq. 9 and by Eq. 10, and the
    perplexity and BLEU of each part of the held-out pairs.
    """
    rows: list[Sequence[Cell]]
    rows = [(_name(system), f"{value:.2f}") for system, value in figures["perplexity"].items()]
    rows += [(f"{_name(system)}, contexts shuffled", f"{value:.2f}") for system, value in figures["shuffled"].items()]
    perplexities = Table(None, "", ("perplexity", ""), rows)

    systems = figures["replies"]
    titles = [title for title in systems["human"] if title != "BLEU signature"]
    rows = [(_name(system), *(f"{values[title]:.3g}" for title in titles)) for system, values in systems.items()]
    of_replies = Table(None, "", ("replies", *titles), rows)

    rows = []
    for who, judgement in figures["table_1"].items():
        chosen = judgement["equations"]["Eq. 10"]
        for system, wins in chosen["wins"].items():
            share, score = chosen["shares"][system], judgement["scores"][system]
            rows.append((who, _name(system), f"{wins:.0f}", f"{share:.2%}", f"{score:.3f}"))
        rows.append((who, "tie", f"{chosen['ties']:.0f}", None, None))
        rows.append((who, "human", None, None, f"{judgement['scores']['human']:.3f}"))
    header = "discriminator", "answers of", "best (Table 1)", "share", "mean score (Eq. 10)"
    table_1 = Table(None, "", header, rows, 2)

    rows = [
        (who, equation, f"{chosen['ties']:.0f}", *(f"{chosen[key]:.1%}" for key in ("shorter", "human_first")))
        for who, judgement in figures["table_1"].items()
        for equation, chosen in judgement["equations"].items()
    ]
    header = "discriminator", "choice by", "ties", "the shorter answer wins", "human answer above the machine's"
    return [perplexities, of_replies, table_1, Table(None, "", header, rows, 2), _table_of_parts(figures["parts"])]


def _table_of_parts(parts: Mapping[str, Any]) -> Table:
    """Make a table with a row for each metric and system, and a column for each part of the held-out pairs."""
    rows = [("pairs", "", *(f"{of_part['pairs']:.0f}" for of_part in parts.values()))]
    for metric in ("perplexity", "BLEU"):
        for system in next(iter(parts.values()))[metric] if parts else ():
            cells = (f"{of_part[metric][system]:.2f}" for of_part in parts.values())
            rows.append((metric, _name(system), *cells))
    return Table(None, "", ("", "", *parts), rows, 2)


def _name(system: str) -> str:
    return system.replace("_", " ")
