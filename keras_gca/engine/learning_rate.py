"""How the learning rate changes over a training."""

import tensorflow as tf

from keras_gca.errors import UserError


def learning_rate_factor(step: tf.Tensor | int, warmup_steps: int, total_steps: int | None = None) -> tf.Tensor:
    """What to multiply the peak learning rate by at a step counted from 0: a scalar of float32 from 0 to 1.

    It rises in a straight line from 0 to 1 over warmup_steps, then stays, or with total_steps falls in a straight line
    to 0, as TextGAIL's does. Raises UserError where the warm-up does not end before total_steps.
    """
    if total_steps is not None and warmup_steps >= total_steps:
        raise UserError(f"a warm-up of {warmup_steps} steps does not end within {total_steps} steps")
    step = tf.cast(step, tf.float32)
    rising = step / warmup_steps if warmup_steps else tf.ones_like(step)
    falling = 1.0 if total_steps is None else (total_steps - step) / (total_steps - warmup_steps)
    return tf.clip_by_value(tf.minimum(rising, falling), 0.0, 1.0)
