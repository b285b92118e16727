"""Measures how well the scores of the first paper's discriminator and generators agree with human ratings."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_gca.agent import Agent
from keras_gca.data.dataset import Dataset
from keras_gca.data.pairs import Pairs, frame_answers
from keras_gca.data.vocabulary import PAD
from keras_gca.engine import reporting
from keras_gca.errors import UserError
from keras_gca.evaluation import estimate, human_ratings
from keras_gca.evaluation.human_ratings import Rated
from keras_gca.models import scoring
from keras_gca.training.run_folder import GCARun

BATCH = 64
BY_D = ("D, Eq. 9", "D, Eq. 10")


def evaluate_ratings(
    run: str | Path, ratings: str | Path, seed: int = 0, only_discriminator: bool = False
) -> dict[str, Any]:
    """Measure how well a run's scores for answers agree with human ratings.

    Contexts that occur anywhere in the run's corpus, including its held-out part, are left out.

    Args:
        run: The run folder.
        ratings: The file of ratings; see `human_ratings`.
        seed: The seed for the bootstrap and for the random control scores.
        only_discriminator: Whether to leave out the scores by the generators.

    Returns:
        The results, as `human_ratings.compare` returns them.

    Raises:
        UserError: A file is missing or damaged, the run does not predict answers, or fewer than two contexts are left.
    """
    rated = human_ratings.read_ratings(ratings)
    made = GCARun.open(run, "evaluate")
    agent = Agent.load(made.path)
    if agent.config.predict != "answer":
        raise UserError(
            f"{run}: this run was trained with --predict {agent.config.predict}; choose a run with --predict answer"
        )
    kept = unseen(agent, made.dataset(), rated)
    if len({one.context for one in kept}) < 2:
        raise UserError(f"{ratings}: at least two contexts that do not occur in the corpus of {run} are needed")
    return human_ratings.compare(ratings, rated, kept, measures(agent, kept, only_discriminator), seed, BY_D)


def unseen(agent: Agent, dataset: Dataset, rated: Sequence[Rated]) -> list[Rated]:
    """Leave out answers to contexts that the agent cannot distinguish from contexts in the run's corpus.

    The agent sees only the last N_u utterances of a context, and only words in its vocabulary. A context is left out if
    a context in the corpus ends with the same words, so some contexts that do not occur in the corpus are left out too.
    """
    contexts = dataset.contexts
    encoded = agent.encode_contexts([one.context for one in rated])
    kept = []
    for one, row in zip(rated, encoded, strict=True):
        words = row[row != PAD]
        if not (len(words) and (contexts[:, -len(words) :] == words).all(axis=1).any()):
            kept.append(one)
    return kept


def measures(agent: Agent, rated: Sequence[Rated], only_discriminator: bool = False) -> dict[str, np.ndarray]:
    """Compute the run's scores for n rated answers.

    The discriminator D gives two scores: the logarithms of Eq. 9 and Eq. 10. Each generator gives two more: log p(y|x)
    (Eq. 3), and log p(y|x) divided by the number of tokens.

    Args:
        agent: The agent of the run.
        rated: The rated answers.
        only_discriminator: Whether to leave out the scores by the generators.

    Returns:
        {name of the score: its values, a float64 array of shape (n,)}.
    """
    contexts = agent.encode_contexts([one.context for one in rated])
    tokens = agent.tokenise([one.response for one in rated])
    answers = frame_answers([agent.vocabulary.encode(of_one) for of_one in tokens], agent.config.sentence_length)
    pairs = Pairs(contexts, answers, np.arange(len(rated), dtype=np.int32))
    if not only_discriminator:
        reporting.say_cost(estimate.of_ratings(agent, pairs, BATCH))
    starts = range(0, len(rated), BATCH)
    log_l = np.concatenate([agent.judge(contexts[i : i + BATCH], answers[i : i + BATCH]) for i in starts])
    by_d = scoring.log_human_probability(log_l), scoring.log_score(log_l)
    measured: dict[str, np.ndarray] = dict(zip(BY_D, map(np.asarray, by_d), strict=True))
    for name in () if only_discriminator else agent.generators:
        logs = agent.token_log_probabilities(pairs, name)
        title = name.replace("_", " ")
        measured[f"log p(y|x), {title}"] = np.asarray(np.nansum(logs, axis=1, dtype=np.float64))
        measured[f"log p(y|x) / tokens, {title}"] = np.asarray(np.nanmean(logs, axis=1, dtype=np.float64))
    return measured
