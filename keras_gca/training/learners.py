"""Makes the learners for the lines of Algorithm 2, each when training first reaches its line."""

from keras_gca.config import Config
from keras_gca.models.networks import WHITE, GenerativeConversationalAgent
from keras_gca.training.dialogue_training import DialogueTraining
from keras_gca.training.discriminator import DiscriminatorTraining
from keras_gca.training.generator import GeneratorTraining
from keras_gca.training.learner import BlockLearner
from keras_gca.training.reinforce import ReinforceTraining
from keras_gca.training.schedule import DISCRIMINATOR, GENERATOR, INTERLEAVED, TEACHER_FORCING
from keras_gca.training.teacher_forcing import TeacherForcing


class Learners(dict[str, BlockLearner]):
    """The learners of all phases of a training run. Each learner is made when it is first requested.

    Args:
        config: The settings, which include the learning rates.
        gca: The networks.
        pairs: The number of pairs that line 3 trains on in an epoch.
    """

    def __init__(self, config: Config, gca: GenerativeConversationalAgent, pairs: int):
        super().__init__()
        self.config, self.gca, self.pairs = config, gca, pairs

    def __missing__(self, phase: str) -> BlockLearner:
        make = {
            TEACHER_FORCING: self.line_3,
            DISCRIMINATOR: self.line_6,
            GENERATOR: self.line_9,
            INTERLEAVED: self.line_11,
        }[phase]
        return self.setdefault(phase, make())

    def line_3(self) -> TeacherForcing:
        """Make the learner for teacher forcing, which trains the generator and the word vectors."""
        config = self.config
        window = config.average_epochs * -(-self.pairs // config.batch_size)  # in steps
        average = max(0.0, 1 - 1 / window) if window else 0.0
        return self._teacher_forcing((*WHITE, *self.gca.yellow), config.teacher_forcing_learning_rate, average)

    def line_6(self) -> DiscriminatorTraining:
        """Make the learner for the discriminator, which judges single tokens, or whole answers with `reinforce`."""
        config = self.config
        return DiscriminatorTraining(
            self.gca,
            config.discriminator_learning_rate,
            config.algorithm == "reinforce",
            config.label_smoothing,
            config.instance_noise,
            config.spectral_normalisation == "on",
        )

    def line_9(self) -> GeneratorTraining | ReinforceTraining | DialogueTraining:
        """Make the learner that trains the generator in line 9.

        The generator learns to deceive the discriminator, either by backpropagation through the discriminator or by the
        policy gradient of Li et al. 2017. With `dialogue_rewards`, the generator learns from the rewards of
        conversations instead (Li et al. 2016).
        """
        config = self.config
        common = self.gca, config.generator_learning_rate, config.precision
        if config.algorithm == "reinforce":
            return ReinforceTraining(*common)
        if config.simulates_conversations:
            return DialogueTraining(*common)
        return GeneratorTraining(*common, config.generator_loss, config.generator_tokens, config.gumbel_temperature)

    def line_11(self) -> TeacherForcing:
        """Make the learner for teacher forcing during adversarial iterations, which keeps the word vectors fixed."""
        return self._teacher_forcing(self.gca.yellow, self.config.interleaved_learning_rate)

    def _teacher_forcing(self, names: tuple[str, ...], rate: float, average: float = 0.0) -> TeacherForcing:
        config = self.config
        dropouts = config.dropout, config.hidden_dropout, config.context_dropout, config.answer_dropout
        return TeacherForcing(self.gca, names, rate, *dropouts, average, config.precision)
