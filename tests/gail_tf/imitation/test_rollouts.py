import numpy as np
import pytest

from gail_tf.data.batches import take
from gail_tf.imitation.reference import Reference
from gail_tf.imitation.rollouts import Collector, draw_rows
from gail_tf.policies.language_model_policy import Policy
from gail_tf.policies.sampling import Sampling
from tests.factories import small_runs
from tests.factories.small_runs import tokenizer
from tests.oracles.gpt2 import gpt2_in_numpy, hidden_in_numpy
from tests.oracles.vader import compound

SAMPLING = Sampling(8, top_p=0.9, temperature=0.9)
ROWS = np.array([3, 17, 0, 9, 11, 5, 8, 14, 2, 19, 6, 1])
SEED = (5, 6)


@pytest.fixture(scope="module")
def policy():
    return Policy(small_runs.gpt2(small_runs.config()))


@pytest.fixture(scope="module")
def reference():
    """A reference that is not the policy that draws the responses."""
    gpt2 = small_runs.gpt2(small_runs.config())
    draw = np.random.default_rng(8)
    for variable in gpt2.weights.values():
        variable.assign(variable.numpy() + draw.normal(0, 0.05, variable.shape))
    return Reference(Policy(gpt2), SAMPLING)


@pytest.fixture(scope="module")
def collector(policy, reference):
    return Collector(policy, reference, tokenizer(), small_runs.samples(), SAMPLING)


@pytest.fixture(scope="module")
def rollouts(collector):
    """Collect 12 responses in batches of 4. One response of each batch is a human demonstration."""
    return collector.collect(ROWS, SEED, 4, human_ratio=0.3)


def tokens_of(batch, i):
    return batch.condition[i][batch.condition_mask[i]], batch.response[i][batch.response_mask[i]]


def decoded(batch, i):
    """The text of the tokens of a response."""
    return tokenizer().decode(tokens_of(batch, i)[1])


def log_probs_in_numpy(policy, before, after):
    logits = gpt2_in_numpy(policy.network.weights, policy.network.config, np.concatenate([before, after]))
    logits = logits[len(before) - 1 : -1]
    return logits[np.arange(len(after)), after] - np.log(np.exp(logits).sum(1))


def test_human_demonstrations_are_as_many_as_table_1_says_and_the_experts_own(rollouts):
    """Each batch of 4 rows, in the order in which they were drawn, has int(4 x 0.3) demonstrations."""
    assert set(rollouts.rows[rollouts.human]) == set(ROWS[[0, 4, 8]])
    np.testing.assert_array_equal(np.sort(rollouts.rows), np.sort(ROWS))
    np.testing.assert_array_equal(rollouts.generated, ~rollouts.human)
    whole = small_runs.samples().batch
    for i, row in enumerate(rollouts.rows):
        before, after = tokens_of(rollouts.batch, i)
        np.testing.assert_array_equal(before, whole.condition[row][whole.condition_mask[row]])
        assert np.array_equal(after, whole.response[row][whole.response_mask[row]]) == rollouts.human[i]
        _, expert = tokens_of(rollouts.expert.batch, i)
        np.testing.assert_array_equal(expert, whole.response[row][whole.response_mask[row]])


def test_without_a_ratio_all_are_generated(collector):
    assert collector.collect(ROWS[:4], SEED, 4).generated.all()


def test_generated_responses_are_the_policys_own_from_the_same_noise_one_at_a_time(policy, rollouts):
    generated = np.flatnonzero(rollouts.generated)
    for i in generated[::4]:
        one = take(rollouts.batch, [i])
        drawn = policy.sample(one.condition, one.condition_mask, SEED, SAMPLING, samples=[i])
        np.testing.assert_array_equal(drawn.tokens.numpy()[0][drawn.mask.numpy()[0]], tokens_of(rollouts.batch, i)[1])
    assert len(set(rollouts.batch.response_lengths[generated])) > 1


def test_the_size_of_the_batches_changes_no_response(collector):
    four = collector.collect(ROWS, SEED, 4, human_ratio=0.3)
    parts = collector.policy, collector.reference, collector.tokenizer, collector.samples, SAMPLING
    for other in (
        collector.collect(ROWS, SEED, 7),
        *(Collector(*parts, n).collect(ROWS, SEED, 4, 0.3) for n in (5, 99)),
    ):
        alike = four.human == other.human
        np.testing.assert_array_equal(four.batch.response[alike], other.batch.response[alike])
        for name in ("log_probs", "reference"):
            np.testing.assert_allclose(getattr(four, name)[alike], getattr(other, name)[alike], atol=1e-4)
        for name in ("given", "expert"):
            found, expected = (getattr(each, name).features for each in (four, other))
            np.testing.assert_allclose(found[alike], expected[alike], atol=1e-4)


