"""Draws random numbers by explicit seeds: one seed for each sample, or one for a whole batch.

Some functions draw by a seed for each sample (`uniform`, `gumbel`, `normal`, `dropout`). The numbers of a sample do not
depend on the other samples of its batch. Therefore a response does not change with its neighbours, and several devices
that share a batch draw the same numbers as one device. The generator is Philox. Programs compiled by XLA draw other
numbers than TensorFlow's normal runtime. Both repeat their own numbers exactly.

Other functions draw by one seed for a batch (`batch_uniform`, `batch_dropout`), in one call for all rows. Each replica
takes the numbers of its own rows. Teacher forcing uses them for dropout on the hundreds of rows of a step. Drawing by a
seed for each row would take 20 ms in place of 3.5 ms (on two cores, in a step of 50 ms).
"""

from collections.abc import Sequence

import tensorflow as tf

from keras_gca.engine.replicas import Place, place, replica

_SMALLEST = 2.0**-24  # replaces the uniform number 0, whose logarithm is infinite; half the distance to the next one


def sample_seeds(seed: tf.Tensor, samples: tf.Tensor) -> tf.Tensor:
    """Derive a seed for each sample.

    Args:
        seed: (2,) int32, the seed of the batch, or (B, 2) int32, one for each sample.
        samples: (B,) int32, the global indices of the samples.

    Returns:
        (B, 2) int32.
    """
    seed = tf.convert_to_tensor(seed)
    scrambled = _scrambled(seed)[None] if seed.shape.rank == 1 else tf.map_fn(_scrambled, seed)
    return tf.map_fn(_scrambled, scrambled + tf.stack([tf.zeros_like(samples), samples], axis=1))


def _scrambled(seed: tf.Tensor) -> tf.Tensor:
    """Draw 64 random bits from a seed, (2,) int32 -> (2,) int32.

    The callers add small numbers to the result. Such a sum is not the result of another seed, as it could be with
    `fold_in`.
    """
    return tf.random.stateless_uniform([2], seed, None, None, tf.int32, alg="philox")


def uniform(seeds: tf.Tensor, place: int | tf.Tensor, shape: Sequence[int | tf.Tensor]) -> tf.Tensor:
    """Draw uniform numbers in [0, 1) for each sample.

    Args:
        seeds: (B, 2) int32, a seed for each sample.
        place: A number that distinguishes this use of the seeds from others, such as that of a token or of a layer.
        shape: The shape of each sample's numbers.

    Returns:
        (B, *shape) float32.
    """
    keys = tf.stack([seeds[:, 0], seeds[:, 1] + place], axis=1)
    return tf.map_fn(
        lambda key: tf.random.stateless_uniform(shape, key, alg="philox"), keys, fn_output_signature=tf.float32
    )


def gumbel(seeds: tf.Tensor, place: int | tf.Tensor, shape: Sequence[int | tf.Tensor]) -> tf.Tensor:
    """Draw from the standard Gumbel distribution: arg-max(log p + noise) is a sample from p. See `uniform`."""
    return -tf.math.log(-tf.math.log(tf.maximum(uniform(seeds, place, shape), _SMALLEST)))


def normal(seeds: tf.Tensor, place: int | tf.Tensor, shape: Sequence[int | tf.Tensor]) -> tf.Tensor:
    """Draw from the standard normal distribution. See `uniform`."""
    return tf.math.ndtri(tf.maximum(uniform(seeds, place, shape), _SMALLEST))


def dropout(values: tf.Tensor, rate: float, seeds: tf.Tensor, place: int) -> tf.Tensor:
    """Set a share `rate` of the values (B, ...) to zero, and scale the others; `uniform` explains seeds and place."""
    if not rate:
        return values
    return _kept(values, rate, uniform(seeds, place, tf.shape(values)[1:]))


def batch_uniform(seed: tf.Tensor, place: Place, shape: Sequence[int | tf.Tensor]) -> tf.Tensor:
    """Draw uniform numbers in [0, 1) for a replica's rows by a seed of the whole batch.

    The numbers of all rows are drawn, so that several replicas use the same numbers as one.

    Args:
        seed: (2,) int32.
        place: The place of the replica's rows.
        shape: The shape of each row's numbers.

    Returns:
        (own, *shape) float32.
    """
    drawn = tf.random.stateless_uniform([place.all, *shape], seed)
    return drawn if replica() is None else drawn[place.before : place.before + place.own]


def batch_gumbel(seed: tf.Tensor, place: Place, shape: Sequence[int | tf.Tensor]) -> tf.Tensor:
    """Draw from the standard Gumbel distribution for a replica's rows; see `batch_uniform`."""
    return -tf.math.log(-tf.math.log(tf.maximum(batch_uniform(seed, place, shape), _SMALLEST)))


def batch_normal(seed: tf.Tensor, place: Place, shape: Sequence[int | tf.Tensor]) -> tf.Tensor:
    """Draw from the standard normal distribution for a replica's rows; see `batch_uniform`."""
    return tf.math.ndtri(tf.maximum(batch_uniform(seed, place, shape), _SMALLEST))


def batch_dropout(values: tf.Tensor, rate: float, seed: tf.Tensor) -> tf.Tensor:
    """Set a share `rate` of the values (B, ...) to zero and scale the others, by a seed (2,) int32 of the batch."""
    if not rate:
        return values
    count, *shape = tf.unstack(tf.shape(values))
    return _kept(values, rate, batch_uniform(seed, place(count), shape))


def _kept(values: tf.Tensor, rate: float, drawn: tf.Tensor) -> tf.Tensor:
    return tf.where(drawn >= rate, values / (1 - rate), 0)
