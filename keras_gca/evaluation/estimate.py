"""Estimates how long the networks of an evaluation take on this machine, and how much memory they need.

What is computed without the networks is not counted: BLEU, the models of words, and the bootstrap.
"""

from glove.cost import Estimate
from keras_gca.agent import Agent
from keras_gca.data.pairs import Pairs
from keras_gca.evaluation.judges import BATCH, EPOCHS, FOLDS
from keras_gca.models.costs import COPIES, GRADIENT, Costs, Lengths
from keras_gca.models.decoding_settings import Decoding


def of_evaluation(agent: Agent, held_out: Pairs, decoding: Decoding, rate: float | None = None) -> Estimate:
    """Estimate the cost of `replies.evaluate`.

    Args:
        agent: The agent.
        held_out: The held-out pairs.
        decoding: How the generators answer.
        rate: The rate of a matrix product in operations per second. If None, it is measured.
    """
    costs, some = Costs(agent.config, len(agent.vocabulary)), Lengths.of(held_out)
    generators, systems = len(agent.generators), len(agent.generators) + 1  # with the human answers
    # Each pair, with a human and with a machine-generated answer, is learned by the discriminators of all other folds.
    learned = EPOCHS * (FOLDS - 1) * 2 * GRADIENT
    operations = {
        "perplexity": generators * costs.read(some),
        "replies": generators * costs.decode(some, decoding.beam or 1),
        "judges": (2 * systems + learned) * costs.judge(some),
    }
    return costs.estimate(operations, len(held_out), BATCH * (decoding.beam or 1), COPIES, rate)


def of_grid(agent: Agent, validation: Pairs, test: Pairs, points: int, rate: float | None = None) -> Estimate:
    """Estimate the cost of the replies of one generator in `reply_grid.measure_runs`.

    Args:
        agent: The agent.
        validation: The pairs that are answered at several points.
        test: The pairs that are answered at the best point.
        points: The number of points that are sampled.
        rate: The rate of a matrix product in operations per second. If None, it is measured.
    """
    costs = Costs(agent.config, len(agent.vocabulary))
    operations = {"replies": points * costs.decode(Lengths.of(validation)) + costs.decode(Lengths.of(test))}
    return costs.estimate(operations, len(validation) + len(test), BATCH, 1 + len(agent.generators), rate)


def of_reranking(agent: Agent, held_out: Pairs, candidates: int, rate: float | None = None) -> Estimate:
    """Estimate the cost of `reranking.candidates`.

    Args:
        agent: The agent.
        held_out: The held-out pairs.
        candidates: The number of answers in a list.
        rate: The rate of a matrix product in operations per second. If None, it is measured.
    """
    costs, some = Costs(agent.config, len(agent.vocabulary)), Lengths.of(held_out)
    all_candidates = some.some(some.pairs * candidates)
    # p(y) reads the answers without contexts; p(x|y) reads each answer, and predicts the context.
    alone, backward = all_candidates._replace(context=0.0), Lengths(all_candidates.pairs, some.answer, some.context)
    operations = {
        "lists": costs.decode(some, candidates),
        "probabilities": costs.read(alone) + costs.read(backward),
    }
    return costs.estimate(operations, len(held_out), 64 * candidates, 3 * 2, rate)
