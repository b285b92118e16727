"""`python -m keras_gca.train`: Algorithm 2 from a corpus to a bot that chats."""

import argparse
import contextlib
import dataclasses
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from keras_gca import command_line
from keras_gca.config import AFTER_LINE_3, PRESETS, Config
from keras_gca.conversations import EMBEDDED, FORMATS, read_conversations
from keras_gca.errors import UserError

if TYPE_CHECKING:  # these import TensorFlow, for which `--help` must not wait
    import numpy as np

    from glove.text_files import BadLines
    from keras_gca.adversarial import AdversarialTraining, Stage
    from keras_gca.pairs import Dataset, Pairs
    from keras_gca.run_folder import GCARun
    from keras_gca.stages import Event
    from keras_gca.vocabulary import Vocabulary

SAMPLES = 6  # exchanges to show
OF_TRAINING_TEXT = "from the training text"
GLOVE_EPOCHS, GLOVE_X_MAX = 50, 10.0  # for corpora of some 100,000 tokens, where few words co-occur 100 times

DESCRIPTION = """\
Train a generative conversational agent by Algorithm 2 of Ludwig 2017: teacher forcing, then, again and again,
self-conversation, the discriminator, the generator through the frozen discriminator, and teacher forcing.

  python -m keras_gca.train                            the embedded corpus of English courses; about 10 minutes
  python -m keras_gca.train --data FILE --glove FILE   your own conversations and word vectors
  python -m keras_gca.train --resume RUN               go on with an interrupted run
  python -m keras_gca.train --start-from RUN           again from line 4, with other settings of lines 4 to 12
  python -m keras_gca.train --strategy mirrored        on all GPUs of this machine
"""

EPILOG = f"""\
corpus formats: {", ".join(FORMATS)}; each is explained in keras_gca/conversations.py.
Ctrl-C stops after the step in hand; the run can be resumed, and chats with what it has learned so far.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status: 0, or 130 after an interruption."""
    options = _parser().parse_args(arguments)
    changes = command_line.settings(options, Config)
    with contextlib.ExitStack() as devices:
        return _train(_begin(options, changes, devices))


def _begin(options: argparse.Namespace, changes: dict[str, Any], devices: contextlib.ExitStack) -> "_Session":
    if options.resume is None:
        if options.format and not options.data:
            raise UserError("--format tells how to read --data, which is not given")
        if options.glove_member and not options.glove:
            raise UserError("--glove-member names a part of --glove, which is not given")
        if options.vocabulary and (idle := [name for name in _VOCABULARY_SETTINGS if name in changes]):
            raise UserError(f"--{idle[0].replace('_', '-')}: --vocabulary gives the words; leave one out")
        if options.start_from is None:
            return _start(Config.preset(options.preset or "default", **changes), options, devices)
        others = [name for name in changes if name not in AFTER_LINE_3]
        command_line.refuse(options, _DATA_OPTIONS, others, "--start-from takes the other run's data and line 3")
        return _start_from(options.start_from, changes, options, devices)
    others = (*_DATA_OPTIONS, "run", "start_from")
    command_line.refuse(options, others, changes, "--resume takes no other settings than the run's own")
    return _resume(options, devices)


def _train(session: "_Session") -> int:
    from keras_gca.training_loop import interruptible, walk

    with interruptible() as interruption:
        walk(session.training, session.run, interruption, _title, partial(_end_of_stage, session))
    session.run.write_log(session.training.history)
    _write_networks(session)
    if not session.training.finished:
        path = session.run.path
        print(f"\nstopped; what is learned so far is in {path}")
        print(f"next: python -m keras_gca.train --resume {path}")
        print(f"  or: python -m keras_gca.chat {path}")
        return 130
    _summarise(session)
    return 0


_DATA_OPTIONS = ("preset", "data", "format", "vocabulary", "glove", "glove_member", "skip_bad_lines")
_VOCABULARY_SETTINGS = ("vocabulary_size", "minimum_count")


class _Session(NamedTuple):
    run: "GCARun"
    training: "AdversarialTraining"
    vocabulary: "Vocabulary"


# Beginning


def _start(config: Config, options: argparse.Namespace, devices: contextlib.ExitStack) -> _Session:
    bad = command_line.bad_lines(options)
    conversations = read_conversations(options.data, options.format, bad)
    chosen = command_line.set_up_tensorflow(options)
    from keras_gca import strategy
    from keras_gca.pairs import prepare
    from keras_gca.run_folder import GCARun

    path = command_line.new_run(options)
    GCARun.refuse_existing(path)
    words = _words(options.vocabulary, config, bad) if options.vocabulary else None
    source = {
        "data": str(options.data or EMBEDDED),
        "vocabulary": str(options.vocabulary or OF_TRAINING_TEXT),
        "glove": str(options.glove or "fitted to the training text"),
    }
    print(f"{source['data']}: {len(conversations):,} conversations")
    dataset = prepare(conversations, config, words)
    _describe(dataset, source["vocabulary"])
    embedding = _word_vectors(dataset, config, options, bad)
    if bad.counts:
        print(bad.summary())
        source["skipped_lines"] = bad.counts
    run = GCARun.create(devices.enter_context(strategy.training_on(chosen, path)), config, dataset, source)
    return _stored(_session(run, config, dataset, embedding))


