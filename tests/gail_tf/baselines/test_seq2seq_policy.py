import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from gail_tf.baselines.seq2seq_policy import FIRST, Seq2SeqPolicy, word_start_vectors
from gail_tf.data.batches import Batch, take
from gail_tf.imitation.maximum_likelihood import MaximumLikelihood, Perplexity
from gail_tf.imitation.ppo import PPO
from glove.vectors import Vectors
from keras_gca.engine.random import sample_seeds
from tests.factories import small_runs
from tests.factories.gail import SIZES, padded
from tests.factories.policies import CONDITION, MASK, SAMPLINGS, TAUGHT, sample
from tests.gail_tf.policies.contract import (
    assert_independent_of_company,
    assert_probabilities_are_those_of_a_forward_pass,
    assert_recovered_from_noise,
    gradients,
)
from tests.oracles.encoder_decoder import Transcription
from tests.oracles.equations import BOS

VOCABULARY, END = SIZES["vocab_size"], SIZES["eos_token_id"]
EMBEDDING, UNITS, HIDDEN = 7, 9, 12


def a_policy(dropout=0.0, jit_compile=False):
    """Make a policy of toy sizes.

    Its weights are far from zero, and END is likely, so that some responses end early.
    """
    policy = Seq2SeqPolicy(VOCABULARY, END, EMBEDDING, UNITS, HIDDEN, dropout, jit_compile=jit_compile)
    draw = np.random.default_rng(0)
    for variable in policy.variables:
        variable.assign(draw.normal(0, 0.5, variable.shape))
    bias = policy.gca.layers.decision_bot.bias
    bias.assign(bias.numpy() + 1.2 * np.eye(FIRST + VOCABULARY, dtype=np.float32)[FIRST + END])
    return policy


@pytest.fixture(scope="module")
def policy():
    return a_policy()


def test_features_and_logits_are_those_of_the_equations(policy):
    condition, mask, response, response_mask = TAUGHT
    condition = np.where(np.arange(9) == 7, END, condition)  # END inside a condition is a token, not padding
    features = policy.features(*map(tf.constant, (condition, mask, response, response_mask)))
    logits = policy.logits(features)
    assert features.shape == (6, 5, policy.feature_size)
    assert logits.shape == (6, 5, VOCABULARY)
    equations = Transcription(policy)
    for i in range(6):
        for t in range(response_mask[i].sum()):
            given = condition[i][mask[i]], response[i, :t]
            np.testing.assert_allclose(features[i, t], equations.state(*given), atol=1e-5)
            np.testing.assert_allclose(logits[i, t], equations.logits(*given), atol=1e-4)


def test_the_softmax_is_that_of_keras_own_figure_without_pad_and_bos(policy):
    condition, mask, response, _ = TAUGHT
    logits = policy.logits(policy.features(*map(tf.constant, TAUGHT)))[:, 1]
    length = policy.gca.sizes.sentence_length
    context, answer = np.zeros((2, 6, length), np.int32)
    context[:, -9:] = np.where(mask, FIRST + condition, 0)
    answer[:, -2:] = np.stack([np.full(6, BOS), FIRST + response[:, 0]], axis=1)
    p = policy.gca.generator.predict([context, answer], verbose=0)[:, FIRST:]
    np.testing.assert_allclose(tf.nn.softmax(logits), p / p.sum(1, keepdims=True), atol=1e-5)


@pytest.mark.parametrize("name", SAMPLINGS)
def test_a_response_is_recovered_from_noise(policy, name):
    lengths = assert_recovered_from_noise(policy, SAMPLINGS[name], Transcription(policy).logits)
    assert len(lengths) > 1 or name == "greedy"


@pytest.mark.parametrize("name", ["plain", "filtered"])
def test_a_forward_pass_gives_the_probabilities_of_sampling(policy, name):
    assert_probabilities_are_those_of_a_forward_pass(policy, SAMPLINGS[name])


def test_a_response_depends_on_nothing_but_its_condition_and_its_noise(policy):
    assert_independent_of_company(policy)


def test_candidates_and_rows_of_padding(policy):
    drawn = sample(policy, SAMPLINGS["plain"], candidates=3)
    repeated = policy.sample(np.repeat(CONDITION, 3, 0), np.repeat(MASK, 3, 0), (1, 2), SAMPLINGS["plain"])
    np.testing.assert_array_equal(drawn.tokens, repeated.tokens)
    np.testing.assert_allclose(drawn.log_probs, repeated.log_probs, atol=1e-4)
    empty = policy.sample(np.zeros_like(CONDITION), np.zeros_like(MASK), (1, 2), SAMPLINGS["plain"])
    assert np.isfinite(empty.log_probs).all()
    with pytest.raises(ValueError, match=r"the shape of samples is \(6,\); \(12,\) is expected"):
        sample(policy, SAMPLINGS["plain"], samples=range(6), candidates=2)


def test_a_shape_is_traced_once():
    policy = a_policy()
    sampling = SAMPLINGS["plain"]
    for seed in range(3):
        drawn = policy.sample(CONDITION, MASK, (seed, seed), sampling)
        policy.log_probs(CONDITION, MASK, drawn.tokens, drawn.mask, sampling)
    assert policy.trace_counts() == {"sample": 1, "log_probs": 1}


