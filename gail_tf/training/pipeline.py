"""The second paper's training from a corpus to a bot: what `python -m gail_tf.train` does besides parsing.

train_agent(config, source, run)     a new run
resume(run)                          goes on with an interrupted run
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

import glove
from gail_tf.agent import GAILAgent
from gail_tf.baselines.emotion import EmotionClassifier
from gail_tf.baselines.rl_seq2seq import learn_emotions
from gail_tf.baselines.textgail import TextReader
from gail_tf.build import adapters_of, make_gpt2, make_networks
from gail_tf.config import GAILConfig
from gail_tf.data.batches import take
from gail_tf.data.dataset import Data
from gail_tf.data.samples import CONTROL_TOKENS, Samples, emotion_token, running_text
from gail_tf.data.source import Source
from gail_tf.data.tokenizer import Tokenizer
from gail_tf.data.trajectories import Trajectory, split
from gail_tf.imitation import curves, failures
from gail_tf.imitation.gail import GAILTraining
from gail_tf.imitation.phases import IMITATION, MAXIMUM_LIKELIHOOD, PRETRAINING, Stage
from gail_tf.models.gpt2 import GPT2
from gail_tf.models.hugging_face import CONFIG, extra_heads, find, read_config, read_gpt2
from gail_tf.training.run_folder import GAILRun
from glove.text_files import BadLines, counted
from keras_gca.data.conversations import read_conversations
from keras_gca.data.text import tokenise
from keras_gca.engine import devices
from keras_gca.engine.session import Session
from keras_gca.engine.staged_training import Event
from keras_gca.errors import UserError

SAMPLES = 6  # exchanges to show


# The figures of a line on the screen; log.csv has all.
SHOWN = (
    "loss", "val_perplexity", "reward_generated", "reward_expert", "accuracy_generated", "accuracy_expert",
    "kl_per_token", "response_length", "repeated",
)  # fmt: skip


def train_agent(
    config: GAILConfig,
    source: Source,
    run: str | Path,
    strategy: tf.distribute.Strategy | None = None,
    read: tuple[list[Trajectory], BadLines] | None = None,
) -> "GAILSession":
    """Train an agent by maximum likelihood, then by Algorithm 1, and write its run folder.

    run: the folder to make. strategy: of `devices.make`; one device if None. read: what `source.read` gave, if it was
    asked before. Returns the session, whose `training.finished` tells whether the user has stopped it before its end.
    Raises UserError where a file cannot be used, or the folder holds a run already.
    """
    path = Path(run)
    GAILRun.refuse_existing(path)
    trajectories, bad = read or source.read(config.turns)
    parts = split(_some(trajectories, config.max_trajectories, config.seed), config.seed)
    data = Data(parts.train, parts.test, parts.validation, _general(source, config, bad))
    _describe(data)
    emotions = _emotions(source, config, data, bad)
    if bad.counts:
        print(bad.summary())
    with devices.training_on(strategy, path) as own:
        tokenizer, gpt2 = _language_model(source, config, data, emotions)
        reader = _reader(source, config, data)
        names = source.names() | ({"skipped_lines": bad.counts} if bad.counts else {})
        made = GAILRun.create(own, config, data, tokenizer, gpt2 and gpt2.config, names, reader, emotions)
        session = GAILSession.of(made, config, data, tokenizer, gpt2, reader, emotions)
        session.begin()
        session.train()
    return session


def resume(run: str | Path, strategy: tf.distribute.Strategy | None = None) -> "GAILSession":
    """Go on with an interrupted run. Raises UserError where there is none, or it is damaged."""
    path = GAILRun.open(run, "train --resume").path
    with devices.training_on(strategy, path) as own:
        made = GAILRun(own)
        config, tokenizer, sizes = made.config(), made.tokenizer(), made.gpt2_config()
        if sizes is not None and len(tokenizer) != sizes.vocab_size:
            raise UserError(
                f"{own}: its tokenizer has {len(tokenizer)} tokens, its gpt2.json {sizes.vocab_size}; one is damaged"
            )
        gpt2 = sizes and GPT2(sizes, config.seed, adapters_of(config), config.precision)
        session = GAILSession.of(made, config, made.data(), tokenizer, gpt2, made.reader(), made.emotions())
        session.restore("epochs and updates")
        session.train()
    return session


class GAILSession(Session):
    """A training by Algorithm 1 with its run folder."""

    package = "gail_tf"
    shown = SHOWN
    run: GAILRun
    training: GAILTraining

    def __init__(
        self,
        run: GAILRun,
        training: GAILTraining,
        data: Data,
        gpt2: GPT2 | None,
        reader: TextReader | None,
        emotions: EmotionClassifier | None,
    ):
        super().__init__(run, training)
        self.data = data
        self._parts = gpt2 and gpt2.config, reader, emotions
        self._warned: set[str] = set()  # failures that the user has been told of

    @classmethod
    def of(
        cls,
        run: GAILRun,
        config: GAILConfig,
        data: Data,
        tokenizer: Tokenizer,
        gpt2: GPT2 | None,
        reader: TextReader | None,
        emotions: EmotionClassifier | None,
    ) -> "GAILSession":
        """gpt2, reader, emotions: see `build.make_networks`."""
        limits = config.condition_tokens, config.response_tokens, config.sentiment == "on", emotions
        training, validation = (Samples.encode(tokenizer, part, *limits) for part in (data.train, data.validation))
        general = None
        if data.general:
            length = config.condition_tokens + config.response_tokens - 1
            general = running_text(tokenizer, data.training_text, length)
        networks = make_networks(config, tokenizer, gpt2, reader, emotions, from_scratch=general is not None)
        made = GAILTraining(config, tokenizer, networks, training, validation, general)
        return cls(run, made, data, gpt2, reader, emotions)

    def restore(self, unit: str) -> None:
        super().restore(unit)
        if self.training.config.on_failure == "stop":  # what it has stopped for does not stop it again
            self._warned.update(failure.name for failure in failures.watch(self.training.history))

    def title(self, stage: Stage) -> str:
        return f"{stage.phase.replace('_', ' '):18} {stage.number}/{stage.of}"

    def end_of_stage(self, event: Event) -> bool:
        """Warnings, curves, and samples where validation was due. Returns whether a new failure is to stop the run."""
        run, training = self.run, self.training
        failed = False
        if event.stage.phase == IMITATION:
            for failure in failures.watch(training.history):
                if failure.name not in self._warned:
                    self._warned.add(failure.name)
                    print(f"warning: {failure}", flush=True)
                    failed = training.config.on_failure == "stop"
        due = "val_perplexity" in event.row
        if due and event.stage.phase in (MAXIMUM_LIKELIHOOD, IMITATION):
            run.write_samples(f"{len(training.history):04d}_{event.stage.phase}", self._exchanges())
        if due:
            curves.draw(training.history, run.path / "curves.png")
        return failed

    def _exchanges(self) -> list[tuple[str, str]]:
        """Responses to the same held-out prompts, always by the same noise."""
        training, seed = self.training, (self.training.config.seed, 1)
        rows = _sample_rows(self.data.validation)
        batch = take(training.validation.batch, rows)
        drawn = training.policy.sample(batch.condition, batch.condition_mask, seed, training.sampling)
        texts = [training.tokenizer.decode(row[mask]) for row, mask in zip(*map(np.array, drawn[:2]), strict=True)]
        asked = [self.data.validation[row] for row in rows]
        return [(" / ".join((*each.history, each.prompt)), text) for each, text in zip(asked, texts, strict=True)]

    def write(self) -> None:
        """The bot, with the policy after maximum likelihood and, where it has begun to imitate, as it is now."""
        training = self.training
        policies = {MAXIMUM_LIKELIHOOD: training.reference.policy if training.imitates else training.policy}
        if training.imitates and training.config.updates:
            policies[IMITATION] = training.policy
        weights = {name: [v.numpy() for v in policy.variables] for name, policy in policies.items()}
        judge = [variable.numpy() for variable in training.judge.variables]
        sizes, *others = self._parts
        agent = GAILAgent(training.config, training.tokenizer, sizes, weights, MAXIMUM_LIKELIHOOD, judge, *others)
        agent.save(self.run.bot)

    def summarise(self) -> None:
        run, training, data = self.run, self.training, self.data
        names = (PRETRAINING, MAXIMUM_LIKELIHOOD, IMITATION)
        phases = {phase: [row for row in training.history if row["phase"] == phase] for phase in names}
        judge = "discriminator" if training.judge.discriminates else "emotion classifier"
        print("\nheld-out perplexity")
        for phase, rows in phases.items():
            measured = [row["val_perplexity"] for row in rows if "val_perplexity" in row]
            if measured:
                print(f"  after {phase.replace('_', ' '):19} {measured[-1]:8.2f}")
        if phases[IMITATION]:
            first, last = phases[IMITATION][0], phases[IMITATION][-1]
            print(f"reward by the {judge}, of the policy's responses (of the experts')")
            for name, row in (("first update", first), ("last update", last)):
                print(f"  {name:25} {row['reward_generated']:8.3f} ({row['reward_expert']:.3f})")
            if training.judge.discriminates:
                print("discriminator, responses recognised in the last update")
                print(f"  experts' {last['accuracy_expert']:25.1%}\n  the policy's {last['accuracy_generated']:21.1%}")

        print(f"\nresponses to held-out prompts (* the {judge}'s choice)")
        agent = GAILAgent.load(run.bot)
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


# Reading what a training starts from


def _some(trajectories: Sequence[Trajectory], count: int | None, seed: int) -> list[Trajectory]:
    """Those of whole conversations, at random by seed, until about `count` are reached."""
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
    """Conversations to pretrain on: the first paper's corpus unless others are named; none for a real GPT-2."""
    if source.gpt2 is not None or not config.pretraining_epochs:
        return ()
    return tuple(each.utterances for path in source.general or [None] for each in read_conversations(path, bad=bad))


