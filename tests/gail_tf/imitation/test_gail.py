import math

import numpy as np
import pytest

from gail_tf.config import GAILConfig
from gail_tf.imitation import ppo, rewards
from gail_tf.imitation.maximum_likelihood import Perplexity
from gail_tf.imitation.phases import DISCRIMINATOR, IMITATION, MAXIMUM_LIKELIHOOD, PRETRAINING, schedule
from keras_gca.errors import UserError
from keras_gca.storage.arrays import read_arrays, write_arrays
from tests.factories import small_runs

LEARNING = {"discriminator_learning_rate": 1e-2, "generator_learning_rate": 1e-2}
VARIANTS = {
    "full": LEARNING | {"value_baseline": "on", "length_drift_strength": 0.5, "discriminator_passes": 2},
    "lora": LEARNING
    | {"trainable": "lora", "dropout": 0.0, "discriminator_encoder": "trainable", "instance_noise": 0.1},
    "head": LEARNING | {"trainable": "head", "dropout": 0.0, "sentiment": "off", "kl_penalty": "fixed", "kl_stop": 0.0},
    "token": LEARNING | {"discriminator": "token", "level": "token", "value_baseline": "on", "dropout": 0.0},
    "adapters": LEARNING | {"discriminator_encoder": "adapters", "dropout": 0.0},
    "trpo": LEARNING
    | {"algorithm": "trpo", "discriminator": "contrastive", "reward_form": "probability", "dropout": 0.0},
}
# The points at which training is stored: inside an epoch, between the buffers of D's pretraining, between updates.
MARKS = [(PRETRAINING, 1, 2), (MAXIMUM_LIKELIHOOD, 1, 1), (DISCRIMINATOR, 1, 2), (IMITATION, 1, 4)]
TRPO_MARKS = [*MARKS[:-1], (IMITATION, 1, 3)]  # TRPO makes one step in an update, PPO makes two

every_variant = pytest.mark.parametrize(
    "variant", [pytest.param(name, marks=[] if name == "head" else pytest.mark.thorough) for name in VARIANTS]
)


def make(variant):
    return small_runs.training(small_runs.config(**VARIANTS[variant]), from_scratch=variant == "full")


def networks(training):
    """Return copies of the weights of each network, by name."""
    found = {
        "gpt2": training.policy.network.weights.values(),
        "policy": training.policy.trainable_variables,
        "reference": training.reference.policy.variables,
        "discriminator": training.judge.variables,
    }
    return {name: [variable.numpy() for variable in variables] for name, variables in found.items()}


