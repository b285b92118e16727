"""Measures how well D, the likelihood, and the relevance (from an encoder) agree with people's ratings of responses."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import log_expit

from gail_tf.agent import GAILAgent
from gail_tf.base_models.locate import locate
from gail_tf.data.batches import Batch, take
from gail_tf.data.dataset import Data
from gail_tf.data.spelling import as_written
from gail_tf.data.trajectories import Trajectory
from gail_tf.evaluation import estimate
from gail_tf.evaluation.independent import RELEVANCE, Encoder, above_shuffled
from gail_tf.evaluation.sentence_encoder import SentenceEncoder
from gail_tf.imitation.maximum_likelihood import Perplexity
from gail_tf.training.run_folder import GAILRun
from keras_gca.engine import reporting
from keras_gca.errors import UserError
from keras_gca.evaluation import human_ratings
from keras_gca.evaluation.human_ratings import Rated
from keras_gca.models import scoring

BY_D = ("D, Eq. 9", "D, Eq. 10")  # the measures of a D that judges each token, like the D of the first paper


def evaluate_ratings(
    run: str | Path, ratings: str | Path, seed: int = 0, encoder: str | None = None, size: int = 32
) -> dict[str, Any]:
    """Compare automatic measures of responses, such as a run's D, with people's ratings.

    Contexts that occur in the run's training, validation, test or pretraining data are left out.

    Args:
        run: The run folder.
        ratings: The file of ratings; see `human_ratings`.
        seed: The seed for the bootstrap and for the control measure, which consists of random numbers.
        encoder: The independent encoder, in any form that `locate` accepts. If None, relevance is left out.
        size: The number of responses in a batch.

    Returns:
        The results, as `human_ratings.compare` returns them.

    Raises:
        UserError: A file is missing or damaged, the run is not finished, or fewer than two contexts are left.
    """
    rated = human_ratings.read_ratings(ratings)
    made = GAILRun.open(run, "evaluate")
    data, agent = made.data(), GAILAgent.load(made.path)
    kept = human_ratings.unseen(rated, conversations(data))
    if len({one.context for one in kept}) < 2:
        raise UserError(f"{ratings}: at least two contexts that do not occur in the corpus of {run} are expected")
    found = measures(agent, kept, size)
    if encoder is not None:
        found[RELEVANCE] = relevance(SentenceEncoder.read(locate(encoder)), kept)
    logarithms = [name for name in found if name in BY_D]
    return human_ratings.compare(ratings, rated, kept, found, seed, logarithms)


def conversations(data: Data) -> list[tuple[str, ...]]:
    """Return all conversations in a run's corpus and all their beginnings, each as a tuple of utterances."""
    trajectories = (*data.train, *data.test, *data.validation)
    return [*data.general, *((*one.history, one.prompt, one.response) for one in trajectories)]


def measures(agent: GAILAgent, rated: Sequence[Rated], size: int = 32) -> dict[str, np.ndarray]:
    """Compute the measures of n rated responses. Return a dictionary of float64 arrays of shape (n,).

    Contexts and responses are read with the spacing and quotation marks of training text (`as_written`).

    D gives one measure, its logit, if it judges complete responses. A D that judges tokens gives two measures: the
    logarithms of Eq. 9 and Eq. 10 of the first paper. Each policy gives two measures: the log-likelihood of the
    response, and the log-likelihood divided by the number of tokens.
    """
    trajectories = [
        Trajectory(tuple(map(as_written, one.context[:-1])), as_written(one.context[-1]), as_written(one.response))
        for one in rated
    ]
    batch = agent.encode(trajectories)
    reporting.say_cost(estimate.of_ratings(agent.config, agent.policies, batch))
    logits = np.concatenate([_logits(agent, batch, trajectories, start, size) for start in range(0, len(rated), size)])
    if logits.ndim == 2:
        log_l = np.where(batch.response_mask, log_expit(logits.astype(np.float64)), np.nan)
        found = dict(zip(BY_D, (scoring.log_human_probability(log_l), scoring.log_score(log_l)), strict=True))
    else:
        found = {"D": logits.astype(np.float64)}
    for name, policy in agent.policies.items():
        likelihoods = -Perplexity(policy).losses(batch, size)
        title = name.replace("_", " ")
        found[f"log p(y|x), {title}"] = likelihoods
        found[f"log p(y|x) / tokens, {title}"] = likelihoods / batch.response_lengths
    return found


def _logits(agent: GAILAgent, batch: Batch, trajectories: Sequence[Trajectory], start: int, size: int) -> np.ndarray:
    """Compute D's logits for at most `size` responses, starting at index `start`."""
    rows = np.arange(start, min(start + size, len(trajectories)))
    part = take(batch, rows, response_width=batch.response.shape[1])
    some = [trajectories[row] for row in rows.tolist()]
    read = [(*one.history, one.prompt) for one in some]
    return agent.expert_logits(part, part.response, part.response_mask, read, [one.response for one in some])


def relevance(encoder: Encoder, rated: Sequence[Rated]) -> np.ndarray:
    """Compute the relevance of each response to its context as a float64 array; see `independent.above_shuffled`."""
    numbers: dict[tuple[str, ...], int] = {}
    groups = np.array([numbers.setdefault(one.context, len(numbers)) for one in rated])
    responses = encoder([one.response for one in rated])
    return above_shuffled(responses, encoder([" ".join(one.context) for one in rated]), groups)
