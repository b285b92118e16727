from types import SimpleNamespace

import numpy as np
import pytest

from keras_gca.engine import training_loop
from keras_gca.engine.training_loop import Interruption, format_metrics, walk
from keras_gca.errors import UserError


class Clock:
    """Replaces `time`. It advances when somebody sleeps, and a little each time that it is read."""

    now = 0.0

    def monotonic(self):
        self.now += 1e-6
        return self.now

    def sleep(self, seconds):
        self.now += seconds


@pytest.fixture(autouse=True)
def _clock(monkeypatch):
    monkeypatch.setattr(training_loop, "time", Clock())


class Run:
    """A run folder that notes when it is written to. Writing takes `seconds`."""

    def __init__(self, path, seconds):
        self.path, self.seconds, self.checkpoints = path, seconds, []

    def write_checkpoint(self, facts, arrays):
        training_loop.time.sleep(self.seconds)
        self.checkpoints.append(facts["done"])

    def write_log(self, history):
        self.logged = len(history)

    def read_samples(self, row):
        return None


class Training:
    """A training with stages of `steps` steps. Each step takes `seconds`."""

    def __init__(self, stages, steps, seconds=0.0, minutes=10.0, resumable=True):
        self.stages = [SimpleNamespace(phase="training", number=number) for number in range(stages)]
        self.history, self.config = [], SimpleNamespace(checkpoint_minutes=minutes)
        self.steps, self.seconds, self.resumable, self.done = steps, seconds, resumable, 0

    def __iter__(self):
        for stage in self.stages:
            for step in range(1, self.steps + 1):
                training_loop.time.sleep(self.seconds)
                self.done += 1
                row = {"phase": "training", "loss": 1.0} if step == self.steps else None
                if row:
                    self.history.append(row)
                resumable = self.resumable or row is not None
                yield SimpleNamespace(
                    stage=stage, step=step, steps=self.steps, metrics={}, row=row, resumable=resumable
                )

    def state(self):
        return {"done": self.done}, {"a": np.zeros(1)}


def checkpoints(training, run, interruption=None, after=lambda event: None):
    walk(training, run, interruption or Interruption(), lambda stage: "stage", after)
    assert run.logged == len(training.history)
    return run.checkpoints


def test_the_end_of_every_stage_is_stored_where_that_costs_little(tmp_path):
    assert checkpoints(Training(3, 2, seconds=0.02), Run(tmp_path, 0.0)) == [2, 4, 6]


def test_short_stages_are_not_stored_each_but_the_end_is(tmp_path):
    """Writing a checkpoint takes 50 ms, and a stage takes 1 ms.

    The second checkpoint is due 450 stages after the first.
    """
    found = checkpoints(Training(30, 1, seconds=0.001), Run(tmp_path, 0.05))
    assert found[0] == 1
    assert found[-1] == 30
    assert len(found) < 6


def test_steps_are_stored_after_the_minutes_asked_for(tmp_path):
    assert checkpoints(Training(2, 3, minutes=0.0), Run(tmp_path, 0.0)) == [1, 2, 3, 4, 5, 6]
    found = checkpoints(Training(2, 3, minutes=0.0, resumable=False), Run(tmp_path, 0.0))
    assert found == [3, 6]  # only after events at which the training can be resumed


def test_the_end_of_a_stage_is_told_before_it_is_stored(tmp_path):
    """A training that is killed in between repeats the stage.

    If the stage were stored first, its line and its samples would be lost.
    """
    run, told = Run(tmp_path, 0.0), []
    checkpoints(Training(2, 1), run, after=lambda event: told.append((run.logged, len(run.checkpoints))))
    assert told == [(1, 0), (2, 1)]


def test_files_that_cannot_be_written_are_one_line(tmp_path):
    class Full(Run):
        def write_checkpoint(self, facts, arrays):
            raise OSError(28, "No space left on device", "x/checkpoint.h5")

    with pytest.raises(UserError) as raised:
        checkpoints(Training(1, 1), Full(tmp_path, 0.0))
    assert str(raised.value) == f"x/checkpoint.h5: No space left on device; the last good checkpoint is in {tmp_path}"


def test_tensorboards_errors_are_of_files(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "tensorboard").write_text("in the way")
    with pytest.raises((OSError, UserError), match="tensorboard"):
        checkpoints(Training(1, 1), Run(folder, 0.0))


@pytest.mark.parametrize(("resumable", "stored"), [(True, 4), (False, 6)])
def test_an_interruption_is_stored_where_it_can_be_taken_up_again(tmp_path, resumable, stored):
    interruption = Interruption()

    class Interrupted(Training):
        def __iter__(self):
            for event in super().__iter__():
                interruption.asked = self.done >= 4
                yield event

    training = Interrupted(3, 3, resumable=resumable)
    assert checkpoints(training, Run(tmp_path, 0.0), interruption)[-1] == stored
    assert training.done == stored


def test_a_training_stops_when_its_time_is_over(tmp_path, monkeypatch):
    now = 0.0
    monkeypatch.setattr(training_loop.time, "monotonic", lambda: now)

    class OneMinuteAStep(Training):
        def __iter__(self):
            nonlocal now
            for event in super().__iter__():
                now += 60
                yield event

    training, interruption = OneMinuteAStep(3, 3), Interruption(minutes=5)
    assert not interruption.requested
    assert checkpoints(training, Run(tmp_path, 0.0), interruption)[-1] == 5
    assert training.done == 5
    now = 10.0**9
    assert not Interruption().requested


def test_the_figures_of_a_line():
    row = {
        "phase": "x",
        "number": 3,
        "loss": 2.5,
        "perplexity": 12.0,
        "val_perplexity": 13.25,
        "reward": 0.5,
        "kl": 0.125,
    }
    assert format_metrics(row) == "loss 2.50, held-out perplexity 13.25, reward 0.500, kl 0.125"
    assert format_metrics(row, ("val_perplexity", "kl")) == "held-out perplexity 13.25, kl 0.125"
    assert format_metrics(row | {"val_reward": 0.25}, ("reward",)) == "held-out reward 0.250"
