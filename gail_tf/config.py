"""`GAILConfig` contains all settings of a run of the second paper, and defines the presets and algorithms.

The settings are declared in `setting_groups.py`, with the paper's values as defaults.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from gail_tf.setting_groups import (
    DataSettings,
    JudgeSettings,
    LikelihoodSettings,
    ModelSettings,
    OptimizerSettings,
    PPOSettings,
    RewardSettings,
    RolloutSettings,
    RunSettings,
)  # fmt: skip
from keras_gca.errors import UserError
from keras_gca.settings import Settings, group, naming, option

# The settings in which each algorithm differs from EmpathyGAIL (`gail`). Settings given by the user override them.
WITHOUT_D: dict[str, Any] = {"human_ratio": 0.0, "discriminator_steps": 0, "discriminator_passes": 0}
ALGORITHMS: dict[str, dict[str, Any]] = {
    "gail": {},
    # Maximum likelihood training only. This algorithm ends where the other algorithms begin to imitate.
    "mle": {"updates": 0},
    # Wu et al. 2021, with the settings of their code: no KL penalty, no sentiment, a contrastive discriminator.
    "textgail": {
        "objective": "clip",
        "reward_form": "probability",
        "discriminator": "contrastive",
        "discriminator_encoder": "roberta",
        "sentiment": "off",
    },
    # The optimiser of the original GAIL (Ho and Ermon 2016), applied to the paper's two-layer network.
    "trpo": {"trainable": "head"},
    # Fung et al. 2018: no discriminator and no demonstrations; see baselines/rl_seq2seq.py.
    "rl_seq2seq": {
        "reward_form": "probability",
        "sentiment": "off",
        **WITHOUT_D,
    },
    # A control for imitation and an alternative to it. Both learn only from the experts' responses
    # (imitation/offline.py).
    "extra_likelihood": WITHOUT_D,
    "iqlearn": {"discount": 1.0, **WITHOUT_D},  # responses are finite, so the discount may be 1
    # D chooses among the responses of the policy after maximum likelihood training, which is not trained any further.
    "selection": {"updates": 0},
}
OFFLINE = ("extra_likelihood", "iqlearn")  # the algorithms whose updates draw no responses
WITHOUT_UPDATES = ("mle", "selection")  # the algorithms without updates


PRETRAINED = "smollm2-135m"  # the network of the preset `pretrained`, one of the known models

PRESETS: dict[str, dict[str, Any]] = {
    # The values of Table 1 and Section 4.2, for a pretrained GPT-2 that --model names.
    "paper": {},
    # Trains adapters for the network PRETRAINED on the embedded corpus, using CPUs.
    "pretrained": {
        "trainable": "lora",
        "lora_rank": 16,
        "lora_alpha": 32.0,
        "precision": "bfloat16",
        "condition_tokens": 96,
        "response_tokens": 40,
        "pretraining_epochs": 0,
        "mle_epochs": 3,
        "mle_learning_rate": 6e-4,
        "warmup_steps": 20,
        "batch_size": 8,
        "discriminator_steps": 24,
        "discriminator_learning_rate": 1e-3,
        "updates": 24,
        "rollouts": 64,
        "sample_batch_size": 16,
        "generator_learning_rate": 5e-5,
        "validation_frequency": 12,
    },
    # Trains a GPT-2 with a million weights from scratch on the embedded corpus, in 10 to 20 minutes on two CPU cores.
    "default": {
        "n_layer": 4,
        "n_head": 4,
        "n_embd": 128,
        "n_positions": 256,
        "condition_tokens": 96,
        "response_tokens": 40,
        "pretraining_epochs": 7,
        "pretraining_learning_rate": 2e-3,
        "mle_epochs": 2,
        "mle_learning_rate": 5e-4,
        "warmup_steps": 50,
        "dropout": 0.3,
        "discriminator_steps": 100,
        "discriminator_learning_rate": 1e-3,
        "updates": 60,
        "generator_learning_rate": 5e-5,
        "validation_frequency": 10,
    },
    # Takes seconds. It is meant for tests, and for a first trial with new data.
    "tiny": {
        "max_trajectories": 150,
        "vocabulary_size": 320,
        "n_layer": 2,
        "n_head": 2,
        "n_embd": 16,
        "n_positions": 64,
        "word_embedding_size": 16,
        "sentence_embedding_size": 24,
        "condition_tokens": 24,
        "response_tokens": 12,
        "pretraining_epochs": 1,
        "pretraining_learning_rate": 1e-2,
        "mle_epochs": 2,
        "mle_learning_rate": 1e-2,
        "warmup_steps": 2,
        "discriminator_steps": 4,
        "updates": 4,
        "rollouts": 16,
        "sample_batch_size": 8,
        "batch_size": 16,
        "generator_learning_rate": 1e-3,
        "validation_frequency": 2,
    },
}

# The settings that apply only to a GPT-2 from scratch. With --model, the pretrained network determines them.
FROM_SCRATCH = (
    "vocabulary_size", "n_layer", "n_head", "n_embd", "n_positions", "pretraining_epochs", "pretraining_learning_rate",
)  # fmt: skip


def refuse_settings_from_scratch(changes: Collection[str]) -> None:
    """Raise UserError if settings that apply only to a GPT-2 from scratch are given together with --model."""
    if useless := [name for name in FROM_SCRATCH if name in changes]:
        raise UserError(
            f"{naming(useless)}: valid only for a GPT-2 from scratch, but --model names a pretrained network"
        )


@dataclass(frozen=True, init=False, repr=False)
class GAILConfig(Settings):
    """All settings of a run of the second paper, in groups, for example `config.ppo.epsilon`.

    The defaults are the paper's values (Table 1, Section 4). PRESETS lists the changes made by the other presets, and
    ALGORITHMS those made by the baselines. `python -m gail_tf.train --help` lists all options with their allowed
    values.

    Arguments are the names of options without their groups, and replace the paper's values, as in
    `GAILConfig(epsilon=0.1)`.

    Raises:
        UserError: An option does not exist or has an invalid value, or two options contradict each other.

    Examples:
        >>> from gail_tf import GAILConfig
        >>> GAILConfig()  # all values as in the paper
        GAILConfig()
        >>> GAILConfig.preset("default").rollout.updates
        60
        >>> GAILConfig().changed(algorithm="textgail")  # a baseline brings its own settings
        GAILConfig(algorithm='textgail', sentiment='off', reward_form='probability', objective='clip',
                   discriminator='contrastive', discriminator_encoder='roberta')
        >>> GAILConfig(rollouts=100)
        Traceback (most recent call last):
        keras_gca.errors.UserError: --rollouts: 100 does not fit; a multiple of --sample-batch-size (16) and of
        --minibatch-size (8) is expected
    """

    algorithm: str = option(
        "gail", "gail: EmpathyGAIL. The others are baselines. mle: GPT-2 with maximum likelihood training only; "
        "textgail: TextGAIL (Wu et al. 2021), whose discriminator is a RoBERTa that compares two responses; trpo: the "
        "natural-gradient step of the original GAIL replaces PPO, with --trainable head; rl_seq2seq: RL-Seq2Seq (Fung "
        "et al. 2018), an LSTM encoder-decoder that is rewarded for agreement with the prompt's emotion; "
        "extra_likelihood: as many further steps of maximum likelihood training as PPO would take; iqlearn: the same "
        "number of steps of IQ-Learn (Wulfmeier et al. 2024) on the experts' responses; selection: maximum likelihood "
        "training, after which D chooses among the policy's responses",
        choices=tuple(ALGORITHMS),
    )  # fmt: skip
    data: DataSettings = group(DataSettings, "expert trajectories (Sections 4.1 and 4.2)")
    model: ModelSettings = group(ModelSettings, "the network, and which of its weights are trained")
    likelihood: LikelihoodSettings = group(LikelihoodSettings, "pretraining and maximum likelihood training")
    optimizer: OptimizerSettings = group(OptimizerSettings, "AdamW, in all phases")
    rollout: RolloutSettings = group(RolloutSettings, "rollouts (Algorithm 2)")
    reward: RewardSettings = group(RewardSettings, "the reward")
    ppo: PPOSettings = group(PPOSettings, "PPO (Eq. 7) or TRPO")
    judge: JudgeSettings = group(JudgeSettings, "the discriminator (Eq. 6)")
    run: RunSettings = group(RunSettings, "the run")
    seed: int = option(
        0, "random seed; on the same machine, the same seed gives exactly the same results", low=0, high=2**31 - 1
    )
    checkpoint_minutes: float = option(5.0, "minutes between checkpoints within an epoch or update", low=0)

    presets: ClassVar = PRESETS
    totals: ClassVar = ("updates",)

    @classmethod
    def implied(cls, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings implied by a new `algorithm`, which may need values that differ from EmpathyGAIL's.

        Args:
            changes: The new values of options, by name.

        Returns:
            The values of the implied settings, by name. Empty if `algorithm` is not among the changes.
        """
        algorithm = changes.get("algorithm")
        return ALGORITHMS.get(algorithm, {}) if isinstance(algorithm, str) else {}

    def changed(self, **changes: Any) -> Self:
        """Return the same settings with some options changed; see `Settings.changed`.

        Raises:
            UserError: An option does not exist or has an invalid value, two options contradict each other, or settings
                implied by the old algorithm would keep their values under the new algorithm.
        """
        if changes.get("algorithm", self.algorithm) != self.algorithm:
            values = self.to_values()
            own = {name for name, value in ALGORITHMS[self.algorithm].items() if values[name] == value}
            if left := sorted(own - changes.keys() - self.implied(changes).keys()):
                raise UserError(
                    f"--algorithm {changes['algorithm']}: these settings still have the values of --algorithm "
                    f"{self.algorithm}, so they must also be given: {naming(left)}"
                )
        return super().changed(**changes)

    def check_combinations(self) -> None:
        if self.algorithm == "trpo" and self.model.trainable != "head":
            raise UserError(
                f"--trainable: {self.model.trainable} does not work with --algorithm trpo; use --trainable head"
            )
        if self.algorithm == "rl_seq2seq" and self.model.trainable != "full":
            raise UserError(
                f"--trainable: {self.model.trainable} needs a GPT-2, but --algorithm rl_seq2seq uses LSTMs; use "
                "--trainable full"
            )
        without_d = self.offline or self.algorithm == "rl_seq2seq"
        if without_d and (self.judge.discriminator_steps or self.judge.discriminator_passes):
            raise UserError(
                f"--algorithm {self.algorithm} has no discriminator; set --discriminator-steps and "
                "--discriminator-passes to 0"
            )
        smoothed = self.judge.label_smoothing > 0
        if smoothed and (without_d or self.judge.discriminator == "contrastive"):
            raise UserError(
                "--label-smoothing: only a discriminator that tells experts' responses from the policy's has labels; "
                "use --label-smoothing 0"
            )
        if without_d and self.judge.instance_noise:
            raise UserError(f"--instance-noise: --algorithm {self.algorithm} has no discriminator; use 0")
        if (self.algorithm == "trpo" or self.offline) and self.ppo.value_baseline == "on":
            raise UserError(
                f"--value-baseline: only PPO has a value baseline; use --value-baseline off with {self.algorithm}"
            )
        if self.algorithm == "selection" and (self.rollout.updates or self.judge.discriminator == "token"):
            raise UserError(
                "--algorithm selection: D chooses among complete responses, and the policy is trained no further; "
                "use --updates 0, and --discriminator binary or contrastive"
            )
        if self.judge.discriminator_encoder == "roberta" and self.judge.instance_noise:
            raise UserError(
                "--instance-noise: the noise is added to features, but RoBERTa reads text; use --instance-noise 0"
            )
        if self.judge.discriminator == "token" and self.judge.discriminator_encoder == "roberta":
            raise UserError(
                "--discriminator token: RoBERTa judges only complete responses; choose another --discriminator-encoder"
            )
        if self.reward.reference_kl == "adaptive" and not self.reward.reference_kl_coefficient:
            raise UserError(
                "--reference-kl adaptive: the weight is doubled or halved, so it must not be 0; set "
                "--reference-kl-coefficient to a number above 0"
            )
        if self.token_rewards and self.reward.length_drift_strength:
            raise UserError(
                "--length-drift-strength: only rewards for complete responses can counter a drift of their length; "
                "use --level response"
            )
        if self.data.sentiment_history == "on" and self.data.sentiment == "off":
            raise UserError("--sentiment-history on has no effect with --sentiment off; use --sentiment on")
        if self.data.condition_tokens + self.data.response_tokens > self.model.n_positions:
            raise UserError(
                f"--n-positions: {self.model.n_positions} is too small; --condition-tokens and --response-tokens "
                f"together need {self.data.condition_tokens + self.data.response_tokens}"
            )
        rollouts, sampled, learned = self.rollout.rollouts, self.rollout.sample_batch_size, self.ppo.minibatch_size
        if rollouts % sampled or rollouts % learned:
            raise UserError(
                f"--rollouts: {rollouts} does not fit; a multiple of --sample-batch-size ({sampled}) and of "
                f"--minibatch-size ({learned}) is expected"
            )

    @property
    def offline(self) -> bool:
        """Whether updates use only the experts' responses, without the policy's responses or the discriminator."""
        return self.algorithm in OFFLINE

    @property
    def steps_in_a_buffer(self) -> int:
        """The number of minibatches into which PPO divides the rollouts of an update."""
        return self.rollout.rollouts // self.ppo.minibatch_size

    def total_steps(self, steps: int, times: int) -> int | None:
        """Return the number of steps over which the learning rate falls to 0 in a phase.

        Args:
            steps: The number of steps in an epoch or update.
            times: The number of epochs or updates in the phase.

        Returns:
            The number of steps, or None if the learning rate is constant.
        """
        return steps * times if self.optimizer.learning_rate_schedule == "linear" and times else None

    def warm_up(self, total_steps: int | None) -> int:
        """Return the number of warm-up steps in a phase.

        This number is the setting `warmup_steps`. However, a preset's value may be too large for a small corpus. If
        this value is not below the number of steps in the phase, the warm-up takes a tenth of these steps instead, but
        at least one and never all of them. A value given by the user is never changed.

        Args:
            total_steps: The result of the method `total_steps` for the phase.

        Returns:
            The number of warm-up steps.
        """
        steps = self.optimizer.warmup_steps
        if total_steps is None or steps < total_steps or "warmup_steps" in self.given:
            return steps
        return min(max(total_steps // 10, 1), total_steps - 1)

    @property
    def token_rewards(self) -> bool:
        """Whether each token has its own reward and advantage. If not, each response has a single reward."""
        return self.judge.discriminator == "token" and self.ppo.level == "token"
