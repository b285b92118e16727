"""The second paper's training pipeline from a corpus to a bot, used by `python -m gail_tf.train` and other callers.

train_agent(config, source, run)     starts a new run
resume(run)                          continues an interrupted run
resume(run, updates=...)             trains a run further, to a new total number of updates
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

import glove
from gail_tf.base_models.identity import identity
from gail_tf.base_models.locate import locate
from gail_tf.baselines.emotion import EmotionClassifier
from gail_tf.baselines.rl_seq2seq import learn_emotions
from gail_tf.baselines.textgail import TextReader
from gail_tf.build import adapters_of, make_gpt2, read_base, read_pretrained
from gail_tf.config import GAILConfig
from gail_tf.data.batches import check_limit
from gail_tf.data.dataset import Data
from gail_tf.data.general_text import exchanges, without_experts
from gail_tf.data.layouts import END_OF_TEXT, KNOWN
from gail_tf.data.samples import control_tokens, controls_of_prompt, emotion_token
from gail_tf.data.source import Source
from gail_tf.data.token_data import TokenData
from gail_tf.data.token_folder import TokenFolder
from gail_tf.data.tokenizer import Tokenizer
from gail_tf.data.trajectories import Trajectory, split
from gail_tf.models.architectures import make_network
from gail_tf.models.language_model import LanguageModel
from gail_tf.models.pretrained_base import Base
from gail_tf.training.run_folder import GAILRun
from gail_tf.training.session import GAILSession
from glove.text_files import SKIP_HINT, BadLines, counted, one_line
from keras_gca.data.conversations import read_conversations
from keras_gca.data.text import tokenise
from keras_gca.engine import devices, reporting
from keras_gca.engine.session import Watching
from keras_gca.engine.variables import numbers_of
from keras_gca.errors import UserError


def train_agent(
    config: GAILConfig,
    source: Source,
    run: str | Path,
    strategy: tf.distribute.Strategy | None = None,
    read: tuple[list[Trajectory], BadLines] | None = None,
    minutes: float | None = None,
    watching: Watching | None = None,
) -> GAILSession:
    """Train an agent by maximum likelihood and then by Algorithm 1, and write its run folder.

    Args:
        config: The settings.
        source: The files and pretrained networks to read.
        run: The run folder to create.
        strategy: The distribution strategy returned by `devices.make`, or None for one device.
        read: The result of `source.read`, or None if the source has not been read yet.
        minutes: The time limit in minutes, or None for no limit. At the limit, training stops as after Ctrl-C.
        watching: A function that returns a context manager for the live view of the run (see `watch_command.watching`),
            or None for no live view.

    Returns:
        The session. Its `training.finished` is true if training was completed, and false if training was stopped early.

    Raises:
        UserError: A file cannot be used, or the folder already contains a run.
        DivergedError: A loss or a weight is no longer finite.
    """
    path = Path(run)
    GAILRun.refuse_existing(path)
    source.refuse_misfits(config)
    data: Data
    if source.prepared is not None:
        bad = BadLines(source.skip_bad_lines, UserError, SKIP_HINT)
        config, source, data = _prepared(source.prepared, config, source)
        _describe(data, config.data.splits, [])
    else:
        trajectories, bad = read or source.read(config.data.turns, config.data.splits)
        reporting.say(*bad.notes)
        parts = split(_some(trajectories, config.data.max_trajectories, config.seed), config.seed)
        of_experts = len(bad.notes)
        data = Data(parts.train, parts.test, parts.validation, _general(source, config, bad))
        _describe(data, config.data.splits, bad.notes[of_experts:])
    emotions = _emotions(source, config, data, bad)
    if bad.counts:
        print(bad.summary())
    with devices.training_on(strategy, path) as own:
        tokenizer, network = _language_model(source, config, data, emotions)
        check_limit(tokenizer, config.data.condition_tokens, controls_of_prompt(config.data))
        reader = _reader(source, config, data)
        names = source.names() | ({"skipped_lines": bad.counts} if bad.counts else {})
        sizes, base = (None, None) if network is None else (network.config, network.base)
        made = GAILRun.create(own, config, data, tokenizer, sizes, names, reader, emotions, base)
        session = GAILSession.of(made, config, data, tokenizer, network, reader, emotions)
        session.begin()
        session.train(minutes, watching)
    return session


def resume(
    run: str | Path,
    strategy: tf.distribute.Strategy | None = None,
    minutes: float | None = None,
    watching: Watching | None = None,
    **totals: int,
) -> GAILSession:
    """Continue an interrupted run, or train a run further, to a new total number of updates.

    The result of a continued run is bit-for-bit identical to the result of an uninterrupted run.

    Args:
        run: The run folder.
        strategy: The distribution strategy returned by `devices.make`, or None for one device.
        minutes: The time limit in minutes, or None for no limit. At the limit, training stops as after Ctrl-C.
        watching: A function that returns a context manager for the live view of the run (see `watch_command.watching`),
            or None for no live view.
        **totals: `updates`, the new total number of updates, to train a run further. From the next update on, the
            learning rate and the share of human demonstrations are the same as in a run started with this total. The
            weights, the optimizer states, the discriminator and the weight of the KL penalty are kept.

    Returns:
        The session, as returned by `train_agent`.

    Raises:
        UserError: The folder does not contain a run, the run is damaged, or the new total does not exceed the number of
            completed updates.
        DivergedError: A loss or a weight is no longer finite.

    Examples:
        Extend a run of 60 updates to a total of 90 updates:

            resume("runs/gail", updates=90)
    """
    path = GAILRun.open(run, "train --resume").path
    with devices.training_on(strategy, path) as own:
        made = GAILRun(own)
        config, tokenizer, (sizes, base) = made.config(), made.tokenizer(), made.model()
        if sizes is not None and len(tokenizer) != sizes.vocab_size:
            raise UserError(
                f"{own}: the run is damaged; the tokenizer has {len(tokenizer)} tokens, but model.json has "
                f"{sizes.vocab_size}"
            )
        network = None
        if base is not None:
            network = read_base(config, base, tokenizer)
        elif sizes is not None:
            network = make_network(sizes, config.seed, adapters_of(config), config.run.precision)
        parts = made.data(), tokenizer, network, made.reader(), made.emotions()
        facts, arrays = made.read_checkpoint()
        session = GAILSession.of(made, made.with_new_totals(facts, totals), *parts)
        session.restore(facts, arrays, "epochs and updates", totals)
        session.train(minutes, watching)
    return session


# Reading the data and networks from which a training run starts


def _prepared(path: Path, config: GAILConfig, source: Source) -> tuple[GAILConfig, Source, TokenData]:
    """Open a folder of token files, and verify all its files.

    Returns:
        The run's settings with those of the folder, the source with the folder's model, and the data.
    """
    folder = TokenFolder.open(path)
    config = folder.settings_of(config)
    folder.verify()
    source = dataclasses.replace(source, model=source.model or folder.model)
    pretrains = source.model is None and config.likelihood.pretraining_epochs > 0
    return config, source, TokenData.of(folder, config, pretrains)


def _some(trajectories: Sequence[Trajectory], count: int | None, seed: int) -> list[Trajectory]:
    """Draw complete conversations with about `count` trajectories in total, or keep all if `count` is None."""
    if count is None or len(trajectories) <= count:
        return list(trajectories)
    numbers = np.array([trajectory.conversation for trajectory in trajectories])
    conversations = np.unique(numbers)
    order = np.random.default_rng(seed).permutation(conversations)
    sizes = dict(zip(*np.unique(numbers, return_counts=True), strict=True))
    total = np.cumsum([sizes[number] for number in order])
    kept = set(order[: int(np.searchsorted(total, count)) + 1].tolist())
    return [trajectory for trajectory in trajectories if trajectory.conversation in kept]


def _general(source: Source, config: GAILConfig, bad: BadLines) -> tuple[tuple[str, ...], ...]:
    """Read the conversations to pretrain on: the user's files or, by default, the first paper's embedded corpus.

    The default leaves out conversations that are also expert conversations; see `general_text`.

    Nothing is read if the network is already pretrained. `max_trajectories` also limits the number of these
    conversations; the seed determines which ones are used.
    """
    if source.model is not None or not config.likelihood.pretraining_epochs:
        return ()
    made = [each for path in source.general for each in read_conversations(path, source.format, bad)]
    if not source.general:
        made = list(without_experts(read_conversations(bad=bad)))
    conversations = [conversation.utterances for conversation in made]
    most = config.data.max_trajectories
    if most is None or len(conversations) <= most:
        return tuple(conversations)
    drawn = np.random.default_rng(config.seed).permutation(len(conversations))[:most]
    return tuple(conversations[number] for number in sorted(drawn))


def _describe(data: Data, splits: str, of_general: list[str]) -> None:
    """Print the first exchange, the sizes of the splits, and how the general conversations were read."""
    sizes = ", ".join(f"{len(getattr(data, part)):,} {part}" for part in ("train", "test", "validation"))
    first = data.train[0]
    reporting.say(
        f"  prompt:   {one_line(' / '.join((*first.history, first.prompt)))}", f"  response: {one_line(first.response)}"
    )
    division = "no conversation is in two splits" if splits == "random" else "the corpora's official splits"
    reporting.say(f"expert trajectories: {sizes}; {division}")
    if data.general:
        reporting.say(*of_general, f"general conversations for pretraining: {len(data.general):,}")
    if isinstance(data.general, tuple):  # not in token files
        held_out = {pair for each in (*data.test, *data.validation) for pair in exchanges((each.prompt, each.response))}
        if common := sum(not held_out.isdisjoint(exchanges(utterances)) for utterances in data.general):
            reporting.say(
                f"warning: {counted(common, 'of the general conversations is', 'of the general conversations are')} "
                "also in the test or validation set, whose perplexities will be too low"
            )


def _emotions(source: Source, config: GAILConfig, data: Data, bad: BadLines) -> EmotionClassifier | None:
    """Train RL-Seq2Seq's emotion classifier on the prompts. For other algorithms, return None."""
    if config.algorithm != "rl_seq2seq":
        return None
    vectors = None
    if source.glove:
        prompts = [trajectory.prompt for trajectory in data.train]
        words = sorted({word for tokens in tokenise(prompts) for word in tokens})
        read = glove.read_vectors(source.glove, words, config.model.word_embedding_size, bad=bad)
        vectors = dict(zip(read.words, read.matrix, strict=True))
    emotions = learn_emotions(data.train, vectors, config)
    held_out = data.validation
    accuracy = emotions.accuracy([expert.prompt for expert in held_out], [expert.emotion for expert in held_out])
    reporting.say(
        f"emotion classifier: {len(emotions.labels)} emotions; correct for {accuracy:.1%} of the held-out prompts"
    )
    return emotions


