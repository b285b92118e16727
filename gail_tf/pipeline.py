"""The second paper's training from a corpus to a bot: what `python -m gail_tf.train` does besides parsing."""

import argparse
import contextlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gail_tf.config import GAILConfig
from keras_gca.engine import command_line
from keras_gca.errors import UserError

if TYPE_CHECKING:  # these import TensorFlow, for which `--help` must not wait
    import numpy as np

    from gail_tf.agent import GAILAgent
    from gail_tf.baselines.emotion import EmotionClassifier
    from gail_tf.baselines.textgail import TextReader
    from gail_tf.data.dataset import Data
    from gail_tf.data.tokenizer import Tokenizer
    from gail_tf.data.trajectories import Trajectory
    from gail_tf.imitation.gail import GAILTraining
    from gail_tf.imitation.phases import Stage
    from gail_tf.models.gpt2 import GPT2
    from gail_tf.run_folder import GAILRun
    from glove.text_files import BadLines
    from keras_gca.engine.staged_training import Event


SAMPLES = 6  # exchanges to show

# The figures of a line on the screen; log.csv has all.
SHOWN = (
    "loss", "val_perplexity", "reward_generated", "reward_expert", "accuracy_generated", "accuracy_expert",
    "kl_per_token", "response_length", "repeated",
)  # fmt: skip

# Settings of a GPT-2 from scratch.
FROM_SCRATCH = (
    "vocabulary_size", "n_layer", "n_head", "n_embd", "n_positions", "pretraining_epochs", "pretraining_learning_rate",
)  # fmt: skip


def _train(session: "_Session") -> int:
    from keras_gca.engine.training_loop import interruptible, walk

    with interruptible() as interruption:
        walk(session.training, session.run, interruption, _title, partial(_end_of_stage, session), SHOWN)
    agent = _write(session)
    path = session.run.path
    if not session.training.finished:
        print(f"\nstopped; what is learned so far is in {path}")
        print(f"next: python -m gail_tf.train --resume {path}")
        return 130
    _summarise(session, agent)
    return 0


class _Session(NamedTuple):
    run: "GAILRun"
    training: "GAILTraining"
    data: "Data"
    warned: set[str]  # failures that the user has been told of


# Beginning


def _start(config: GAILConfig, options: argparse.Namespace, devices: contextlib.ExitStack) -> _Session:
    from gail_tf.data.trajectories import read_trajectories

    bad = command_line.bad_lines(options)
    found = read_trajectories(options.data, options.tweets, config.turns, bad)
    chosen = command_line.set_up_tensorflow(options)
    from gail_tf.build import make_gpt2
    from gail_tf.data.dataset import Data
    from gail_tf.data.samples import CONTROL_TOKENS, emotion_token
    from gail_tf.data.tokenizer import Tokenizer
    from gail_tf.data.trajectories import split
    from gail_tf.run_folder import GAILRun
    from keras_gca.engine import devices

    path = command_line.new_run(options, "gail_")
    GAILRun.refuse_existing(path)
    parts = split(_some(found, config.max_trajectories, config.seed), config.seed)
    general = _general(options, config, bad)
    data = Data(parts.train, parts.test, parts.validation, general)
    _describe(data)
    emotions = _emotions(options, config, data, bad)
    if bad.counts:
        print(bad.summary())
    path = devices.enter_context(devices.training_on(chosen, path))
    if options.gpt2 is None:
        text = [utterance for utterances in data.training_text for utterance in utterances]
        of_emotions = map(emotion_token, emotions.labels if emotions is not None else ())
        tokenizer = Tokenizer.fit(text, config.vocabulary_size, (*CONTROL_TOKENS, *of_emotions))
        gpt2 = make_gpt2(config, tokenizer) if emotions is None else None
    else:
        from gail_tf.models.hugging_face import find

        folder = find(options.gpt2)
        tokenizer = Tokenizer.read(folder, CONTROL_TOKENS)
        gpt2 = _read_gpt2(config, folder, len(tokenizer))
    if gpt2 is not None:
        weights = sum(variable.shape.num_elements() for variable in gpt2.weights.values())
        kind = "from scratch" if options.gpt2 is None else f"of {options.gpt2}"
        print(f"GPT-2 {kind}: {gpt2.config.n_layer} blocks, {weights:,} weights; {len(tokenizer):,} tokens")
    names = ("data", "tweets", "general", "gpt2", "roberta", "glove")
    source = {name: _as_text(getattr(options, name)) for name in names}
    if bad.counts:
        source["skipped_lines"] = bad.counts
    reader = _reader(options, config, data)
    run = GAILRun.create(path, config, data, tokenizer, gpt2 and gpt2.config, source, reader, emotions)
    session = _session(run, config, data, tokenizer, gpt2, reader, emotions)
    run.write_checkpoint(*session.training.state())
    print(f"run folder: {run.path}\n")
    return session


