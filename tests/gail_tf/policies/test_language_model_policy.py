import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from gail_tf.models.gpt2 import GPT2
from gail_tf.models.projection import Adapters
from gail_tf.policies.language_model_policy import Policy
from gail_tf.policies.sampling import Sampling
from keras_gca.engine.random import sample_seeds
from keras_gca.errors import UserError
from tests.factories.gail import randomise
from tests.factories.policies import CONDITION, CONFIG, MASK, SAMPLINGS, TAUGHT, a_gpt2, random_assign, sample
from tests.gail_tf.policies.contract import (
    assert_independent_of_company,
    assert_probabilities_are_those_of_a_forward_pass,
    assert_recovered_from_noise,
    gradients,
)
from tests.oracles.gpt2 import gpt2_in_numpy
from tests.oracles.nucleus import by_sorting


@pytest.fixture(scope="module")
def policy():
    return Policy(a_gpt2(fond_of_end=1.5))


@pytest.fixture(scope="module", params=["full", "lora", "head"])
def any_policy(request):
    """A policy of each kind. Adapters and head have other weights than at their start, so that they have an effect."""
    adapters = Adapters(rank=2, blocks=1) if request.param == "lora" else None
    policy = Policy(a_gpt2(adapters, fond_of_end=1.5), request.param)
    if request.param != "full":
        random_assign(policy.trainable_variables)
    return policy


@pytest.mark.parametrize("name", SAMPLINGS)
def test_a_response_is_recovered_from_noise(policy, name):
    def logits_of(condition, begun):
        tokens = np.concatenate([condition, np.array(begun, np.int32)])
        return gpt2_in_numpy(policy.network.weights, CONFIG, tokens)[-1]

    lengths = assert_recovered_from_noise(policy, SAMPLINGS[name], logits_of)
    assert len(lengths) > 1 or name == "greedy"


@pytest.mark.parametrize("name", ["plain", pytest.param("filtered", marks=pytest.mark.thorough)])
def test_a_forward_pass_gives_the_probabilities_of_sampling(any_policy, name):
    assert_probabilities_are_those_of_a_forward_pass(any_policy, SAMPLINGS[name])


def test_a_response_depends_on_nothing_but_its_condition_and_its_noise(policy):
    assert_independent_of_company(policy)


def test_what_is_drawn_follows_the_distribution(policy):
    """A chi-squared test compares 12,000 first tokens of one condition with the probabilities that are returned."""
    sampling = Sampling(1, top_p=0.9, temperature=2.0, counting="filtered")
    count = 12_000
    drawn = policy.sample(CONDITION[:1], MASK[:1], (7, 8), sampling, candidates=count)
    logits = gpt2_in_numpy(policy.network.weights, CONFIG, CONDITION[0])[-1]
    log_probs = by_sorting(logits / 2.0, 0.9)
    expected = count * np.exp(log_probs)
    counts = np.bincount(drawn.tokens.numpy().ravel(), minlength=CONFIG.vocab_size)
    inside = expected > 0
    freedom = inside.sum() - 1
    assert freedom > 8
    assert not counts[~inside].any()
    statistic = ((counts - expected)[inside] ** 2 / expected[inside]).sum()
    assert statistic < freedom + 4 * np.sqrt(2 * freedom)


