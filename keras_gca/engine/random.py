"""Draws random numbers from explicit seeds: one seed for each sample, or one seed for a batch.

Some functions use a seed for each sample (`uniform`, `gumbel`, `normal`, `dropout`). The numbers for a sample do not
depend on the other samples in its batch, so a response is the same in every batch, and several devices that share a
batch draw the same numbers as one device. The generator is Philox. XLA and TensorFlow's normal runtime draw different
numbers from the same seeds, but each of them always draws the same ones.

Other functions use one seed for a batch and draw the numbers for all rows in one call (`batch_uniform`,
`batch_dropout`). Each replica takes the numbers for its own rows. Teacher forcing uses these functions for dropout on
the hundreds of rows in a step. With a seed for each row, drawing would take 20 ms instead of 3.5 ms (on two cores, in a
step of 50 ms).
"""

from collections.abc import Sequence

import tensorflow as tf

from keras_gca.engine.replicas import Place, place, replica

_SMALLEST = 2.0**-24  # replaces 0, whose logarithm is infinite; this is half the distance from 0 to the next number


def sample_seeds(seed: tf.Tensor, samples: tf.Tensor) -> tf.Tensor:
    """Derive a seed for each sample.

    Args:
        seed: The seed of the batch, an int32 array of shape (2,), or one seed for each sample, with shape (B, 2).
        samples: The global indices of the samples, an int32 array of shape (B,).

    Returns:
        The seeds, an int32 array of shape (B, 2).
    """
    seed = tf.convert_to_tensor(seed)
    scrambled = _scrambled(seed)[None] if seed.shape.rank == 1 else tf.map_fn(_scrambled, seed)
    return tf.map_fn(_scrambled, scrambled + tf.stack([tf.zeros_like(samples), samples], axis=1))


def _scrambled(seed: tf.Tensor) -> tf.Tensor:
    """Draw 64 random bits from a seed. The seed and the result are int32 arrays of shape (2,).

    Callers add small numbers to the result to get further seeds. With `fold_in`, such a sum could equal the result for
    another seed.
    """
    return tf.random.stateless_uniform([2], seed, None, None, tf.int32, alg="philox")


def uniform(seeds: tf.Tensor, place: int | tf.Tensor, shape: Sequence[int | tf.Tensor]) -> tf.Tensor:
    """Draw uniform numbers in [0, 1) for each sample.

    Args:
        seeds: The seed of each sample, an int32 array of shape (B, 2).
        place: A number that distinguishes this use of the seeds from others, such as the index of a token or layer.
        shape: The shape of the numbers for each sample.

    Returns:
        A float32 array of shape (B, *shape).
    """
    keys = tf.stack([seeds[:, 0], seeds[:, 1] + place], axis=1)
    return tf.map_fn(
        lambda key: tf.random.stateless_uniform(shape, key, alg="philox"), keys, fn_output_signature=tf.float32
    )


def gumbel(seeds: tf.Tensor, place: int | tf.Tensor, shape: Sequence[int | tf.Tensor]) -> tf.Tensor:
    """Draw noise from the standard Gumbel distribution: arg-max(log p + noise) is a sample from p; see `uniform`."""
    return -tf.math.log(-tf.math.log(tf.maximum(uniform(seeds, place, shape), _SMALLEST)))


def normal(seeds: tf.Tensor, place: int | tf.Tensor, shape: Sequence[int | tf.Tensor]) -> tf.Tensor:
    """Draw from the standard normal distribution; see `uniform`."""
    return tf.math.ndtri(tf.maximum(uniform(seeds, place, shape), _SMALLEST))


def dropout(values: tf.Tensor, rate: float, seeds: tf.Tensor, place: int) -> tf.Tensor:
    """Set values to zero with probability `rate`, and scale the others; see `uniform` for the seeds."""
    if not rate:
        return values
    return _kept(values, rate, uniform(seeds, place, tf.shape(values)[1:]))


def batch_uniform(seed: tf.Tensor, place: Place, shape: Sequence[int | tf.Tensor]) -> tf.Tensor:
    """Draw uniform numbers in [0, 1) for a replica's rows from one seed for the batch.

    Each replica draws the numbers for all rows, so that several replicas use the same numbers as one replica.

    Args:
        seed: The seed of the batch, an int32 array of shape (2,).
        place: The position of the replica's rows.
        shape: The shape of the numbers for each row.

    Returns:
        A float32 array of shape (own, *shape), where `own` is the number of the replica's rows.
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
    """Set a fraction `rate` of values of shape (B, ...) to zero and scale the others; see `batch_uniform`."""
    if not rate:
        return values
    count, *shape = tf.unstack(tf.shape(values))
    return _kept(values, rate, batch_uniform(seed, place(count), shape))


def _kept(values: tf.Tensor, rate: float, drawn: tf.Tensor) -> tf.Tensor:
    return tf.where(drawn >= rate, values / (1 - rate), 0)
