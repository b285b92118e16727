"""The step of trust region policy optimisation (TRPO, Schulman et al. 2015), as used by the original GAIL.

All parameters of a network form one float32 vector of shape (n,). The caller passes two pure functions of this vector:
`objective`, which is maximised, and `kl`, the policy's mean KL(old || new), whose minimum, 0, is at the old parameters.
`flatten` and `unflatten` convert a network's weights to a vector and back. All functions in this module can be called
inside a TensorFlow graph.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf

Scalar = Callable[[tf.Tensor], tf.Tensor]  # (n,) -> ()
Product = Callable[[tf.Tensor], tf.Tensor]  # (n,) -> (n,)
SHRINKAGE = 0.8  # a rejected step is multiplied by this factor
ROUNDING = 1e-3  # the KL of a step may exceed its bound by this fraction, to allow for float32 rounding errors


class Step(NamedTuple):
    """The result of a step.

    Attributes:
        parameters: The new parameters, or the old ones if the line search rejected every step, shape (n,) and dtype
            float32.
        fraction: The accepted fraction of the full natural-gradient step, a scalar. It is 0 if the line search rejected
            every step.
        improvement: The increase of the objective, a scalar.
        kl: The mean KL(old || new) of the step, a scalar.
    """

    parameters: tf.Tensor
    fraction: tf.Tensor
    improvement: tf.Tensor
    kl: tf.Tensor


def trust_region_step(
    parameters: tf.Tensor,
    objective: Scalar,
    kl: Scalar,
    max_kl: float = 0.01,
    damping: float = 0.1,
    iterations: int = 10,
    backtracks: int = 10,
) -> Step:
    """Take a step along the natural gradient, as far as the bound on the KL allows (Schulman et al. 2015, Appendix C).

        s = sqrt(2 * max_kl / (x^T F x)) * x,  where F x = g

    The full step is s, g is the gradient of the objective, and F is the Fisher information matrix. A line search
    shortens s until the KL is within the bound and the objective improves.

    Args:
        parameters: The old parameters, shape (n,) and dtype float32.
        objective: The function to maximise.
        kl: The mean KL(old || new), as a function of the new parameters.
        max_kl: The maximum KL of the step, called delta in the paper.
        damping: The number added to the diagonal of F.
        iterations: The number of conjugate gradient iterations for solving F x = g.
        backtracks: The maximum number of times the line search shortens the step.

    Returns:
        The result of the step.
    """
    variable = tf.identity(parameters)
    with tf.GradientTape() as tape:
        tape.watch(variable)
        value = objective(variable)
    gradient = tape.gradient(value, variable, unconnected_gradients=tf.UnconnectedGradients.ZERO)

    def product(vector: tf.Tensor) -> tf.Tensor:
        return fisher_vector_product(kl, parameters, vector) + damping * vector

    direction = conjugate_gradients(product, gradient, iterations)
    # The KL of a step s is about s^T F s / 2. The length of s is chosen so that this equals max_kl.
    curvature = tf.reduce_sum(direction * product(direction))
    full_step = direction * tf.sqrt(tf.math.divide_no_nan(2 * max_kl, curvature))
    return line_search(parameters, full_step, objective, kl, max_kl, tf.reduce_sum(gradient * full_step), backtracks)


def fisher_vector_product(kl: Scalar, parameters: tf.Tensor, vector: tf.Tensor) -> tf.Tensor:
    """Multiply a vector v by the Fisher information matrix F, the second derivative of the KL at its minimum.

    If `kl` uses `ppo_losses.exact_kl`, F is exact for the states of a batch. If `kl` uses `ppo_losses.sampled_kl` with
    the estimator k3, F is estimated from the sampled actions. (The estimator k1 is unsuitable, because its second
    derivative does not estimate F.)

    Args:
        kl: The mean KL(old || new), as a function of the new parameters.
        parameters: The old parameters, shape (n,) and dtype float32.
        vector: v, shape (n,) and dtype float32.

    Returns:
        The product F v, shape (n,) and dtype float32.
    """
    # The tape watches a copy. `kl` may use the tensor `parameters` itself as the old policy, which must stay constant.
    variable = tf.identity(parameters)
    with tf.GradientTape() as outer:
        outer.watch(variable)
        with tf.GradientTape() as inner:
            inner.watch(variable)
            divergence = kl(variable)
        gradient = inner.gradient(divergence, variable)
        along = tf.reduce_sum(gradient * tf.stop_gradient(vector))
    return outer.gradient(along, variable)


def conjugate_gradients(product: Product, b: tf.Tensor, iterations: int = 10, tolerance: float = 1e-10) -> tf.Tensor:
    """Solve A x = b by the conjugate gradient method, for a symmetric positive definite matrix A.

    Args:
        product: A function that multiplies a vector by A.
        b: The right-hand side, shape (n,) and dtype float32.
        iterations: The maximum number of iterations.
        tolerance: The relative tolerance. Iteration ends when |A x - b|^2 is at most tolerance * |b|^2.

    Returns:
        The approximate solution x, shape (n,) and dtype float32.
    """
    enough = tolerance * tf.reduce_sum(tf.square(b))

    def unsolved(
        i: tf.Tensor, x: tf.Tensor, residual: tf.Tensor, direction: tf.Tensor, squared: tf.Tensor
    ) -> tf.Tensor:
        return (i < iterations) & (squared > enough)

    def body(
        i: tf.Tensor, x: tf.Tensor, residual: tf.Tensor, direction: tf.Tensor, squared: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        image = product(direction)
        length = tf.math.divide_no_nan(squared, tf.reduce_sum(direction * image))
        residual = residual - length * image
        following = tf.reduce_sum(tf.square(residual))
        x, direction = x + length * direction, residual + following / squared * direction
        return i + 1, x, residual, direction, following

    start = (0, tf.zeros_like(b), b, b, tf.reduce_sum(tf.square(b)))
    return tf.while_loop(unsolved, body, start)[1]


def line_search(
    parameters: tf.Tensor,
    full_step: tf.Tensor,
    objective: Scalar,
    kl: Scalar,
    max_kl: float,
    expected_improvement: tf.Tensor,
    backtracks: int = 10,
    least_ratio: float = 0.1,
) -> Step:
    """Shorten a step until its KL is at most max_kl and the objective improves sufficiently.

    The candidates are full_step, SHRINKAGE * full_step, SHRINKAGE^2 * full_step, and so on. The first candidate that
    meets both conditions is accepted.

    Args:
        parameters: The old parameters, shape (n,) and dtype float32.
        full_step: The full natural-gradient step, shape (n,) and dtype float32.
        objective: The function to maximise.
        kl: The mean KL(old || new), as a function of the new parameters.
        max_kl: The maximum KL.
        expected_improvement: The improvement that the gradient predicts for full_step, a scalar.
        backtracks: The maximum number of times the step is shortened.
        least_ratio: The smallest acceptable improvement, as a fraction of the improvement that the gradient predicts
            for the shortened step.

    Returns:
        The result of the step.
    """
    value = objective(parameters)

    def attempt(refusals: tf.Tensor, refused: tf.Tensor, _: Step) -> tuple[tf.Tensor, tf.Tensor, Step]:
        fraction = tf.pow(SHRINKAGE, tf.cast(refusals, tf.float32))
        candidate = parameters + fraction * full_step
        step = Step(candidate, fraction, objective(candidate) - value, kl(candidate))
        # Both comparisons are false for NaN.
        improved = step.improvement >= least_ratio * fraction * expected_improvement
        return refusals + 1, ~(improved & (step.kl <= max_kl * (1 + ROUNDING))), step

    none = Step(parameters, *tf.unstack(tf.zeros(3)))
    _, refused, last = tf.while_loop(
        lambda refusals, refused, _: (refusals <= backtracks) & refused, attempt, (0, tf.constant(True), none)
    )
    return tf.nest.map_structure(lambda old, new: tf.where(refused, old, new), none, last)


def flatten(tensors: Sequence[tf.Tensor]) -> tf.Tensor:
    """Flatten weights of any shapes into one float32 vector of shape (n,)."""
    return tf.concat([tf.reshape(tf.cast(tensor, tf.float32), [-1]) for tensor in tensors], axis=0)


def unflatten(vector: tf.Tensor, shapes: Sequence[tf.TensorShape]) -> list[tf.Tensor]:
    """Convert a vector back to weights. This is the inverse of `flatten`.

    Args:
        vector: The vector, shape (n,).
        shapes: The shapes of the weights.

    Returns:
        The weights.

    Raises:
        ValueError: The length of the vector differs from the total number of weights.
    """
    sizes = [tf.TensorShape(shape).num_elements() for shape in shapes]
    if vector.shape[0] not in (None, sum(sizes)):
        raise ValueError(f"the vector has {vector.shape[0]} numbers, but there are {sum(sizes)} weights")
    return [tf.reshape(part, shape) for part, shape in zip(tf.split(vector, sizes), shapes, strict=True)]