def _describe(data: Data) -> None:
    sizes = ", ".join(f"{len(getattr(data, part)):,} {part}" for part in ("train", "test", "validation"))
    print(f"expert trajectories: {sizes}; whole conversations")
    if data.general:
        print(f"general conversations to pretrain on: {len(data.general):,}")


def _emotions(source: Source, config: GAILConfig, data: Data, bad: BadLines) -> EmotionClassifier | None:
    """RL-Seq2Seq's classifier of prompts, which is learned first; None of another algorithm."""
    if config.algorithm != "rl_seq2seq":
        return None
    vectors = None
    if source.glove:
        words = sorted({word for words in tokenise([each.prompt for each in data.train]) for word in words})
        read = glove.read_vectors(source.glove, words, config.word_embedding_size, bad=bad)
        vectors = dict(zip(read.words, read.matrix, strict=True))
    emotions = learn_emotions(data.train, vectors, config)
    prompts, labels = zip(*((each.prompt, each.emotion) for each in data.validation), strict=True)
    print(f"emotions of prompts: {len(emotions.labels)}; recognised in held-out ones: "
          f"{emotions.accuracy(prompts, labels):.1%}")  # fmt: skip
    return emotions


def _language_model(
    source: Source, config: GAILConfig, data: Data, emotions: EmotionClassifier | None
) -> tuple[Tokenizer, GPT2 | None]:
    """The tokenizer, and the GPT-2 of --gpt2 or one from scratch; RL-Seq2Seq has none."""
    if source.gpt2 is None:
        text = [utterance for utterances in data.training_text for utterance in utterances]
        of_emotions = map(emotion_token, emotions.labels if emotions is not None else ())
        tokenizer = Tokenizer.fit(text, config.vocabulary_size, (*CONTROL_TOKENS, *of_emotions))
        if emotions is not None:
            return tokenizer, None
        gpt2, kind = make_gpt2(config, tokenizer), "from scratch"
    else:
        folder = find(source.gpt2)
        tokenizer = Tokenizer.read(folder, CONTROL_TOKENS)
        gpt2, kind = _read_gpt2(config, folder, tokenizer), f"of {source.gpt2}"
    weights = sum(variable.shape.num_elements() for variable in gpt2.weights.values())
    print(f"GPT-2 {kind}: {counted(gpt2.config.n_layer, 'block')}, {weights:,} weights; {len(tokenizer):,} tokens")
    return tokenizer, gpt2


