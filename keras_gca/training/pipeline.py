"""The first paper's training from a corpus to a bot: what `python -m keras_gca.train` does besides parsing.

train_agent(config, source, run)     a new run
start_from(first, changes, run)      a new run that takes data and line 3 of another one
resume(run)                          goes on with an interrupted run
"""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

import glove
from glove.text_files import BadLines, counted
from keras_gca.agent import CHAT_BEAM, Agent, Decoding, save_bot
from keras_gca.config import Config
from keras_gca.data.conversations import Conversation
from keras_gca.data.dataset import Dataset, prepare
from keras_gca.data.pairs import Pairs
from keras_gca.data.pickled_vocabulary import is_pickle, read_vocabulary
from keras_gca.data.source import Source
from keras_gca.data.text import detokenise
from keras_gca.data.vocabulary import UNK, Vocabulary, read_words
from keras_gca.engine import devices
from keras_gca.engine.session import Session
from keras_gca.engine.staged_training import Event
from keras_gca.engine.training_loop import progress
from keras_gca.engine.variables import assign
from keras_gca.errors import UserError
from keras_gca.models.networks import WHITE, YELLOW, build
from keras_gca.training.adversarial import AdversarialTraining
from keras_gca.training.run_folder import GCARun
from keras_gca.training.schedule import GENERATOR, INTERLEAVED, TEACHER_FORCING, Stage

SAMPLES = 6  # exchanges to show
GLOVE_EPOCHS, GLOVE_X_MAX = 50, 10.0  # for corpora of some 100,000 tokens, where few words co-occur 100 times


def train_agent(
    config: Config,
    source: Source,
    run: str | Path,
    strategy: tf.distribute.Strategy | None = None,
    read: tuple[list[Conversation], BadLines] | None = None,
) -> "GCASession":
    """Train an agent by Algorithm 2, and write its run folder.

    run: the folder to make. strategy: of `devices.make`; one device if None. read: what `source.read` gave, if it was
    asked before. Returns the session, whose `training.finished` tells whether the user has stopped it before its end.
    Raises UserError where a file cannot be used, or the folder holds a run already.
    """
    path = Path(run)
    GCARun.refuse_existing(path)
    names = source.names()
    conversations, bad = read or source.read()
    words = _words(source.vocabulary, config, bad) if source.vocabulary else None
    print(f"{names['data']}: {counted(len(conversations), 'conversation')}")
    dataset = prepare(conversations, config, words)
    _describe(dataset, names["vocabulary"])
    embedding = _word_vectors(dataset, config, source, bad)
    if bad.counts:
        print(bad.summary())
    with devices.training_on(strategy, path) as own:
        made = GCARun.create(own, config, dataset, names | ({"skipped_lines": bad.counts} if bad.counts else {}))
        session = GCASession.of(made, config, dataset, embedding)
        session.begin()
        session.train()
    return session


def start_from(
    first: str | Path, changes: dict[str, Any], run: str | Path, strategy: tf.distribute.Strategy | None = None
) -> "GCASession":
    """Train as `train_agent` does, with the data and the generator of line 3 of another run, from line 4 on.

    first: that run's folder. changes: settings of `config.AFTER_LINE_3`.
    """
    other, path = GCARun.open(first), Path(run)
    GCARun.refuse_existing(path)
    weights = Agent.load(other.path).weights["teacher_forcing"]
    config = dataclasses.replace(other.config(), **changes)
    dataset = other.dataset()
    with devices.training_on(strategy, path) as own:
        made = GCARun.create(own, config, dataset, {**other.source(), "start_from": str(first)})
        session = GCASession.of(made, config, dataset)
        session.training.start_from(weights)
        print(f"{first}: its data, and its generator after line 3, held-out perplexity "
              f"{session.training.teacher_forced_perplexity:.2f}")  # fmt: skip
        session.begin()
        session.train()
    return session


def resume(run: str | Path, strategy: tf.distribute.Strategy | None = None) -> "GCASession":
    """Go on with an interrupted run. Raises UserError where there is none, or it is damaged."""
    path = GCARun.open(run, "train --resume").path
    with devices.training_on(strategy, path) as own:
        made = GCARun(own)
        session = GCASession.of(made, made.config(), made.dataset())
        session.restore("epochs")
        session.train()
    return session


