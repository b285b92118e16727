"""Compares a generator with topics (Xing et al. 2017) with the plain generator and with MMI (Li et al. 2016).

All systems answer the same test contexts, with generators that were trained by teacher forcing only (line 3 of
Algorithm 2). Greedy answers are compared with each other. Answers chosen by MMI, which reranks the results of a beam
search, are compared with those of a beam search of the same width.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_gca.agent import Agent
from keras_gca.data.pairs import Pairs, without_speakers
from keras_gca.data.topics import TopicModel
from keras_gca.data.vocabulary import SPECIAL_TOKENS
from keras_gca.errors import UserError
from keras_gca.evaluation import judges, reranking
from keras_gca.evaluation.replies import answers_to, reply_figures
from keras_gca.evaluation.tables import Table
from keras_gca.evaluation.variants import BACKWARD, LANGUAGE_MODEL, PLAIN, TOPIC_AWARE, Reranking
from keras_gca.models.decoding_settings import GREEDY
from keras_gca.storage.atomic import write_text
from keras_gca.training.run_folder import GCARun

STUDIED = "studied_topics.json"  # in the run with topics, written by `keras_gca.studies`
HUMAN = "human"
HOW = Reranking(weights=(0.5,))  # of MMI; its gamma is chosen on validation contexts
TOPIC_SHARE = "topic words"
SHOWN = (
    "distinct-1 at equal counts",
    "distinct-2 at equal counts",
    "tokens",
    "repeated",
    "BLEU",
    "vectors, average",
    TOPIC_SHARE,
    "perplexity",
)
TESTED = (*SHOWN[:3], *SHOWN[4:7])
GREEDY_ONLY = "greedy"  # the names of systems that decode greedily end with this word


def evaluate_topics(runs: Mapping[str, Path]) -> dict[str, Any]:
    """Measure all systems of one seed, and write the metrics to STUDIED in the run with topics.

    Args:
        runs: The run folders of the variants PLAIN, LANGUAGE_MODEL, BACKWARD and TOPIC_AWARE, trained on the same data.

    Returns:
        {"contexts": the number of test contexts, "systems": {system: {metric: value}}}.

    Raises:
        UserError: A run is missing or damaged, or the runs were trained on different data.
    """
    agents = {variant: Agent.load(GCARun.open(run).path) for variant, run in runs.items()}
    plain, aware = agents[PLAIN], agents[TOPIC_AWARE]
    for variant, agent in agents.items():
        if agent.vocabulary.tokens != plain.vocabulary.tokens:
            raise UserError(f"{runs[variant]}: its vocabulary differs from that of {runs[PLAIN]}; use the same data")
    if aware.topics is None:
        raise UserError(f"{runs[TOPIC_AWARE]}: the run has no topics; train it with --topics")
    validation, test = judges.parts(GCARun.open(runs[PLAIN]).dataset(), plain.config.seed)
    answers = {HUMAN: test.answers} | _of_beams(agents, validation, test)
    for name, agent in (("plain", plain), ("topics", aware)):
        answers[f"{name}, greedy"] = answers_to(agent, agent.generators[0], test.contexts, GREEDY, 0)
    systems: dict[str, dict[str, Any]] = {name: dict(of) for name, of in reply_figures(plain, answers).items()}
    model = TopicModel.of_weights(aware.topics)
    words = model.topic_words(aware.config.topic_words)[model.topics_of(_words_of(aware, test.contexts))]
    for name, rows in answers.items():
        systems[name][TOPIC_SHARE] = topic_share(rows, words)
    for name, agent in (("plain", plain), ("topics", aware)):
        systems[f"{name}, greedy"]["perplexity"] = agent.perplexities(test)[agent.generators[0]]
    figures = {"contexts": len(test), "systems": systems}
    write_text(runs[TOPIC_AWARE] / STUDIED, json.dumps(figures, indent=2) + "\n")
    return figures


def _words_of(agent: Agent, contexts: np.ndarray) -> np.ndarray:
    return without_speakers(contexts, len(agent.vocabulary)) if agent.config.names_speakers else contexts


def _of_beams(agents: Mapping[str, Agent], validation: Pairs, test: Pairs) -> dict[str, np.ndarray]:
    """Return the answers of beam searches, and those that both forms of MMI choose from the plain network's beam."""
    plain, aware = agents[PLAIN], agents[TOPIC_AWARE]
    others = agents[LANGUAGE_MODEL], agents[BACKWARD]
    lists = [
        reranking.candidates(plain, plain.generators[0], *others, pairs, HOW.candidates) for pairs in (validation, test)
    ]
    bonuses = reranking.best_bonuses(plain, lists[0], validation, HOW.weights, HOW.words)
    chosen = {"plain, beam": lists[1]["answers"][:, 0]}
    for name, bonus in bonuses.items():
        chosen[f"MMI, {name}"] = reranking.choose(lists[1], HOW.weights[0], HOW.words, bonus)[name]
    starts = range(0, len(test), reranking.BATCH)
    parts = [test.contexts[start : start + reranking.BATCH] for start in starts]
    beams = [aware.n_best(aware.generators[0], part, HOW.candidates).answers[:, 0] for part in parts]
    return chosen | {"topics, beam": np.concatenate(beams)}


def topic_share(answers: np.ndarray, words: np.ndarray) -> float:
    """Compute the share of the words in answers that are words of the topics of their contexts.

    Args:
        answers: The answers with BOS and EOS, as in `data/pairs.py`, shape (n, s_s + 1) and dtype int32. BOS, EOS and
            PAD are not counted.
        words: The words of each context's topic, shape (n, ...) and dtype int32.

    Returns:
        The share, or NaN if the answers contain no words.
    """
    said = answers >= len(SPECIAL_TOKENS) - 1  # the unknown word counts as a word
    of_topic = np.array([np.isin(row, topic) for row, topic in zip(answers, words, strict=True)])
    return float((of_topic & said).sum() / said.sum()) if said.any() else math.nan


def table(figures: Mapping[str, Mapping[str, Any]]) -> Table:
    """Make a table with a row for each system.

    Args:
        figures: {name of the study: the metrics of `evaluate_topics`, or their summary over seeds}.
    """
    rows = [
        (name, *(f"{metrics[key]:.3g}" if key in metrics else None for key in SHOWN))
        for of_study in figures.values()
        for name, metrics in of_study["systems"].items()
    ]
    caption = (
        "Answers to the same test contexts. distinct-n: at equal numbers of tokens. vectors, average: similarity to "
        "the human answers by word vectors. topic words: their share of the words. beam: with "
        f"{HOW.candidates} partial answers."
    )
    return Table(None, caption, ("answers of", *SHOWN), rows, 1)
