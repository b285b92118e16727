"""Algorithm 2 as a list of stages, one for each epoch of each line."""

from dataclasses import dataclass

from keras_gca.config import FIRST_TURNS, Config

TEACHER_FORCING = "teacher_forcing"
SELF_CONVERSATION = "self_conversation"
DISCRIMINATOR = "discriminator"
GENERATOR = "generator"
INTERLEAVED = "interleaved_teacher_forcing"
LINES = {TEACHER_FORCING: 3, SELF_CONVERSATION: 5, DISCRIMINATOR: 6, GENERATOR: 9, INTERLEAVED: 11}

# The learning-rate option of each phase: "generator" means --generator-learning-rate.
RATES = {
    TEACHER_FORCING: "teacher-forcing",
    DISCRIMINATOR: "discriminator",
    GENERATOR: "generator",
    INTERLEAVED: "interleaved",
}


@dataclass(frozen=True)
class Stage:
    """One epoch of one line of Algorithm 2.

    Attributes:
        phase: The name of the line, which is one of LINES.
        iteration: The number of the iteration in the loop of line 4, starting from 1, or 0 for line 3.
        epoch: The number of the epoch of this line within the iteration, counted from 1.
        epochs: The total number of epochs of this line within the iteration.
    """

    phase: str
    iteration: int
    epoch: int
    epochs: int

    @property
    def line(self) -> int:
        """The number of the stage's line in Algorithm 2."""
        return LINES[self.phase]

    @property
    def number_in_phase(self) -> dict[str, int]:
        """The columns of the log that distinguish this stage from other stages of the same phase."""
        return {"iteration": self.iteration, "epoch": self.epoch}


def schedule(config: Config) -> list[Stage]:
    """Return Algorithm 2 as a list of stages, with the numbers of epochs taken from the settings."""
    stages = [
        Stage(TEACHER_FORCING, 0, e, config.teacher_forcing_epochs) for e in _count(config.teacher_forcing_epochs)
    ]
    for iteration in _count(config.adversarial_epochs):
        stages.append(Stage(SELF_CONVERSATION, iteration, 1, 1))
        for phase, epochs in (
            (DISCRIMINATOR, config.discriminator_epochs),
            (GENERATOR, config.generator_epochs),
            (INTERLEAVED, config.interleaved_epochs),
        ):
            stages += [Stage(phase, iteration, epoch, epochs) for epoch in _count(epochs)]
    if config.adversarial_epochs:
        done, epochs = config.interleaved_epochs, config.interleaved_epochs + config.final_epochs
        last = range(done + 1, epochs + 1)  # as in the author's program, line 11 continues after the last iteration
        stages += [Stage(INTERLEAVED, config.adversarial_epochs, epoch, epochs) for epoch in last]
    return stages


def simulated_turns(config: Config, stage: Stage) -> int:
    """Return the number of answers in a simulated conversation, which the curriculum of Li et al. 2016 increases.

    The number depends only on how many epochs of line 9 have been completed, not on the total number of epochs, so it
    stays the same if the total is raised later.

    Args:
        config: The settings.
        stage: The epoch of line 9.
    """
    done = (stage.iteration - 1) * config.generator_epochs + stage.epoch - 1
    return min(config.simulated_turns, FIRST_TURNS + done // config.curriculum_epochs)


def _count(epochs: int) -> range:
    return range(1, epochs + 1)