@pytest.mark.thorough
def test_compiled_by_xla(policy):
    compiled = a_policy(jit_compile=True)
    drawn = sample(compiled, SAMPLINGS["filtered"])
    assert len(set(drawn.lengths.numpy().tolist())) > 1
    arrays = CONDITION, MASK, drawn.tokens, drawn.mask, SAMPLINGS["filtered"]
    expected = policy.log_probs(*arrays)
    np.testing.assert_allclose(drawn.log_probs, expected.log_probs, atol=1e-4)
    np.testing.assert_allclose(compiled.log_probs(*arrays).log_probs, expected.log_probs, atol=1e-4)


@pytest.mark.thorough
def test_gradients_reach_everything_and_are_those_of_finite_differences(policy):
    variables = policy.trainable_variables
    assert variables == policy.variables
    found = gradients(policy, variables)
    for variable, gradient in zip(variables, found, strict=True):
        assert np.abs(gradient).max() > 0, variable.path
    variable, gradient = variables[1], found[1]  # the LSTM of the condition, which is farthest from the loss
    direction = np.random.default_rng(3).normal(size=variable.shape).astype(np.float32)
    start, values = variable.numpy(), []
    for step in (0.002, -0.002):
        variable.assign(start + step * direction)
        values.append(policy.log_probs(*TAUGHT).log_probs.numpy().astype(np.float64).mean())
    variable.assign(start)
    assert (gradient.numpy() * direction).sum() == pytest.approx((values[0] - values[1]) / 0.004, rel=0.05)


def test_dropout_is_by_seed():
    policy = a_policy(dropout=0.5)
    arrays = tuple(map(tf.constant, TAUGHT))
    seeds = sample_seeds([5, 6], tf.range(6))
    whole, once, again = (policy.features(*arrays, each).numpy() for each in (None, seeds, seeds))
    part = policy.features(*(array[2:4] for array in arrays), seeds[2:4])
    np.testing.assert_array_equal(once, again)
    np.testing.assert_allclose(part, once[2:4], atol=1e-5)
    assert 0.4 < (once == 0).mean() < 0.6
    assert (whole != 0).all()


@pytest.mark.thorough
def test_it_learns_whom_it_answers():
    """Each response is the last token of its condition, twice. Only the memory of the condition can give this token."""
    condition, mask = padded(np.arange(16) % 5, [0] * 16, 6, seed=4)
    response = np.stack([condition[:, -1], condition[:, -1], np.full(16, END)], axis=1).astype(np.int32)
    batch = Batch(condition, mask, response, np.ones_like(response, bool))
    policy = Seq2SeqPolicy(VOCABULARY, END, 16, 24, 32, dropout=0.1)
    likelihood = MaximumLikelihood(policy, 2e-2)
    for step in range(80):
        likelihood.train_step(batch, np.arange(len(batch.response), dtype=np.int32), np.int32([1, step]))
    drawn = policy.sample(condition, mask, (0, 0), dataclasses.replace(SAMPLINGS["greedy"], max_new_tokens=3))
    assert np.mean(drawn.tokens.numpy() == response) > 0.9


def test_perplexity_and_ppo_take_it_as_it_is(eagerly):
    settings = small_runs.config(value_baseline="on")
    tokenizer = small_runs.tokenizer()
    policy = Seq2SeqPolicy(len(tokenizer), tokenizer.end, EMBEDDING, UNITS, HIDDEN)
    batch = take(small_runs.samples().batch, np.arange(6), 8)  # two rows are padding
    before = Perplexity(policy)(small_runs.samples(1).batch)
    # An untrained policy gives all tokens about the same probability.
    assert before == pytest.approx(len(tokenizer), rel=0.1)
    training = PPO(policy, settings, SAMPLINGS["plain"])
    log_probs = policy.log_probs(*batch).log_probs.numpy()
    rewards = np.linspace(-1, 1, 8).astype(np.float32)
    figures = training.step(batch, log_probs, rewards, training.values(batch), np.arange(8) < 6, 0.1)
    assert figures["gradient_norm"] > 0
    assert figures["kl"] == pytest.approx(0, abs=1e-5)  # in the first step, old and new policy are equal
    assert not np.array_equal(policy.log_probs(*batch).log_probs, log_probs)


def test_word_vectors():
    tokenizer = small_runs.tokenizer()
    words = [tokenizer.decode([i]) for i in range(len(tokenizer))]
    word = next(text[1:] for text in words if text.startswith(" ") and text[1:].isalpha())
    vectors = Vectors(["no-such-token", word], np.arange(2 * EMBEDDING, dtype=np.float32).reshape(2, EMBEDDING))
    found = word_start_vectors(tokenizer, vectors)
    assert {words[token].strip().lower() for token in found} == {word}
    plain, given = (
        Seq2SeqPolicy(len(tokenizer), tokenizer.end, EMBEDDING, UNITS, HIDDEN, word_vectors=start)
        for start in (None, found)
    )
    for i, (one, other) in enumerate(zip(plain.variables, given.variables, strict=True)):
        differs = (one.numpy() != other.numpy()).reshape(one.shape[0], -1).any(1)
        assert np.flatnonzero(differs).tolist() == ([FIRST + token for token in sorted(found)] if i == 0 else [])
    np.testing.assert_array_equal(given.variables[0].numpy()[FIRST + next(iter(found))], vectors.matrix[1])
    with pytest.raises(ValueError, match=r"the shape of a word vector is \(3,\); \(7,\) is expected"):
        Seq2SeqPolicy(VOCABULARY, END, EMBEDDING, UNITS, HIDDEN, word_vectors={5: np.zeros(3)})