def _resume(options: argparse.Namespace, devices: contextlib.ExitStack) -> _Session:
    chosen = command_line.set_up_tensorflow(options)
    from gail_tf.build import adapters_of
    from gail_tf.imitation import failures
    from gail_tf.models.gpt2 import GPT2
    from gail_tf.run_folder import GAILRun
    from keras_gca.engine import devices

    run = GAILRun.open(options.resume)
    run = GAILRun(devices.enter_context(devices.training_on(chosen, run.path)))
    config, tokenizer = run.config(), run.tokenizer()
    sizes = run.gpt2_config()
    if sizes is not None and len(tokenizer) != sizes.vocab_size:
        raise UserError(
            f"{run.path}: its tokenizer has {len(tokenizer)} tokens, its gpt2.json {sizes.vocab_size}; one is damaged"
        )
    gpt2 = sizes and GPT2(sizes, config.seed, adapters_of(config), config.precision)
    session = _session(run, config, run.data(), tokenizer, gpt2, run.reader(), run.emotions())
    facts, arrays = run.read_checkpoint()
    try:
        session.training.restore(facts, arrays)
    except (KeyError, ValueError, TypeError) as error:
        raise UserError(f"{run.path / 'checkpoint.h5'}: not a checkpoint of this run ({error})") from None
    if config.on_failure == "stop":  # what it has stopped for does not stop it again
        session.warned.update(failure.name for failure in failures.watch(session.training.history))
    print(f"{run.path}: {len(session.training.history)} epochs and updates are done\n")
    return session


def _session(
    run: "GAILRun",
    config: GAILConfig,
    data: "Data",
    tokenizer: "Tokenizer",
    gpt2: "GPT2 | None",
    reader: "TextReader | None",
    emotions: "EmotionClassifier | None",
) -> _Session:
    from gail_tf.data.samples import Samples, running_text
    from gail_tf.imitation.gail import GAILTraining

    limits = config.condition_tokens, config.response_tokens, config.sentiment == "on", emotions
    training, validation = (Samples.encode(tokenizer, part, *limits) for part in (data.train, data.validation))
    general = None
    if data.general:
        length = config.condition_tokens + config.response_tokens - 1
        general = running_text(tokenizer, data.training_text, length)
    training = GAILTraining(config, tokenizer, gpt2, training, validation, general, reader, emotions)
    return _Session(run, training, data, set())


def _reader(options: argparse.Namespace, config: GAILConfig, data: "Data") -> "TextReader | None":
    """D's RoBERTa, where the settings ask for one."""
    if config.discriminator_encoder != "roberta":
        return None
    from gail_tf.baselines.textgail import TextReader

    if options.roberta is None:
        reader, kind = TextReader.make(config, [text for texts in data.training_text for text in texts]), "from scratch"
    else:
        from gail_tf.models.hugging_face import find

        reader, lacking = TextReader.read(config, find(options.roberta))
        kind = f"of {options.roberta}"
        if lacking:
            kind += f" ({', '.join(lacking)} from scratch)"
    sizes = reader.network.config
    print(f"RoBERTa {kind}: {sizes.num_hidden_layers} blocks; {len(reader.tokenizer):,} tokens")
    return reader


