"""Estimates of the time and memory that the networks in an evaluation need on this machine.

The estimates cover only what the policies compute. They do not include BLEU, word vectors, encoders, n-gram models, the
bootstrap, or the policies of RL-Seq2Seq, whose LSTMs are small.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from gail_tf.config import GAILConfig
from gail_tf.data.batches import Batch, take
from gail_tf.policies.base import LanguagePolicy
from gail_tf.policies.language_model_policy import Policy
from gail_tf.training.estimate import Costs
from glove.cost import Estimate


def of_evaluation(
    config: GAILConfig,
    policies: Mapping[str, LanguagePolicy],
    test: Batch,
    answered: np.ndarray,
    batch_size: int,
    rate: float | None = None,
) -> Estimate:
    """Estimate the cost of the perplexities, responses and MAUVE features in `measure.evaluate`.

    Args:
        config: The settings of the run.
        policies: The policies to measure, by name.
        test: The test trajectories.
        answered: The indices of the trajectories to answer, as an int64 array of shape (m,).
        batch_size: The number of responses to sample at a time.
        rate: The speed of matrix multiplication, in operations per second. If None, it is measured.
    """
    made = _costs(config, policies)
    if not made:
        return Estimate({}, 0.0, "was not measured")
    some = take(test, answered)
    operations = {
        "perplexity": sum(costs.read(test) for costs in made),
        "responses": sum(costs.draw(some) for costs in made),
        # MAUVE reads each response and each human response without its condition.
        "features": sum(2 * costs.read(some) for costs in made),
    }
    return made[0].estimate(operations, drawn=batch_size, rate=rate)


def of_grid(
    config: GAILConfig,
    policy: LanguagePolicy,
    validation: Batch,
    test: Batch,
    points: int,
    batch_size: int,
    rate: float | None = None,
) -> Estimate:
    """Estimate the cost of sampling one policy's responses in `quality_diversity.measure_policies`.

    Args:
        config: The settings of the run.
        policy: The policy.
        validation: The trajectories to answer at each point of the grid.
        test: The trajectories to answer only at the best point.
        points: The number of points at which `validation` is answered.
        batch_size: The number of responses to sample at a time.
        rate: The speed of matrix multiplication, in operations per second. If None, it is measured.
    """
    made = _costs(config, {"policy": policy})
    if not made:
        return Estimate({}, 0.0, "was not measured")
    (costs,) = made
    operations = {"responses": points * costs.draw(validation) + costs.draw(test)}
    return costs.estimate(operations, drawn=batch_size, rate=rate)


def of_ratings(
    config: GAILConfig, policies: Mapping[str, LanguagePolicy], rated: Batch, rate: float | None = None
) -> Estimate:
    """Estimate the cost of `rated_responses.measures`.

    The discriminator counts as one additional pass through the network, because the network computes its features.

    Args:
        config: The settings of the run.
        policies: The policies of the run, by name.
        rated: The rated responses with their contexts.
        rate: The speed of matrix multiplication, in operations per second. If None, it is measured.
    """
    made = _costs(config, policies)
    if not made:
        return Estimate({}, 0.0, "was not measured")
    operations = {"discriminator": made[0].read(rated), "likelihoods": sum(costs.read(rated) for costs in made)}
    return made[0].estimate(operations, rate=rate)


def _costs(config: GAILConfig, policies: Mapping[str, LanguagePolicy]) -> Sequence[Costs]:
    return [Costs(config, policy.network.config) for policy in policies.values() if isinstance(policy, Policy)]
