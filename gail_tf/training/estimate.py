"""Estimates how long a training takes on this machine, and how much memory it needs, before it starts.

The time is the number of floating-point operations of the large matrix products, divided by the rate at which this
machine computes such a product, and by the share of this rate that trainings have reached (`EFFICIENCY`). P is the
number of weights in the matrices of the network's blocks, V the number of tokens in the vocabulary, and E the width of
the hidden states. In a pass over a sequence, a token costs 2 P operations, and 2 V E more if its next token is
predicted. If all weights are trained, the gradient costs twice as much as the pass. If the weights of the network are
frozen, the gradient costs as much as the pass.
"""

import math
import time
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from gail_tf.config import GAILConfig
from gail_tf.data.samples import Samples
from gail_tf.imitation import phases
from gail_tf.models.language_model_config import LanguageModelConfig
from keras_gca.engine.memory import count

EFFICIENCY = {"pass": 0.5, "decoding": 0.25}  # shares of the rate of one matrix product; decoding reads many weights
IMPORTS = 0.9e9  # bytes of TensorFlow and of the tokenizer
SMALL = 20_000_000  # for a network with fewer weights there is no estimate, because its training is short


class Estimate(NamedTuple):
    """The expected cost of a training.

    Attributes:
        seconds: The seconds of each phase, by its name.
        memory: The peak of memory, in bytes.
        rate: The rate of a matrix product on this machine, in operations per second.
    """

    seconds: dict[str, float]
    memory: float
    rate: float

    def __str__(self) -> str:
        minutes = ", ".join(
            f"{name.replace('_', ' ')} {value / 60:.0f}" for name, value in self.seconds.items() if value
        )
        total = sum(self.seconds.values()) / 60
        return (
            f"estimate: about {total:.0f} minutes ({minutes}) and {self.memory / 1e9:.1f} GB of memory; this machine "
            f"multiplies matrices at {self.rate / 1e9:.0f} GFLOP/s"
        )


def estimate(
    config: GAILConfig, sizes: LanguageModelConfig, training: Samples, validation: Samples, rate: float | None = None
) -> Estimate:
    """Estimate the cost of maximum likelihood and Algorithm 1 with a network that is not trained from scratch.

    Args:
        config: The settings.
        sizes: The sizes of the policy's network.
        training: The trajectories to train on.
        validation: The validation trajectories.
        rate: The rate of a matrix product, in operations per second. If None, it is measured.
    """
    rate = rate or matrix_product_rate(sizes.width, config.run.precision)
    shapes = {name: shape for name, shape in sizes.shapes.items() if len(shape) == 2 and name not in sizes.tables}
    blocks, output = 2 * count(shapes.values()), 2 * sizes.vocab_size * sizes.width
    condition, response = (
        float(np.mean(lengths)) for lengths in (training.batch.condition_lengths, training.batch.response_lengths)
    )
    limit = config.data.response_tokens
    read = blocks * (condition + response) + output * response
    learn = read * (3 if config.model.trainable == "full" else 2)
    # All responses of a batch are continued until the last one has ended, which is usually near the limit.
    drawn = blocks * condition + (blocks + output) * limit * EFFICIENCY["pass"] / EFFICIENCY["decoding"]

    experts, held_out = (len(samples.batch.condition) for samples in (training, validation))
    per_buffer, updates = config.rollout.rollouts, config.rollout.updates
    buffers = -(-config.judge.discriminator_steps // phases.steps_on_a_buffer(config)) if updates else 0
    validations = -(-updates // config.run.validation_frequency)
    operations = {
        phases.MAXIMUM_LIKELIHOOD: config.likelihood.mle_epochs * (experts * learn + held_out * read),
        phases.DISCRIMINATOR: buffers * per_buffer * (drawn + 2 * read),
        phases.IMITATION: updates * per_buffer * (drawn + 2 * read + config.ppo.ppo_epochs * learn)
        + validations * held_out * read,
    }
    seconds = {phase: number / rate / EFFICIENCY["pass"] for phase, number in operations.items()}

    weights = 4 * count(sizes.shapes.values())
    # The longest batch decides. For each token, the inputs of all matrix products and as many results are kept.
    at_once, longest = max(config.optimizer.batch_size, config.ppo.minibatch_size), config.data.condition_tokens + limit
    of_a_token = 2 * sum(shape[1] for shape in shapes.values())
    activations = 4 * at_once * (of_a_token * longest + 3 * sizes.vocab_size * limit)
    cache = 4 * 2 * sizes.depth * math.prod(sizes.cache_frame) * longest * per_buffer if updates else 0
    memory = IMPORTS + weights * (4 if config.model.trainable == "full" else 1.5) + activations + cache
    return Estimate(seconds, memory, rate)


def matrix_product_rate(width: int, precision: str) -> float:
    """Measure the rate of a matrix product of a transformer's size on this machine, in operations per second.

    Args:
        width: The width of the network's states.
        precision: "bfloat16" or "float32".
    """
    kind = tf.bfloat16 if precision == "bfloat16" else tf.float32
    a, b = tf.ones([512, width], kind), tf.ones([width, 4 * width], kind)
    times = []
    for _ in range(12):
        began = time.perf_counter()
        tf.matmul(a, b).numpy()
        times.append(time.perf_counter() - began)
    return 2 * 512 * width * 4 * width / float(np.median(times))
