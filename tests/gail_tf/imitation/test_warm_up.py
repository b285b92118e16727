"""The warm-up of a preset is shortened in training runs that have fewer steps."""

import json
import math

import numpy as np
import pytest

from gail_tf.config import GAILConfig
from gail_tf.imitation.phases import IMITATION, MAXIMUM_LIKELIHOOD, PRETRAINING
from keras_gca.engine.learner import AdamWLearner
from keras_gca.errors import UserError
from tests.factories import small_runs

# There are two epochs of three batches of maximum likelihood, and three updates of two minibatches. D does not learn.
SHORT = {name: value for name, value in small_runs.SMALL.items() if name != "warmup_steps"} | {
    "n_layer": 1, "n_head": 1, "n_embd": 8, "trainable": "head", "dropout": 0.0, "mle_epochs": 2,
    "discriminator_steps": 0, "discriminator_passes": 0, "mle_learning_rate": 0.06, "generator_learning_rate": 0.006,
}  # fmt: skip


def short(**changes) -> GAILConfig:
    return GAILConfig.preset("default", **SHORT | changes)


@pytest.mark.parametrize(
    ("total", "steps"), [(1, 0), (2, 1), (9, 1), (30, 3), (49, 4), (50, 5), (51, 50), (9999, 50), (None, 50)]
)
def test_it_is_a_tenth_where_it_would_not_end(total, steps):
    assert GAILConfig.preset("default").warm_up(total) == steps
    assert GAILConfig.preset("default", warmup_steps=50).warm_up(total) == 50


@pytest.mark.thorough
@pytest.mark.usefixtures("eagerly")
def test_its_rates_are_those_of_a_shorter_one_after_a_restart_too(monkeypatch):
    """One of six steps is the warm-up. The rate is 1 and then falls linearly; a seventh step would have the rate 0."""
    learners, begin = [], AdamWLearner.__init__

    def recorded(learner, *arguments, **named):
        begin(learner, *arguments, **named)
        learners.append(learner)

    monkeypatch.setattr(AdamWLearner, "__init__", recorded)

    def rates_of(training):
        """Yield the rate of every remaining step, and store the state in the middle of the second epoch."""
        for event in training:
            if event.stage.phase == MAXIMUM_LIKELIHOOD and event.row is None:
                yield float(learners[-1].optimizer.learning_rate)
                if (event.stage.number, event.step) == (2, 1):
                    stored.append(training.state())
            elif event.stage.phase == IMITATION and event.row is None and event.step > 1:
                yield float(training.optimiser.policy_learner.optimizer.learning_rate)

    stored, training = [], small_runs.training(short())
    rates = list(rates_of(training))
    falling = np.array([6, 5, 4, 3, 2, 1]) / 6
    np.testing.assert_allclose(rates, [*0.06 * falling, *0.006 * falling], rtol=1e-6)

    again = small_runs.training(GAILConfig.from_values(json.loads(json.dumps(short().to_values()))))
    again.restore(*stored[0])
    assert list(rates_of(again)) == rates[4:]
    assert all(map(np.array_equal, again.policy.variables, training.policy.variables))


def test_the_phases_are_named():
    training = small_runs.training(short(), from_scratch=True)
    pretraining = math.ceil(len(training.general.condition) / 8)
    assert 1 < pretraining < 20
    found = {PRETRAINING: (1, pretraining), MAXIMUM_LIKELIHOOD: (1, 6), IMITATION: (1, 6)}
    assert training.shortened_warm_ups() == found
    assert small_runs.training(short(updates=0)).shortened_warm_ups() == {MAXIMUM_LIKELIHOOD: (1, 6)}
    assert small_runs.training(short(learning_rate_schedule="constant")).shortened_warm_ups() == {}
    assert small_runs.training(short(warmup_steps=5)).shortened_warm_ups() == {}


@pytest.mark.parametrize("changes", [{"updates": 0}, {"mle_epochs": 0}])
def test_one_that_was_given_is_refused(changes):
    with pytest.raises(UserError, match="--warmup-steps: 50 is too many for a phase of 6 steps"):
        small_runs.training(short(warmup_steps=50, **changes))