def _start_from(
    source: Path, changes: dict[str, Any], options: argparse.Namespace, devices: contextlib.ExitStack
) -> _Session:
    chosen = command_line.set_up_tensorflow(options)
    from keras_gca import strategy
    from keras_gca.agent import Agent
    from keras_gca.run_folder import GCARun

    first = GCARun.open(source)
    path = command_line.new_run(options)
    GCARun.refuse_existing(path)
    weights = Agent.load(first.path).weights["teacher_forcing"]
    config = dataclasses.replace(first.config(), **changes)
    dataset = first.dataset()
    path = devices.enter_context(strategy.training_on(chosen, path))
    run = GCARun.create(path, config, dataset, {**first.source(), "start_from": str(source)})
    session = _session(run, config, dataset)
    session.training.start_from(weights)
    print(f"{source}: its data, and its generator after line 3, held-out perplexity "
          f"{session.training.teacher_forced_perplexity:.2f}")  # fmt: skip
    return _stored(session)


def _stored(session: _Session) -> _Session:
    session.run.write_checkpoint(*session.training.state())
    print(f"run folder: {session.run.path}\n")
    return session


def _resume(options: argparse.Namespace, devices: contextlib.ExitStack) -> _Session:
    chosen = command_line.set_up_tensorflow(options)
    from keras_gca import strategy
    from keras_gca.run_folder import GCARun

    run = GCARun.open(options.resume)
    run = GCARun(devices.enter_context(strategy.training_on(chosen, run.path)))
    session = _session(run, run.config(), run.dataset())
    facts, arrays = run.read_checkpoint()
    try:
        session.training.restore(facts, arrays)
    except (KeyError, ValueError, TypeError) as error:
        raise UserError(f"{run.path / 'checkpoint.h5'}: not a checkpoint of this run ({error})") from None
    print(f"{run.path}: {len(session.training.history)} epochs are done\n")
    return session


def _session(run: "GCARun", config: Config, dataset: "Dataset", embedding: "np.ndarray | None" = None) -> _Session:
    from keras_gca.adversarial import AdversarialTraining
    from keras_gca.models import build

    gca = build(config, len(dataset.vocabulary), embedding)
    return _Session(run, AdversarialTraining(config, gca, dataset.training, dataset.validation), dataset.vocabulary)


def _words(path: Path, config: Config, bad: "BadLines") -> list[str]:
    """The words of --vocabulary: a list of words, or the author's pickle."""
    from keras_gca.pickled_vocabulary import is_pickle, read_vocabulary
    from keras_gca.vocabulary import read_words

    words = list(read_vocabulary(path).counts) if is_pickle(path) else read_words(path, bad)
    if config.padding == "original" and words[0] != ".":
        raise UserError(f"{path}: begins with {words[0]!r}; with --padding original the first word must be '.'")
    return words


def _describe(dataset: "Dataset", source: str) -> None:
    vocabulary, training, validation = dataset.vocabulary, dataset.training, dataset.validation
    unit = (
        "whole conversations"
        if dataset.whole_conversations
        else "single pairs (the corpus has no conversation boundaries)"
    )
    print(f"vocabulary: {len(vocabulary):,} tokens, {source}")
    print(f"training:   {len(training):,} pairs, {training.tokens:,} tokens")
    print(f"held out:   {len(validation):,} pairs, {validation.tokens:,} tokens, {unit}")


def _word_vectors(dataset: "Dataset", config: Config, options: argparse.Namespace, bad: "BadLines") -> "np.ndarray":
    import glove
    from keras_gca.training_loop import progress

    words = list(dataset.vocabulary.counts)
    if options.glove:
        vectors = glove.read_vectors(options.glove, words, config.word_embedding_size, options.glove_member, bad)
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


# Walking


def _end_of_stage(session: _Session, event: "Event") -> None:
    """Samples, where the generator has learned."""
    from keras_gca.adversarial import GENERATOR, INTERLEAVED, TEACHER_FORCING

    run, training, vocabulary = session
    if event.stage.phase in (TEACHER_FORCING, GENERATOR, INTERLEAVED):
        contexts = _sample_contexts(training.validation)
        answers = training.decoder.greedy(contexts, allow_unknown=False).answers
        exchanges = [(_text(c, vocabulary), _text(a, vocabulary)) for c, a in zip(contexts, answers, strict=True)]
        run.write_samples(f"{len(training.history):03d}_{event.stage.phase}", exchanges)


