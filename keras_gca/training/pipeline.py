"""The first paper's training, from a corpus to a bot, as run by `python -m keras_gca.train`.

train_agent(config, source, run)     trains a new run
start_from(first, changes, run)      trains a new run from line 4 of Algorithm 2, with another run's generator
resume(run, **totals)                resumes an interrupted run, or trains a finished run for more epochs
"""

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from glove.text_files import SKIP_HINT, BadLines, counted, one_line
from keras_gca.agent import Agent
from keras_gca.config import Config
from keras_gca.data.conversations import Conversation
from keras_gca.data.dataset import Dataset, prepare
from keras_gca.data.paraphrases import read_similar
from keras_gca.data.source import Source
from keras_gca.data.speakers import SHOWN_SPEAKERS
from keras_gca.data.vocabulary_choice import all_too_rare, given_words
from keras_gca.engine import devices, reporting
from keras_gca.engine.session import Watching
from keras_gca.errors import UserError
from keras_gca.training.context_changes import with_dynamic_contexts
from keras_gca.training.dialogue_rewards import backward_agent
from keras_gca.training.run_folder import GCARun
from keras_gca.training.seq2bf import Seq2BFSession, with_keywords
from keras_gca.training.token_data import prepared
from keras_gca.training.topics import with_topics
from keras_gca.training.word_vectors import initial_embedding


def train_agent(
    config: Config,
    source: Source,
    run: str | Path,
    strategy: tf.distribute.Strategy | None = None,
    read: tuple[list[Conversation], BadLines] | None = None,
    minutes: float | None = None,
    watching: Watching | None = None,
    backward: str | Path | None = None,
) -> Seq2BFSession:
    """Train an agent by Algorithm 2, and write its run folder.

    Args:
        config: The settings.
        source: The files to read.
        run: The folder to create.
        strategy: The strategy returned by `devices.make`, or None for one device.
        read: The result of `source.read`, or None if the source has not been read yet.
        minutes: The number of minutes after which training stops as if Ctrl-C had been pressed, or None for no limit.
        watching: A function that returns a context manager in which the live view shows the run (see
            `watch_command.watching`), or None for no live view.
        backward: The run that models p(x|y), for `--algorithm dialogue_rewards`, or None. Its bot is copied to the new
            run.

    Returns:
        The session, whose `finished` is False if training stopped early.

    Raises:
        UserError: A file cannot be used, or the folder already contains a run.
        DivergedError: A loss or a weight is no longer finite.
    """
    path = Path(run)
    GCARun.refuse_existing(path)
    config.check_backward(backward)
    if config.predict == "beginning":
        raise UserError("--predict beginning: give --keyword-epochs instead, which trains such a generator")
    names: dict[str, Any] = source.names() | ({} if backward is None else {"backward": str(backward)})
    if source.prepared is not None:
        bad = BadLines(source.skip_bad_lines, UserError, SKIP_HINT)
        with (strategy or tf.distribute.get_strategy()).scope():
            config, dataset = prepared(source.prepared, config)
        names["vocabulary"] = f"from {source.prepared}"
        words = None
    else:
        conversations, bad = read or source.read(config.splits)
        words = given_words(source.vocabulary, config, bad) if source.vocabulary else None
        reporting.say(*bad.notes)
        similar = None
        if not source.corpora and config.context_paraphrases:  # the embedded corpus
            similar = read_similar(conversations, config.contractions)
        dataset = prepare(conversations, config, words, similar)
    reporting.say(*_first_exchange(dataset))
    _describe(dataset, names["vocabulary"])
    if words is None and all_too_rare(dataset.vocabulary, config):
        reporting.say(f"no word in the training text occurs at least {config.minimum_count} times, so all are kept")
    reverse = backward_agent(config, backward, dataset)
    embedding = initial_embedding(dataset, config, source, bad)
    if config.detects_changes:
        dataset = with_dynamic_contexts(dataset, config, embedding)
    if config.topics is not None:
        dataset = with_topics(dataset, config)
    dataset = with_keywords(dataset, config)
    if bad.counts:
        print(bad.summary())
    with devices.training_on(strategy, path) as own:
        made = GCARun.create(own, config, dataset, names | ({"skipped_lines": bad.counts} if bad.counts else {}))
        if reverse is not None:
            reverse.save(made.backward)
        session = Seq2BFSession.of(made, config, dataset, embedding)
        session.begin()
        session.train(minutes, watching)
    return session