@pytest.mark.parametrize("name", SAMPLINGS)
def test_excluded_tokens_have_no_probability(policy, name):
    """The probabilities are those of a softmax in NumPy over the other tokens."""
    usual = sample(policy, SAMPLINGS[name]).tokens
    excluded = [i for i in np.unique(usual) if i != CONFIG.eos_token_id][:3]
    others = np.delete(np.arange(CONFIG.vocab_size), excluded)
    without = Policy(policy.network, excluded=excluded)
    drawn = sample(without, SAMPLINGS[name], candidates=5)
    assert not np.isin(drawn.tokens, excluded).any()
    features = policy.features(*TAUGHT)
    allowed = np.isin(TAUGHT[2], others) & TAUGHT[3]
    assert allowed.any()
    scores = without.scores(features, TAUGHT[2], TAUGHT[3], Sampling(8))
    logits = policy.logits(features).numpy().astype(np.float64)[..., others]
    expected = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    entropy = -(np.exp(expected) * expected).sum(-1)
    np.testing.assert_allclose(scores.entropy, np.where(TAUGHT[3], entropy, 0), atol=1e-5)
    positions = np.searchsorted(others, np.where(allowed, TAUGHT[2], 0))
    own = np.take_along_axis(expected, positions[..., None], -1)[..., 0]
    np.testing.assert_allclose(scores.log_probs.numpy()[allowed], own[allowed], atol=1e-5)


def test_candidates_share_the_prefill(policy):
    drawn = sample(policy, SAMPLINGS["plain"], candidates=3)
    repeated = policy.sample(np.repeat(CONDITION, 3, 0), np.repeat(MASK, 3, 0), (1, 2), SAMPLINGS["plain"])
    np.testing.assert_array_equal(drawn.tokens, repeated.tokens)
    np.testing.assert_allclose(drawn.log_probs, repeated.log_probs, atol=1e-4)


def test_a_seed_for_each_condition_draws_what_it_would_draw_alone(policy):
    seeds = [(i % 3, 2) for i in range(len(CONDITION))]
    together = policy.sample(CONDITION, MASK, seeds, SAMPLINGS["plain"], candidates=2)
    for i, seed in enumerate(seeds):
        alone = policy.sample(CONDITION[i : i + 1], MASK[i : i + 1], seed, SAMPLINGS["plain"], candidates=2)
        np.testing.assert_array_equal(together.tokens[2 * i : 2 * i + 2], alone.tokens)
        np.testing.assert_allclose(together.log_probs[2 * i : 2 * i + 2], alone.log_probs, atol=1e-4)
    with pytest.raises(ValueError, match=r"the shape of the seeds is \(2, 2\); \(2,\) or \(6, 2\) is expected"):
        policy.sample(CONDITION, MASK, seeds[:2], SAMPLINGS["plain"])


def test_the_same_seed_gives_the_same(policy):
    once, again = sample(policy, Sampling(8)), sample(policy, Sampling(8))
    np.testing.assert_array_equal(once.tokens, again.tokens)
    other = policy.sample(CONDITION, MASK, (1, 3), Sampling(8))
    assert not np.array_equal(once.tokens, other.tokens)


@pytest.mark.parametrize("name", SAMPLINGS)
def test_scores_without_padding_are_those_with_padding(policy, name):
    """`scores` computes no logits at padding, and `scores_of` computes all logits."""
    draw = np.random.default_rng(0)
    response = draw.integers(0, CONFIG.vocab_size, (4, 6)).astype(np.int32)
    mask = np.arange(6) < np.array([[6], [1], [0], [4]])
    features = tf.constant(draw.normal(0, 1, (4, 6, CONFIG.n_embd)).astype(np.float32))
    results = []
    for compute in (
        lambda: policy.scores(features, response, mask, SAMPLINGS[name]),
        lambda: policy.scores_of(policy.logits(features), response, mask, SAMPLINGS[name]),
    ):
        with tf.GradientTape() as tape:
            tape.watch(features)
            scores = compute()
            scalar = tf.reduce_sum(tf.sin(scores.log_probs) + 0.3 * scores.entropy)
        results.append([*scores, tape.gradient(scalar, features)])
    for found, expected in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)
    assert not results[0][0].numpy()[~mask].any()