def _read_gpt2(config: GAILConfig, folder: Path, tokenizer: Tokenizer) -> GPT2:
    sizes, needed = read_config(folder / CONFIG), config.condition_tokens + config.response_tokens
    positions, vocabulary = sizes.n_positions, len(tokenizer)
    if vocabulary > sizes.vocab_size + len(CONTROL_TOKENS):  # those are added where the files lack them
        raise UserError(f"{folder}: a tokenizer of {vocabulary} tokens and weights of {sizes.vocab_size} do not fit")
    if needed > positions:
        raise UserError(
            f"{folder}: a GPT-2 of {positions} positions, where --condition-tokens and --response-tokens need {needed}"
        )
    if heads := extra_heads(folder):
        print(f"{folder}: passed over: {', '.join(heads)}; of heads that are not a part of GPT-2")
    rows = min(tokenizer.known, sizes.vocab_size)
    if spare := sizes.vocab_size - rows:
        print(f"{folder}: {counted(spare, 'spare row')} of no token left out")
    how = adapters_of(config), config.precision, config.seed, config.dropout
    return read_gpt2(folder, vocabulary, *how, rows=rows)


def _reader(source: Source, config: GAILConfig, data: Data) -> TextReader | None:
    """D's RoBERTa, where the settings ask for one."""
    if config.discriminator_encoder != "roberta":
        return None
    if source.roberta is None:
        reader, kind = TextReader.make(config, [text for texts in data.training_text for text in texts]), "from scratch"
    else:
        reader, lacking = TextReader.read(config, find(source.roberta))
        kind = f"of {source.roberta}"
        if lacking:
            kind += f" ({', '.join(lacking)} from scratch)"
    sizes = reader.network.config
    print(f"RoBERTa {kind}: {counted(sizes.num_hidden_layers, 'block')}; {len(reader.tokenizer):,} tokens")
    return reader


def _sample_rows(trajectories: Sequence[Trajectory]) -> np.ndarray:
    """Held-out trajectories to show responses to: evenly spread, tweets left out where there is anything else."""
    spoken = [row for row, trajectory in enumerate(trajectories) if trajectory.source != "tweets"]
    candidates = np.array(spoken or range(len(trajectories)))
    return candidates[np.linspace(0, len(candidates) - 1, min(SAMPLES, len(candidates))).astype(int)]