def start_from(
    first: str | Path,
    changes: dict[str, Any],
    run: str | Path,
    strategy: tf.distribute.Strategy | None = None,
    minutes: float | None = None,
    watching: Watching | None = None,
    backward: str | Path | None = None,
) -> Seq2BFSession:
    """Train a new run from line 4 of Algorithm 2, with the data and the teacher-forced generator of another run.

    Args:
        first: The folder of the other run.
        changes: The settings that differ from those of the other run. Only settings listed in AFTER_LINE_3 may differ.
        run: The folder to create.
        strategy: The strategy returned by `devices.make`, or None for one device.
        minutes: The number of minutes after which training stops as if Ctrl-C had been pressed, or None for no limit.
        watching: A function that returns a context manager in which the live view shows the run (see
            `watch_command.watching`), or None for no live view.
        backward: The run that models p(x|y), for `--algorithm dialogue_rewards`, or None. Its bot is copied to the new
            run.

    Returns:
        The session, as in `train_agent`.

    Raises:
        UserError: The other run is missing or damaged, or the folder to create already contains a run.
        DivergedError: A loss or a weight is no longer finite.
    """
    other, path = GCARun.open(first), Path(run)
    GCARun.refuse_existing(path)
    weights = Agent.load(other.path).weights["teacher_forcing"]
    config = other.config().changed(**changes)
    if "context_paraphrases" in changes and config.context_paraphrases and not other.config().context_paraphrases:
        raise UserError(
            f"--context-paraphrases: {first} was trained without similar messages, so its data do not list them; leave "
            "out the option"
        )
    dataset = with_keywords(other.dataset(), config)
    reverse = backward_agent(config, backward, dataset)
    names = {} if backward is None else {"backward": str(backward)}
    with devices.training_on(strategy, path) as own:
        made = GCARun.create(own, config, dataset, {**other.source(), "start_from": str(first), **names})
        if reverse is not None:
            reverse.save(made.backward)
        session = Seq2BFSession.of(made, config, dataset)
        session.training.start_from(weights)
        perplexity = f"held-out perplexity {session.training.teacher_forced_perplexity:.2f}"
        reporting.say(f"starting from {first}, with its data and its teacher-forced generator: {perplexity}")
        session.begin()
        session.train(minutes, watching)
    return session


def resume(
    run: str | Path,
    strategy: tf.distribute.Strategy | None = None,
    minutes: float | None = None,
    watching: Watching | None = None,
    **totals: int,
) -> Seq2BFSession:
    """Resume an interrupted run, or continue a run to a new total number of epochs or iterations.

    A resumed run ends with the same weights as an uninterrupted one, bit for bit.

    Args:
        run: The run folder.
        strategy: The strategy returned by `devices.make`, or None for one device.
        minutes: The number of minutes after which training stops as if Ctrl-C had been pressed, or None for no limit.
        watching: A function that returns a context manager in which the live view shows the run (see
            `watch_command.watching`), or None for no live view.
        **totals: New totals, with names from `Config.totals`. `teacher_forcing_epochs` is the new number of epochs of
            teacher forcing (line 3). If that phase is already complete, it continues from its final weights, and lines
            4 to 12 are run again (see `AdversarialState.restore_with_totals`). `adversarial_epochs` is the new number
            of adversarial iterations.

    Returns:
        The session, as in `train_agent`.

    Raises:
        UserError: The run is missing or damaged, or a total has already been reached.
        DivergedError: A loss or a weight is no longer finite.

    Examples:
        Continue teacher forcing in a finished run to a total of 20 epochs, and run the adversarial iterations again:

            resume("runs/first", teacher_forcing_epochs=20)
    """
    path = GCARun.open(run, "train --resume").path
    with devices.training_on(strategy, path) as own:
        made = GCARun(own)
        dataset = made.dataset()
        facts, arrays = made.read_checkpoint()
        session = Seq2BFSession.of(made, made.with_new_totals(facts, totals), dataset)
        session.restore(facts, arrays, "epochs", totals)
        session.train(minutes, watching)
    return session


def _first_exchange(dataset: Dataset) -> tuple[str, str]:
    """Return two lines of text that show the first training pair as the networks see it."""
    vocabulary, first = dataset.vocabulary, dataset.training[:1]
    words = vocabulary.decode_context(first.contexts[0]), vocabulary.decode(first.answers[0])
    context, answer = (one_line(" ".join(tokens)) for tokens in words)
    return f"  context: {context}", f"  answer:  {answer}"


def _describe(dataset: Dataset, source: str) -> None:
    vocabulary, training, validation = dataset.vocabulary, dataset.training, dataset.validation
    unit = "whole conversations"
    if not dataset.whole_conversations:
        number = len(np.union1d(training.conversation, validation.conversation))
        needed = (
            "whole conversations are held out only if there are ten or more, each with at most a tenth of all pairs"
        )
        unit = f"single pairs (the corpus has {counted(number, 'conversation')}; {needed})"
    if dataset.test is not None:
        unit = "the official validation set of the corpus"
    reporting.say(
        f"vocabulary: {len(vocabulary):,} tokens, {source}",
        f"training:   {counted(len(training), 'pair')}, {training.tokens:,} tokens",
        f"held out:   {counted(len(validation), 'pair')}, {counted(validation.tokens, 'token')}, {unit}",
    )
    if vocabulary.speakers:
        named = ", ".join(vocabulary.speakers[:SHOWN_SPEAKERS])
        more = len(vocabulary.speakers) - SHOWN_SPEAKERS
        reporting.say(f"speakers:   {named}{f' and {more:,} more' if more > 0 else ''}")
    if dataset.test is not None:
        size = f"{counted(len(dataset.test), 'pair')}, {counted(dataset.test.tokens, 'token')}"
        reporting.say(f"test:       {size}, the official test set, used by keras_gca.evaluate")
