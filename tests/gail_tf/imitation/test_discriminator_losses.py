import numpy as np
import pytest
import tensorflow as tf

from gail_tf.imitation import discriminator_losses, occupancy, reference
from gail_tf.imitation.encoders import DiscriminatorNetwork
from keras_gca.engine.random import sample_seeds
from keras_gca.errors import UserError
from tests.factories.discriminators import NetworkLearner

LOGITS = np.array([-2.0, 0.0, 0.5, 3.0])  # expert logits


def log_sigmoid(x):
    return -np.log1p(np.exp(-x))


# Features and the network


def test_features_of_a_response():
    states = np.arange(24, dtype=np.float32).reshape(2, 4, 3)
    mask = np.array([[0, 1, 1, 0], [0, 0, 1, 1]])
    states[0, 3] = np.nan
    found = reference.response_features(states, mask)
    np.testing.assert_allclose(found[0], [*states[0, 1:3].mean(0), *states[0, 2]])
    np.testing.assert_allclose(found[1], [*states[1, 2:].mean(0), *states[1, 3]])
    assert not np.any(reference.response_features(states, mask * 0))


def away_from_zero(network, scale=0.3):
    draw = np.random.default_rng(0)
    for variable in network.trainable_variables:
        variable.assign(draw.normal(0, scale, variable.shape))
    return network


def test_the_network_is_the_papers():
    network = away_from_zero(DiscriminatorNetwork(feature_size=7, sentiment_size=2, seed=3))
    gamma, beta, W_1, b_1, W_2, b_2, W_3, b_3 = (variable.numpy() for variable in network.trainable_variables)
    assert (W_1.shape, W_2.shape, W_3.shape) == ((9, 100), (100, 100), (100, 1))
    draw = np.random.default_rng(1)
    features, sentiments = draw.normal(3, 2, (5, 7)), draw.uniform(-1, 1, (5, 2))
    centred = features - features.mean(1, keepdims=True)
    state = centred / np.sqrt((centred**2).mean(1, keepdims=True) + 1e-5) * gamma + beta
    state = np.concatenate([state, sentiments], 1)
    expected = np.tanh(np.tanh(state @ W_1 + b_1) @ W_2 + b_2) @ W_3 + b_3
    found = network(features.astype(np.float32), sentiments.astype(np.float32))
    assert found.shape == (5,)
    np.testing.assert_allclose(found, expected[:, 0], rtol=1e-4, atol=1e-5)


def test_equal_seeds_give_equal_networks_which_start_at_chance():
    networks = [DiscriminatorNetwork(4, seed=seed) for seed in (1, 1, 9)]
    first, same, other = ([variable.numpy() for variable in network.trainable_variables] for network in networks)
    assert all(np.array_equal(a, b) for a, b in zip(first, same, strict=True))
    assert not np.array_equal(first[2], other[2])
    np.testing.assert_array_equal(networks[0](np.ones((3, 4), np.float32)), np.zeros(3))


def test_a_gradient_reaches_the_encoder_behind_the_features():
    network = away_from_zero(DiscriminatorNetwork(6))
    encoder = tf.Variable(tf.random.stateless_normal((5, 3), (0, 1)))
    with tf.GradientTape() as tape:
        states = tf.gather(encoder, [[0, 1, 2], [3, 4, 4]])
        features = reference.response_features(states, [[0.0, 1.0, 1.0], [0.0, 1.0, 0.0]])
        logits = network(features)
        loss = discriminator_losses.binary_loss(logits[:1], logits[1:])
    moved = np.any(tf.convert_to_tensor(tape.gradient(loss, encoder)).numpy(), axis=1)
    assert moved.tolist() == [False, True, True, False, True]  # the states of the prompts have no influence


# Losses


def test_the_binary_loss_by_hand():
    generated = np.array([-1.0, 0.3])
    # By the convention of Eq. 6, high for the policy's responses.
    d_expert, d_generated = 1 / (1 + np.exp(LOGITS)), 1 / (1 + np.exp(generated))
    expected = -np.log(1 - d_expert).mean() - np.log(d_generated).mean()
    found = discriminator_losses.binary_loss(LOGITS, generated)
    assert found.dtype == tf.float32
    assert float(found) == pytest.approx(expected, rel=1e-6)
    assert float(discriminator_losses.binary_loss([0.0], [0.0])) == pytest.approx(2 * np.log(2))
    assert float(discriminator_losses.binary_loss([-900.0], [900.0])) == pytest.approx(1800)
    mask = np.array([1, 0, 1, 0])
    masked = discriminator_losses.binary_loss(LOGITS, generated, mask, np.array([False, True]))
    assert float(masked) == pytest.approx(-log_sigmoid(LOGITS[[0, 2]]).mean() - log_sigmoid(-0.3), rel=1e-6)


def test_the_loss_of_tokens():
    logits, mask = np.array([[1.0, -1.0], [2.0, 9.0]]), np.array([[1, 1], [1, 0]])
    found = discriminator_losses.binary_loss(logits, -logits, mask, mask)
    assert float(found) == pytest.approx(-2 * log_sigmoid(np.array([1.0, -1, 2])).mean(), rel=1e-6)