def _emotions(
    options: argparse.Namespace, config: GAILConfig, data: "Data", bad: "BadLines"
) -> "EmotionClassifier | None":
    """RL-Seq2Seq's classifier of prompts, which is learned first; None of another algorithm."""
    if config.algorithm != "rl_seq2seq":
        return None
    import glove
    from gail_tf.baselines.rl_seq2seq import learn_emotions
    from keras_gca.data.text import tokenise

    vectors = None
    if options.glove:
        words = sorted({word for words in tokenise([each.prompt for each in data.train]) for word in words})
        found = glove.read_vectors(options.glove, words, config.word_embedding_size, bad=bad)
        vectors = dict(zip(found.words, found.matrix, strict=True))
    emotions = learn_emotions(data.train, vectors, config)
    prompts, labels = zip(*((each.prompt, each.emotion) for each in data.validation), strict=True)
    print(f"emotions of prompts: {len(emotions.labels)}; recognised in held-out ones: "
          f"{emotions.accuracy(prompts, labels):.1%}")  # fmt: skip
    return emotions


def _general(options: argparse.Namespace, config: GAILConfig, bad: "BadLines") -> tuple[tuple[str, ...], ...]:
    """Conversations to pretrain on: the first paper's corpus unless others are named; none for a real GPT-2."""
    from keras_gca.data.conversations import read_conversations

    if options.gpt2 is not None or not config.pretraining_epochs:
        return ()
    return tuple(each.utterances for path in options.general or [None] for each in read_conversations(path, bad=bad))


def _some(trajectories: "Sequence[Trajectory]", count: int | None, seed: int) -> "list[Trajectory]":
    """Those of whole conversations, at random by seed, until about `count` are reached."""
    import numpy as np

    if count is None or len(trajectories) <= count:
        return list(trajectories)
    numbers = np.array([trajectory.conversation for trajectory in trajectories])
    conversations = np.unique(numbers)
    order = np.random.default_rng(seed).permutation(conversations)
    sizes = dict(zip(*np.unique(numbers, return_counts=True), strict=True))
    total = np.cumsum([sizes[number] for number in order])
    kept = set(order[: int(np.searchsorted(total, count)) + 1].tolist())
    return [trajectory for trajectory in trajectories if trajectory.conversation in kept]


def _describe(data: "Data") -> None:
    sizes = ", ".join(f"{len(getattr(data, part)):,} {part}" for part in ("train", "test", "validation"))
    print(f"expert trajectories: {sizes}; whole conversations")
    if data.general:
        print(f"general conversations to pretrain on: {len(data.general):,}")


def _read_gpt2(config: GAILConfig, folder: Path, vocabulary: int) -> "GPT2":
    from gail_tf.build import adapters_of
    from gail_tf.data.samples import CONTROL_TOKENS
    from gail_tf.models.hugging_face import CONFIG, read_config, read_gpt2

    sizes, needed = read_config(folder / CONFIG), config.condition_tokens + config.response_tokens
    positions = sizes.n_positions
    if vocabulary > sizes.vocab_size + len(CONTROL_TOKENS):  # those are added where the files lack them
        raise UserError(f"{folder}: a tokenizer of {vocabulary} tokens and weights of {sizes.vocab_size} do not fit")
    if needed > positions:
        raise UserError(
            f"{folder}: a GPT-2 of {positions} positions, where --condition-tokens and --response-tokens need {needed}"
        )
    return read_gpt2(folder, vocabulary, adapters_of(config), config.precision, config.seed, config.dropout)


def _as_text(value: object) -> str | list[str] | None:
    return [str(each) for each in value] if isinstance(value, list) else None if value is None else str(value)


# Walking


def _title(stage: "Stage") -> str:
    return f"{stage.phase.replace('_', ' '):18} {stage.number}/{stage.of}"


def _end_of_stage(session: _Session, event: "Event") -> bool:
    """Warnings, curves, and samples where validation was due. Returns whether a new failure is to stop the run."""
    from gail_tf.imitation import curves, failures
    from gail_tf.imitation.phases import IMITATION, MAXIMUM_LIKELIHOOD

    run, training, *_ = session
    failed = False
    if event.stage.phase == IMITATION:
        for failure in failures.watch(training.history):
            if failure.name not in session.warned:
                session.warned.add(failure.name)
                print(f"warning: {failure}", flush=True)
                failed = training.config.on_failure == "stop"
    due = "val_perplexity" in event.row
    if due and event.stage.phase in (MAXIMUM_LIKELIHOOD, IMITATION):
        run.write_samples(f"{len(training.history):04d}_{event.stage.phase}", _exchanges(session))
    if due:
        curves.draw(training.history, run.path / "curves.png")
    return failed