def test_probabilities_under_policy_and_reference_by_numpy(policy, reference, rollouts):
    for i in range(len(ROWS)):
        before, after = tokens_of(rollouts.batch, i)
        for found, by in ((rollouts.log_probs, policy), (rollouts.reference, reference.policy)):
            np.testing.assert_allclose(found[i, : len(after)], log_probs_in_numpy(by, before, after), atol=2e-4)
            assert not found[i, len(after) :].any()


def test_recomputed_log_probabilities_are_those_of_a_pass_over_all_responses(policy, reference, monkeypatch):
    parts, size, passes = (policy, reference, tokenizer(), small_runs.samples(), SAMPLING), 4, []

    def counted(*arguments, whole=policy.log_probs):
        passes.append(whole(*arguments))
        return passes[-1]

    monkeypatch.setattr(policy, "log_probs", counted)
    drawn = Collector(*parts).collect(ROWS, SEED, size)
    assert not passes
    recomputed = Collector(*parts, recompute=True).collect(ROWS, SEED, size)
    np.testing.assert_array_equal(recomputed.log_probs, np.concatenate([each.log_probs for each in passes]))
    np.testing.assert_array_equal(drawn.batch.response, recomputed.batch.response)
    np.testing.assert_allclose(drawn.log_probs, recomputed.log_probs, atol=1e-4)


def test_features_by_numpy(reference, rollouts):
    """The features are the mean of the reference's states over the response, and the last state."""
    gpt2 = reference.policy.network
    for responses in (rollouts.given, rollouts.expert):
        for i in range(0, len(ROWS), 3):
            before, after = tokens_of(responses.batch, i)
            states = hidden_in_numpy(gpt2.weights, gpt2.config, np.concatenate([before, after]))[len(before) :]
            np.testing.assert_allclose(responses.features[i], [*states.mean(0), *states[-1]], atol=1e-4)


def test_features_of_tokens_are_the_states_after_each(policy, reference, rollouts):
    by_token = Reference(reference.policy, SAMPLING, per_token=True)
    found = Collector(policy, by_token, tokenizer(), small_runs.samples(), SAMPLING, keep_experts=True)
    found = found.collect(ROWS, SEED, 4, human_ratio=0.3)
    gpt2 = reference.policy.network
    for responses in (found.given, found.expert):
        assert responses.features.shape == (12, 8, 16)
        assert not responses.features[~responses.batch.response_mask].any()
        for i in range(0, len(ROWS), 4):
            before, after = tokens_of(responses.batch, i)
            states = hidden_in_numpy(gpt2.weights, gpt2.config, np.concatenate([before, after]))[len(before) :]
            np.testing.assert_allclose(responses.features[i, : len(after)], states, atol=1e-4)
    np.testing.assert_allclose(found.reference, rollouts.reference, atol=1e-4)


def test_states_are_those_before_each_token(reference, rollouts):
    assert rollouts.states is rollouts.states_of(ROWS) is None
    keeping = Reference(reference.policy, SAMPLING, keep_states=True)
    found = keeping.read(rollouts.batch, 4)
    np.testing.assert_allclose(found.features, rollouts.given.features, atol=1e-4)
    np.testing.assert_allclose(found.log_probs, rollouts.reference, atol=1e-4)
    gpt2 = reference.policy.network
    for i in range(0, len(ROWS), 3):
        before, after = tokens_of(rollouts.batch, i)
        states = hidden_in_numpy(gpt2.weights, gpt2.config, np.concatenate([before, after]))[len(before) - 1 : -1]
        np.testing.assert_allclose(found.states[i, : len(after)], states, atol=1e-4)
    part = rollouts._replace(states=found.states).states_of(np.array([4, 2]), 3)
    np.testing.assert_array_equal(part, found.states[[4, 2], :3])


@pytest.mark.parametrize("per_token", [False, True])
def test_one_reading_of_a_condition_serves_both_responses(reference, rollouts, per_token):
    apart = Reference(reference.policy, SAMPLING, per_token)
    both, expert_features = apart.read_with_experts(rollouts.batch, rollouts.expert.batch, 5)
    alone = apart.read(rollouts.batch, 5)
    assert alone.states is both.states is None
    np.testing.assert_allclose(both.features, alone.features, atol=1e-4)
    np.testing.assert_allclose(both.log_probs, alone.log_probs, atol=1e-4)
    np.testing.assert_allclose(expert_features, apart.features(rollouts.expert.batch, 5), atol=1e-4)
    assert np.abs(expert_features - both.features).max() > 0.1


