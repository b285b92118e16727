"""Eq. 1-6 in NumPy, for few states and actions. Algorithm 1 approximates these equations with neural networks.

An occupancy measure rho is the discounted distribution of the (state, action) pairs that a policy visits, normalised to
a sum of 1. rho_pi belongs to the policy and rho_E to the expert. D is the discriminator of Eq. 6, and D(s, a) is high
for the policy's pairs. H(pi) is the causal entropy of a policy. All arrays have dtype float64.

Shapes: S states and A actions.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np


# Eq. 4-6
def g(x: np.ndarray) -> np.ndarray:
    """Compute g of Eq. 5: -x - log(1 - e^x) where x < 0, and infinity elsewhere."""
    x = np.asarray(x, np.float64)
    negative = np.minimum(x, -np.finfo(float).tiny)
    return np.where(x < 0, -negative - np.log(-np.expm1(negative)), np.inf)


def psi_ga(cost: np.ndarray, expert: np.ndarray) -> float:
    """Compute the cost regulariser of Eq. 4: the mean of g(cost) under rho_E, or infinity if any cost is >= 0."""
    if np.any(cost >= 0):
        return np.inf
    return float(np.sum(expert * g(cost)))


def conjugate_objective(cost: np.ndarray, policy: np.ndarray, expert: np.ndarray) -> float:
    """Compute <rho_pi - rho_E, c> - psi_GA(c), whose maximum over costs c is psi*_GA(rho_pi - rho_E)."""
    return float(np.sum((policy - expert) * cost)) - psi_ga(cost, expert)


def log_loss(d: np.ndarray, policy: np.ndarray, expert: np.ndarray) -> float:
    """Compute the objective that Eq. 6 maximises, E_pi[log D] + E_E[log(1 - D)], for d in (0, 1)."""
    return float(np.sum(policy * np.log(d)) + np.sum(expert * np.log1p(-d)))


def optimal_discriminator(policy: np.ndarray, expert: np.ndarray) -> np.ndarray:
    """Compute the D that maximises Eq. 6, rho_pi / (rho_pi + rho_E).

    The cost c = log D attains the maximum of `conjugate_objective`.

    Args:
        policy: rho_pi, shape (S, A), with positive values.
        expert: rho_E, shape (S, A), with positive values.

    Returns:
        D, shape (S, A).
    """
    return policy / (policy + expert)


def jensen_shannon(policy: np.ndarray, expert: np.ndarray) -> float:
    """Compute the Jensen-Shannon divergence JS in nats, from 0 to log 2. The maximum of Eq. 6 is 2 * JS - log 4."""
    middle = (policy + expert) / 2
    return (_kl(policy, middle) + _kl(expert, middle)) / 2


def _kl(p: np.ndarray, q: np.ndarray) -> float:
    return float(np.sum(p[p > 0] * np.log(p[p > 0] / q[p > 0])))


# Eq. 1-3
@dataclass(frozen=True)
class Environment:
    """A Markov decision process without rewards.

    With gamma = 0, the process is a contextual bandit, for example with prompts as states and replies as actions.

    Attributes:
        transitions: The probabilities of the next state, shape (S, A, S).
        start: The probabilities of the first state, shape (S,).
        gamma: The discount factor, in [0, 1).
    """

    transitions: np.ndarray
    start: np.ndarray
    gamma: float

    def occupancy(self, policy: np.ndarray) -> np.ndarray:
        """Compute the occupancy measure of a policy.

            rho(s, a) = (1 - gamma) sum_t gamma^t P(s_t = s, a_t = a)

        Args:
            policy: The probabilities of the actions in each state, shape (S, A).

        Returns:
            rho, shape (S, A).
        """
        moves = np.einsum("sa,sat->st", policy, self.transitions)
        states = np.linalg.solve(np.eye(len(moves)) - self.gamma * moves.T, (1 - self.gamma) * self.start)
        return states[:, None] * policy

    def action_costs(self, policy: np.ndarray, cost: np.ndarray) -> np.ndarray:
        """Compute Q(s, a), the expected discounted cost of taking a in s and following the policy afterwards.

        Args:
            policy: The probabilities of the actions in each state, shape (S, A).
            cost: The cost of each state and action, shape (S, A).

        Returns:
            Q, shape (S, A).
        """
        moves = np.einsum("sa,sat->st", policy, self.transitions)
        values = np.linalg.solve(np.eye(len(moves)) - self.gamma * moves, np.sum(policy * cost, axis=1))
        return cost + self.gamma * self.transitions @ values

    def reinforce(self, cost: np.ndarray, entropy_weight: float = 1.0, iterations: int = 1000) -> np.ndarray:
        """Compute RL(c) of Eq. 1, the policy that minimises -entropy_weight * H(pi) + E_pi[c], by soft value iteration.

        Args:
            cost: c, shape (S, A).
            entropy_weight: The weight of the entropy H.
            iterations: The number of iterations.

        Returns:
            The policy, shape (S, A).
        """
        values = np.zeros(len(self.start))
        for _ in range(iterations):
            scores = -(cost + self.gamma * self.transitions @ values) / entropy_weight
            top = scores.max(axis=1)
            values = -entropy_weight * (top + np.log(np.exp(scores - top[:, None]).sum(axis=1)))
        return _softmax(scores)

    def regularised_cost(self, policy: np.ndarray, cost: np.ndarray, entropy_weight: float = 1.0) -> float:
        """Compute the objective of Eq. 1 for one policy: -entropy_weight * H(pi) + E_pi[c]."""
        return float(np.sum(self.occupancy(policy) * (entropy_weight * np.log(policy) + cost)))

    def inverse_objective(self, cost: np.ndarray, expert: np.ndarray, entropy_weight: float = 1.0) -> float:
        """Compute the objective of inverse reinforcement learning for one cost. Eq. 2 maximises it over costs."""
        smallest = self.regularised_cost(self.reinforce(cost, entropy_weight), cost, entropy_weight)
        return -psi_ga(cost, expert) + smallest - float(np.sum(expert * cost))

    def imitation_objective(self, policy: np.ndarray, expert: np.ndarray, entropy_weight: float = 1.0) -> float:
        """Compute the objective of Eq. 3 for one policy: -entropy_weight * H(pi) + psi*_GA(rho_pi - rho_E)."""
        divergence = 2 * jensen_shannon(self.occupancy(policy), expert) - np.log(4)
        return self.regularised_cost(policy, np.zeros_like(expert), entropy_weight) + divergence


@dataclass(frozen=True)
class Imitation:
    """The result of an iteration of `imitate`.

    Attributes:
        policy: The policy, shape (S, A).
        d: D of Eq. 6, shape (S, A).
        jensen_shannon: The Jensen-Shannon divergence between the policy's and the expert's occupancy measures, in nats.
    """

    policy: np.ndarray
    d: np.ndarray
    jensen_shannon: float


def imitate(
    environment: Environment,
    expert: np.ndarray,
    iterations: int,
    discriminator_rate: float = 1.0,
    policy_rate: float = 0.1,
    entropy_weight: float = 0.0,
) -> Iterator[Imitation]:
    """Run Algorithm 1 with tables instead of networks.

    In each iteration, D takes one step that increases the objective of Eq. 6. Then the policy takes one step that
    decreases Q for the cost c = log D. The initial policy is uniform, and the initial D is 1/2 everywhere.

    D's step is a gradient ascent step on D's logits, divided by rho_pi + rho_E. (It is a Newton step where D is 1/2 and
    the rate is 1.) The policy's step minimises an objective like Eq. 7 exactly in every state: the mean of Q under the
    new policy, minus entropy_weight times the new policy's entropy, plus 1 / policy_rate times the KL from the old
    policy. Q includes the entropy of later states.

    Args:
        environment: The environment. All of its states must be reachable.
        expert: rho_E, shape (S, A).
        iterations: The number of iterations.
        discriminator_rate: The step size of D.
        policy_rate: The step size of the policy.
        entropy_weight: The weight of the policy's entropy in Eq. 3.

    Yields:
        The policy, D and the divergence after each iteration.
    """
    policy = np.full_like(expert, 1 / expert.shape[1])
    logits = np.zeros_like(expert)  # D's logits, high for the policy's pairs
    for _ in range(iterations):
        occupancy = environment.occupancy(policy)
        d = _sigmoid(logits)
        ascent = occupancy * (1 - d) - expert * d  # the gradient of Eq. 6 with respect to the logits
        logits = logits + discriminator_rate * 4 * ascent / (occupancy + expert)
        d = _sigmoid(logits)
        # -log D is the reward; softplus computes log D without overflow.
        surprise = entropy_weight * np.log(policy)
        costs = environment.action_costs(policy, -np.logaddexp(0, -logits) + surprise) - surprise
        policy = _softmax((np.log(policy) - policy_rate * costs) / (1 + policy_rate * entropy_weight))
        yield Imitation(policy, d, jensen_shannon(environment.occupancy(policy), expert))


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return np.exp(-np.logaddexp(0, -x))


def _softmax(x: np.ndarray) -> np.ndarray:
    exponentials = np.exp(x - x.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)
