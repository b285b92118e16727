import keras
import numpy as np
import pytest
import tensorflow as tf

from gail_tf.imitation import ppo_losses, trust_region

RANDOM = np.random.default_rng(0)
ROOT = RANDOM.normal(size=(6, 6))
A = (ROOT @ ROOT.T + np.eye(6)).astype(np.float32)  # symmetric positive definite
B = RANDOM.normal(size=6).astype(np.float32)
START = RANDOM.normal(size=6).astype(np.float32)


def quadratic_kl(parameters):
    step = parameters - START
    return tf.tensordot(step, tf.linalg.matvec(A, step), 1) / 2


def test_conjugate_gradients_solve_a_linear_system():
    def product(vector):
        return tf.linalg.matvec(A, vector)

    np.testing.assert_allclose(
        trust_region.conjugate_gradients(product, B, 20), np.linalg.solve(A, B), rtol=1e-3, atol=1e-4
    )
    # One iteration is a step of steepest descent: b times b.b / b.A.b.
    np.testing.assert_allclose(trust_region.conjugate_gradients(product, B, 1), B * (B @ B) / (B @ A @ B), rtol=1e-5)
    np.testing.assert_array_equal(trust_region.conjugate_gradients(product, tf.zeros(6)), np.zeros(6))


def test_a_quadratic_has_its_matrix_as_fisher_product():
    np.testing.assert_allclose(trust_region.fisher_vector_product(quadratic_kl, START, B), A @ B, rtol=1e-4, atol=1e-5)


def test_the_step_on_a_quadratic_is_exact():
    """For a linear objective and a quadratic KL, the best step within the bound is known."""
    step = trust_region.trust_region_step(
        START, lambda theta: tf.tensordot(B, theta, 1), quadratic_kl, max_kl=0.05, damping=0.0, iterations=30
    )
    natural = np.linalg.solve(A, B)
    expected = natural * np.sqrt(2 * 0.05 / (B @ natural))
    np.testing.assert_allclose(step.parameters - START, expected, rtol=1e-2, atol=1e-4)
    assert float(step.fraction) == 1
    assert float(step.kl) == pytest.approx(0.05, rel=1e-3)
    assert float(step.improvement) == pytest.approx(B @ expected, rel=1e-3)


# A softmax policy over five replies

THETA = np.float32([0.3, -0.2, 0.8, 0.0, -1.0])
P = np.exp(THETA) / np.exp(THETA).sum()
ADVANTAGES = np.float32([1.0, -0.5, 0.2, 2.0, -1.0])


def softmax_kl(theta):
    return ppo_losses.exact_kl(THETA, theta)


def softmax_objective(theta):
    return tf.reduce_sum(tf.nn.softmax(theta) * ADVANTAGES)


def test_the_fisher_matrix_of_a_softmax():
    fisher = np.diag(P) - np.outer(P, P)
    columns = [trust_region.fisher_vector_product(softmax_kl, THETA, tf.one_hot(i, 5)) for i in range(5)]
    np.testing.assert_allclose(np.stack(columns, 1), fisher, atol=1e-6)


def test_the_sampled_kl_k3_has_the_same_fisher_matrix_in_the_mean():
    def sampled(theta):
        return tf.reduce_sum(P * ppo_losses.sampled_kl(tf.math.log(P), tf.nn.log_softmax(theta), "k3"))

    vector = tf.constant([1.0, 2.0, -1.0, 0.5, 0.0])
    expected = trust_region.fisher_vector_product(softmax_kl, THETA, vector)
    np.testing.assert_allclose(trust_region.fisher_vector_product(sampled, THETA, vector), expected, atol=1e-6)


def test_the_natural_gradient_of_a_softmax_is_its_advantages():
    """For logits, the natural gradient is the advantage of each action, up to a constant (Kakade 2001)."""
    step = trust_region.trust_region_step(
        THETA, softmax_objective, softmax_kl, max_kl=1e-4, damping=1e-6, iterations=20
    )
    direction = (step.parameters - THETA).numpy()
    advantages = ADVANTAGES - P @ ADVANTAGES
    centred = direction - P @ direction
    np.testing.assert_allclose(centred / np.linalg.norm(centred), advantages / np.linalg.norm(advantages), atol=2e-2)
    assert 0.6e-4 < float(step.kl) <= 1e-4 * (1 + trust_region.ROUNDING)  # the full step, or 0.8 of it


@pytest.mark.parametrize(("max_kl", "steps"), [(0.01, 4), (0.3, 4), (3.0, 1)])
def test_no_step_goes_beyond_the_bound_and_each_improves(max_kl, steps):
    theta = THETA
    for _ in range(steps):
        old = theta
        step = trust_region.trust_region_step(
            theta, softmax_objective, lambda new, old=old: ppo_losses.exact_kl(old, new), max_kl, damping=1e-3
        )
        theta = step.parameters
        assert 0 < float(step.kl) <= max_kl * (1 + trust_region.ROUNDING)
        assert float(step.kl) == pytest.approx(float(ppo_losses.exact_kl(old, theta)), rel=1e-3)
        assert float(softmax_objective(theta) - softmax_objective(old)) == pytest.approx(
            float(step.improvement), abs=1e-5
        )
        assert float(step.improvement) > 0