def _language_model(
    source: Source, config: GAILConfig, data: Data, emotions: EmotionClassifier | None
) -> tuple[Tokenizer, LanguageModel | None]:
    """Read the tokenizer and the network of --model. Without --model, fit a tokenizer and make a GPT-2 from scratch.

    The network is None for RL-Seq2Seq, whose policy consists of LSTMs.
    """
    network: LanguageModel
    controls = control_tokens(config.data)
    if source.model is None and isinstance(data, TokenData):
        tokenizer = data.folder.tokenizer
        network, kind = make_gpt2(config, tokenizer), "from scratch"
    elif source.model is None:
        text = [utterance for utterances in data.training_text for utterance in utterances]
        of_emotions = map(emotion_token, emotions.labels if emotions is not None else ())
        layout = KNOWN.get(config.data.layout, END_OF_TEXT)
        tokenizer = Tokenizer.fit(text, config.model.vocabulary_size, (*controls, *of_emotions), layout)
        if emotions is not None:
            return tokenizer, None
        network, kind = make_gpt2(config, tokenizer), "from scratch"
    else:
        folder = locate(source.model, source.agreed)
        tokenizer = Tokenizer.read(folder, controls, config.data.layout)
        if isinstance(data, TokenData) and not tokenizer.encodes_like(data.folder.tokenizer):
            raise UserError(
                f"--model: the tokenizer of {source.model} differs from that of {data.folder.path}, prepared for "
                f"{data.folder.model or 'a GPT-2 from scratch'}; prepare the corpora with --model {source.model}"
            )
        network, kind = read_pretrained(config, folder, tokenizer), f"from {source.model}"
        if config.model.trainable != "full":
            own = network.config.vocab_size - sum(tokenizer.special(name) >= tokenizer.known for name in controls)
            network.base = Base(_named(source.model), identity(folder)[1], own)
    weights = numbers_of(network.weights.values())
    blocks = counted(network.config.depth, "block")
    reporting.say(f"{network.config.title} {kind}: {blocks}, {weights:,} weights; {len(tokenizer):,} tokens")
    return tokenizer, network


def _named(model: str) -> str:
    """Return a model's name in a form that is valid in any working directory, which means making paths absolute."""
    return str(Path(model).absolute()) if Path(model).exists() else model


def _reader(source: Source, config: GAILConfig, data: Data) -> TextReader | None:
    """Read or make the RoBERTa of the discriminator D. Return None if the settings do not require one."""
    if config.judge.discriminator_encoder != "roberta":
        return None
    if source.roberta is None:
        reader, kind = TextReader.make(config, [text for texts in data.training_text for text in texts]), "from scratch"
    else:
        reader, lacking = TextReader.read(config, locate(source.roberta, source.agreed))
        kind = f"from {source.roberta}"
        if lacking:
            kind += f" (with new weights for {', '.join(lacking)})"
    sizes = reader.network.config
    reporting.say(f"RoBERTa {kind}: {counted(sizes.num_hidden_layers, 'block')}; {len(reader.tokenizer):,} tokens")
    return reader