def test_label_smoothing_is_cross_entropy_with_a_softer_label_for_experts():
    expected = -(0.9 * log_sigmoid(LOGITS) + 0.1 * log_sigmoid(-LOGITS)).mean() - log_sigmoid(-np.array([0.7]))[0]
    found = discriminator_losses.binary_loss(LOGITS, [0.7], label_smoothing=0.1)
    assert float(found) == pytest.approx(expected, rel=1e-6)
    with pytest.raises(UserError, match=r"the label smoothing is 0.5; a number from 0 to below 0.5 is expected"):
        discriminator_losses.binary_loss(LOGITS, [0.7], label_smoothing=0.5)


def test_the_contrastive_loss_is_a_softmax_over_two():
    human, generated = np.array([1.0, -0.5, 40.0]), np.array([0.2, 2.0, 0.0])
    softmax = np.exp(human) / (np.exp(human) + np.exp(generated))
    assert float(discriminator_losses.contrastive_loss(human, generated)) == pytest.approx(
        -np.log(softmax).mean(), rel=1e-6
    )
    found = discriminator_losses.contrastive_loss(human, generated, mask=np.array([True, False, False]))
    assert float(found) == pytest.approx(-np.log(softmax[0]), rel=1e-6)
    assert float(discriminator_losses.contrastive_loss([0.0], [0.0])) == pytest.approx(np.log(2))


def test_instance_noise():
    features = np.random.default_rng(0).normal(size=(4000, 2)) * [1, 10] + 5
    seeds_of = tf.function(sample_seeds, autograph=False)  # in a graph, because it draws the rows one by one
    with_noise = tf.function(discriminator_losses.with_instance_noise, autograph=False)
    seeds, others = (seeds_of((1, last), tf.range(4000)) for last in (2, 3))
    noisy = with_noise(features, 0.5, seeds).numpy()
    np.testing.assert_allclose((noisy - features).std(0), 0.5 * features.std(0), rtol=0.05)
    np.testing.assert_allclose((noisy - features).mean(0) / features.std(0), [0, 0], atol=0.03)
    np.testing.assert_array_equal(noisy, with_noise(features, 0.5, seeds))
    assert np.any(noisy != with_noise(features, 0.5, others))
    # Only the samples that count determine the scale.
    masked = with_noise(features, 0.5, seeds, np.arange(4000) < 100)
    expected = (noisy - features) * features[:100].std(0) / features.std(0)
    np.testing.assert_allclose(masked - features, expected, rtol=1e-3, atol=1e-4)


# Metrics to log


def test_accuracy_and_entropy_by_hand():
    assert float(discriminator_losses.accuracy(LOGITS, expert=True)) == 0.75
    assert float(discriminator_losses.accuracy(LOGITS, expert=False)) == 0.25
    assert float(discriminator_losses.accuracy(LOGITS, expert=True, mask=np.array([1, 0, 0, 1]))) == 0.5
    in_graph = tf.function(lambda logits: discriminator_losses.accuracy(logits, expert=False), jit_compile=True)
    assert float(in_graph(tf.constant(LOGITS, tf.bfloat16))) == 0.25
    p = 1 / (1 + np.exp(-LOGITS))
    expected = -(p * np.log(p) + (1 - p) * np.log(1 - p))
    assert float(discriminator_losses.entropy(LOGITS)) == pytest.approx(expected.mean(), rel=1e-5)
    assert float(discriminator_losses.entropy([0.0])) == pytest.approx(np.log(2))
    assert float(discriminator_losses.entropy([-500.0, 500.0])) == 0


def test_a_trained_discriminator_finds_equation_6s_optimum():
    """There are four replies, which D sees without noise. It learns rho_pi / (rho_pi + rho_E), and reaches its loss."""
    policy, expert = np.array([0.4, 0.3, 0.2, 0.1]), np.array([0.1, 0.1, 0.3, 0.5])
    replies = np.eye(4, dtype=np.float32)
    of_expert, of_policy = (np.repeat(replies, np.round(10 * rho).astype(int), axis=0) for rho in (expert, policy))
    network = DiscriminatorNetwork(4, seed=1)
    learner = NetworkLearner(network, learning_rate=1e-2)
    for _ in range(300):
        loss = learner.train_step(of_expert, of_policy).loss
    best = occupancy.optimal_discriminator(policy, expert)
    np.testing.assert_allclose(tf.sigmoid(-network(replies)), best, atol=0.01)
    assert -float(loss) == pytest.approx(occupancy.log_loss(best, policy, expert), abs=1e-3)


def test_the_auc_by_hand():
    """The expert's logit is higher in four of the six pairs, equal in one, and lower in one."""
    assert discriminator_losses.auc(np.array([2.0, 0.5]), np.array([1.0, 0.5, -1.0])) == pytest.approx(4.5 / 6)
    assert discriminator_losses.auc(np.array([3.0, 2.0]), np.array([1.0])) == 1
    assert np.isnan(discriminator_losses.auc(np.array([]), np.array([1.0])))
