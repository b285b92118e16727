"""The settings of the second paper in groups: what each is, its default from Table 1, and its possible values.

Code reads them by their groups (`config.ppo.epsilon`); options, presets and `config.json` have no groups. Each field
names Table 1's entry or the place it comes from. A departure from the paper stands beside the value that departs.
"""

from dataclasses import dataclass

from keras_gca.settings import COLDEST, HOTTEST, option

TRAINABLE = ("full", "lora", "head")
COUNTING = ("plain", "filtered")
DISCRIMINATORS = ("binary", "contrastive", "token")
ENCODERS = ("frozen", "trainable", "roberta")


@dataclass(frozen=True)
class DataSettings:
    """Which trajectories are learned from, and what is read of each."""

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


@dataclass(frozen=True)
class ModelSettings:
    """A GPT-2 where none is given, the encoder-decoder of RL-Seq2Seq in its place, and which weights learn."""

    # GPT-2, where none is given
    vocabulary_size: int = option(4000, "tokens of the byte-level BPE that is fitted to the training text", low=300)
    n_layer: int = option(12, "blocks", low=1, high=1000)
    n_head: int = option(12, "attention heads", low=1)
    n_embd: int = option(768, "numbers in a hidden state", low=1)
    n_positions: int = option(1024, "the longest sequence", low=16, high=1_000_000)

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


@dataclass(frozen=True)
class LikelihoodSettings:
    """Pretraining of a GPT-2 from scratch, then maximum likelihood of the expert responses."""

    pretraining_epochs: int = option(
        5, "epochs over all tokens of general and expert conversations, from scratch", low=0
    )
    pretraining_learning_rate: float = option(3e-4, "AdamW's rate there", low=1e-9, high=1)
    mle_epochs: int = option(3, "epochs over the expert responses", low=0)
    mle_learning_rate: float = option(5e-5, "AdamW's rate there", low=1e-9, high=1)


@dataclass(frozen=True)
class OptimizerSettings:
    """What several of the learners have in common: maximum likelihood, PPO and the discriminator."""

    warmup_steps: int = option(
        1000,
        'Table 1, "Generator Warmup Steps": the rates rise linearly so long; a tenth of a phase that is shorter, '
        "unless this is given",
        low=0,
    )
    learning_rate_schedule: str = option(
        "linear", 'Table 1, "WarmupLinear". linear: after the warm-up the rates fall in a straight line to 0, as in '
        "TextGAIL; constant: they stay", choices=("linear", "constant"),
    )  # fmt: skip
    batch_size: int = option(32, 'Table 1, "Batch Size": of maximum likelihood training and of D', low=1)
    weight_decay: float = option(0.01, 'Table 1, "Weight Decay"', low=0, high=1)
    gradient_clip: float = option(1.0, "largest norm of the policy's gradient", low=1e-9)


@dataclass(frozen=True)
class RolloutSettings:
    """How many updates there are, and how the responses of each are collected."""

    updates: int = option(750, 'Table 1, "Epochs": updates of the policy', low=0)
    rollouts: int = option(128, 'Table 1, "PPO Buffer Size": responses in an update', low=2)
    sample_batch_size: int = option(
        16, 'Table 1, "Sample Batch Size": of so many responses a share is human demonstrations', low=1
    )
    decoding_batch_size: int = option(
        64, "responses that are drawn together: more are faster, need more memory, and are the same", low=1
    )
    human_ratio: float = option(0.3, 'Table 1, "Human Demo Ratio" at first; it falls linearly to 0', low=0, high=0.99)
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


@dataclass(frozen=True)
class RewardSettings:
    """From what the discriminator says to a reward."""

    reward_form: str = option(
        "gail", "gail: -log D of Eq. 6; log_expert; logit: their sum; probability (TextGAIL)",
        choices=("gail", "log_expert", "logit", "probability"),
    )  # fmt: skip
    human_reward: float = option(2.0, "reward of a human demonstration (TextGAIL)", low=-100, high=100)
    length_drift_strength: float = option(0.0, "reward against a drift of the mean length; 0: none", low=0)


@dataclass(frozen=True)
class PPOSettings:
    """The policy's step, of PPO or of TRPO."""

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


@dataclass(frozen=True)
class JudgeSettings:
    """The discriminator, and how it learns."""

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


@dataclass(frozen=True)
class RunSettings:
    """How the training runs."""

    validation_frequency: int = option(10, 'Table 1, "Validation Frequency"', low=1)
    on_failure: str = option(
        "warn", "where the training fails in a known way (gail_tf/imitation/failures.py): warn, or stop the run too",
        choices=("warn", "stop"),
    )  # fmt: skip
    precision: str = option("float32", "of GPT-2's matrix products", choices=("float32", "bfloat16"))