@pytest.mark.thorough
@pytest.mark.parametrize(("jit_compile", "traces"), [(False, 1), pytest.param(True, 3, marks=pytest.mark.thorough)])
def test_one_graph_is_made_for_all_widths_but_by_xla(jit_compile, traces):
    policy, again = (Policy(a_gpt2(), jit_compile=jit_compile) for _ in range(2))
    for width in (9, 8, 7):
        for seed in range(2):
            arrays = CONDITION[:, -width:], MASK[:, -width:]
            drawn = policy.sample(*arrays, (seed, seed), Sampling(4))
            scores = policy.log_probs(*arrays, drawn.tokens, drawn.mask, Sampling(4))
            np.testing.assert_allclose(drawn.log_probs, scores.log_probs, atol=1e-4)
    assert policy.trace_counts() == {"sample": traces, "log_probs": traces}
    alone = again.sample(*arrays, (seed, seed), Sampling(4))  # the first width that this policy meets
    np.testing.assert_array_equal(alone.tokens, drawn.tokens)
    np.testing.assert_array_equal(alone.log_probs, drawn.log_probs)


@pytest.mark.thorough
def test_compiled_by_xla(policy):
    compiled = Policy(policy.network, jit_compile=True)
    drawn = sample(compiled, SAMPLINGS["filtered"])
    assert len(set(drawn.lengths.numpy().tolist())) > 1
    arrays = CONDITION, MASK, drawn.tokens, drawn.mask, SAMPLINGS["filtered"]
    expected = policy.log_probs(*arrays)
    np.testing.assert_allclose(drawn.log_probs, expected.log_probs, atol=1e-4)
    for one, other in zip(compiled.log_probs(*arrays), expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_entropy(policy):
    drawn = sample(policy, SAMPLINGS["plain"])
    for name, temperature, top_p in (("plain", 1.0, 1.1), ("filtered", 0.9, 0.7)):
        entropy = policy.log_probs(CONDITION, MASK, drawn.tokens, drawn.mask, SAMPLINGS[name]).entropy.numpy()
        tokens = np.concatenate([CONDITION[3][MASK[3]], drawn.tokens[3, :1]])
        logits = gpt2_in_numpy(policy.network.weights, CONFIG, tokens)[-2:]
        for t in range(2):
            log_p = by_sorting(logits[t] / temperature, top_p)
            assert entropy[3, t] == pytest.approx(-(np.exp(log_p) * log_p).sum(), abs=1e-4)


def test_a_token_outside_of_the_nucleus_keeps_a_probability(policy):
    response = np.full((6, 4), 17, np.int32)
    scores = policy.log_probs(CONDITION, MASK, response, np.ones_like(response, bool), SAMPLINGS["filtered"])
    logits = gpt2_in_numpy(policy.network.weights, CONFIG, CONDITION[0])[-1]
    assert float(scores.log_probs[0, 0]) == pytest.approx(by_sorting(logits / 0.9, 0.7, also=17)[17], abs=1e-4)
    assert scores.log_probs.numpy().min() > -30


@pytest.mark.parametrize("trainable", ["lora", "head"])
def test_every_policy_starts_as_gpt2(policy, trainable):
    start = Policy(a_gpt2(Adapters(rank=2) if trainable == "lora" else None, fond_of_end=1.5), trainable)
    np.testing.assert_allclose(
        start.log_probs(*TAUGHT, SAMPLINGS["filtered"]).log_probs,
        policy.log_probs(*TAUGHT, SAMPLINGS["filtered"]).log_probs,
        atol=1e-5,
    )


@pytest.mark.thorough
def test_gradients_compiled_by_xla():
    gpt2 = randomise(GPT2(dataclasses.replace(CONFIG, n_layer=1), adapters=Adapters(rank=2)))
    policy = Policy(gpt2, "lora")
    random_assign(policy.trainable_variables)
    variables = [*policy.trainable_variables, *gpt2.weights.values()]
    for one, other in zip(gradients(policy, variables, jit_compile=True), gradients(policy, variables), strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            np.testing.assert_allclose(one, other, atol=1e-5)


def test_every_trainable_weight_has_a_gradient(any_policy):
    for gradient in gradients(any_policy, any_policy.trainable_variables):
        assert np.abs(gradient).max() > 0


def test_no_backward_pass_through_frozen_blocks(any_policy):
    weights = any_policy.network.weights
    reached = {
        name for name, gradient in zip(weights, gradients(any_policy, list(weights.values())), strict=True)
        if gradient is not None
    }  # fmt: skip
    reached.discard("wte.weight")  # the output layer's weight, which has a gradient here because it is watched
    if any_policy.trainable == "full":
        assert len(reached) == len(weights) - 1
    elif any_policy.trainable == "head":
        assert not reached
    else:  # only the adapters of the last block
        assert {name for name in reached if not name.startswith("ln_f")} == {n for n in weights if n.startswith("h.1.")}


@pytest.mark.thorough
def test_gradients_are_those_of_finite_differences(any_policy):
    variable = any_policy.trainable_variables[2]
    direction = np.random.default_rng(3).normal(size=variable.shape).astype(np.float32)
    (gradient,) = gradients(any_policy, [variable])
    start, values = variable.numpy(), []
    for step in (0.002, -0.002):
        variable.assign(start + step * direction)
        values.append(any_policy.log_probs(*TAUGHT).log_probs.numpy().astype(np.float64).mean())
    variable.assign(start)
    expected = (values[0] - values[1]) / 0.004
    assert abs(expected) > 1e-3
    assert (gradient.numpy() * direction).sum() == pytest.approx(expected, rel=0.02)


def test_training_raises_the_probability_of_what_is_taught(any_policy):
    import keras

    variables = any_policy.trainable_variables
    start = [variable.numpy() for variable in variables]
    optimizer = keras.optimizers.Adam(0.01)
    optimizer.build(variables)
    arrays = tuple(map(tf.constant, TAUGHT))

    @tf.function
    def learn(step):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([variable.value for variable in variables])
            seeds = sample_seeds(tf.stack([9, step]), tf.range(6))
            loss = -tf.reduce_sum(any_policy.scores(any_policy.features(*arrays, seeds), *arrays[2:]).log_probs)
        optimizer.apply(tape.gradient(loss, [variable.value for variable in variables]), variables)
        return loss

    losses = [float(learn(tf.constant(step))) for step in range(30)]
    for variable, value in zip(variables, start, strict=True):
        variable.assign(value)
    assert np.mean(losses[-5:]) < 0.9 * losses[0]


class TestBadInput:
    def test_sampling(self):
        with pytest.raises(UserError, match="--max-new-tokens is 0; 1 or more is expected"):
            Sampling(max_new_tokens=0)
        for setting, value in (("top_p", 0), ("top_p", 1.5), ("temperature", -1)):
            with pytest.raises(UserError, match=f"--{setting.replace('_', '-')}: {value}; .* is expected"):
                Sampling(**{setting: value})
        with pytest.raises(UserError, match="--counting: 'all' is not one of plain, filtered"):
            Sampling(counting="all")
        with pytest.raises(UserError, match="at temperature 0, tokens are not drawn at random"):
            Sampling(temperature=0, counting="filtered")

    def test_policy(self, gpt2):
        with pytest.raises(UserError, match="--trainable: 'some' is not one of full, lora, head"):
            Policy(gpt2, "some")
        with pytest.raises(ValueError, match="use lora if, and only if, the network has adapters"):
            Policy(gpt2, "lora")

    def test_what_does_not_fit_into_the_positions(self, policy):
        message = "conditions of 9 and responses of 17 tokens are too long for a network with 24 positions"
        with pytest.raises(ValueError, match=message):
            sample(policy, Sampling(17))
        with pytest.raises(ValueError, match=message):
            policy.log_probs(CONDITION, MASK, np.zeros((6, 17), np.int32), np.ones((6, 17), bool))

    def test_as_many_numbers_as_responses(self, policy):
        with pytest.raises(ValueError, match=r"the shape of samples is \(6,\); \(12,\) is expected"):
            sample(policy, Sampling(4), samples=range(6), candidates=2)