def equal(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


class Walked:
    """A whole training run: its events, its weights after each stage, its states at MARKS and its last state."""

    def __init__(self, variant, folder):
        self.training = training = make(variant)
        self.events, self.after, self.files = [], {"beginning": networks(training)}, {}
        for event in training:
            self.events.append(event)
            place = event.stage.phase, event.stage.number
            if event.row is not None:
                self.after[place] = networks(training)
            if (*place, event.step) in (TRPO_MARKS if variant == "trpo" else MARKS):
                assert event.resumable
                self.files[place] = folder / f"{variant}_{event.stage.phase}.h5"
                facts, arrays = training.state()
                write_arrays(self.files[place], arrays, facts)
        self.end = training.state()


class WhenAsked(dict):
    """The whole training runs of all variants. A training runs when a test first uses it."""

    def __init__(self, folder):
        super().__init__()
        self.folder = folder

    def __missing__(self, variant):
        self[variant] = Walked(variant, self.folder)
        return self[variant]


@pytest.fixture(scope="module")
def walked(tmp_path_factory):
    return WhenAsked(tmp_path_factory.mktemp("states"))


def test_the_schedule_is_table_1s():
    stages = schedule(GAILConfig(), from_scratch=False)
    counts = {phase: sum(stage.phase == phase for stage in stages) for phase in (PRETRAINING, DISCRIMINATOR, IMITATION)}
    # 200 steps of D are 50 buffers of 128 in batches of 32; then 750 updates.
    assert counts == {PRETRAINING: 0, DISCRIMINATOR: 50, IMITATION: 750}
    assert [stage.phase for stage in stages] == sorted(
        (stage.phase for stage in stages), key=[MAXIMUM_LIKELIHOOD, DISCRIMINATOR, IMITATION].index
    )
    assert [(stage.number, stage.of) for stage in stages[-750:]] == [(i, 750) for i in range(1, 751)]
    assert schedule(GAILConfig(), from_scratch=True)[0].phase == PRETRAINING
    assert {stage.phase for stage in schedule(GAILConfig(updates=0), False)} == {MAXIMUM_LIKELIHOOD}


@pytest.mark.thorough
def test_d_is_pretrained_for_exactly_its_steps(walked):
    """A buffer of 16 gives two steps of 8 responses. Therefore 3 steps need two buffers: two steps and one step."""
    rows = [event.row for event in walked["head"].events if event.row and event.stage.phase == DISCRIMINATOR]
    assert len(rows) == 2
    training = make("head")
    facts, arrays = read_arrays(walked["head"].files[DISCRIMINATOR, 1])
    training.restore(facts, arrays)
    assert int(training.judge.learner.optimizer.iterations) == 2
    list(zip(training, range(2), strict=False))
    assert training.phase == IMITATION
    assert int(training.judge.learner.optimizer.iterations) == 3


@pytest.mark.thorough
def test_demonstrations_fall_from_table_1s_share_to_none(walked):
    rows = [row for row in walked["full"].training.history if row["phase"] == IMITATION]
    assert [row["human_ratio"] for row in rows] == pytest.approx([0.3, 0.2, 0.1])
    assert ["val_perplexity" in row for row in rows] == [False, True, True]  # after every second update, and at the end


@pytest.mark.thorough
@every_variant
def test_each_phase_moves_its_own_networks_and_no_other(walked, variant):
    before = None
    moves = {
        PRETRAINING: {"gpt2", "policy"},
        MAXIMUM_LIKELIHOOD: {"policy", "reference"},  # the reference is copied when this phase ends
        DISCRIMINATOR: {"discriminator"},
        IMITATION: {"policy", "discriminator"},
    }
    for place, now in walked[variant].after.items():
        if before is not None:
            expected = set(moves[place[0]])
            if variant in ("full", "token", "adapters"):
                expected |= {"gpt2"} & {"gpt2" for name in expected if name == "policy"}
            if variant == "lora" and place[0] == MAXIMUM_LIKELIHOOD:
                expected |= {"discriminator"}  # its encoder starts as the reference
            assert {name for name in now if not equal(now[name], before[name])} == expected, place
        before = now


@every_variant
def test_the_reference_is_the_policy_after_maximum_likelihood(walked, variant):
    after, training = walked[variant].after, walked[variant].training
    stood = after[MAXIMUM_LIKELIHOOD, 1]
    learned = stood["reference"][-len(stood["policy"]) :]
    assert equal(learned, stood["policy"])
    assert equal(after[IMITATION, 3]["reference"], stood["reference"])
    if variant == "lora":
        reference = training.reference.policy.network.merged().values()
        count = len(training.judge.encoder.network.trainable_variables)
        for encoder, weight in zip(stood["discriminator"][count:], reference, strict=True):
            np.testing.assert_array_equal(encoder, weight)


def assert_equal_ends(training, walked):
    (facts, arrays), (expected_facts, expected) = training.state(), walked.end
    assert arrays.keys() == expected.keys()
    for name in expected:
        np.testing.assert_array_equal(arrays[name], expected[name], err_msg=name)

    def timeless(history):
        return [{name: value for name, value in row.items() if name != "tokens_per_second"} for row in history]

    np.testing.assert_equal(timeless(facts["history"]), timeless(expected_facts["history"]))
    facts, expected_facts = ({**each, "history": None} for each in (facts, expected_facts))
    assert facts == expected_facts


@pytest.mark.thorough
@every_variant
def test_a_training_restored_in_the_middle_of_an_epoch_ends_with_the_same_bits(walked, variant):
    """This is tested in each phase from pretraining on; with adapters and heads from maximum likelihood on."""
    of = walked[variant]
    restored = make(variant)
    restored.restore(*read_arrays(of.files[(PRETRAINING if variant == "full" else MAXIMUM_LIKELIHOOD), 1]))
    (first, *_) = (*restored,)
    assert first.step == (3 if variant == "full" else 2)
    assert_equal_ends(restored, of)


@pytest.mark.parametrize("phase", [DISCRIMINATOR, IMITATION])
@every_variant
def test_a_training_restored_between_buffers_and_updates_ends_with_the_same_bits(walked, variant, phase):
    """The stored state is restored into a training run that has ended.

    If the stored state lacked a value, the value from the end of the training would remain.
    """
    of = walked[variant]
    of.training.restore(*read_arrays(of.files[phase, 1]))
    for _ in of.training:
        pass
    assert_equal_ends(of.training, of)


def recorded(monkeypatch, target, name, record):
    """Wrap a function of target: after each call, call record with its result and its arguments."""
    original = getattr(target, name)

    def call(*arguments, **named):
        found = original(*arguments, **named)
        record(found, *arguments)
        return found

    monkeypatch.setattr(target, name, call)


def test_demonstrations_bear_a_constant_reward_and_are_not_shown_to_d_as_generated(walked, monkeypatch):
    of = walked["head"]
    training = of.training
    facts, arrays = read_arrays(of.files[DISCRIMINATOR, 1])
    training.restore(facts, arrays)
    list(zip(training, range(2), strict=False))  # walk through the rest of D's pretraining
    buffers, judged, minibatches = [], [], []

    recorded(monkeypatch, training.collector, "collect", lambda found, *_: buffers.append(found))
    recorded(
        monkeypatch,
        training.judge,
        "step",
        lambda _, expert, given, counted, seed: judged.append((given, counted)),
    )
    recorded(monkeypatch, training.optimiser, "step", lambda _, *arguments: minibatches.append(arguments))
    logits = None
    for event in training:
        if event.step == 1:
            logits = training.judge.expert_logits(buffers[0].given)
            mean, variance = (float(arrays[f"statistics/{name}"]) for name in ("mean", "variance"))
        if event.row is not None:
            break
    (rollouts,) = buffers
    assert rollouts.human.sum() == 2 * int(8 * 0.3)

    shown = np.concatenate([given.features[counted] for given, counted in judged])
    expected = rollouts.given.features[rollouts.generated]
    np.testing.assert_array_equal(shown[np.lexsort(shown.T)], expected[np.lexsort(expected.T)])

    # TextGAIL's normalisation of -log D, in NumPy.
    found = np.log1p(np.exp(logits[rollouts.generated].astype(float)))
    old = 0.9 ** len(found)
    gap = mean - found.mean()
    mean = old * mean + (1 - old) * found.mean()
    variance = old * variance + (1 - old) * found.var() + old * (1 - old) * gap**2
    normalised = np.full(16, 2.0)
    normalised[rollouts.generated] = np.clip((found - mean) / (np.sqrt(variance) + 1e-5), -2, 2)
    assert minibatches  # two, or fewer if --kl-stop has ended the update
    for batch, log_probs, given, _, generated, *_ in minibatches:
        rows = [int(np.argmin(np.abs(rollouts.log_probs - row).sum(1))) for row in log_probs]
        np.testing.assert_array_equal(rollouts.generated[rows], generated)
        np.testing.assert_allclose(given, normalised[rows], rtol=1e-3, atol=1e-3)
        np.testing.assert_array_equal(batch.response, rollouts.batch.response[rows])


@pytest.mark.thorough
def test_tokens_get_rewards_and_advantages_of_their_own(walked, monkeypatch):
    """A token's reward is its normalised -log D. Its advantage sums its own and the later errors, discounted (GAE)."""
    of = walked["token"]
    training = of.training
    training.restore(*read_arrays(of.files[IMITATION, 1]))
    buffers, minibatches, values = [], [], []
    recorded(monkeypatch, training.collector, "collect", lambda found, *_: buffers.append(found))
    recorded(monkeypatch, training.optimiser, "values", lambda found, *_: values.append(found))
    recorded(monkeypatch, training.optimiser, "step", lambda _, *arguments: minibatches.append(arguments))
    logits = None
    for event in training:
        if event.step == 1:
            logits = training.judge.expert_logits(buffers[0].given)
            mean, variance = (float(each) for each in training.advantages.statistics)
        if event.row is not None:
            break
    (rollouts,), values = buffers, np.concatenate(values)
    mask, human = rollouts.batch.response_mask, rollouts.human
    assert human.any()
    found = np.log1p(np.exp(logits.astype(float)))
    own = found[mask & ~human[:, None]]
    old = 0.9 ** len(own)
    gap = mean - own.mean()
    mean = old * mean + (1 - old) * own.mean()
    variance = old * variance + (1 - old) * own.var() + old * (1 - old) * gap**2
    reward = np.clip((found - mean) / (np.sqrt(variance) + 1e-5), -2, 2)
    reward[human] = 2.0
    expected = np.zeros(mask.shape)
    for i, length in enumerate(mask.sum(1)):
        following, advantage = 0.0, 0.0
        for t in reversed(range(length)):
            error = reward[i, t] + 0.95 * following - values[i, t]
            advantage = error + 0.95 * 0.95 * advantage
            expected[i, t], following = advantage, values[i, t]
    for batch, log_probs, advantages, targets, *_ in minibatches:
        rows = [int(np.argmin(np.abs(rollouts.log_probs - row).sum(1))) for row in log_probs]
        np.testing.assert_allclose(advantages, expected[rows], rtol=1e-3, atol=2e-3)
        np.testing.assert_allclose(targets - advantages, values[rows] * batch.response_mask, rtol=1e-3, atol=1e-4)


@pytest.mark.thorough
def test_an_update_in_its_parts(walked, monkeypatch):
    """Each rollout is in one minibatch, with conditions of similar length.

    Also checks length drift and the passes of D.
    """
    training = walked["full"].training
    training.restore(*read_arrays(walked["full"].files[IMITATION, 1]))
    buffers, plans, minibatches, judged, drifts = [], [], [], [], []
    recorded(monkeypatch, ppo, "plan", lambda _, *arguments: plans.append(arguments))
    recorded(monkeypatch, training.collector, "collect", lambda found, *_: buffers.append(found))
    recorded(monkeypatch, training.optimiser, "step", lambda _, batch, *__: minibatches.append(batch))
    recorded(monkeypatch, training.judge, "step", lambda _, *arguments: judged.append(arguments))
    recorded(monkeypatch, rewards, "counter_length_drift", lambda _, *arguments: drifts.append(arguments))
    next(event for event in training if event.row is not None)
    (rollouts,), generated = buffers, buffers[0].generated

    ((planned, *_),) = plans
    np.testing.assert_array_equal(planned, rollouts.batch.condition_lengths)  # not by the lengths of responses
    tokens = np.concatenate([batch.response[:, :8] for batch in minibatches])
    assert len(minibatches) == 2
    np.testing.assert_array_equal(np.sort(tokens, axis=0), np.sort(rollouts.batch.response, axis=0))

    ((before, drifted, expert_length, strength),) = drifts
    np.testing.assert_array_equal(drifted, rollouts.batch.response_lengths[generated])
    assert len(before) == generated.sum() < 16
    assert strength == 0.5
    assert expert_length == small_runs.samples().batch.response_lengths[rollouts.rows].mean()

    per_pass = len(judged) // 2
    passes = [np.concatenate([given.features[counted] for _, given, counted, _ in each])
              for each in (judged[:per_pass], judged[per_pass:])]  # fmt: skip
    assert not np.array_equal(*passes)
    np.testing.assert_array_equal(*(np.sort(each, axis=0) for each in passes))
    assert len({noise for *_, noise in judged}) == len(judged)


@pytest.mark.thorough
@pytest.mark.usefixtures("eagerly")
def test_without_updates_the_reference_is_what_was_learned():
    """Such a run, or a run that is stopped there, leaves a bot that uses the reference, which must equal the policy."""
    training = small_runs.training(small_runs.config(trainable="head", updates=0))
    for _ in training:
        pass
    assert training.imitates
    now = networks(training)
    assert equal(now["reference"][-len(now["policy"]) :], now["policy"])
    at_once = networks(small_runs.training(small_runs.config(trainable="head", mle_epochs=0)))
    assert equal(at_once["reference"], [*at_once["gpt2"], *at_once["policy"]])


@pytest.mark.thorough
@pytest.mark.usefixtures("eagerly")
def test_perplexity_is_not_compiled_anew_in_every_epoch(monkeypatch):
    made = []
    training = small_runs.training(small_runs.config(trainable="head", mle_epochs=3, updates=0))
    recorded(monkeypatch, Perplexity, "__init__", lambda _, *arguments: made.append(arguments))
    rows = [event.row for event in training if event.row]
    assert len({row["val_perplexity"] for row in rows}) == 3
    assert len(made) == 1


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ("policy", r"maximum likelihood has diverged: .* --mle-learning-rate"),
        pytest.param(
            "judge",
            r"discriminator has diverged: .* --discriminator-learning-rate",
            marks=pytest.mark.thorough,
        ),
    ],
)
def test_what_diverges_is_named(broken, message):
    training = small_runs.training(small_runs.config(trainable="head", mle_epochs=1 if broken == "policy" else 0))
    variable = getattr(training, broken)
    variable = (variable.trainable_variables if broken == "policy" else variable.variables)[-1]
    variable.assign(np.full(variable.shape, math.nan))
    with pytest.raises(UserError, match=message):
        list(training)


def test_the_history_of_a_state_stands_still(walked):
    training = walked["head"].training
    facts, arrays = read_arrays(walked["head"].files[IMITATION, 1])
    length = len(facts["history"])
    training.restore(facts, arrays)
    kept, _ = training.state()
    for _ in training:
        pass
    assert len(facts["history"]) == len(kept["history"]) == length < len(training.history)
