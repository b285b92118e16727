"""The learning-rate schedule of a training run."""

import tensorflow as tf

from keras_gca.errors import UserError


def learning_rate_factor(step: tf.Tensor | int, warmup_steps: int, total_steps: int | None = None) -> tf.Tensor:
    """Compute the learning rate of a step as a fraction of the peak learning rate.

    The fraction rises linearly from 0 to 1 over `warmup_steps`. After that, it falls linearly to 0 at `total_steps`, as
    in TextGAIL. Without `total_steps`, it stays at 1.

    Args:
        step: The index of the step, counted from 0.
        warmup_steps: The number of warm-up steps.
        total_steps: The number of steps in the training run, or None to keep the learning rate at its peak after the
            warm-up.

    Returns:
        A float32 scalar from 0 to 1.

    Raises:
        UserError: The warm-up does not end before `total_steps`.
    """
    if total_steps is not None and warmup_steps >= total_steps:
        raise UserError(f"a warm-up of {warmup_steps} steps does not end within {total_steps} steps")
    step = tf.cast(step, tf.float32)
    rising = step / warmup_steps if warmup_steps else tf.ones_like(step)
    falling = 1.0 if total_steps is None else (total_steps - step) / (total_steps - warmup_steps)
    return tf.clip_by_value(tf.minimum(rising, falling), 0.0, 1.0)
