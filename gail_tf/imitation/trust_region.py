"""Trust region policy optimisation (Schulman et al. 2015), which the original GAIL uses: a natural-gradient step.

Parameters are one vector, (n,) float32, and what is optimised are pure functions of it: `objective`, to be made large,
and `kl`, the mean KL(old || new), whose minimum 0 lies at the old parameters. `flatten` and `unflatten` lead from and
to a network's weights, for `keras.Model.stateless_call`. All may be compiled.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf

Scalar = Callable[[tf.Tensor], tf.Tensor]  # (n,) -> ()
Product = Callable[[tf.Tensor], tf.Tensor]  # (n,) -> (n,)
SHRINKAGE = 0.8  # of a step that is refused
ROUNDING = 1e-3  # the share by which the KL of a step may exceed its bound: float32's error in a sum of many terms


class Step(NamedTuple):
    """Outcome of a step: parameters (n,), and scalars of float32.

    fraction: of the natural-gradient step, that the line search has kept; 0 if it has refused all, and the parameters
    are the old ones. improvement: of the objective. kl: from the old parameters.
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
    """The step of Schulman et al. 2015, Appendix C: up the natural gradient, as far as the KL may go.

    max_kl: delta, in the unit of kl. damping: added to the Fisher matrix' diagonal. iterations: of the conjugate
    gradients. backtracks: how often the line search shortens the step.
    """
    variable = tf.identity(parameters)
    with tf.GradientTape() as tape:
        tape.watch(variable)
        value = objective(variable)
    gradient = tape.gradient(value, variable, unconnected_gradients=tf.UnconnectedGradients.ZERO)

    def product(vector: tf.Tensor) -> tf.Tensor:
        return fisher_vector_product(kl, parameters, vector) + damping * vector

    direction = conjugate_gradients(product, gradient, iterations)
    # The KL of a step s is about s^T F s / 2, and is to be max_kl.
    curvature = tf.reduce_sum(direction * product(direction))
    full_step = direction * tf.sqrt(tf.math.divide_no_nan(2 * max_kl, curvature))
    return line_search(parameters, full_step, objective, kl, max_kl, tf.reduce_sum(gradient * full_step), backtracks)


def fisher_vector_product(kl: Scalar, parameters: tf.Tensor, vector: tf.Tensor) -> tf.Tensor:
    """F v, (n,): F is the second derivative of the KL at its minimum, which is Fisher's information matrix.

    With `ppo.exact_kl` that is the exact matrix for the states of a batch; with `ppo.sampled_kl`'s k3 it is the one
    estimated from the sampled actions. (k1 estimates a KL, but no Fisher matrix.)
    """
    # A tensor of its own: the old policy inside `kl` may hold this one, and must stay where it is.
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
    """x with A x = b, (n,), for a symmetric positive definite A that is known by its product with a vector.

    Ends after so many iterations, or when the squared length of A x - b is tolerance of that of b.
    """
    enough = tolerance * tf.reduce_sum(tf.square(b))

    def go_on(i: tf.Tensor, x: tf.Tensor, residual: tf.Tensor, direction: tf.Tensor, squared: tf.Tensor) -> tf.Tensor:
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
    return tf.while_loop(go_on, body, start)[1]


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
    """The first of full_step, SHRINKAGE full_step, ... whose KL is within max_kl and which improves the objective.

    expected_improvement: the gradient times full_step. An improvement must be least_ratio of what the gradient promises
    for the shorter step. backtracks: how often to shorten it.
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
    """Weights of any shapes as one vector, (n,) float32."""
    return tf.concat([tf.reshape(tf.cast(tensor, tf.float32), [-1]) for tensor in tensors], axis=0)


def unflatten(vector: tf.Tensor, shapes: Sequence[tf.TensorShape]) -> list[tf.Tensor]:
    """The weights of these shapes that `flatten` has made a vector of. Raises ValueError if their sizes do not fit."""
    sizes = [tf.TensorShape(shape).num_elements() for shape in shapes]
    if vector.shape[0] not in (None, sum(sizes)):
        raise ValueError(f"a vector of {vector.shape[0]} numbers for weights of {sum(sizes)}")
    return [tf.reshape(part, shape) for part, shape in zip(tf.split(vector, sizes), shapes, strict=True)]
