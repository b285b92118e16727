"""Random numbers by explicit seeds: of a whole batch, or of each sample.

Numbers by sample (`uniform`, `gumbel`, `normal`, `dropout`): what a sample draws depends on its own seed alone, not on
the batch that it stands in. So a response does not change with its neighbours, and several devices that share a batch
draw what one device draws. The numbers are Philox's; programs compiled by XLA draw others than the plain runtime does,
each the same every time.

Numbers of a batch (`batch_uniform`, `batch_dropout`) are drawn in one call for all rows, and each replica takes its
own. Teacher forcing drops out hundreds of rows a step, where numbers by sample take five times as long (20 ms a step
instead of 3.5 on two cores, beside a step of 50).
"""

from collections.abc import Sequence

import tensorflow as tf

from keras_gca.engine.replicas import Place, place, replica

_SMALLEST = 2.0**-24  # half the step between two uniform numbers, for the one that is 0


def sample_seeds(seed: tf.Tensor, samples: tf.Tensor) -> tf.Tensor:
    """A seed for each sample: (2,) int32 and the samples' global indices, (B,) int32 -> (B, 2) int32.

    seed: or one for each sample, (B, 2).
    """
    seed = tf.convert_to_tensor(seed)
    scrambled = _scrambled(seed)[None] if seed.shape.rank == 1 else tf.map_fn(_scrambled, seed)
    return tf.map_fn(_scrambled, scrambled + tf.stack([tf.zeros_like(samples), samples], axis=1))


def _scrambled(seed: tf.Tensor) -> tf.Tensor:
    """64 random bits from a seed: (2,) int32 each. Adding to one of them cannot lead to another's (fold_in's can)."""
    return tf.random.stateless_uniform([2], seed, None, None, tf.int32, alg="philox")


def uniform(seeds: tf.Tensor, place: int | tf.Tensor, shape: Sequence[int | tf.Tensor]) -> tf.Tensor:
    """Numbers in [0, 1) of the given shape for each sample.

    seeds: (B, 2) int32. place: what tells this use of a seed from its others (the number of a token, or of a dropout).
    Returns (B, *shape) float32.
    """
    keys = tf.stack([seeds[:, 0], seeds[:, 1] + place], axis=1)
    return tf.map_fn(
        lambda key: tf.random.stateless_uniform(shape, key, alg="philox"), keys, fn_output_signature=tf.float32
    )


def gumbel(seeds: tf.Tensor, place: int | tf.Tensor, shape: Sequence[int | tf.Tensor]) -> tf.Tensor:
    """The same, from the standard Gumbel distribution: arg-max(log p + noise) is a sample from p."""
    return -tf.math.log(-tf.math.log(tf.maximum(uniform(seeds, place, shape), _SMALLEST)))


def normal(seeds: tf.Tensor, place: int | tf.Tensor, shape: Sequence[int | tf.Tensor]) -> tf.Tensor:
    """The same, from the standard normal distribution."""
    return tf.math.ndtri(tf.maximum(uniform(seeds, place, shape), _SMALLEST))


def dropout(values: tf.Tensor, rate: float, seeds: tf.Tensor, place: int) -> tf.Tensor:
    """Set a share `rate` of the values (B, ...) to zero and scale the others; seeds and place as for `uniform`."""
    if not rate:
        return values
    return _kept(values, rate, uniform(seeds, place, tf.shape(values)[1:]))


def batch_uniform(seed: tf.Tensor, place: Place, shape: Sequence[int | tf.Tensor]) -> tf.Tensor:
    """Numbers in [0, 1) for a replica's rows, (own, *shape) float32, by a seed (2,) int32 of the whole batch.

    Those of all rows are drawn, so that several replicas have what one has.
    """
    drawn = tf.random.stateless_uniform([place.all, *shape], seed)
    return drawn if replica() is None else drawn[place.before : place.before + place.own]


def batch_dropout(values: tf.Tensor, rate: float, seed: tf.Tensor) -> tf.Tensor:
    """Set a share `rate` of the values (B, ...) to zero and scale the others, by a seed (2,) int32 of the batch."""
    if not rate:
        return values
    count, *shape = tf.unstack(tf.shape(values))
    return _kept(values, rate, batch_uniform(seed, place(count), shape))


def _kept(values: tf.Tensor, rate: float, drawn: tf.Tensor) -> tf.Tensor:
    return tf.where(drawn >= rate, values / (1 - rate), 0)
