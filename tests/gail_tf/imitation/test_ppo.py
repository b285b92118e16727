import numpy as np
import pytest
import tensorflow as tf

from gail_tf.build import adapters_of
from gail_tf.data.batches import take
from gail_tf.imitation import ppo_losses
from gail_tf.imitation.ppo import PPO
from gail_tf.policies.language_model_policy import Policy
from gail_tf.policies.sampling import Sampling
from tests.factories import small_runs

SAMPLING = Sampling(8)
REWARDS = np.array([1.0, -0.5, 2.0, 0.3], np.float32)
GENERATED = np.array([True, True, False, True])
ZEROS = np.zeros(4, np.float32)
BATCH = take(small_runs.samples().batch, np.array([1, 6, 9, 12]), response_width=8)


def training(**changes) -> PPO:
    """Make a training run without a warm-up, so that one step moves all weights that learn.

    Low-rank adapters and heads start away from zero.
    """
    plain = {"warmup_steps": 0, "generator_learning_rate": 1e-2, "learning_rate_schedule": "constant"}
    settings = small_runs.config(**plain | changes)
    policy = Policy(small_runs.gpt2(settings), settings.model.trainable)
    if settings.model.trainable != "full":
        draw = np.random.default_rng(2)
        for variable in policy.trainable_variables:
            variable.assign(variable.numpy() + draw.normal(0, 0.05, variable.shape))
    assert (policy.network.adapters is None) == (adapters_of(settings) is None)
    return PPO(policy, settings, SAMPLING)


def step(training, log_probs, values=ZEROS, rewards=REWARDS, coefficient=0.1):
    return training.step(BATCH, log_probs, rewards - values, rewards, GENERATED, coefficient)


def values_of(variables):
    return [variable.numpy() for variable in variables]


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize(
    ("changes", "options"),
    [
        ({}, {"epsilon": 0.2, "kl_coefficient": 0.7}),
        ({"objective": "clip", "level": "token"}, {"epsilon": 0.2, "level": "token"}),
        (
            {"objective": "kl", "entropy_bonus": 0.2},
            {"epsilon": None, "kl_coefficient": 0.7, "entropy_coefficient": 0.2},
        ),
    ],
    ids=["both", "clip, tokens", "kl and entropy"],
)  # fmt: skip
def test_a_steps_figures_and_gradient_are_the_objectives(changes, options):
    """Compares a step with `policy_loss` and its gradient, which are computed directly.

    The policy has moved away from the old one.
    """
    learner = training(**changes, gradient_clip=1e9)
    policy = learner.policy
    old = policy.log_probs(*BATCH, SAMPLING).log_probs.numpy()
    old += np.random.default_rng(0).normal(0, 0.1, old.shape).astype(np.float32) * BATCH.response_mask
    values = np.array([0.5, 0.1, -0.2, 0.4], np.float32)
    variables = policy.trainable_variables
    with tf.GradientTape() as tape:
        scores = policy.scores(policy.features(*BATCH), BATCH.response, BATCH.response_mask, SAMPLING)
        advantages = tf.constant(REWARDS - values)
        loss, expected = ppo_losses.policy_loss(
            scores.log_probs, old, advantages, BATCH.response_mask,
            generated=GENERATED, entropy=scores.entropy, **options,
        )  # fmt: skip
    gradients = [tf.convert_to_tensor(each).numpy() for each in tape.gradient(loss, variables)]
    before = values_of(variables)
    found = step(learner, old, values, coefficient=0.7)
    for name, value in expected.items():
        assert found[name] == pytest.approx(float(value), rel=1e-3, abs=1e-5), name
    norm = np.sqrt(sum((each.astype(float) ** 2).sum() for each in gradients))
    assert found["gradient_norm"] == pytest.approx(norm, rel=1e-3)
    # The first step of Adam moves each weight by the learning rate against its gradient, unless the gradient is only
    # rounding.
    for variable, old_value, gradient in zip(variables, before, gradients, strict=True):
        clear = np.abs(gradient) > 1e-3
        decay = 0.01 * old_value if variable.name in ("kernel", "embeddings") else 0
        expected_move = -1e-2 * (np.sign(gradient) + decay)
        np.testing.assert_allclose((variable.numpy() - old_value)[clear], expected_move[clear], rtol=1e-2, atol=1e-5)


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize(
    "trainable", ["full", *(pytest.param(other, marks=pytest.mark.thorough) for other in ("lora", "head"))]
)
def test_at_first_the_ratio_is_1_and_only_what_learns_moves(trainable):
    learner = training(trainable=trainable)
    policy = learner.policy
    old = policy.log_probs(*BATCH, SAMPLING).log_probs.numpy()
    learning = {id(variable) for variable in policy.trainable_variables}
    before = values_of(policy.variables)
    figures = step(learner, old)
    assert figures["mean_ratio"] == pytest.approx(1, abs=1e-4)
    assert (figures["clip_fraction"], figures["kl"]) == (0, pytest.approx(0, abs=1e-6))
    assert figures["objective"] == pytest.approx(REWARDS.mean(), abs=1e-3)
    moved = {}
    for variable, value in zip(policy.variables, before, strict=True):
        changed = not np.array_equal(variable.numpy(), value)
        if id(variable) in learning:
            moved[id(variable)] = changed
        else:
            assert not changed
    assert all(moved.values())
    assert len(moved) == len(learning)
    assert step(learner, old)["mean_ratio"] != pytest.approx(1, abs=1e-4)


