"""Estimates of the time and memory that a training run or an evaluation will need on this machine.

The estimated time is the number of floating-point operations in the large matrix multiplications, divided by this
machine's speed in such multiplications and by the share of this speed that training runs reach in practice
(`EFFICIENCY`).

Let P be the number of weights in the matrices of the network's blocks, V the vocabulary size, and E the width of the
hidden states. In a forward pass, each token costs 2 * P operations, plus 2 * V * E operations if the network predicts
the next token. The gradient costs twice as much as the forward pass if all weights are trained, and as much as the
forward pass if the network's weights are frozen.
"""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from gail_tf.config import GAILConfig
from gail_tf.data.batches import Batch, Rows
from gail_tf.data.samples import ExpertSamples, Samples
from gail_tf.imitation import phases
from gail_tf.models.language_model_config import LanguageModelConfig
from glove.cost import Estimate
from keras_gca.engine.matrix_products import estimate_of
from keras_gca.engine.memory import IMPORTS, count

# The shares of the speed of matrix multiplication that forward passes of a large and of a small network reach, and a
# further factor for decoding. Decoding is slower, because it reads all weights for each token.
EFFICIENCY = {"pass": 0.5, "small": 0.2, "decoding": 0.5}
POSITIONS = "wpe.weight"  # GPT-2's position embeddings, which are added and not multiplied
SMALL = 20_000_000  # networks with fewer weights count as small


class Costs:
    """The costs of passes through a network.

    A pass costs as many operations as a large matrix multiplication would perform in the same time: the operations of
    the pass, divided by EFFICIENCY.

    Args:
        config: The settings.
        sizes: The dimensions of the network.
    """

    def __init__(self, config: GAILConfig, sizes: LanguageModelConfig):
        self._config, self._sizes = config, sizes
        no_products = (*sizes.tables, POSITIONS)
        self._matrices = {name: of for name, of in sizes.shapes.items() if len(of) == 2 and name not in no_products}
        share = EFFICIENCY["small" if count(sizes.shapes.values()) < SMALL else "pass"]
        self._blocks = 2 * count(self._matrices.values()) / share
        self._output = 2 * sizes.vocab_size * sizes.width / share

    def read(self, batch: Batch) -> float:
        """Return the cost of one forward pass over a batch of trajectories."""
        condition, response = (float(np.sum(mask)) for mask in (batch.condition_mask, batch.response_mask))
        return self._blocks * (condition + response) + self._output * response

    def learn(self, batch: Batch) -> float:
        """Return the cost of one training pass over a batch of trajectories."""
        return self.read(batch) * (3 if self._config.model.trainable == "full" else 2)

    def draw(self, batch: Batch) -> float:
        """Return the cost of drawing a response to each trajectory in a batch.

        Drawing continues until the last response in the batch has ended, usually near the length limit.
        """
        tokens = len(batch.condition) * self._config.data.response_tokens
        drawn = (self._blocks + self._output) * tokens / EFFICIENCY["decoding"]
        return self._blocks * float(np.sum(batch.condition_mask)) + drawn

    def estimate(
        self, operations: dict[str, float], learned: int = 0, drawn: int = 0, rate: float | None = None
    ) -> Estimate:
        """Estimate the time and memory of a computation.

        Args:
            operations: The cost of each part of the computation, as returned by the other methods.
            learned: The maximum number of trajectories in a training step, or 0 if nothing is trained.
            drawn: The maximum number of responses drawn at a time, or 0 if none are drawn.
            rate: The speed of matrix multiplication, in operations per second. If None, the speed is measured.
        """
        sizes, limit = self._sizes, self._config.data.response_tokens
        weights: float = 4 * count(sizes.shapes.values())
        if learned:
            weights *= 4 if self._config.model.trainable == "full" else 1.5
        # The longest batch needs the most memory. For each token, the inputs of all matrix multiplications are kept in
        # memory, together with about as many results.
        longest = self._config.data.condition_tokens + limit
        of_a_token = 2 * sum(shape[1] for shape in self._matrices.values())
        activations = 4 * learned * (of_a_token * longest + 3 * sizes.vocab_size * limit)
        cache = 4 * 2 * sizes.depth * math.prod(sizes.cache_frame) * longest * drawn
        shape, precision = (sizes.width, 4 * sizes.width), self._config.run.precision
        return estimate_of(operations, IMPORTS + weights + activations + cache, shape, precision, rate)


def estimate(
    config: GAILConfig,
    sizes: LanguageModelConfig,
    training: ExpertSamples,
    validation: Samples,
    rate: float | None = None,
    general: Rows | None = None,
    stages: Sequence[phases.Stage] | None = None,
) -> Estimate:
    """Estimate the cost of pretraining, maximum likelihood training and Algorithm 1.

    Args:
        config: The settings.
        sizes: The dimensions of the policy's network.
        training: The trajectories to train on.
        validation: The validation trajectories.
        rate: The speed of matrix multiplication, in operations per second. If None, the speed is measured.
        general: The text to pretrain on, or None for a network that is already pretrained.
        stages: The remaining stages, or None for all stages.
    """
    costs, experts, held_out = Costs(config, sizes), training.batch.some(), validation.batch
    read, learn, draw = (one(experts) / len(experts.condition) for one in (costs.read, costs.learn, costs.draw))
    times = training.batch.rows / len(experts.condition)
    left = Counter(
        stage.phase for stage in (phases.schedule(config, general is not None) if stages is None else stages)
    )
    per_buffer, updates = config.rollout.rollouts, left[phases.IMITATION]
    validations = -(-updates // config.run.validation_frequency)
    of_update = config.ppo.ppo_epochs * learn + (0 if config.offline else draw + 2 * read)
    operations = {
        phases.MAXIMUM_LIKELIHOOD: left[phases.MAXIMUM_LIKELIHOOD]
        * (times * costs.learn(experts) + costs.read(held_out)),
        phases.DISCRIMINATOR: left[phases.DISCRIMINATOR] * per_buffer * (draw + 2 * read),
        phases.IMITATION: updates * per_buffer * of_update + validations * costs.read(held_out),
    }
    if general is not None:
        text = general.some()
        of_epoch = general.rows / len(text.condition) * costs.learn(text) + costs.read(held_out)
        operations = {phases.PRETRAINING: left[phases.PRETRAINING] * of_epoch} | operations
    draws = not config.offline and (config.rollout.updates or config.algorithm == "selection")
    learned = max(config.optimizer.batch_size, config.ppo.minibatch_size)
    return costs.estimate(operations, learned, per_buffer if draws else 0, rate)
