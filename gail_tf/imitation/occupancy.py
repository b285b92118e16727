"""Eq. 1-6 for discrete occupancy measures, in NumPy: what Algorithm 1 approximates, where all of it can be computed.

An occupancy measure rho is the discounted distribution of (state, action) that a policy meets, normalised to sum 1. D
is Eq. 6's: high for the policy's pairs. All arrays are float64.

Shapes: S states, A actions; transitions (S, A, S), the probabilities of the next state; start (S,).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np


# Eq. 4-6
def g(x: np.ndarray) -> np.ndarray:
    """Eq. 5: -x - log(1 - e^x) where x < 0, infinite elsewhere."""
    x = np.asarray(x, np.float64)
    negative = np.minimum(x, -np.finfo(float).tiny)
    return np.where(x < 0, -negative - np.log(-np.expm1(negative)), np.inf)


def psi_ga(cost: np.ndarray, expert: np.ndarray) -> float:
    """Eq. 4, the regulariser of a cost function: the expert's mean of g(cost), infinite unless all costs are < 0."""
    if np.any(cost >= 0):
        return np.inf
    return float(np.sum(expert * g(cost)))


def conjugate_objective(cost: np.ndarray, policy: np.ndarray, expert: np.ndarray) -> float:
    """What the convex conjugate psi*_GA(rho_pi - rho_E) maximises over costs: <rho_pi - rho_E, c> - psi_GA(c)."""
    return float(np.sum((policy - expert) * cost)) - psi_ga(cost, expert)


def log_loss(d: np.ndarray, policy: np.ndarray, expert: np.ndarray) -> float:
    """What Eq. 6 maximises: E_pi[log D] + E_E[log(1 - D)]; d in (0, 1)."""
    return float(np.sum(policy * np.log(d)) + np.sum(expert * np.log1p(-d)))


def optimal_discriminator(policy: np.ndarray, expert: np.ndarray) -> np.ndarray:
    """Eq. 6's D at its maximum, rho_pi / (rho_pi + rho_E); the cost that maximises the conjugate is its logarithm.

    Both measures must be above 0.
    """
    return policy / (policy + expert)


def jensen_shannon(policy: np.ndarray, expert: np.ndarray) -> float:
    """The Jensen-Shannon divergence in nats, 0 to log 2; Eq. 6's value is 2 of it minus log 4."""
    middle = (policy + expert) / 2
    return (_kl(policy, middle) + _kl(expert, middle)) / 2


def _kl(p: np.ndarray, q: np.ndarray) -> float:
    return float(np.sum(p[p > 0] * np.log(p[p > 0] / q[p > 0])))


# Eq. 1-3
@dataclass(frozen=True)
class Environment:
    """A Markov decision process without rewards; gamma, from 0 to below 1, is the discount.

    With one action's worth of future (gamma = 0) it is a contextual bandit: prompts are states, replies are actions.
    """

    transitions: np.ndarray
    start: np.ndarray
    gamma: float

    def occupancy(self, policy: np.ndarray) -> np.ndarray:
        """rho, (S, A), of a policy (S, A): (1 - gamma) sum over t of gamma^t P(s_t = s, a_t = a)."""
        moves = np.einsum("sa,sat->st", policy, self.transitions)
        states = np.linalg.solve(np.eye(len(moves)) - self.gamma * moves.T, (1 - self.gamma) * self.start)
        return states[:, None] * policy

    def action_costs(self, policy: np.ndarray, cost: np.ndarray) -> np.ndarray:
        """Q, (S, A): the discounted sum of costs (S, A), from an action on, under a policy."""
        moves = np.einsum("sa,sat->st", policy, self.transitions)
        values = np.linalg.solve(np.eye(len(moves)) - self.gamma * moves, np.sum(policy * cost, axis=1))
        return cost + self.gamma * self.transitions @ values

    def reinforce(self, cost: np.ndarray, entropy_weight: float = 1.0, iterations: int = 1000) -> np.ndarray:
        """Eq. 1, RL(c): the policy (S, A) that minimises -entropy_weight H(pi) + E_pi[c], by soft value iteration."""
        values = np.zeros(len(self.start))
        for _ in range(iterations):
            scores = -(cost + self.gamma * self.transitions @ values) / entropy_weight
            top = scores.max(axis=1)
            values = -entropy_weight * (top + np.log(np.exp(scores - top[:, None]).sum(axis=1)))
        return _softmax(scores)

    def regularised_cost(self, policy: np.ndarray, cost: np.ndarray, entropy_weight: float = 1.0) -> float:
        """Eq. 1's objective for one policy: -entropy_weight H(pi) + E_pi[c]."""
        return float(np.sum(self.occupancy(policy) * (entropy_weight * np.log(policy) + cost)))

    def inverse_objective(self, cost: np.ndarray, expert: np.ndarray, entropy_weight: float = 1.0) -> float:
        """What Eq. 2, inverse reinforcement learning, maximises over costs, with psi_GA; expert is rho_E, (S, A)."""
        smallest = self.regularised_cost(self.reinforce(cost, entropy_weight), cost, entropy_weight)
        return -psi_ga(cost, expert) + smallest - float(np.sum(expert * cost))

    def imitation_objective(self, policy: np.ndarray, expert: np.ndarray, entropy_weight: float = 1.0) -> float:
        """What Eq. 3 minimises over policies: -entropy_weight H(pi) + psi*_GA(rho_pi - rho_E)."""
        divergence = 2 * jensen_shannon(self.occupancy(policy), expert) - np.log(4)
        return self.regularised_cost(policy, np.zeros_like(expert), entropy_weight) + divergence


@dataclass(frozen=True)
class Imitation:
    """One iteration of `imitate`: the policy (S, A), Eq. 6's D (S, A), and the divergence of the two occupancies."""

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
    """Algorithm 1 on tables: Eq. 3 by turns, one step of D up Eq. 6, then one step of the policy down Q of c = log D.

    expert: rho_E, (S, A). The policy starts uniform, D at 1/2. D's step is gradient ascent on its logits, each scaled
    by the mass that both measures have there (a Newton step where D is 1/2 and the rate 1). The policy's step is the
    exact optimum of Eq. 7's kind of objective in every state: the mean of Q under the new policy (which counts the
    entropy of later states too), minus entropy_weight times its entropy, plus 1 / policy_rate times its KL from the old
    one. Every state must be reachable.
    """
    policy = np.full_like(expert, 1 / expert.shape[1])
    logits = np.zeros_like(expert)  # of D: high for the policy's
    for _ in range(iterations):
        occupancy = environment.occupancy(policy)
        d = _sigmoid(logits)
        ascent = occupancy * (1 - d) - expert * d  # the gradient of Eq. 6 by the logits
        logits = logits + discriminator_rate * 4 * ascent / (occupancy + expert)
        d = _sigmoid(logits)
        # -log D is the reward; log D by way of softplus does not overflow.
        surprise = entropy_weight * np.log(policy)
        costs = environment.action_costs(policy, -np.logaddexp(0, -logits) + surprise) - surprise
        policy = _softmax((np.log(policy) - policy_rate * costs) / (1 + policy_rate * entropy_weight))
        yield Imitation(policy, d, jensen_shannon(environment.occupancy(policy), expert))


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return np.exp(-np.logaddexp(0, -x))


def _softmax(x: np.ndarray) -> np.ndarray:
    exponentials = np.exp(x - x.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)
