"""Estimates, before it starts, how long a training run or an evaluation takes on this machine, and how much memory.

The time is the number of floating-point operations of the large matrix products, divided by the rate at which this
machine computes such a product, and by the share of this rate that training runs have reached (`EFFICIENCY`). P is the
number of weights in the matrices of the network's blocks, V the number of tokens in the vocabulary, and E the width of
the hidden states. In a pass over a sequence, a token costs 2 P operations, and 2 V E more if its next token is
predicted. If all weights are trained, the gradient costs twice as much as the pass. If the weights of the network are
frozen, the gradient costs as much as the pass.
"""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from gail_tf.config import GAILConfig
from gail_tf.data.batches import Batch
from gail_tf.data.samples import Samples
from gail_tf.imitation import phases
from gail_tf.models.language_model_config import LanguageModelConfig
from glove.cost import Estimate
from keras_gca.engine.matrix_products import estimate_of
from keras_gca.engine.memory import IMPORTS, count

# Shares of the rate of one matrix product that are reached by a pass, by a pass of a small network, and by decoding in
# place of a pass. Decoding reads all weights for each token.
EFFICIENCY = {"pass": 0.5, "small": 0.2, "decoding": 0.5}
POSITIONS = "wpe.weight"  # GPT-2's embeddings of positions, which are added and not multiplied
SMALL = 20_000_000  # a network with fewer weights is small


class Costs:
    """The costs of a network, as operations of one matrix product that takes the same time.

    Args:
        config: The settings.
        sizes: The sizes of the network.
    """

    def __init__(self, config: GAILConfig, sizes: LanguageModelConfig):
        self._config, self._sizes = config, sizes
        no_products = (*sizes.tables, POSITIONS)
        self._matrices = {name: of for name, of in sizes.shapes.items() if len(of) == 2 and name not in no_products}
        share = EFFICIENCY["small" if count(sizes.shapes.values()) < SMALL else "pass"]
        self._blocks = 2 * count(self._matrices.values()) / share
        self._output = 2 * sizes.vocab_size * sizes.width / share

    def read(self, batch: Batch) -> float:
        """Return the operations by which the network reads the trajectories of a batch in one pass."""
        condition, response = (float(np.sum(mask)) for mask in (batch.condition_mask, batch.response_mask))
        return self._blocks * (condition + response) + self._output * response

    def learn(self, batch: Batch) -> float:
        """Return the operations by which the network learns from the trajectories of a batch."""
        return self.read(batch) * (3 if self._config.model.trainable == "full" else 2)

    def draw(self, batch: Batch) -> float:
        """Return the operations of a response to each trajectory of a batch.

        All responses that are drawn together are continued until the last one has ended, usually near the limit.
        """
        tokens = len(batch.condition) * self._config.data.response_tokens
        drawn = (self._blocks + self._output) * tokens / EFFICIENCY["decoding"]
        return self._blocks * float(np.sum(batch.condition_mask)) + drawn

    def estimate(
        self, operations: dict[str, float], learned: int = 0, drawn: int = 0, rate: float | None = None
    ) -> Estimate:
        """Estimate time and memory.

        Args:
            operations: The operations of each part.
            learned: The largest number of trajectories in a step of learning, or 0 if nothing is learned.
            drawn: The largest number of responses that are drawn at a time, or 0 if none is drawn.
            rate: The rate of a matrix product in operations per second. If None, it is measured.
        """
        sizes, limit = self._sizes, self._config.data.response_tokens
        weights: float = 4 * count(sizes.shapes.values())
        if learned:
            weights *= 4 if self._config.model.trainable == "full" else 1.5
        # The longest batch decides. For each token, the inputs of all matrix products and as many results are kept.
        longest = self._config.data.condition_tokens + limit
        of_a_token = 2 * sum(shape[1] for shape in self._matrices.values())
        activations = 4 * learned * (of_a_token * longest + 3 * sizes.vocab_size * limit)
        cache = 4 * 2 * sizes.depth * math.prod(sizes.cache_frame) * longest * drawn
        shape, precision = (sizes.width, 4 * sizes.width), self._config.run.precision
        return estimate_of(operations, IMPORTS + weights + activations + cache, shape, precision, rate)


def estimate(
    config: GAILConfig,
    sizes: LanguageModelConfig,
    training: Samples,
    validation: Samples,
    rate: float | None = None,
    general: Batch | None = None,
    stages: Sequence[phases.Stage] | None = None,
) -> Estimate:
    """Estimate the cost of pretraining, maximum likelihood and Algorithm 1.

    Args:
        config: The settings.
        sizes: The sizes of the policy's network.
        training: The trajectories to train on.
        validation: The validation trajectories.
        rate: The rate of a matrix product, in operations per second. If None, it is measured.
        general: The text to pretrain on, or None for a network that is pretrained already.
        stages: The stages that are left. If None, these are all stages.
    """
    costs, experts, held_out = Costs(config, sizes), training.batch, validation.batch
    read, learn, draw = (one(experts) / len(experts.condition) for one in (costs.read, costs.learn, costs.draw))
    left = Counter(
        stage.phase for stage in (phases.schedule(config, general is not None) if stages is None else stages)
    )
    per_buffer, updates = config.rollout.rollouts, left[phases.IMITATION]
    validations = -(-updates // config.run.validation_frequency)
    of_update = config.ppo.ppo_epochs * learn + (0 if config.offline else draw + 2 * read)
    operations = {
        phases.MAXIMUM_LIKELIHOOD: left[phases.MAXIMUM_LIKELIHOOD] * (costs.learn(experts) + costs.read(held_out)),
        phases.DISCRIMINATOR: left[phases.DISCRIMINATOR] * per_buffer * (draw + 2 * read),
        phases.IMITATION: updates * per_buffer * of_update + validations * costs.read(held_out),
    }
    if general is not None:
        of_epoch = costs.learn(general) + costs.read(held_out)
        operations = {phases.PRETRAINING: left[phases.PRETRAINING] * of_epoch} | operations
    draws = not config.offline and (config.rollout.updates or config.algorithm == "selection")
    learned = max(config.optimizer.batch_size, config.ppo.minibatch_size)
    return costs.estimate(operations, learned, per_buffer if draws else 0, rate)
