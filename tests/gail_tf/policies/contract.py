"""Assertions that hold for every policy, whatever its network is. The tests of several policies share them."""

import dataclasses

import numpy as np
import tensorflow as tf

from keras_gca.engine.random import gumbel, sample_seeds
from tests.factories.policies import CONDITION, CONFIG, END, MASK, SAMPLINGS, TAUGHT, sample
from tests.oracles.nucleus import by_sorting


def assert_recovered_from_noise(policy, sampling, logits_of):
    """Assert that responses equal those of Algorithm 2 token by token: a sorted nucleus, and arg-max with the same z.

    `logits_of` computes the logits of the same network in NumPy: (condition, response so far) -> (V,). Return the
    lengths of the responses.
    """
    drawn = sample(policy, sampling)
    seeds = sample_seeds([1, 2], tf.range(6))
    z = [gumbel(seeds, t, [CONFIG.vocab_size]).numpy() for t in range(8)]
    for i in range(6):
        tokens, log_probs = [], []
        for t in range(8):
            logits = logits_of(CONDITION[i][MASK[i]], tokens)
            distribution = plain = logits - np.log(np.exp(logits).sum())
            if sampling.temperature:
                distribution = by_sorting(logits / sampling.temperature, sampling.top_p)
            token = int(np.argmax(distribution + (z[t][i] if sampling.temperature else 0)))
            log_probs.append((plain if sampling.counting == "plain" else distribution)[token])
            tokens.append(token)
            if token == END:
                break
        length = len(log_probs)
        assert drawn.tokens[i].numpy().tolist() == tokens + [END] * (8 - length)
        assert drawn.lengths[i] == length
        np.testing.assert_array_equal(drawn.mask[i], np.arange(8) < length)
        np.testing.assert_allclose(drawn.log_probs[i], log_probs + [0] * (8 - length), atol=1e-4)
    return set(drawn.lengths.numpy().tolist())


def assert_probabilities_are_those_of_a_forward_pass(policy, sampling):
    drawn = sample(policy, sampling)
    scores = policy.log_probs(CONDITION, MASK, drawn.tokens, drawn.mask, sampling)
    np.testing.assert_allclose(scores.log_probs, drawn.log_probs, atol=1e-4)
    assert drawn.log_probs.numpy().min() < -1
    assert not scores.log_probs.numpy()[~drawn.mask].any()
    assert not scores.entropy.numpy()[~drawn.mask].any()


def assert_independent_of_company(policy):
    """Assert equal responses in another batch, with more padding, and with a larger limit (GPT-2 has room for 16)."""
    sampling = SAMPLINGS["filtered"]
    together = sample(policy, sampling)
    others = sample(policy, sampling, rows=slice(2, 5), samples=[2, 3, 4])
    wider = policy.sample(
        np.pad(CONDITION, [[0, 0], [4, 0]], constant_values=END), np.pad(MASK, [[0, 0], [4, 0]]), (1, 2), sampling
    )
    longer = sample(policy, dataclasses.replace(sampling, max_new_tokens=16))
    assert not np.array_equal(together.tokens, sample(policy, sampling, samples=tf.range(6, 12)).tokens)
    np.testing.assert_array_equal(others.tokens, together.tokens[2:5])
    np.testing.assert_array_equal(wider.tokens, together.tokens)
    np.testing.assert_array_equal(longer.tokens[:, :8], together.tokens)
    for drawn, expected in ((others, together.log_probs[2:5]), (wider, together.log_probs)):
        np.testing.assert_allclose(drawn.log_probs, expected, atol=1e-4)


def gradients(policy, variables, **options):
    """Compute the gradients of the mean log-probability of some responses, with all variables watched."""
    arrays = tuple(map(tf.constant, TAUGHT))

    @tf.function(**options)
    def descend():
        with tf.GradientTape() as tape:
            tape.watch([variable.value for variable in variables])
            loss = tf.reduce_mean(policy.scores(policy.features(*arrays), *arrays[2:]).log_probs)
        found = tape.gradient(loss, [variable.value for variable in variables])
        return [None if gradient is None else tf.convert_to_tensor(gradient) for gradient in found]

    return descend()
