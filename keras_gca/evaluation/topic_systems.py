"""Compares topics (Xing et al. 2017) and seq2BF (Mou et al. 2016) with the plain generator and MMI (Li et al. 2016).

All systems answer the same test contexts, with generators that were trained by teacher forcing only (line 3 of
Algorithm 2). Greedy answers are compared with each other. Answers chosen by MMI, which reranks the results of a beam
search, are compared with those of a beam search of the same width. seq2BF is measured only if there is a run of it.
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
from keras_gca.data.vocabulary import PAD, SPECIAL_TOKENS
from keras_gca.errors import UserError
from keras_gca.evaluation import judges, reranking
from keras_gca.evaluation.replies import answers_to, reply_figures
from keras_gca.evaluation.tables import Table
from keras_gca.evaluation.variants import BACKWARD, LANGUAGE_MODEL, PLAIN, SEQ2BF, TOPIC_AWARE, Reranking
from keras_gca.models.decoding_settings import GREEDY, Decoding
from keras_gca.storage.atomic import write_text
from keras_gca.training.run_folder import GCARun

STUDIED = "studied_topics.json"  # in the run with topics, written by `keras_gca.studies`
STUDIED_SEQ2BF = "studied_seq2bf.json"  # the same with seq2BF, in the run of seq2BF
HUMAN = "human"
HOW = Reranking(weights=(0.5,))  # of MMI; its gamma is chosen on validation contexts
TOPIC_SHARE, KEYWORD_SHARE = "topic words", "keywords"
SEQ2BF_DECODINGS = {  # the beam search is that of the other systems, which rank by log p(y|x) per token
    "seq2BF, greedy": Decoding(keywords=True),
    "seq2BF, beam": Decoding(beam=HOW.candidates, length_penalty=1.0, keywords=True),
}
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
    """Measure all systems of one seed, and write the metrics to `file_of(runs)`.

    Args:
        runs: The run folders of the variants PLAIN, LANGUAGE_MODEL, BACKWARD and TOPIC_AWARE and, if it is to be
            measured, SEQ2BF, trained on the same data.

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
    around_keywords = agents.get(SEQ2BF)
    if around_keywords is not None and around_keywords.networks.beginnings is None:
        raise UserError(f"{runs[SEQ2BF]}: the run has no keywords; train it with --keyword-epochs")
    validation, test = judges.parts(GCARun.open(runs[PLAIN]).dataset(), plain.config.seed)
    answers = {HUMAN: test.answers} | _of_beams(agents, validation, test)
    for name, agent in (("plain", plain), ("topics", aware)):
        answers[f"{name}, greedy"] = answers_to(agent, agent.generators[0], test.contexts, GREEDY, 0)
    if around_keywords is not None:
        for name, decoding in SEQ2BF_DECODINGS.items():
            generator = around_keywords.generators[0]
            answers[name] = answers_to(around_keywords, generator, test.contexts, decoding, 0)
    systems: dict[str, dict[str, Any]] = {name: dict(of) for name, of in reply_figures(plain, answers).items()}
    model = TopicModel.of_weights(aware.topics)
    words = model.topic_words(aware.config.topic_words)[model.topics_of(_words_of(aware, test.contexts))]
    for name, rows in answers.items():
        systems[name][TOPIC_SHARE] = topic_share(rows, words)
    for name, agent in (("plain", plain), ("topics", aware)):
        systems[f"{name}, greedy"]["perplexity"] = agent.perplexities(test)[agent.generators[0]]
    if around_keywords is not None and around_keywords.networks.beginnings is not None:
        keywords = around_keywords.networks.beginnings.keywords.keywords_of(test.contexts)
        for name, rows in answers.items():
            systems[name][KEYWORD_SHARE] = keyword_share(rows, keywords)
    figures = {"contexts": len(test), "systems": systems}
    write_text(file_of(runs), json.dumps(figures, indent=2) + "\n")
    return figures


def file_of(runs: Mapping[str, Path]) -> Path:
    """Return the file that the metrics of one seed are written to."""
    return runs[SEQ2BF] / STUDIED_SEQ2BF if SEQ2BF in runs else runs[TOPIC_AWARE] / STUDIED


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


def keyword_share(answers: np.ndarray, keywords: np.ndarray) -> float:
    """Compute the share of answers that contain the keyword predicted from their context.

    Args:
        answers: The answers, shape (n, s_s + 1) and dtype int32.
        keywords: The keyword of each context, or PAD for contexts without a keyword, which are not counted: an int32
            array of shape (n,).

    Returns:
        The share, or NaN if no context has a keyword.
    """
    has_keyword = keywords != PAD
    if not has_keyword.any():
        return math.nan
    return float((answers[has_keyword] == keywords[has_keyword, None]).any(axis=1).mean())


def table(figures: Mapping[str, Mapping[str, Any]]) -> Table:
    """Make a table with a row for each system.

    Args:
        figures: {name of the study: the metrics of `evaluate_topics`, or their summary over seeds}.
    """
    with_keywords = any(KEYWORD_SHARE in metrics for of in figures.values() for metrics in of["systems"].values())
    shown = (*SHOWN, KEYWORD_SHARE) if with_keywords else SHOWN
    rows = [
        (name, *(f"{metrics[key]:.3g}" if key in metrics else None for key in shown))
        for of_study in figures.values()
        for name, metrics in of_study["systems"].items()
    ]
    caption = (
        "Answers to the same test contexts. distinct-n: at equal numbers of tokens. vectors, average: similarity to "
        "the human answers by word vectors. topic words: their share of the words. beam: with "
        f"{HOW.candidates} partial answers."
    )
    if with_keywords:
        caption += " keywords: the share of answers that contain the keyword predicted from their context."
    return Table(None, caption, ("answers of", *shown), rows, 1)
