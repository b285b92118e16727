"""What held-out conversations say about the generators of a run: perplexity, replies, Table 1 by discriminators.

evaluate_run(run)           the figures of one run, which are written to RUN/evaluation.json too
evaluate_runs(runs)         of several runs, with mean, deviation and interval of each figure
report(runs, figures)       the latter as tables for a terminal
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import glove
from keras_gca.agent import Agent, Decoding
from keras_gca.data.dataset import Dataset
from keras_gca.data.text import detokenise
from keras_gca.data.vocabulary import UNK
from keras_gca.evaluation import reply_metrics
from keras_gca.evaluation.judges import independent_judge, judge
from keras_gca.evaluation.statistics import over_runs
from keras_gca.evaluation.tables import Cell, Table
from keras_gca.evaluation.trigram import TrigramModel
from keras_gca.storage.atomic import write_text
from keras_gca.training.run_folder import GCARun

FILE = "evaluation.json"
DISCOUNTS = (0.1, 0.75)  # NLTK's default, and one that suits small corpora better
BATCH = 32
DECODING_BATCH = 128
OWN_VECTORS = "the run's own"
GREEDY = Decoding()


# Runs


def evaluate_run(
    run: str | Path, decoding: Decoding = GREEDY, seed: int = 0, vectors: Path | None = None
) -> dict[str, Any]:
    """Measure a run on its held-out pairs, and write the figures to RUN/evaluation.json; returns them.

    decoding, seed: see `evaluate`. vectors: a file of word vectors for the similarities; None: the run's own. Raises
    UserError where a file is missing or damaged.
    """
    made = GCARun.open(run, "evaluate")
    agent = Agent.load(made.path)
    by_word = None
    if vectors is not None:
        read = glove.read_vectors(vectors, list(agent.vocabulary.counts))
        by_word = dict(zip(read.words, read.matrix, strict=True))
    figures = evaluate(agent, made.dataset(), decoding, seed, by_word)
    figures["vectors"] = str(vectors or OWN_VECTORS)
    write_text(made.path / FILE, json.dumps(figures, indent=2) + "\n")
    return figures


def evaluate_runs(
    runs: Sequence[str | Path], decoding: Decoding = GREEDY, seed: int = 0, vectors: Path | None = None
) -> dict[str, Any]:
    """Measure several runs as `evaluate_run` does; returns the tree of their figures, a `Summary` in place of each."""
    return over_runs([evaluate_run(run, decoding, seed, vectors) for run in runs])


# Agents


def evaluate(
    agent: Agent,
    dataset: Dataset,
    decoding: Decoding = GREEDY,
    seed: int = 0,
    vectors: Mapping[str, np.ndarray] | None = None,
) -> dict[str, Any]:
    """All figures of one agent, for JSON.

    decoding: how the generators answer the held-out contexts. seed: of the independent discriminator, and of sampling.
    vectors: of words, {word: (size,)}, for the similarities; None: the agent's own.
    """
    held_out = dataset.validation
    perplexity = agent.perplexities(held_out, BATCH)
    for discount in DISCOUNTS:
        trigram = TrigramModel(dataset.training.answers, len(agent.vocabulary), discount)
        perplexity[f"Kneser-Ney trigram, discount {discount}"] = trigram.perplexity(held_out.answers)
    answers = {name: answers_to(agent, name, held_out.contexts, decoding, seed) for name in agent.generators}
    judges = {"own": agent, "independent": independent_judge(agent, dataset.training, seed)}
    return {
        "tokens": held_out.tokens,
        "unknown_share": float(np.count_nonzero(held_out.answers == UNK) / held_out.tokens),
        "perplexity": perplexity,
        "replies": reply_figures(agent, {"human": held_out.answers, **answers}, vectors),
        "table_1": {name: judge(judging, held_out, answers) for name, judging in judges.items()},
    }


def answers_to(agent: Agent, name: str, contexts: np.ndarray, decoding: Decoding, seed: int) -> np.ndarray:
    """One generator's answers to many contexts: (n, s_s + 1) int32."""
    starts = range(0, len(contexts), DECODING_BATCH)
    parts = [agent.decode(name, contexts[i : i + DECODING_BATCH], decoding, seed + i).answers for i in starts]
    return np.concatenate(parts)


def reply_figures(
    agent: Agent, answers: dict[str, np.ndarray], vectors: Mapping[str, np.ndarray] | None = None
) -> dict[str, dict[str, float | str]]:
    """The figures of each system's replies to the same contexts, {system: (n, s_s + 1) int32}.

    "human" is one of the systems, and the reference of the others. vectors: as for `evaluate`.
    """
    vocabulary = agent.vocabulary
    if vectors is None:
        vectors = dict(zip(vocabulary.tokens, agent.discriminator[0], strict=True))
    replies = {name: [vocabulary.decode(row[1:]) for row in rows] for name, rows in answers.items()}
    texts = {name: [detokenise(reply, vocabulary.surfaces) for reply in of] for name, of in replies.items()}
    figures: dict[str, dict[str, float | str]] = {}
    for name, tokenised in replies.items():
        score, signature = reply_metrics.bleu(texts[name], texts["human"])
        similarities = reply_metrics.embedding_similarities(tokenised, replies["human"], vectors)
        figures[name] = {
            "distinct-1": reply_metrics.distinct(tokenised, 1),
            "distinct-2": reply_metrics.distinct(tokenised, 2),
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
    """The tables for people. figures: as `evaluate_runs` gives them."""
    heading = (
        f"{', '.join(map(str, runs))}: {figures['tokens']:,.0f} held-out tokens, "
        f"{figures['unknown_share']:.2%} of them the unknown word"
    )
    return "\n\n".join([heading, *_sections(figures)])


def _sections(figures: dict[str, Any]) -> Iterator[str]:
    rows: list[Sequence[Cell]]
    rows = [(name, f"{value:.2f}") for name, value in figures["perplexity"].items()]
    yield Table(None, "", ("perplexity", ""), rows).to_text()

    systems = figures["replies"]
    titles = [title for title in systems["human"] if title != "BLEU signature"]
    rows = [(_name(system), *(f"{values[title]:.3g}" for title in titles)) for system, values in systems.items()]
    yield Table(None, "", ("replies", *titles), rows).to_text()
    yield f"BLEU: {systems['human']['BLEU signature']}; vectors: {figures['vectors']}"

    rows = []
    for who, judgement in figures["table_1"].items():
        chosen = judgement["equations"]["Eq. 10"]
        for system, wins in chosen["wins"].items():
            share, score = chosen["shares"][system], judgement["scores"][system]
            rows.append((who, _name(system), f"{wins:.0f}", f"{share:.2%}", f"{score:.3f}"))
        rows.append((who, "tie", f"{chosen['ties']:.0f}", None, None))
        rows.append((who, "human", None, None, f"{judgement['scores']['human']:.3f}"))
    header = "discriminator", "answers of", "best (Table 1)", "share", "mean score (Eq. 10)"
    yield Table(None, "", header, rows, 2).to_text()

    rows = [
        (who, equation, f"{chosen['ties']:.0f}", *(f"{chosen[key]:.1%}" for key in ("shorter", "human_first")))
        for who, judgement in figures["table_1"].items()
        for equation, chosen in judgement["equations"].items()
    ]
    header = "discriminator", "choice by", "ties", "the shorter answer wins", "human answer above the machine's"
    yield Table(None, "", header, rows, 2).to_text()


def _name(system: str) -> str:
    return system.replace("_", " ")