def _exchanges(session: _Session) -> list[tuple[str, str]]:
    """Responses to the same held-out prompts, always by the same noise."""
    import numpy as np

    from gail_tf.data.batches import take

    training = session.training
    rows = _sample_rows(session.data.validation)
    batch = take(training.validation.batch, rows)
    drawn = training.policy.sample(batch.condition, batch.condition_mask, (training.config.seed, 1), training.sampling)
    texts = [training.tokenizer.decode(row[mask]) for row, mask in zip(*map(np.array, drawn[:2]), strict=True)]
    asked = [session.data.validation[row] for row in rows]
    return [(" / ".join((*each.history, each.prompt)), text) for each, text in zip(asked, texts, strict=True)]


def _sample_rows(trajectories: "Sequence[Trajectory]") -> "np.ndarray":
    """Held-out trajectories to show responses to: evenly spread, tweets left out where there is anything else."""
    import numpy as np

    spoken = [row for row, trajectory in enumerate(trajectories) if trajectory.source != "tweets"]
    candidates = np.array(spoken or range(len(trajectories)))
    return candidates[np.linspace(0, len(candidates) - 1, min(SAMPLES, len(candidates))).astype(int)]


# Ending


def _write(session: _Session) -> "GAILAgent":
    """The bot, with the policy after maximum likelihood and, where it has begun to imitate, as it is now."""
    from gail_tf.agent import GAILAgent
    from gail_tf.imitation.phases import IMITATION, MAXIMUM_LIKELIHOOD

    run, training, *_ = session
    run.write_log(training.history)
    policies = {MAXIMUM_LIKELIHOOD: training.reference.policy if training.imitates else training.policy}
    if training.imitates and training.config.updates:
        policies[IMITATION] = training.policy
    weights = {name: [v.numpy() for v in policy.variables] for name, policy in policies.items()}
    judge = [variable.numpy() for variable in training.discriminator.variables] if training.discriminator else []
    sizes = training.gpt2 and training.gpt2.config
    others = judge, training.reader, training.emotions
    agent = GAILAgent(training.config, training.tokenizer, sizes, weights, MAXIMUM_LIKELIHOOD, *others)
    agent.save(run.bot)
    return agent


def _summarise(session: _Session, agent: "GAILAgent") -> None:
    from gail_tf.imitation.phases import IMITATION, MAXIMUM_LIKELIHOOD, PRETRAINING

    run, training, data, *_ = session
    names = (PRETRAINING, MAXIMUM_LIKELIHOOD, IMITATION)
    phases = {phase: [row for row in training.history if row["phase"] == phase] for phase in names}
    judge = "discriminator" if training.discriminator else "emotion classifier"
    print("\nheld-out perplexity")
    for phase, rows in phases.items():
        found = [row["val_perplexity"] for row in rows if "val_perplexity" in row]
        if found:
            print(f"  after {phase.replace('_', ' '):19} {found[-1]:8.2f}")
    if phases[IMITATION]:
        first, last = phases[IMITATION][0], phases[IMITATION][-1]
        print(f"reward by the {judge}, of the policy's responses (of the experts')")
        for name, row in (("first update", first), ("last update", last)):
            print(f"  {name:25} {row['reward_generated']:8.3f} ({row['reward_expert']:.3f})")
        if training.discriminator:
            print("discriminator, responses recognised in the last update")
            print(f"  experts' {last['accuracy_expert']:25.1%}\n  the policy's {last['accuracy_generated']:21.1%}")

    print(f"\nresponses to held-out prompts (* the {judge}'s choice)")
    for number, row in enumerate(_sample_rows(data.validation)):
        asked = data.validation[row]
        answers = agent.answers([*asked.history, asked.prompt], seed=training.config.seed + number)
        print(f"\n  {' / '.join((*asked.history, asked.prompt))}")
        for answer in sorted(answers, key=lambda each: agent.generators.index(each.generator)):
            mark = "*" if answer is answers[0] else " "
            print(f"   {mark} {answer.generator.replace('_', ' '):18} {answer.text}")
        print(f"     {'expert':18} {asked.response}")
    print(f"\nwrote {run.path}: bot.h5 chats; log.csv, curves.png, samples and tensorboard show how it learned")
    print(f"next: python -m gail_tf.chat {run.path}")
    print(f"  or: python -m gail_tf.evaluate {run.path} --policy all")