def test_a_step_compiles():
    def step(parameters):
        return trust_region.trust_region_step(parameters, softmax_objective, softmax_kl)

    compiled = tf.function(step, jit_compile=True)(THETA)
    tf.nest.map_structure(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3), compiled, step(THETA))


# The line search


def test_the_line_search_shortens_a_step_until_the_bound_holds():
    # The KL is the square of the step, and the bound is 0.5. 1 and 0.64 are beyond it; 0.4096 is not.
    found = trust_region.line_search(
        tf.zeros(1), tf.ones(1), lambda x: x[0], lambda x: x[0] ** 2, 0.5, tf.constant(1.0)
    )
    np.testing.assert_allclose(tf.concat([found.parameters, found[1:]], 0), [0.64, 0.64, 0.64, 0.4096], rtol=1e-6)


def test_the_line_search_wants_an_improvement():
    # The objective x (0.9 - x) is -0.1 at 1 and 0.08 at 0.8. The gradient predicts 0.9 x; at 0.8 a tenth of it is
    # 0.072.
    def objective(x):
        return x[0] * (0.9 - x[0])

    found = trust_region.line_search(tf.zeros(1), tf.ones(1), objective, lambda x: 0 * x[0], 1.0, tf.constant(0.9))
    np.testing.assert_allclose(found.parameters, [0.8], rtol=1e-6)
    found = trust_region.line_search(tf.zeros(1), tf.ones(1), objective, lambda x: 0 * x[0], 1.0, tf.constant(2.0))
    np.testing.assert_allclose(found.parameters, [0.64], rtol=1e-6)  # 0.08 is less than 0.16


@pytest.mark.parametrize("objective", [lambda x: -x[0], lambda x: x[0] * float("nan")])
def test_what_never_improves_is_refused(objective):
    found = trust_region.line_search(tf.zeros(1), tf.ones(1), objective, lambda x: 0 * x[0], 1.0, tf.constant(1.0), 3)
    tf.nest.map_structure(lambda part: np.testing.assert_array_equal(part, np.zeros_like(part)), found)


# A network


def test_a_networks_step_against_its_jacobian_in_numpy():
    """For a head as in the paper, F is the mean of J^T (diag(p) - p p^T) J over the batch."""
    keras.utils.set_random_seed(0)
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, "tanh"), keras.layers.Dense(5)])
    weights = [variable.value for variable in network.trainable_variables]
    shapes, start = [weight.shape for weight in weights], trust_region.flatten(weights)
    states = tf.constant(RANDOM.normal(size=(7, 3)), tf.float32)
    actions = RANDOM.integers(5, size=7)
    advantages = tf.constant(RANDOM.normal(size=7), tf.float32)

    def logits(parameters):
        return network.stateless_call(trust_region.unflatten(parameters, shapes), [], states)[0]

    old = logits(start)

    def kl(parameters):
        return tf.reduce_mean(ppo_losses.exact_kl(old, logits(parameters)))

    def objective(parameters):
        log_probs = tf.gather(tf.nn.log_softmax(logits(parameters)), actions, batch_dims=1)
        old_log_probs = tf.gather(tf.nn.log_softmax(old), actions, batch_dims=1)
        return tf.reduce_mean(ppo_losses.surrogate(tf.exp(log_probs - old_log_probs), advantages))

    with tf.GradientTape(persistent=True) as tape:
        tape.watch(start)
        outputs, value = logits(start), objective(start)
    jacobian = tape.jacobian(outputs, start).numpy()  # (7, 5, n)
    gradient = tape.gradient(value, start).numpy()
    p = tf.nn.softmax(old).numpy()
    inner = np.stack([np.diag(row) - np.outer(row, row) for row in p])
    fisher = np.einsum("sai,sab,sbj->ij", jacobian, inner, jacobian) / 7
    vector = RANDOM.normal(size=len(gradient)).astype(np.float32)
    np.testing.assert_allclose(
        trust_region.fisher_vector_product(kl, start, vector), fisher @ vector, rtol=1e-3, atol=1e-5
    )

    step = tf.function(trust_region.trust_region_step)(start, objective, kl, 1e-3, damping=0.1, iterations=40)
    damped = fisher + 0.1 * np.eye(len(gradient))
    natural = np.linalg.solve(damped, gradient)
    expected = natural * np.sqrt(2 * 1e-3 / (gradient @ natural))
    assert float(step.fraction) == 1
    np.testing.assert_allclose(step.parameters - start, expected, rtol=1e-2, atol=1e-4)


def test_weights_survive_as_a_vector():
    weights = [tf.reshape(tf.range(6.0), (2, 3)), tf.constant(7.0), tf.constant([8.0, 9.0])]
    vector = trust_region.flatten(weights)
    assert vector.shape == (9,)
    again = trust_region.unflatten(vector, [weight.shape for weight in weights])
    tf.nest.map_structure(np.testing.assert_array_equal, again, weights)
    with pytest.raises(ValueError, match="the vector has 9 numbers, but there are 6 weights"):
        trust_region.unflatten(vector, [(2, 3)])