class GCASession(Session):
    """A training by Algorithm 2 with its run folder."""

    package = "keras_gca"
    run: GCARun
    training: AdversarialTraining

    def __init__(self, run: GCARun, training: AdversarialTraining, vocabulary: Vocabulary):
        super().__init__(run, training)
        self.vocabulary = vocabulary

    @classmethod
    def of(cls, run: GCARun, config: Config, dataset: Dataset, embedding: np.ndarray | None = None) -> "GCASession":
        """embedding: (s_v, s_e) float32, the initial word vectors; at random if None."""
        gca = build(config, len(dataset.vocabulary), embedding)
        return cls(run, AdversarialTraining(config, gca, dataset.training, dataset.validation), dataset.vocabulary)

    def title(self, stage: Stage) -> str:
        where = f"{stage.iteration}." if stage.iteration else ""
        name = stage.phase.removeprefix("interleaved_").replace("_", " ")
        return f"line {stage.line:>2}  {name:17} {where}{stage.epoch}/{stage.epochs}"

    def end_of_stage(self, event: Event) -> bool:
        """Samples, where the generator has learned."""
        if event.stage.phase in (TEACHER_FORCING, GENERATOR, INTERLEAVED):
            contexts = _sample_contexts(self.training.validation)
            answers = self.training.decoder.greedy(contexts, allow_unknown=False).answers
            exchanges = [(self._text(c), self._text(a)) for c, a in zip(contexts, answers, strict=True)]
            self.run.write_samples(f"{len(self.training.history):03d}_{event.stage.phase}", exchanges)
        return False

    def write(self) -> None:
        """The three networks' weights, and the bot."""
        training, gca = self.training, self.training.gca
        live = [variable.numpy() for variable in gca.variables(*WHITE, *YELLOW)]
        if training.phase == TEACHER_FORCING or training.config.adversarial_epochs == 0:
            generators = {"teacher_forcing": training.teacher_forced or live}
        else:
            generators = {"teacher_forcing": training.teacher_forced, "adversarial": live}
        for name, weights in generators.items():
            assign(gca.variables(*WHITE, *YELLOW), weights)
            self.run.write_weights(name, gca.generator)
        assign(gca.variables(*WHITE, *YELLOW), live)
        self.run.write_weights("discriminator", gca.discriminator)
        green = [variable.numpy() for variable in gca.variables(*WHITE, *gca.green)]
        save_bot(self.run.bot, training.config, self.vocabulary, generators, green)

    def summarise(self) -> None:
        run, training = self.run, self.training
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

        print(f"\nreplies to held-out contexts, by a beam of {CHAT_BEAM} as in a chat (* the discriminator's choice)")
        agent = Agent.load(run.bot)
        contexts = _sample_contexts(training.validation)
        for context, answers in zip(contexts, agent.answer_contexts(contexts, Decoding(beam=CHAT_BEAM)), strict=True):
            print(f"\n  {self._text(context)}")
            for answer in sorted(answers, key=lambda each: agent.generators.index(each.generator)):
                mark = "*" if answer is answers[0] else " "
                print(f"   {mark} {answer.generator.replace('_', ' '):16} {answer.text}")

        print(f"\nwrote {run.path}: bot.h5 chats; log.csv, samples and tensorboard show how it learned")
        print(f"next: python -m keras_gca.chat {run.path}")
        print(f"  or: python -m keras_gca.evaluate {run.path}")

    def _text(self, indices: np.ndarray) -> str:
        return detokenise(self.vocabulary.decode(indices), self.vocabulary.surfaces)


def _words(path: Path, config: Config, bad: BadLines) -> list[str]:
    """The words of --vocabulary: a list of words, or the author's pickle."""
    words = list(read_vocabulary(path).counts) if is_pickle(path) else read_words(path, bad)
    if config.padding == "original" and words[0] != ".":
        raise UserError(f"{path}: begins with {words[0]!r}; with --padding original the first word must be '.'")
    return words


def _describe(dataset: Dataset, source: str) -> None:
    vocabulary, training, validation = dataset.vocabulary, dataset.training, dataset.validation
    unit = (
        "whole conversations"
        if dataset.whole_conversations
        else "single pairs (the corpus has no conversation boundaries)"
    )
    print(f"vocabulary: {len(vocabulary):,} tokens, {source}")
    print(f"training:   {counted(len(training), 'pair')}, {training.tokens:,} tokens")
    print(f"held out:   {counted(len(validation), 'pair')}, {counted(validation.tokens, 'token')}, {unit}")


def _word_vectors(dataset: Dataset, config: Config, source: Source, bad: BadLines) -> np.ndarray:
    """(s_v, s_e) float32, of the vocabulary's tokens: read from --glove, or fitted to the training text."""
    words = list(dataset.vocabulary.counts)
    if source.glove:
        vectors = glove.read_vectors(source.glove, words, config.word_embedding_size, source.glove_member, bad)
    else:
        if sum(map(len, dataset.documents)) < 2 * len(dataset.documents):
            raise UserError("no two words of the training text stand together: there are no word vectors to fit")
        with progress(total=GLOVE_EPOCHS, desc="fitting GloVe vectors") as bar:
            vectors = glove.fit(
                dataset.documents,
                words,
                config.word_embedding_size,
                x_max=GLOVE_X_MAX,
                epochs=GLOVE_EPOCHS,
                seed=config.seed,
                report=lambda epoch, error: bar.update(),
            )
    print(glove.embedding_matrix(words, vectors, dataset.vocabulary.counts).report())
    return glove.embedding_matrix(dataset.vocabulary.tokens, vectors).matrix


def _sample_contexts(validation: Pairs) -> np.ndarray:
    """Held-out contexts to show replies to, evenly spread: all words known, neither very short nor very long."""
    contexts = validation.contexts
    lengths = np.count_nonzero(contexts, axis=1)
    legible = np.flatnonzero(~np.any(contexts == UNK, axis=1) & (lengths >= 6) & (lengths <= 30))
    candidates = legible if len(legible) >= SAMPLES else np.arange(len(contexts))
    return contexts[candidates[np.linspace(0, len(candidates) - 1, SAMPLES).astype(int)]]