def test_the_exchanges_are_what_was_said_as_text(rollouts):
    trajectories = small_runs.trajectories()[0]
    for i, row in enumerate(rollouts.rows):
        asked = (*trajectories[row].history, trajectories[row].prompt)
        assert rollouts.given.exchanges[i] == (asked, rollouts.texts[i])
        assert rollouts.expert.exchanges[i] == (asked, decoded(rollouts.expert.batch, i))


def test_both_kinds_of_responses_are_cut_at_the_same_limit(rollouts):
    """A human response that is longer than 8 tokens is cut, as a response of the policy is."""
    trajectories, cut = small_runs.trajectories()[0], 0
    for i, row in enumerate(rollouts.rows):
        (_, text), whole = rollouts.expert.exchanges[i], trajectories[row].response
        if rollouts.expert.batch.response[i][7] == tokenizer().end:
            continue
        assert whole.startswith(text)
        assert len(text) < len(whole)
        cut += 1
    assert cut


def test_sentiments_are_those_of_what_was_said(collector, rollouts):
    texts, trajectories = rollouts.texts, small_runs.trajectories()[0]
    for i, row in enumerate(rollouts.rows):
        asked = [compound(text) for text in trajectories[row].history]
        asked = [compound(trajectories[row].prompt), np.mean(asked) if asked else 0]
        np.testing.assert_allclose(rollouts.given.sentiments[i], [*asked, compound(texts[i])], rtol=1e-5)
        human = compound(decoded(rollouts.expert.batch, i))
        np.testing.assert_allclose(rollouts.expert.sentiments[i], [*asked, human], rtol=1e-5)


def test_kept_features_of_experts_are_the_fresh_ones_until_the_reference_changes(policy, reference, rollouts):
    keeping = Collector(policy, reference, tokenizer(), small_runs.samples(), SAMPLING, keep_experts=True)
    for _ in range(2):
        found = keeping.collect(ROWS, SEED, 4, human_ratio=0.3)
        np.testing.assert_allclose(found.expert.features, rollouts.expert.features, atol=1e-4)
    bias = reference.policy.network.weights["ln_f.bias"]
    old = bias.numpy()
    bias.assign(old + 1)
    try:
        np.testing.assert_array_equal(keeping.collect(ROWS, SEED, 4).expert.features, found.expert.features)
        keeping.forget()
        np.testing.assert_allclose(keeping.collect(ROWS, SEED, 4).expert.features, found.expert.features + 1, atol=1e-3)
    finally:
        bias.assign(old)


def test_two_collectors_of_one_reference_do_not_mix_their_experts(policy, reference):
    """Row 2 of the validation data must not get the kept features of row 2 of the training data."""
    found = [
        Collector(policy, reference, tokenizer(), small_runs.samples(part), SAMPLING, keep_experts=True)
        .collect(np.array([2, 4]), SEED, 4)
        .expert.features
        for part in (0, 1)
    ]
    assert np.abs(found[0] - found[1]).max() > 0.1


def test_some_of_the_judged_responses(rollouts):
    found = rollouts.given.rows(np.array([7, 2]), 4)
    np.testing.assert_array_equal(found.features[:2], rollouts.given.features[[7, 2]])
    np.testing.assert_array_equal(found.sentiments[:2], rollouts.given.sentiments[[7, 2]])
    np.testing.assert_array_equal(found.batch.response[:2], rollouts.batch.response[[7, 2]])
    assert not found.features[2:].any()
    assert found.exchanges == [rollouts.given.exchanges[7], rollouts.given.exchanges[2], ((), ""), ((), "")]
    assert found.batch.condition_lengths[2:].tolist() == found.batch.response_lengths[2:].tolist() == [0, 0]


def test_rows_come_in_permutations_from_any_place():
    whole = draw_rows(5, 20, 0, seed=1)
    for start in range(0, 20, 5):
        assert sorted(whole[start : start + 5]) == [0, 1, 2, 3, 4]
    assert len({tuple(whole[start : start + 5]) for start in range(0, 20, 5)}) > 1
    for start in (0, 3, 7):
        np.testing.assert_array_equal(draw_rows(5, 9, start, seed=1), whole[start : start + 9])
    assert not np.array_equal(draw_rows(5, 20, 0, seed=2), whole)