def _title(stage: "Stage") -> str:
    where = f"{stage.iteration}." if stage.iteration else ""
    name = stage.phase.removeprefix("interleaved_").replace("_", " ")
    return f"line {stage.line:>2}  {name:17} {where}{stage.epoch}/{stage.epochs}"


# Ending


def _write_networks(session: _Session) -> None:
    """The three networks' weights, and the bot."""
    from keras_gca.adversarial import TEACHER_FORCING
    from keras_gca.agent import save_bot
    from keras_gca.models import WHITE, YELLOW, assign

    run, training, vocabulary = session
    gca = training.gca
    live = [variable.numpy() for variable in gca.variables(*WHITE, *YELLOW)]
    if training.phase == TEACHER_FORCING or training.config.adversarial_epochs == 0:
        generators = {"teacher_forcing": training.teacher_forced or live}
    else:
        generators = {"teacher_forcing": training.teacher_forced, "adversarial": live}
    for name, weights in generators.items():
        assign(gca.variables(*WHITE, *YELLOW), weights)
        run.write_weights(name, gca.generator)
    assign(gca.variables(*WHITE, *YELLOW), live)
    run.write_weights("discriminator", gca.discriminator)
    save_bot(run.bot, training.config, vocabulary, generators, [v.numpy() for v in gca.variables(*WHITE, *gca.green)])


def _summarise(session: _Session) -> None:
    from keras_gca.agent import CHAT_BEAM, Agent, Decoding

    run, training, vocabulary = session
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
        print(f"\n  {_text(context, vocabulary)}")
        for answer in sorted(answers, key=lambda each: agent.generators.index(each.generator)):
            mark = "*" if answer is answers[0] else " "
            print(f"   {mark} {answer.generator.replace('_', ' '):16} {answer.text}")

    print(f"\nwrote {run.path}: bot.h5 chats; log.csv, samples and tensorboard show how it learned")
    print(f"next: python -m keras_gca.chat {run.path}")
    print(f"  or: python -m keras_gca.evaluate {run.path}")


def _sample_contexts(validation: "Pairs") -> "np.ndarray":
    """Held-out contexts to show replies to, evenly spread: all words known, neither very short nor very long."""
    import numpy as np

    from keras_gca.vocabulary import UNK

    contexts = validation.contexts
    lengths = np.count_nonzero(contexts, axis=1)
    legible = np.flatnonzero(~np.any(contexts == UNK, axis=1) & (lengths >= 6) & (lengths <= 30))
    candidates = legible if len(legible) >= SAMPLES else np.arange(len(contexts))
    return contexts[candidates[np.linspace(0, len(candidates) - 1, SAMPLES).astype(int)]]


def _text(indices: "np.ndarray", vocabulary: "Vocabulary") -> str:
    from keras_gca.text import detokenise

    return detokenise(vocabulary.decode(indices), vocabulary.surfaces)


def _parser() -> command_line.Parser:
    parser = command_line.Parser(prog="python -m keras_gca.train", description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("--preset", choices=PRESETS, help="paper: every number of Section 5; default; tiny: seconds")
    parser.add_argument(
        "--data", type=Path, metavar="FILE", help="a corpus (file or folder) instead of the embedded one"
    )
    parser.add_argument("--format", choices=FORMATS, help="the corpus' format; detected if not given")
    parser.add_argument(
        "--vocabulary",
        type=Path,
        metavar="FILE",
        help="the words to know: one a line, or the author's vocabulary_movie; the training text's if not given",
    )
    parser.add_argument(
        "--glove", type=Path, metavar="FILE", help="word vectors (glove.6B.100d.txt, .gz or .zip); fitted if not given"
    )
    parser.add_argument(
        "--glove-member", metavar="NAME", help="the file inside a .zip; chosen by its dimension if not given"
    )
    parser.add_argument(
        "--run", type=Path, metavar="DIR", help="the run folder to make; runs/ and the date if not given"
    )
    parser.add_argument("--resume", type=Path, metavar="RUN", help="go on with this run, with its own settings")
    parser.add_argument(
        "--start-from",
        type=Path,
        metavar="RUN",
        help="take this run's data, settings and generator after line 3, and go on from line 4 as a new run; what may "
        f"be set otherwise: {', '.join(name.replace('_', '-') for name in AFTER_LINE_3)}",
    )
    command_line.add_bad_lines(parser)
    command_line.add_devices(parser)
    command_line.add_settings(parser, Config)
    return parser


if __name__ == "__main__":
    sys.exit(command_line.run(main, "train"))
