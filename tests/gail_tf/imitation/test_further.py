"""Training further: a stored training continues with a new total of updates."""

import numpy as np
import pytest

from gail_tf.imitation.phases import IMITATION
from tests.factories import small_runs

pytestmark = pytest.mark.thorough  # whole training runs, which take a minute

# There is no maximum likelihood. An update has two minibatches, and so two steps of PPO.
PLAIN = {
    "trainable": "head",
    "dropout": 0.0,
    "mle_epochs": 0,
    "warmup_steps": 0,
    "discriminator_steps": 3,
    "generator_learning_rate": 1e-2,
}


def make(**changes):
    return small_runs.training(small_runs.config(**PLAIN | changes))


def to_the_end(training):
    for _ in training:
        pass
    return training


def further(stored, **changes):
    """Make a training run with a new total of updates, and restore a stored training into it."""
    facts, arrays = stored.state()
    made = make(**changes)
    made.restore_with_totals(facts, arrays, stored.config, ("updates",))
    return made


def assert_equal_ends(one, other):
    (facts, arrays), (expected_facts, expected) = one.state(), other.state()
    assert arrays.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(arrays[name], array, err_msg=name)
    timed = "tokens_per_second"
    rows, expected_rows = (
        [{name: value for name, value in row.items() if name != timed and not name.startswith("val_")} for row in each]
        for each in (facts["history"], expected_facts["history"])
    )
    assert rows == expected_rows


def test_rate_and_demonstrations_are_those_of_a_training_of_the_new_total():
    """The numbers were worked out by hand. After 2 of 4 updates, 4 of 8 steps are done. The rates of the 8 steps fall
    linearly from 8/9 to 1/9 of the peak, so that the fifth is 4/9. The share of demonstrations is half of 0.3."""
    stored = to_the_end(make(updates=2))
    longer = further(stored, updates=4)
    assert longer.optimiser.course() == "0.0044 and falls to 0"
    rates = []
    for event in longer:
        if event.row is None and event.step > 1:
            rates.append(float(longer.optimiser.policy_learner.optimizer.learning_rate))
    assert rates == pytest.approx([1e-2 * k / 9 for k in (4, 3, 2, 1)], rel=1e-5)
    rows = [row for row in longer.history if row["phase"] == IMITATION]
    assert [row["number"] for row in rows] == [1, 2, 3, 4]
    assert [row["human_ratio"] for row in rows] == pytest.approx([0.3, 0.15, 0.15, 0.075])
    assert longer.finished


def test_what_the_schedules_do_not_change_has_the_bits_of_a_training_of_the_new_total():
    constant = {"learning_rate_schedule": "constant", "human_ratio": 0.0}
    longer = further(to_the_end(make(updates=1, **constant)), updates=2, **constant)
    assert longer.optimiser.course() == "0.01 and stays there"
    assert_equal_ends(to_the_end(longer), to_the_end(make(updates=2, **constant)))


def test_a_training_without_updates_goes_on_to_imitate_with_the_bits_of_one_that_always_would():
    changes = {"mle_epochs": 1}
    longer = further(to_the_end(make(updates=0, **changes)), updates=1, **changes)
    assert_equal_ends(to_the_end(longer), to_the_end(make(updates=1, **changes)))


def test_within_the_warm_up_the_rate_goes_on_rising():
    """The first step after the restart is step 5 of a warm-up of 6 steps."""
    stored = to_the_end(make(updates=2, warmup_steps=6, learning_rate_schedule="constant"))
    longer = further(stored, updates=4, warmup_steps=6, learning_rate_schedule="constant")
    assert longer.optimiser.course() == "0.0083, rises to 0.01 and stays there"
