"""Training further: a stored training continues with new totals of epochs."""

import numpy as np
import pytest

from keras_gca.config import Config
from keras_gca.errors import UserError
from keras_gca.models.networks import WHITE, YELLOW, build
from keras_gca.training.adversarial import AdversarialTraining
from keras_gca.training.schedule import SELF_CONVERSATION, TEACHER_FORCING
from tests.factories.gca import SMALL, VOCABULARY, random_pairs

# A short training run that has everything that a restart could get wrong.
SHORT = SMALL | {"machine_pairs": 12, "discriminator_epochs": 1, "learning_rate_decay": 0.5, "average_epochs": 0.5}


def make(**changes):
    config = Config.preset("tiny", **SHORT | changes)
    return AdversarialTraining(config, build(config, VOCABULARY), random_pairs(20, 0), random_pairs(8, 1))


def to_the_end(training):
    for _ in training:
        pass
    return training


def further(stored, **totals):
    """Make a training run with new totals, and restore a stored training into it."""
    facts, arrays = stored.state()
    given = {
        name: getattr(stored.config, name) for name in ("teacher_forcing_epochs", "adversarial_epochs", "patience")
    }
    made = make(**{**given, **totals})
    made.restore_with_totals(facts, arrays, stored.config, totals)
    return made


def weights(training):
    return [variable.numpy() for variable in training.gca.variables(*WHITE, *YELLOW, *training.gca.green)]


def assert_equal(one, other):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.thorough
def test_a_new_total_before_the_end_of_line_3_gives_the_bits_of_a_training_of_that_total():
    """The training is stored within epoch 2 of 2, and resumed within epoch 2 of 3.

    Optimizer, average and learning rate continue as if it had never been stopped.
    """
    whole = to_the_end(make(teacher_forcing_epochs=3, adversarial_epochs=0))
    stopped = make(teacher_forcing_epochs=2, adversarial_epochs=0)
    next(event for event in stopped if event.stage.epoch == 2)
    longer = to_the_end(further(stopped, teacher_forcing_epochs=3))
    assert longer.history == whole.history
    assert len(longer.history) == 3
    assert_equal(weights(longer), weights(whole))


@pytest.mark.thorough
def test_more_adversarial_iterations_give_the_bits_of_a_training_of_so_many():
    whole = to_the_end(make(teacher_forcing_epochs=1, adversarial_epochs=2))
    longer = to_the_end(further(to_the_end(make(teacher_forcing_epochs=1, adversarial_epochs=1)), adversarial_epochs=2))
    assert longer.history == whole.history
    assert_equal(weights(longer), weights(whole))


@pytest.mark.thorough
def test_line_3_goes_on_from_its_own_end_and_the_rest_is_that_of_a_new_training():
    stored = to_the_end(make(teacher_forcing_epochs=2, adversarial_epochs=1))
    ended = stored.teacher_forced
    green = [variable.numpy() for variable in make().gca.variables(*stored.gca.green)]
    longer = further(stored, teacher_forcing_epochs=3)
    assert_equal(weights(longer), [*ended, *green])
    assert any(not np.array_equal(a, b) for a, b in zip(weights(longer), weights(stored), strict=True))
    assert [(row["phase"], row["epoch"]) for row in longer.history] == [(TEACHER_FORCING, 1), (TEACHER_FORCING, 2)]
    assert longer.machine is None
    assert not longer.learners

    event = next(iter(longer))
    learner = longer.learners[TEACHER_FORCING]
    assert event.stage.epoch == 3
    # The rate of the preset `tiny`, halved after each epoch.
    assert float(learner.optimizer.learning_rate) == pytest.approx(0.01 * 0.5**2)
    assert learner.steps == 1  # the count of Adam's steps starts again
    next(event for event in longer if event.row is not None)
    assert longer.phase == SELF_CONVERSATION
    fresh = make(teacher_forcing_epochs=3, adversarial_epochs=1)
    fresh.start_from(longer.teacher_forced)
    to_the_end(fresh)
    to_the_end(longer)
    assert longer.history[3:] == fresh.history
    assert_equal(weights(longer), weights(fresh))


@pytest.mark.thorough
def test_where_patience_has_ended_line_3_the_same_total_goes_on_after_the_epochs_that_were_done():
    rising = {"teacher_forcing_learning_rate": 0.9, "learning_rate_decay": 1.0, "average_epochs": 0.0}
    stored = to_the_end(make(teacher_forcing_epochs=30, adversarial_epochs=0, patience=2, **rising))
    done, best = len(stored.history), stored.teacher_forced_perplexity
    assert done < 30
    longer = further(stored, teacher_forcing_epochs=30, **rising)
    assert_equal(weights(longer)[: len(stored.teacher_forced)], stored.teacher_forced)
    event = next(iter(longer))
    assert event.stage.epoch == done + 1
    for event in longer:
        if event.row is not None:
            break
    # The patience starts again, so that one epoch cannot end line 3. The best perplexity so far is kept.
    assert longer.phase == TEACHER_FORCING
    assert longer.teacher_forced_perplexity == min(best, event.row["val_perplexity"])


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("kept", "line", "part"),
    [("machine", 6, "M of line 5"), ("machine", 9, "M of line 5"), ("teacher_forced", 3, "the generator of line 3")],
)
def test_a_state_without_a_part_that_an_earlier_line_has_left_is_refused(kept, line, part):
    stored = make(teacher_forcing_epochs=2)
    facts, arrays = stored.state()
    position = [stage.line for stage in stored.stages].index(line) + (line == 3)  # the last epoch of line 3
    best = {"perplexity": 0.0, "waited": 0}
    made = make(teacher_forcing_epochs=2, average_epochs=0.0, patience=1)
    arrays = {name: array for name, array in arrays.items() if not name.startswith((kept, "optimizers", "average"))}
    made.restore(facts | {"position": position, "best": best}, arrays)
    with pytest.raises(UserError, match=f"the checkpoint lacks {part}, so the run cannot be resumed"):
        to_the_end(made)
