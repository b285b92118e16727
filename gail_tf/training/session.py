"""`GAILSession` trains the second paper's networks (Algorithm 1), writes the run folder and prints the results."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gail_tf.agent import GAILAgent
from gail_tf.baselines.emotion import EmotionClassifier
from gail_tf.baselines.textgail import TextReader
from gail_tf.bot import Bot
from gail_tf.build import make_networks
from gail_tf.config import WITHOUT_UPDATES, GAILConfig
from gail_tf.data.batches import take
from gail_tf.data.dataset import Data, encoded
from gail_tf.data.tokenizer import Tokenizer
from gail_tf.data.trajectories import Trajectory
from gail_tf.imitation import curves, failures
from gail_tf.imitation.gail import GAILTraining
from gail_tf.imitation.phases import IMITATION, MAXIMUM_LIKELIHOOD, PRETRAINING, Stage, human_ratio
from gail_tf.models.language_model import LanguageModel
from gail_tf.training.estimate import estimate
from gail_tf.training.live_view import answer
from gail_tf.training.run_folder import GAILRun
from glove.text_files import counted
from keras_gca.engine import reporting
from keras_gca.engine.session import Session
from keras_gca.engine.staged_training import Event
from keras_gca.engine.variables import numbers_of
from keras_gca.invocation import hint
from keras_gca.serving.live_view import record
from keras_gca.serving.terminal import print_answers
from keras_gca.storage.live_files import Exchange

SAMPLES = 6  # the number of held-out prompts whose responses are shown

# The metrics that are printed after an epoch or update; log.csv has all metrics.
SHOWN = (
    "loss", "val_perplexity", "reward_generated", "reward_expert", "accuracy_generated", "accuracy_expert",
    "kl_per_token", "response_length", "repeated",
)  # fmt: skip


class GAILSession(Session):
    """A training run of Algorithm 1 with its run folder, as returned by `train_agent` and `resume`.

    Args:
        run: The run folder.
        training: The training stages (maximum likelihood training, then Algorithm 1), with the run's settings and data.
        data: The trajectories for training, test and validation.
        network: The policy's language model, or None for RL-Seq2Seq.
        reader: The RoBERTa of the discriminator D, or None if D has another encoder.
        emotions: RL-Seq2Seq's emotion classifier, or None for other algorithms.
    """

    package = "gail_tf"
    shown = SHOWN
    run: GAILRun
    training: GAILTraining

    def __init__(
        self,
        run: GAILRun,
        training: GAILTraining,
        data: Data,
        network: LanguageModel | None,
        reader: TextReader | None,
        emotions: EmotionClassifier | None,
    ):
        super().__init__(run, training)
        self.data = data
        self._network, self._reader, self._emotions = network, reader, emotions
        self._warned: set[str] = set()  # failures that have already been reported

    @classmethod
    def of(
        cls,
        run: GAILRun,
        config: GAILConfig,
        data: Data,
        tokenizer: Tokenizer,
        network: LanguageModel | None,
        reader: TextReader | None,
        emotions: EmotionClassifier | None,
    ) -> "GAILSession":
        """Make a session with new networks.

        Args:
            run: The run folder.
            config: The settings.
            data: The trajectories.
            tokenizer: The policy's tokenizer.
            network: The policy's language model, with adapters for `--trainable lora`, or None for RL-Seq2Seq.
            reader: The discriminator's RoBERTa for `--discriminator-encoder roberta`, or None for other encoders.
            emotions: RL-Seq2Seq's emotion classifier, or None for other algorithms.

        Returns:
            The session, ready for its first stage.
        """
        training = data.samples(tokenizer, config, emotions)
        validation = encoded(tokenizer, data.validation, config, emotions)
        general = data.running_text(tokenizer, config.data.condition_tokens + config.data.response_tokens - 1)
        networks = make_networks(config, tokenizer, network, reader, emotions, from_scratch=general is not None)
        made = GAILTraining(config, tokenizer, networks, training, validation, general)
        return cls(run, made, data, network, reader, emotions)

    def _describe(self) -> None:
        """Print the sizes of the networks (with -v), the cost of a long run, and any shortened warm-ups."""
        super()._describe()
        training, network = self.training, self._network
        if network is not None:
            data = training.training, training.validation
            left = training.stages_left
            cost = estimate(training.config, network.config, *data, general=training.general, stages=left)
            reporting.say_cost(cost)
        if shortened := self.training.shortened_warm_ups():
            phases = (
                f"{steps} of {total:,} in {phase.replace('_', ' ')}" for phase, (steps, total) in shortened.items()
            )
            full = counted(self.training.config.optimizer.warmup_steps, "step")
            reporting.say(f"warm-up: {full}, but fewer in short phases: {', '.join(phases)}")

    def restore(
        self, facts: dict[str, Any], arrays: dict[str, np.ndarray], unit: str, totals: Mapping[str, int] | None = None
    ) -> None:
        """Restore a checkpoint; see `Session.restore`.

        A failure that has already stopped the run once does not stop it again.
        """
        super().restore(facts, arrays, unit, totals)
        if self.training.config.run.on_failure == "stop":
            self._warned.update(failure.name for failure in failures.watch(self.training.history))

    def sizes(self) -> dict[str, int]:
        """Return the number of weights in the policy and in the judge (the discriminator or the emotion classifier)."""
        networks = {"policy": self.training.policy.variables, "judge": self.training.judge.variables}
        return {name: numbers_of(variables) for name, variables in networks.items()}

    def title(self, stage: Stage) -> str:
        """Return a title with the phase and the current epoch or update."""
        return f"{stage.phase.replace('_', ' '):18} {stage.number}/{stage.of}"

    def done(self) -> dict[str, int]:
        """Return the number of completed updates, or an empty dictionary for an algorithm without updates."""
        config = self.training.config
        if config.algorithm in WITHOUT_UPDATES and not config.rollout.updates:
            return {}
        return {"updates": sum(row["phase"] == IMITATION for row in self.training.history)}

    def further(self) -> str:
        """Describe in one line the remaining updates of a run that is trained further.

        The line says which updates remain, and gives the learning rate and the share of human demonstrations at the
        first of these updates.
        """
        training, config = self.training, self.training.config
        done, course = self.done()["updates"], training.optimiser.course()
        percent = 100 * human_ratio(done, config.rollout.updates, config.rollout.human_ratio)
        parts = [f"updates {done + 1} to {config.rollout.updates}"]
        if course is not None:
            verb = "restarts" if done else "begins"
            parts.append(f"the learning rate {verb} at {course}")
        parts.append(f"human demonstrations fall from {percent:.3g} % to 0" if percent else "no human demonstrations")
        return f"{parts[0]}: {'; '.join(parts[1:])}"

    def end_of_stage(self, event: Event) -> bool:
        """Warn about known training failures. After a validation, also plot the log and write sample responses.

        Args:
            event: The event at the end of a stage.

        Returns:
            Whether to stop the run, because a failure has occurred for the first time and `--on-failure stop` is set.
        """
        run, training = self.run, self.training
        failed = False
        if event.stage.phase == IMITATION:
            for failure in failures.watch(training.history):
                if failure.name not in self._warned:
                    self._warned.add(failure.name)
                    print(f"warning: {failure}", flush=True)
                    failed = training.config.run.on_failure == "stop"
        due = event.row is not None and "val_perplexity" in event.row
        if due and event.stage.phase in (MAXIMUM_LIKELIHOOD, IMITATION):
            run.write_samples(f"{len(training.history):04d}_{event.stage.phase}", self._exchanges())
            record(run.path, len(training.history), self.title(event.stage), self._answer)
        if due:
            curves.draw(training.history, run.path / "curves.png")
        return failed

    def _answer(self, questions: list[str]) -> tuple[list[Exchange], list[Exchange]]:
        """Respond to some held-out prompts and to the questions of the user who is watching."""
        held_out = [self.data.validation[row] for row in _sample_rows(self.data.validation)]
        return answer(self.training, held_out, self._emotions, questions)

    def _exchanges(self) -> list[tuple[str, str]]:
        """Return some held-out prompts with the policy's responses, using the same prompts and seed in every call."""
        training, seed = self.training, (self.training.config.seed, 1)
        rows = _sample_rows(self.data.validation)
        batch = take(training.validation.batch, rows)
        drawn = training.policy.sample(batch.condition, batch.condition_mask, seed, training.sampling)
        texts = [training.tokenizer.decode(row[mask]) for row, mask in zip(*map(np.array, drawn[:2]), strict=True)]
        asked = (self.data.validation[row] for row in rows)
        prompts = [" / ".join((*trajectory.history, trajectory.prompt)) for trajectory in asked]
        return list(zip(prompts, texts, strict=True))

    def write(self) -> None:
        """Save the bot, with the maximum likelihood policy and, during imitation, also the current policy."""
        training = self.training
        policies = {MAXIMUM_LIKELIHOOD: training.reference.policy if training.imitates else training.policy}
        if training.imitates and training.config.rollout.updates:
            policies[IMITATION] = training.policy
        weights = {name: [v.numpy() for v in policy.variables] for name, policy in policies.items()}
        judge = [variable.numpy() for variable in training.judge.variables]
        network = self._network
        sizes, base = (None, None) if network is None else (network.config, network.base)
        parts = weights, MAXIMUM_LIKELIHOOD, judge, self._reader, self._emotions
        Bot(training.config, training.tokenizer, sizes, *parts, base).write(self.run.bot)

    def summarise(self) -> None:
        """Print the held-out perplexity, the rewards, and how many responses the discriminator classifies correctly."""
        training = self.training
        names = (PRETRAINING, MAXIMUM_LIKELIHOOD, IMITATION)
        phases = {phase: [row for row in training.history if row["phase"] == phase] for phase in names}
        print("\nheld-out perplexity")
        for phase, rows in phases.items():
            measured = [row["val_perplexity"] for row in rows if "val_perplexity" in row]
            if measured:
                print(f"  after {phase.replace('_', ' '):19} {measured[-1]:8.2f}")
        if phases[IMITATION] and not training.config.offline:
            first, last = phases[IMITATION][0], phases[IMITATION][-1]
            print(f"reward from the {self._judge_name} for the policy's responses (for the experts' responses)")
            for name, row in (("first update", first), ("last update", last)):
                print(f"  {name:25} {row['reward_generated']:8.3f} ({row['reward_expert']:.3f})")
            if training.judge.discriminates:
                print("discriminator, responses classified correctly in the last update")
                print(f"  experts' {last['accuracy_expert']:25.1%}\n  the policy's {last['accuracy_generated']:21.1%}")

    def show_replies(self) -> None:
        """Print all policies' responses, and the expert's response, to some held-out prompts."""
        print(f"\nresponses to held-out prompts (* the {self._judge_name}'s choice)")
        agent = GAILAgent.load(self.run.bot)
        for number, row in enumerate(_sample_rows(self.data.validation)):
            asked = self.data.validation[row]
            answers = agent.answers([*asked.history, asked.prompt], seed=self.training.config.seed + number)
            print(f"\n  {' / '.join((*asked.history, asked.prompt))}")
            print_answers(answers, agent.generators, width=18)
            print(f"     {'expert':18} {asked.response}")

    def conclude(self) -> None:
        """Print the contents of the run folder and the commands to run next."""
        path = self.run.path
        records = [name for name in ("log.csv", "curves.png", "samples", "tensorboard") if (path / name).exists()]
        learned = f"; {', '.join(records[:-1])} and {records[-1]} show how it learned" if len(records) > 1 else ""
        print(f"\nwrote {path}: bot.h5 is the bot to chat with{learned}")
        print(f"next: {hint('gail_tf.chat', path)}")
        print(f"  or: {hint('gail_tf.evaluate', path, '--policy', 'all')}")

    @property
    def _judge_name(self) -> str:
        return "discriminator" if self.training.judge.discriminates else "emotion classifier"


def _sample_rows(trajectories: Sequence[Trajectory]) -> np.ndarray:
    """Choose evenly spaced held-out trajectories to show, leaving out tweets unless there are no others."""
    spoken = [row for row, trajectory in enumerate(trajectories) if trajectory.source != "tweets"]
    candidates = np.array(spoken or range(len(trajectories)))
    return candidates[np.linspace(0, len(candidates) - 1, min(SAMPLES, len(candidates))).astype(int)]
