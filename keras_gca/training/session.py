"""Trains an agent of the first paper by Algorithm 2: writes the run folder, saves the bot, and prints the results."""

from typing import Self

import numpy as np

from glove.cost import Estimate
from keras_gca.agent import Agent
from keras_gca.bot import Bot
from keras_gca.config import Config
from keras_gca.data.dataset import Dataset
from keras_gca.data.keywords import KeywordModel, Seq2BF, beginnings
from keras_gca.data.pairs import Pairs
from keras_gca.data.text import detokenise
from keras_gca.data.vocabulary import UNK, Vocabulary
from keras_gca.engine import reporting
from keras_gca.engine.session import Session
from keras_gca.engine.staged_training import Event
from keras_gca.engine.variables import assign
from keras_gca.invocation import hint
from keras_gca.models.networks import WHITE, build
from keras_gca.serving.live_view import record
from keras_gca.serving.terminal import print_answers
from keras_gca.storage.live_files import Exchange
from keras_gca.training.adversarial import AdversarialTraining
from keras_gca.training.dialogue_rewards import DialogueRewards
from keras_gca.training.estimate import estimate
from keras_gca.training.live_view import answer
from keras_gca.training.run_folder import GCARun
from keras_gca.training.schedule import GENERATOR, INTERLEAVED, SELF_CONVERSATION, TEACHER_FORCING, Stage
from keras_gca.training.state import present

SAMPLES = 6  # the number of exchanges to show


