"""Estimates the time and the memory that the networks need for an evaluation on this machine.

Computations that do not use the networks (BLEU, the word models and the bootstrap) are not counted.
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
        decoding: How the generators choose their answers.
        rate: The speed of matrix multiplication, in operations per second. If None, it is measured.
    """
    costs, some = Costs(agent.config, len(agent.vocabulary)), Lengths.of(held_out)
    generators, systems = len(agent.generators), len(agent.generators) + 1  # the human answers count as a system
    # The discriminators of all other folds are trained on each context, with a human and a machine-generated answer.
    learned = EPOCHS * (FOLDS - 1) * 2 * GRADIENT
    operations = {
        "perplexity": 2 * generators * costs.read(some),  # the second time with shuffled contexts
        "replies": generators * costs.decode(some, decoding.beam or 1),
        "judges": (2 * systems + learned) * costs.judge(some),
    }
    return costs.estimate(operations, len(held_out), BATCH * (decoding.beam or 1), COPIES, rate)


def of_grid(agent: Agent, validation: Pairs, test: Pairs, points: int, rate: float | None = None) -> Estimate:
    """Estimate the cost of generating one generator's replies in `reply_grid.measure_runs`.

    Args:
        agent: The agent.
        validation: The pairs with the contexts that the generator answers at several points of the grid.
        test: The pairs with the contexts that the generator answers only at the best point.
        points: The number of points at which the generator answers `validation`.
        rate: The speed of matrix multiplication, in operations per second. If None, it is measured.
    """
    costs = Costs(agent.config, len(agent.vocabulary))
    operations = {"replies": points * costs.decode(Lengths.of(validation)) + costs.decode(Lengths.of(test))}
    return costs.estimate(operations, len(validation) + len(test), BATCH, 1 + len(agent.generators), rate)


def of_reranking(agent: Agent, held_out: Pairs, candidates: int, rate: float | None = None) -> Estimate:
    """Estimate the cost of `reranking.candidates`.

    Args:
        agent: The agent.
        held_out: The held-out pairs.
        candidates: The number of answers in an N-best list.
        rate: The speed of matrix multiplication, in operations per second. If None, it is measured.
    """
    costs, some = Costs(agent.config, len(agent.vocabulary)), Lengths.of(held_out)
    all_candidates = some.some(some.pairs * candidates)
    # The network of p(y) reads the answers without contexts. The network of p(x|y) reads each answer and predicts the
    # context.
    alone, backward = all_candidates._replace(context=0.0), Lengths(all_candidates.pairs, some.answer, some.context)
    operations = {
        "lists": costs.decode(some, candidates),
        "probabilities": costs.read(alone) + costs.read(backward),
    }
    return costs.estimate(operations, len(held_out), 64 * candidates, 3 * 2, rate)


def of_ratings(agent: Agent, rated: Pairs, at_once: int, rate: float | None = None) -> Estimate:
    """Estimate the cost of `rated_answers.measures`.

    Args:
        agent: The agent.
        rated: The rated answers with their contexts.
        at_once: The number of answers read at a time.
        rate: The speed of matrix multiplication, in operations per second. If None, it is measured.
    """
    costs, some, generators = Costs(agent.config, len(agent.vocabulary)), Lengths.of(rated), len(agent.generators)
    operations = {"discriminator": costs.judge(some), "likelihoods": generators * costs.read(some)}
    return costs.estimate(operations, len(rated), at_once, 1 + generators, rate)
