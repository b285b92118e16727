import itertools

import numpy as np
import pytest
from scipy.optimize import minimize

from gail_tf.imitation import occupancy
from gail_tf.imitation.occupancy import Environment, imitate


def measures(seed, size=6):
    return np.random.default_rng(seed).dirichlet(np.ones(size), 2)


def three_states(seed=0, actions=2, gamma=0.9):
    """A random environment with three states, and an expert's policy in it."""
    random = np.random.default_rng(seed)
    environment = Environment(random.dirichlet(np.ones(3), (3, actions)), random.dirichlet(np.ones(3)), gamma)
    return environment, random.dirichlet(np.ones(actions) * 0.7, 3)


# Eq. 4-6


def test_equation_5_by_hand():
    np.testing.assert_allclose(occupancy.g(np.log([0.5, 0.2])), [2 * np.log(2), -np.log(0.2) - np.log(0.8)])
    assert np.isinf(occupancy.g([0.0, 1.0])).all()
    assert occupancy.g(-1e-12) == pytest.approx(1e-12 + 12 * np.log(10))
    assert occupancy.g(-800.0) == pytest.approx(800)


def test_equation_4_by_hand():
    expert = np.array([0.25, 0.75])
    assert occupancy.psi_ga(np.log([0.5, 0.2]), expert) == pytest.approx(0.25 * np.log(4) - 0.75 * np.log(0.16))
    assert occupancy.psi_ga(np.array([-1.0, 0.0]), expert) == np.inf


@pytest.mark.parametrize("seed", range(5))
def test_the_conjugate_of_the_regulariser_is_the_optimal_log_loss(seed):
    """The maximum of the conjugate's objective over costs below 0, found numerically, equals the maximum of Eq. 6."""
    policy, expert = measures(seed)
    found = minimize(
        lambda u: -occupancy.conjugate_objective(-np.exp(u), policy, expert),
        np.zeros(len(policy)),
        tol=1e-12,
    )
    best = occupancy.optimal_discriminator(policy, expert)
    assert -found.fun == pytest.approx(occupancy.log_loss(best, policy, expert), abs=1e-9)
    assert -found.fun == pytest.approx(2 * occupancy.jensen_shannon(policy, expert) - np.log(4), abs=1e-9)
    np.testing.assert_allclose(-np.exp(found.x), np.log(best), rtol=1e-3)  # the cost is log D


def test_no_other_discriminator_has_a_better_log_loss():
    policy, expert = measures(1, size=3)
    best = occupancy.log_loss(occupancy.optimal_discriminator(policy, expert), policy, expert)
    grid = np.linspace(0.01, 0.99, 50)
    others = [occupancy.log_loss(np.array(d), policy, expert) for d in itertools.product(grid, repeat=3)]
    assert best - 1e-3 < max(others) <= best


def test_jensen_shannon_at_its_ends():
    policy, expert = measures(2)
    assert occupancy.jensen_shannon(policy, policy) == pytest.approx(0)
    assert occupancy.jensen_shannon(np.array([1.0, 0]), np.array([0, 1.0])) == pytest.approx(np.log(2))
    assert occupancy.jensen_shannon(policy, expert) == pytest.approx(occupancy.jensen_shannon(expert, policy))


# Eq. 1-3


def test_the_occupancy_is_the_discounted_sum_over_time():
    environment, policy = three_states()
    states, expected = environment.start, np.zeros_like(policy)
    for t in range(400):
        pairs = states[:, None] * policy
        expected += (1 - environment.gamma) * environment.gamma**t * pairs
        states = np.einsum("sa,sat->t", pairs, environment.transitions)
    np.testing.assert_allclose(environment.occupancy(policy), expected, atol=1e-12)
    assert environment.occupancy(policy).sum() == pytest.approx(1)


def test_action_costs_satisfy_bellmans_equation():
    environment, policy = three_states()
    cost = np.random.default_rng(1).normal(size=policy.shape)
    found = environment.action_costs(policy, cost)
    following = np.einsum("sat,tb,tb->sa", environment.transitions, policy, found)
    np.testing.assert_allclose(found, cost + environment.gamma * following)


def _policy(theta, shape):
    exponentials = np.exp(theta.reshape(shape))
    return exponentials / exponentials.sum(1, keepdims=True)


def test_reinforcement_learning_minimises_equation_1():
    environment, policy = three_states()
    cost = np.random.default_rng(1).normal(size=policy.shape)
    found = minimize(lambda u: environment.regularised_cost(_policy(u, cost.shape), cost, 0.3), np.zeros(cost.size))
    best = environment.reinforce(cost, 0.3)
    assert environment.regularised_cost(best, cost, 0.3) == pytest.approx(found.fun, abs=1e-8)
    np.testing.assert_allclose(best, _policy(found.x, cost.shape), atol=1e-3)


@pytest.mark.parametrize(("gamma", "actions"), [(0.9, 2), (0.95, 3), (0.0, 5)])
def test_the_alternation_of_algorithm_1_reaches_the_experts_occupancy(gamma, actions):
    environment, expert_policy = three_states(3, actions, gamma)
    expert = environment.occupancy(expert_policy)
    path = list(imitate(environment, expert, 400))
    assert path[0].jensen_shannon > 0.01
    assert path[-1].jensen_shannon < 1e-10
    np.testing.assert_allclose(environment.occupancy(path[-1].policy), expert, atol=1e-5)
    np.testing.assert_allclose(path[-1].d, 0.5, atol=1e-4)  # D can only guess


def test_with_entropy_it_solves_equations_1_to_3():
    """The result minimises Eq. 3: no other policy is better, and RL with the cost that maximises Eq. 2 gives it."""
    environment, expert_policy = three_states(4)
    expert, weight = environment.occupancy(expert_policy), 0.2
    *_, last = imitate(environment, expert, 3000, entropy_weight=weight)
    reached = environment.imitation_objective(last.policy, expert, weight)

    shape = expert.shape
    found = minimize(
        lambda u: environment.imitation_objective(_policy(u, shape), expert, weight), np.zeros(expert.size)
    )
    assert reached == pytest.approx(found.fun, abs=1e-8)
    np.testing.assert_allclose(last.policy, _policy(found.x, shape), atol=1e-3)

    cost = np.log(last.d)
    np.testing.assert_allclose(environment.reinforce(cost, weight), last.policy, atol=1e-6)  # Eq. 1
    highest = environment.inverse_objective(cost, expert, weight)  # Eq. 2
    assert highest == pytest.approx(reached, abs=1e-8)
    random = np.random.default_rng(0)
    for _ in range(20):
        other = cost * np.exp(random.normal(0, 0.1, shape))
        assert environment.inverse_objective(other, expert, weight) < highest
