"""Keras optimizers for gradients that are already summed over the replicas, and possibly clipped."""

from collections.abc import Sequence

import keras
import tensorflow as tf


class _SummedGradients:
    """A mixin that keeps a Keras optimizer from summing gradients over the replicas, because they are already summed.

    Keras has no public way to do this, so a private method is overridden.
    """

    def _all_reduce_sum_gradients(
        self, grads_and_vars: Sequence[tuple[tf.Tensor, keras.Variable]]
    ) -> Sequence[tuple[tf.Tensor, keras.Variable]]:
        return grads_and_vars


class Adam(_SummedGradients, keras.optimizers.Adam):
    """Adam for gradients already summed by `replicas.total`."""


class AdamW(_SummedGradients, keras.optimizers.AdamW):
    """AdamW for gradients already summed by `replicas.total`."""