class GCASession(Session):
    """A training run of Algorithm 2 together with its run folder, as returned by `train_agent` and `resume`.

    Args:
        run: The run folder.
        training: The `AdversarialTraining` object, which holds the settings and data of the run.
        vocabulary: The vocabulary of the networks.
        detector: The weights of the detector of context changes, to be stored in the bot, or None.
        topics: The weights of the topic model, to be stored in the bot, or None.

    Attributes:
        backward: The weights of the generator for p(x|y), to be stored in the bot, or None.
        seq2bf: The parts that build answers around keywords, to be stored in the bot, or None.
    """

    package = "keras_gca"
    run: GCARun
    training: AdversarialTraining

    def __init__(
        self,
        run: GCARun,
        training: AdversarialTraining,
        vocabulary: Vocabulary,
        detector: list[np.ndarray] | None = None,
        topics: list[np.ndarray] | None = None,
    ):
        super().__init__(run, training)
        self.vocabulary, self.detector, self.topics = vocabulary, detector, topics
        self.backward: list[np.ndarray] | None = None
        self.seq2bf: Seq2BF | None = None

    @classmethod
    def of(cls, run: GCARun, config: Config, dataset: Dataset, embedding: np.ndarray | None = None) -> Self:
        """Make a session with new networks.

        Args:
            run: The run folder.
            config: The settings.
            dataset: The data.
            embedding: The initial word vectors, a float32 array with one row for each token of the vocabulary, or None
                for random vectors.
        """
        vocabulary = dataset.vocabulary
        gca = build(config, len(vocabulary), embedding, len(vocabulary.speakers), dataset.topic_model)
        validation, split_words = dataset.validation, None
        if config.predict == "beginning":
            split_words = KeywordModel.of_arrays(dataset.keywords or ()).candidates
            validation = beginnings(validation, split_words, config.seed)  # the same in each epoch
        training = AdversarialTraining(config, gca, dataset.training, validation)
        training.paraphrases, training.split_words = dataset.paraphrases, split_words
        if config.simulates_conversations:
            training.rewards = DialogueRewards.of(config, dataset, Agent.load(run.backward))
        return cls(run, training, vocabulary, dataset.detector, dataset.topics)

    def sizes(self) -> dict[str, int]:
        """Return the numbers of weights in the generator and the discriminator, each including the word vectors."""
        gca = self.training.gca
        return {"generator": gca.generator.count_params(), "discriminator": gca.discriminator.count_params()}

    def _describe(self) -> None:
        """Print the sizes of the networks if -v is given, and a cost estimate if training will take a long time."""
        super()._describe()
        training = self.training
        reporting.say_cost(self.cost(training.stages_left))

    def cost(self, left: list[Stage]) -> Estimate:
        """Estimate the cost of the remaining stages."""
        training = self.training
        return estimate(training.config, len(self.vocabulary), training.training, training.validation, left)

    def title(self, stage: Stage) -> str:
        """Return the line, the name and the epoch of a stage as text for the progress bar."""
        where = f"{stage.iteration}." if stage.iteration else ""
        name = stage.phase.removeprefix("interleaved_").replace("_", " ")
        return f"line {stage.line:>2}  {name:17} {where}{stage.epoch}/{stage.epochs}"

    def done(self) -> dict[str, int]:
        """Return the totals that a finished run has reached.

        The epochs of teacher forcing are left out if another run trained the generator in line 3 (see `start_from`).
        """
        epochs = sum(row["phase"] == TEACHER_FORCING for row in self.training.history)
        own = {"teacher_forcing_epochs": epochs} if epochs else {}
        return own | {"adversarial_epochs": self.training.config.adversarial_epochs}

    def further(self) -> str:
        """Return a message that says where further training of the run begins, and what starts from scratch."""
        training, config = self.training, self.training.config
        if training.phase != TEACHER_FORCING:
            return f"the adversarial iterations continue to a total of {config.adversarial_epochs}"
        done = sum(row["phase"] == TEACHER_FORCING for row in training.history)
        epochs = f"from epoch {done + 1} to the end of epoch {config.teacher_forcing_epochs}"
        if not done or TEACHER_FORCING in training.learners:
            return f"teacher forcing (line 3) continues {epochs}"
        average = ", the running average of the weights" if config.average_epochs else ""
        rate = config.teacher_forcing_learning_rate * config.learning_rate_decay**done
        return (
            f"teacher forcing (line 3) continues with its final weights, {epochs}, with an initial learning rate of "
            f"{rate:.2g}; Adam's moments{average}, the discriminator and the adversarial iterations start from scratch"
        )

    def end_of_stage(self, event: Event) -> bool:
        """Write replies to held-out contexts if the stage trained the generator; return False to continue.

        The replies are those of the weights whose held-out perplexity is logged.
        """
        with self.training.averaged_generator():
            if event.stage.phase in (TEACHER_FORCING, GENERATOR, INTERLEAVED):
                contexts = _samples(self.training.validation).contexts
                answers = self.training.decoder.greedy(contexts, allow_unknown=False).answers
                exchanges = [(self._context(c), self._text(a)) for c, a in zip(contexts, answers, strict=True)]
                self.run.write_samples(f"{len(self.training.history):03d}_{event.stage.phase}", exchanges)
            if event.stage.phase != SELF_CONVERSATION:  # this phase changes neither G nor D
                record(self.run.path, len(self.training.history), self.title(event.stage), self._answer)
        return False

    def _answer(self, questions: list[str]) -> tuple[list[Exchange], list[Exchange]]:
        """Answer some held-out contexts, and the questions of a user who watches the run."""
        return answer(self.training, self.vocabulary, _samples(self.training.validation), questions)

    def write(self) -> None:
        """Write the weights of the networks, and the bot file."""
        training, gca = self.training, self.training.gca
        live = [variable.numpy() for variable in gca.variables(*WHITE, *gca.yellow)]
        if training.phase == TEACHER_FORCING or training.config.adversarial_epochs == 0:
            generators = {"teacher_forcing": training.teacher_forced or live}
            # If line 3 is trained further, this file is left over from the earlier adversarial iterations.
            self.run.weights_file("adversarial").unlink(missing_ok=True)
        else:
            kept = present(training.teacher_forced, "the generator of line 3")
            generators = {"teacher_forcing": kept, "adversarial": live}
        for name, weights in generators.items():
            assign(gca.variables(*WHITE, *gca.yellow), weights)
            self.run.write_weights(name, gca.generator)
        assign(gca.variables(*WHITE, *gca.yellow), live)
        self.run.write_weights("discriminator", gca.discriminator)
        green = [variable.numpy() for variable in gca.variables(*WHITE, *gca.green)]
        parts = generators, green, self.detector, self.backward, self.topics, self.seq2bf
        Bot(training.config, self.vocabulary, *parts).write(self.run.bot)

    def summarise(self) -> None:
        """Print the held-out perplexity, and the shares of human and machine-generated tokens that D recognises."""
        training = self.training
        print("\nheld-out perplexity")
        before = training.teacher_forced_perplexity
        print(f"  after teacher forcing        {before:8.2f}")
        later = [row["val_perplexity"] for row in training.history if row["iteration"] and "val_perplexity" in row]
        if later:
            print(f"  after adversarial training   {later[-1]:8.2f}")
        judged = [row for row in training.history if "val_accuracy_human" in row]
        if judged:
            print("discriminator, held-out tokens recognised")
            print(f"  human                        {judged[-1]['val_accuracy_human']:8.1%}")
            print(f"  machine-generated            {judged[-1]['val_accuracy_machine']:8.1%}")

    def show_replies(self) -> None:
        """Print every generator's replies to some held-out contexts."""
        agent = Agent.load(self.run.bot)
        decoding = agent.usual_decoding
        print(
            f"\nreplies to held-out contexts, by beam search of width {decoding.beam}, as in a chat "
            "(* the discriminator's choice)"
        )
        contexts = _samples(self.training.validation).contexts
        for context, answers in zip(contexts, agent.answer_contexts(contexts, decoding), strict=True):
            print(f"\n  {self._context(context)}")
            print_answers(answers, agent.generators, width=16)

    def conclude(self) -> None:
        """Print what the run folder contains, and which commands to run next."""
        path = self.run.path
        print(f"\nwrote {path}: bot.h5 is the bot to chat with; log.csv, samples and tensorboard show how it learned")
        print(f"next: {hint('keras_gca.chat', path)}")
        print(f"  or: {hint('keras_gca.evaluate', path)}")

    def _context(self, indices: np.ndarray) -> str:
        return detokenise(self.vocabulary.decode_context(indices), self.vocabulary.surfaces)

    def _text(self, indices: np.ndarray) -> str:
        return detokenise(self.vocabulary.decode(indices), self.vocabulary.surfaces)


def _samples(validation: Pairs) -> Pairs:
    """Choose evenly spaced held-out pairs, if possible with contexts of medium length that contain no unknown words."""
    contexts = validation.contexts
    lengths = np.count_nonzero(contexts, axis=1)
    legible = np.flatnonzero(~np.any(contexts == UNK, axis=1) & (lengths >= 6) & (lengths <= 30))
    candidates = legible if len(legible) >= SAMPLES else np.arange(len(contexts))
    return validation[candidates[np.linspace(0, len(candidates) - 1, SAMPLES).astype(int)]]