@pytest.mark.usefixtures("eagerly")
def test_without_reward_or_penalty_nothing_but_decay_moves_the_policy():
    """All advantages are 0, so that the only change by a step is the decay of the kernels towards zero."""
    learner = training(trainable="head", weight_decay=0.0)
    old = learner.policy.log_probs(*BATCH, SAMPLING).log_probs.numpy()
    before = values_of(learner.policy.trainable_variables)
    step(learner, old, rewards=ZEROS, coefficient=0.0)
    for variable, value in zip(learner.policy.trainable_variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


@pytest.mark.thorough
def test_the_baseline_learns_the_rewards_and_moves_nothing_else():
    still = {"trainable": "head", "generator_learning_rate": 1e-9}
    learner, plain = training(**still, value_baseline="on", discriminator_learning_rate=3e-3), training(**still)
    old = plain.policy.log_probs(*BATCH, SAMPLING).log_probs.numpy()
    np.testing.assert_array_equal(learner.values(BATCH), ZEROS)
    for number in range(80):
        found = step(learner, old, values=learner.values(BATCH))
        if not number:
            assert found.pop("explained_variance") == pytest.approx(0, abs=1e-6)
            assert found == pytest.approx(step(plain, old), rel=1e-4, abs=1e-6)
            for variable, other in zip(learner.policy_learner.variables, plain.policy_learner.variables, strict=True):
                np.testing.assert_array_equal(variable, other)
    np.testing.assert_allclose(learner.values(BATCH), REWARDS, atol=0.1)
    assert found["explained_variance"] > 0.9


@pytest.mark.thorough
def test_tokens_with_rewards_of_their_own():
    """Eq. 7 has an advantage for each token. The baseline learns the value of the state before each token."""
    changes = {"level": "token", "discriminator": "token", "value_baseline": "on", "objective": "kl"}
    learner = training(**changes, trainable="head", generator_learning_rate=1e-9, discriminator_learning_rate=1e-2)
    old = learner.policy.log_probs(*BATCH, SAMPLING).log_probs.numpy()
    mask = BATCH.response_mask
    targets = np.random.default_rng(0).normal(0, 1, mask.shape).astype(np.float32)
    np.testing.assert_array_equal(learner.values(BATCH), np.zeros(mask.shape))
    for number in range(150):
        values = learner.values(BATCH)
        found = learner.step(BATCH, old, targets - values, targets, GENERATED, 0.0)
        if not number:
            assert found["objective"] == pytest.approx(targets[mask].mean(), abs=1e-4)
    np.testing.assert_allclose(learner.values(BATCH)[mask], targets[mask], atol=0.3)
    assert found["explained_variance"] > 0.9


@pytest.mark.parametrize("level", ["response", pytest.param("token", marks=pytest.mark.thorough)])
def test_one_graph_for_minibatches_of_all_widths(level):
    rewards = {"level": "token", "discriminator": "token"} if level == "token" else {}
    learner = training(**rewards, value_baseline="on", trainable="head")
    widths = set()
    for rows in ([1], [1, 6, 9, 12], [0, 1, 2]):
        batch = take(small_runs.samples().batch, np.array(rows))
        ones = np.ones(batch.response.shape if level == "token" else len(rows), np.float32)
        log_probs = np.full(batch.response.shape, -5, np.float32)
        learner.step(batch, log_probs, ones, ones, np.ones(len(rows), bool), 0.1)
        widths.add(batch.response.shape)
    assert len(widths) > 1
    assert (learner.policy_learner.train_step.traces, learner.value_learner.train_step.traces) == (1, 1)


@pytest.mark.thorough
def test_the_rate_falls_to_nearly_nothing_over_all_updates_or_stays():
    for schedule, expected in (("linear", [6, 5, 4, 3, 2, 1]), ("constant", [7] * 6)):  # 3 updates of 2 minibatches
        learner = training(trainable="head", learning_rate_schedule=schedule)
        old = learner.policy.log_probs(*BATCH, SAMPLING).log_probs.numpy()
        rates = []
        for _ in range(6):
            step(learner, old)
            rates.append(float(learner.policy_learner.optimizer.learning_rate))
        assert rates == pytest.approx([1e-2 * each / 7 for each in expected])


def test_no_baseline_gives_zeros():
    np.testing.assert_array_equal(training(trainable="head").values(BATCH), ZEROS)
    of_tokens = training(trainable="head", level="token", discriminator="token").values(BATCH)
    np.testing.assert_array_equal(of_tokens, np.zeros((4, 8)))


@pytest.mark.thorough
@pytest.mark.parametrize("tokens", [{}, {"discriminator": "token", "level": "token"}])
def test_a_head_learns_the_same_from_states_that_are_known(tokens):
    """The states are the features of the frozen GPT-2, computed beforehand. Head and baseline read these states."""
    changes = {"trainable": "head", "value_baseline": "on", **tokens}
    fresh, known = training(**changes), training(**changes)
    assert known.policy.frozen_features
    states = known.policy.features(*BATCH).numpy()
    old = known.policy.log_probs(*BATCH, SAMPLING).log_probs.numpy() - 0.1
    np.testing.assert_allclose(fresh.values(BATCH), known.values(BATCH, states), rtol=1e-4)
    shape = BATCH.response.shape if tokens else REWARDS.shape
    advantages, targets = np.random.default_rng(3).normal(0, 1, (2, *shape)).astype(np.float32)
    figures = [
        each.step(BATCH, old, advantages, targets, GENERATED, 0.1, given)
        for each, given in ((fresh, None), (known, states), (fresh, None), (known, states))
    ]
    assert figures[0] == pytest.approx(figures[1], rel=1e-3, abs=1e-5)
    assert figures[2] == pytest.approx(figures[3], rel=1e-3, abs=1e-4)
    for one, other in zip(fresh.policy.trainable_variables, known.policy.trainable_variables, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-2, atol=1e-5)
    assert not any(training(trainable=other).policy.frozen_features for other in ("full", "lora"))
