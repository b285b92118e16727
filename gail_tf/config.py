"""One dataclass holds every setting of a run of the second paper; presets `paper`, `default` and `tiny`.

Each field names Table 1's entry or the place it comes from. A departure from the paper stands beside the value that
departs.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from keras_gca.errors import UserError
from keras_gca.settings import COLDEST, HOTTEST, Settings, option

TRAINABLE = ("full", "lora", "head")
COUNTING = ("plain", "filtered")
DISCRIMINATORS = ("binary", "contrastive", "token")
ENCODERS = ("frozen", "trainable", "roberta")

# What an algorithm has otherwise than EmpathyGAIL; settings that are given go before these.
ALGORITHMS: dict[str, dict[str, Any]] = {
    "gail": {},
    # GPT-2 + MLE: it ends where the others begin to imitate.
    "mle": {"updates": 0},
    # Wu et al. 2021, by its authors' program: no KL penalty, no sentiment, D by contrast.
    "textgail": {
        "objective": "clip",
        "reward_form": "probability",
        "discriminator": "contrastive",
        "discriminator_encoder": "roberta",
        "sentiment": "off",
    },
    # The optimiser of the original GAIL (Ho and Ermon 2016), on the paper's network of two layers.
    "trpo": {"trainable": "head"},
    # Fung et al. 2018: no discriminator and no demonstrations; see baselines/rl_seq2seq.py.
    "rl_seq2seq": {
        "reward_form": "probability",
        "human_ratio": 0.0,
        "sentiment": "off",
        "discriminator_steps": 0,
        "discriminator_passes": 0,
    },
}

# What a run that has begun may have otherwise (`train --resume`): a new total, of which a part is done.
TOTALS = ("updates",)

PRESETS: dict[str, dict[str, Any]] = {
    # Table 1 and Section 4.2, on a real GPT-2 (--gpt2).
    "paper": {},
    # For the embedded corpus and a GPT-2 of a million weights, from scratch, on two CPU cores within 20 minutes.
    "default": {
        "n_layer": 4,
        "n_head": 4,
        "n_embd": 128,
        "n_positions": 256,
        "condition_tokens": 96,
        "response_tokens": 40,
        "pretraining_epochs": 30,
        "pretraining_learning_rate": 2e-3,
        "mle_epochs": 4,
        "mle_learning_rate": 5e-4,
        "warmup_steps": 50,
        "dropout": 0.3,
        "discriminator_steps": 100,
        "discriminator_learning_rate": 1e-3,
        "updates": 60,
        "generator_learning_rate": 5e-5,
        "validation_frequency": 10,
    },
    # Seconds: for tests, and to try one's own data.
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

# Settings of a GPT-2 from scratch, which one that is read (--gpt2) has already.
FROM_SCRATCH = (
    "vocabulary_size", "n_layer", "n_head", "n_embd", "n_positions", "pretraining_epochs", "pretraining_learning_rate",
)  # fmt: skip


@dataclass(frozen=True, repr=False)
class GAILConfig(Settings):
    """All settings of a run of the second paper.

    The defaults are the paper's numbers (Table 1, Section 4); PRESETS lists what the other presets change, and
    ALGORITHMS what the baselines have otherwise. What each field means, and which values it may have, is printed by
    `python -m gail_tf.train --help`.

    Raises:
        UserError: A field has an impossible value, or two fields do not go together.

    Examples:
        >>> from gail_tf import GAILConfig
        >>> GAILConfig()  # every number of the paper
        GAILConfig()
        >>> GAILConfig.preset("default").updates
        60
        >>> GAILConfig().changed(algorithm="textgail")  # a baseline brings its own settings
        GAILConfig(algorithm='textgail', sentiment='off', reward_form='probability', objective='clip',
                   discriminator='contrastive', discriminator_encoder='roberta')
        >>> GAILConfig(rollouts=100)
        Traceback (most recent call last):
        keras_gca.errors.UserError: --rollouts: 100 where a multiple of --sample-batch-size (16) and of
        --minibatch-size (8) is expected
    """

    algorithm: str = option(
        "gail", "gail: EmpathyGAIL; its baselines: mle, GPT-2 + MLE; textgail (Wu et al. 2021), whose D is a RoBERTa "
        "that compares two responses; trpo: the natural-gradient step of the original GAIL in place of PPO, with "
        "--trainable head; rl_seq2seq (Fung et al. 2018): an LSTM encoder-decoder, rewarded for agreement with the "
        "prompt's emotion", choices=tuple(ALGORITHMS),
    )  # fmt: skip

    # Expert trajectories (Sections 4.1, 4.2)
    turns: str = option(
        "disjoint", "disjoint: a turn is a prompt and its response, as in the paper's text; staggered: every utterance "
        "after the first is a response", choices=("disjoint", "staggered"),
    )  # fmt: skip
    max_trajectories: int | None = option(None, "use only about so many trajectories, whole conversations", low=30)
    sentiment: str = option(
        "on",
        "VADER's sentiment of each turn, as a control token for the policy and numbers for D",
        choices=("on", "off"),
    )
    condition_tokens: int = option(
        128, "the longest history and prompt, in tokens; older utterances are left out", low=8
    )
    response_tokens: int = option(50, "the longest response, END included (TextGAIL's 50)", low=2)

    # GPT-2, where none is given
    vocabulary_size: int = option(4000, "tokens of the byte-level BPE that is fitted to the training text", low=300)
    n_layer: int = option(12, "blocks", low=1, high=1000)
    n_head: int = option(12, "attention heads", low=1)
    n_embd: int = option(768, "numbers in a hidden state", low=1)
    n_positions: int = option(1024, "the longest sequence", low=16, high=1_000_000)
    pretraining_epochs: int = option(
        5, "epochs over all tokens of general and expert conversations, from scratch", low=0
    )
    pretraining_learning_rate: float = option(3e-4, "AdamW's rate there", low=1e-9, high=1)

    # The encoder-decoder of RL-Seq2Seq, in GPT-2's place
    word_embedding_size: int = option(100, "of --algorithm rl_seq2seq: numbers in a token's vector", low=1)
    sentence_embedding_size: int = option(300, "of --algorithm rl_seq2seq: units of its two LSTMs", low=1)

    # What learns
    trainable: str = option(
        "full", "full: all of GPT-2; lora: low-rank adapters; head: the paper's two layers of 100 tanh units on a "
        "frozen GPT-2", choices=TRAINABLE,
    )  # fmt: skip
    lora_rank: int = option(8, "rank of the adapters", low=1, high=4096)
    lora_alpha: float = option(16.0, "their scale is alpha / rank", low=1e-3)
    dropout: float = option(0.1, "GPT-2's dropout in maximum likelihood training; none in PPO", low=0, high=0.9)

    # Maximum likelihood before imitation
    mle_epochs: int = option(3, "epochs over the expert responses", low=0)
    mle_learning_rate: float = option(5e-5, "AdamW's rate there", low=1e-9, high=1)
    warmup_steps: int = option(1000, 'Table 1, "Generator Warmup Steps": the rates rise linearly so long', low=0)
    learning_rate_schedule: str = option(
        "linear", 'Table 1, "WarmupLinear". linear: after the warm-up the rates fall in a straight line to 0, as in '
        "TextGAIL; constant: they stay", choices=("linear", "constant"),
    )  # fmt: skip
    batch_size: int = option(32, 'Table 1, "Batch Size": of maximum likelihood training and of D', low=1)
    weight_decay: float = option(0.01, 'Table 1, "Weight Decay"', low=0, high=1)

    # Rollouts (Algorithm 2)
    updates: int = option(750, 'Table 1, "Epochs": updates of the policy', low=0)
    rollouts: int = option(128, 'Table 1, "PPO Buffer Size": responses in an update', low=2)
    sample_batch_size: int = option(
        16, 'Table 1, "Sample Batch Size": of so many responses a share is human demonstrations', low=1
    )
    decoding_batch_size: int = option(
        64, "responses that are drawn together: more are faster, need more memory, and are the same", low=1
    )
    human_ratio: float = option(0.3, 'Table 1, "Human Demo Ratio" at first; it falls linearly to 0', low=0, high=0.99)
    human_reward: float = option(2.0, "reward of a human demonstration (TextGAIL)", low=-100, high=100)
    top_p: float = option(0.9, "nucleus that responses are drawn from", low=1e-3, high=1)
    temperature: float = option(0.9, "temperature that they are drawn at", low=COLDEST, high=HOTTEST)
    counting: str = option(
        "plain", "probabilities of the ratio: plain, under GPT-2 itself; filtered, under what was drawn from",
        choices=COUNTING,
    )  # fmt: skip
    old_log_probs: str = option(
        "sampled", "the ratio's denominators. sampled: found when the responses were drawn; recomputed: by a pass over "
        "them, as in TextGAIL; the same but for rounding", choices=("sampled", "recomputed"),
    )  # fmt: skip

    # Reward
    reward_form: str = option(
        "gail", "gail: -log D of Eq. 6; log_expert; logit: their sum; probability (TextGAIL)",
        choices=("gail", "log_expert", "logit", "probability"),
    )  # fmt: skip
    length_drift_strength: float = option(0.0, "reward against a drift of the mean length; 0: none", low=0)

    # PPO
    generator_learning_rate: float = option(1e-5, "AdamW's rate of the policy", low=1e-9, high=1)
    ppo_epochs: int = option(1, "passes over an update's rollouts", low=1)
    minibatch_size: int = option(8, 'Table 1, "PPO Minibatch Size"', low=1)
    objective: str = option(
        "both", "clip: the clipped objective; kl: Eq. 7; both, as Table 1 and Eq. 7 together say",
        choices=("clip", "kl", "both"),
    )  # fmt: skip
    epsilon: float = option(0.2, 'Table 1, "PPO Epsilon"', low=1e-6, high=1)
    kl_penalty: str = option(
        "adaptive", "C of Eq. 7. adaptive: doubled or halved to keep the KL near --kl-target; fixed",
        choices=("adaptive", "fixed"),
    )  # fmt: skip
    kl_coefficient: float = option(0.1, "C of Eq. 7 at first", low=0)
    kl_target: float = option(0.05, "KL between two updates that adaptive C aims at, nats per response", low=1e-9)
    kl_stop: float | None = option(None, "leave an update early where a minibatch's KL is above this", low=0)
    level: str = option("response", "the ratio's action: the whole response, or a token", choices=("response", "token"))
    discount: float = option(
        0.95, "weight of the next token's reward; with --level token and --discriminator token", low=0, high=1
    )
    gae_lambda: float = option(
        0.95, "lambda of generalised advantage estimation, there with --value-baseline on", low=0, high=1
    )
    trust_region: float = option(
        0.01, "of --algorithm trpo: the largest KL of an update, in nats per action (see --level)", low=1e-9
    )
    value_baseline: str = option("off", "subtract a learned value from the reward", choices=("on", "off"))
    entropy_bonus: float = option(0.0, "weight of the policy's entropy in the objective", low=0)
    gradient_clip: float = option(1.0, "largest norm of the policy's gradient", low=1e-9)

    # Discriminator (Eq. 6)
    discriminator_steps: int = option(200, 'Table 1, "Discriminator Pre-Train Steps"', low=0)
    discriminator_learning_rate: float = option(
        1e-4, 'Table 1, "Discriminator Optimizer Learning Rate"', low=1e-9, high=1
    )
    discriminator: str = option(
        "binary", "binary: Eq. 6, of each response by itself; contrastive: TextGAIL's, of two responses to one prompt; "
        "token: Eq. 6 of every token, after Eq. 7 and 8 of the first paper", choices=DISCRIMINATORS,
    )  # fmt: skip
    discriminator_encoder: str = option(
        "frozen", "what D reads responses by. frozen: the reference, once; trainable: a GPT-2 of its own, which starts "
        "as the reference; roberta: a RoBERTa (--roberta, or a small one from scratch)", choices=ENCODERS,
    )  # fmt: skip
    discriminator_passes: int = option(1, "passes of D over each update's rollouts", low=0)
    label_smoothing: float = option(0.0, "D's label of experts is 1 minus this", low=0, high=0.49)
    instance_noise: float = option(0.0, "noise on D's features, in standard deviations", low=0)

    # The run
    validation_frequency: int = option(10, 'Table 1, "Validation Frequency"', low=1)
    on_failure: str = option(
        "warn", "where the training fails in a known way (gail_tf/imitation/failures.py): warn, or stop the run too",
        choices=("warn", "stop"),
    )  # fmt: skip
    precision: str = option("float32", "of GPT-2's matrix products", choices=("float32", "bfloat16"))
    seed: int = option(0, "repeats a run exactly on the same machine", low=0, high=2**31 - 1)
    checkpoint_minutes: float = option(5.0, "time between checkpoints inside an epoch or update", low=0)

    presets: ClassVar = PRESETS

    @classmethod
    def preset(cls, name: str, **changes: Any) -> Self:
        """A preset for an algorithm, with some fields changed.

        Args:
            name: One of `presets`.
            **changes: Fields and the values that they have in place of the preset's. An `algorithm` brings the settings
                of ALGORITHMS, which go before the preset's and after the other changes.

        Raises:
            UserError: There is no such preset or field, or a value is impossible.
        """
        return super().preset(name, **_with_algorithm(changes))

    def changed(self, **changes: Any) -> Self:
        """The same settings with some fields changed; an `algorithm` brings its own settings, as in `preset`.

        Args:
            **changes: Fields and their new values.

        Raises:
            UserError: There is no such field, or a value is impossible.
        """
        return super().changed(**_with_algorithm(changes))

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.algorithm == "trpo" and self.trainable != "head":
            raise UserError(f"--trainable: {self.trainable} where --algorithm trpo needs head")
        if self.algorithm == "rl_seq2seq" and self.trainable != "full":
            raise UserError(
                f"--trainable: {self.trainable} is of a GPT-2; --algorithm rl_seq2seq trains all of its LSTMs"
            )
        if self.algorithm == "rl_seq2seq" and (self.discriminator_steps or self.discriminator_passes):
            raise UserError("--algorithm rl_seq2seq has no discriminator; its steps and passes must be 0")
        if self.algorithm == "trpo" and self.value_baseline == "on":
            raise UserError("--value-baseline: a matter of PPO; --algorithm trpo has none")
        if self.discriminator_encoder == "roberta" and self.instance_noise:
            raise UserError("--instance-noise: noise on features, and a RoBERTa reads text; 0 is expected")
        if self.discriminator == "token" and self.discriminator_encoder == "roberta":
            raise UserError(
                "--discriminator token: RoBERTa reads whole responses; another --discriminator-encoder is needed"
            )
        if self.token_rewards and self.length_drift_strength:
            raise UserError("--length-drift-strength: of rewards of whole responses; --level response is expected")
        if self.condition_tokens + self.response_tokens > self.n_positions:
            raise UserError(
                f"--n-positions: {self.n_positions} where --condition-tokens and --response-tokens need "
                f"{self.condition_tokens + self.response_tokens}"
            )
        if self.rollouts % self.sample_batch_size or self.rollouts % self.minibatch_size:
            raise UserError(
                f"--rollouts: {self.rollouts} where a multiple of --sample-batch-size ({self.sample_batch_size}) "
                f"and of --minibatch-size ({self.minibatch_size}) is expected"
            )

    @property
    def steps_in_a_buffer(self) -> int:
        """How many minibatches of PPO an update's rollouts make."""
        return self.rollouts // self.minibatch_size

    def total_steps(self, steps: int, times: int) -> int | None:
        """The step at which the learning rate of a phase reaches 0.

        Args:
            steps: The steps of a round: an epoch, or an update.
            times: The rounds of the phase.

        Returns:
            The number of steps; None where the rate does not fall.
        """
        return steps * times if self.learning_rate_schedule == "linear" and times else None

    @property
    def token_rewards(self) -> bool:
        """Whether every token has a reward and an advantage of its own."""
        return self.discriminator == "token" and self.level == "token"


def _with_algorithm(changes: dict[str, Any]) -> dict[str, Any]:
    """The changes, with what their algorithm has otherwise than EmpathyGAIL where they do not say that themselves."""
    algorithm = changes.get("algorithm", "gail")
    return (ALGORITHMS.get(algorithm, {}) if isinstance(algorithm, str) else {}) | changes
