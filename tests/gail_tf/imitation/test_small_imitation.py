"""A small Algorithm 1 made of the project's own functions: a table of two-token replies learns an expert's replies."""

import numpy as np
import pytest
import tensorflow as tf

from gail_tf.imitation import occupancy, ppo_losses, rewards
from gail_tf.imitation.encoders import DiscriminatorNetwork
from tests.factories.discriminators import NetworkLearner

PROMPTS, WORDS, BATCH, UPDATES = 3, 3, 128, 60
# The probabilities of whole replies to each prompt.
EXPERT = np.random.default_rng(5).dirichlet(np.full(WORDS**2, 0.4), PROMPTS)


def features(prompts, replies):
    """Return one-hot features of (prompt, reply), which D reads."""
    return tf.one_hot(prompts * WORDS**2 + replies[:, 0] * WORDS + replies[:, 1], PROMPTS * WORDS**2)


class TablePolicy:
    """A policy with tables of logits for each prompt: of the first word, and of the second word after each first."""

    def __init__(self):
        self.variables = [tf.Variable(tf.zeros((PROMPTS, WORDS))), tf.Variable(tf.zeros((PROMPTS, WORDS, WORDS)))]

    def logits(self, prompts, replies):
        first, second = self.variables
        return tf.stack([tf.gather(first, prompts), tf.gather_nd(second, tf.stack([prompts, replies[:, 0]], 1))], 1)

    def log_probs(self, prompts, replies):
        return tf.gather(tf.nn.log_softmax(self.logits(prompts, replies)), replies, batch_dims=2)

    def probabilities(self):
        """Return the probabilities of all replies, (PROMPTS, WORDS ** 2)."""
        first, second = (tf.nn.softmax(variable).numpy() for variable in self.variables)
        return (first[:, :, None] * second).reshape(PROMPTS, -1)


def draw(probabilities, prompts, random):
    reached = random.random((len(prompts), 1)) > np.cumsum(probabilities, axis=1)[prompts, :-1]
    replies = reached.sum(axis=1)
    return tf.constant(np.stack(np.divmod(replies, WORDS), 1), tf.int32)


def divergence(policy):
    p = policy.probabilities()
    return np.mean([occupancy.jensen_shannon(p[i].astype(float), EXPERT[i]) for i in range(PROMPTS)])


@pytest.mark.parametrize(
    ("options", "form"),
    [
        ({"epsilon": 0.2}, "gail"),
        ({"epsilon": None, "kl_coefficient": 1.0}, "logit"),
        ({"epsilon": 0.2, "kl_coefficient": 0.3, "level": "token", "entropy_coefficient": 0.01}, "log_expert"),
    ],
    ids=["clipped", "kl penalty", "both, of tokens"],
)
def test_the_policy_approaches_the_expert(options, form):
    random = np.random.default_rng(0)
    policy, network = TablePolicy(), DiscriminatorNetwork(PROMPTS * WORDS**2)
    learner = NetworkLearner(network, 5e-3, weight_decay=0.01)
    mask = tf.ones((BATCH, 2))

    @tf.function
    def update_policy(prompts, replies, old, advantages):
        with tf.GradientTape() as tape:
            entropy = ppo_losses.entropy(policy.logits(prompts, replies))
            log_probs = policy.log_probs(prompts, replies)
            loss, figures = ppo_losses.policy_loss(log_probs, old, advantages, mask, entropy=entropy, **options)
        for variable, gradient in zip(policy.variables, tape.gradient(loss, policy.variables), strict=True):
            variable.assign_sub(tf.convert_to_tensor(gradient))
        return figures

    statistics, before = rewards.RewardStatistics.initial(), divergence(policy)
    for _ in range(UPDATES):
        prompts = random.integers(PROMPTS, size=BATCH).astype(np.int32)
        replies = draw(policy.probabilities(), prompts, random)
        generated = features(prompts, replies)
        for _ in range(3):
            learner.train_step(features(prompts, draw(EXPERT, prompts, random)), generated)
        normalised, statistics = rewards.normalise(rewards.reward(network(generated), form), statistics)
        old = policy.log_probs(prompts, replies)
        for _ in range(4):
            figures = update_policy(prompts, replies, old, ppo_losses.response_advantages(normalised))
    assert before > 0.1
    assert divergence(policy) < before / 4
    assert 0 <= float(figures["kl"]) < 0.2
