"""The settings of the second paper in groups, with their meaning, their default and their possible values.

Code reads a setting by its group, for example `config.ppo.epsilon`. Command-line options, presets and `config.json`
have no groups. The text of a field names its entry in Table 1 or its other source. A departure from the paper is noted
beside the value that departs. D is the discriminator.
"""

from dataclasses import dataclass

from keras_gca.settings import COLDEST, HOTTEST, option

TRAINABLE = ("full", "lora", "head")
COUNTING = ("plain", "filtered")
REWARD_CONTROLS = ("none", "permuted", "zero")
DISCRIMINATORS = ("binary", "contrastive", "token")
ENCODERS = ("frozen", "adapters", "trainable", "roberta")
LAYOUTS = ("auto", "end_of_text", "plain", "chatml", "llama3", "smollm2", "qwen2", "qwen2.5")


@dataclass(frozen=True)
class DataSettings:
    """Which trajectories the training uses, and how many tokens of each trajectory the networks read."""

    turns: str = option(
        "disjoint", "disjoint: a turn is a prompt and its response, as in the paper's text; staggered: every utterance "
        "after the first is a response", choices=("disjoint", "staggered"),
    )  # fmt: skip
    max_trajectories: int | None = option(
        None,
        "train on about this many trajectories, drawn as whole conversations, and pretrain on at most as many general "
        "conversations (default: all)",
        low=30,
    )
    splits: str = option(
        "random", "random: divide the conversations at random, 70 % for training, 20 % for test and 10 % for "
        "validation, as in the paper; official: use the corpora's own parts (docs/formats.md)",
        choices=("random", "official"),
    )  # fmt: skip
    sentiment: str = option(
        "on",
        "on: each utterance has a sentiment, computed by VADER. The policy reads it as a control token, and the "
        "discriminator reads it as a number",
        choices=("on", "off"),
    )
    sentiment_history: str = option(
        "off",
        "on: from the second turn on, the policy also reads the course of the user's sentiment over the turns, as "
        "control tokens, and the discriminator reads it as numbers; this needs --sentiment on",
        choices=("on", "off"),
    )
    listener_profile: str = option(
        "off",
        "on: the policy learns responses together with their profiles (whether a response asks back, reflects the "
        "feeling, shares, advises or consoles, its length and intensity), so that the users of a chat can say what "
        "helps them (chat --calibrate)",
        choices=("on", "off"),
    )
    layout: str = option(
        "auto",
        "the tokens around each utterance. auto: as in the pretrained model's chat template, without its system "
        "message; end_of_text: <|endoftext|> ends each utterance, as for GPT-2 and from scratch; plain: each utterance "
        "is a line that begins with a dash; chatml: <|im_start|>user ... <|im_end|>; llama3: "
        "<|start_header_id|>user<|end_header_id|> ... <|eot_id|>; smollm2, qwen2, qwen2.5: chatml after the system "
        "message of this model",
        choices=LAYOUTS,
    )
    condition_tokens: int = option(
        128, "largest number of tokens of history and prompt together; older utterances are left out", low=8
    )
    response_tokens: int = option(50, "largest number of tokens of a response, END included (50 as in TextGAIL)", low=2)


@dataclass(frozen=True)
class ModelSettings:
    """The sizes of a GPT-2 from scratch or of RL-Seq2Seq's encoder-decoder, and which weights are trained."""

    # The sizes of a GPT-2 from scratch, which is made if --model names none
    vocabulary_size: int = option(
        4000, "vocabulary size of the byte-level BPE that is fitted to the training text", low=300
    )
    n_layer: int = option(12, "number of transformer blocks of GPT-2", low=1, high=1000)
    n_head: int = option(12, "number of attention heads in each block of GPT-2", low=1)
    n_embd: int = option(768, "width of GPT-2's hidden states", low=1)
    n_positions: int = option(1024, "longest sequence that GPT-2 reads, in tokens", low=16, high=1_000_000)

    # The sizes of RL-Seq2Seq's encoder-decoder, which replaces GPT-2
    word_embedding_size: int = option(100, "width of the token embeddings of --algorithm rl_seq2seq", low=1)
    sentence_embedding_size: int = option(300, "units in each of the two LSTMs of --algorithm rl_seq2seq", low=1)

    # Which weights are trained
    trainable: str = option(
        "full", "weights that are trained. full: all of GPT-2; lora: low-rank adapters; head: the paper's two layers "
        "of 100 tanh units on a frozen GPT-2", choices=TRAINABLE,
    )  # fmt: skip
    lora_rank: int = option(
        8, "rank of the adapters of --trainable lora and of --discriminator-encoder adapters", low=1, high=4096
    )
    lora_alpha: float = option(16.0, "alpha of the adapters, which are scaled by alpha / rank", low=1e-3)
    dropout: float = option(0.1, "dropout rate in maximum likelihood training; PPO uses none", low=0, high=0.9)


@dataclass(frozen=True)
class LikelihoodSettings:
    """Pretraining of a GPT-2 from scratch, then maximum likelihood training on the expert responses."""

    pretraining_epochs: int = option(
        5, "epochs of pretraining on general and expert conversations, for a GPT-2 from scratch", low=0
    )
    pretraining_learning_rate: float = option(3e-4, "learning rate of AdamW in pretraining", low=1e-9, high=1)
    mle_epochs: int = option(3, "epochs of maximum likelihood training on the expert responses", low=0)
    mle_learning_rate: float = option(5e-5, "learning rate of AdamW in maximum likelihood training", low=1e-9, high=1)
    td_weight: float = option(
        0.1, "weight of the squared temporal-difference errors of --algorithm iqlearn; with 0 it is maximum likelihood",
        low=0,
    )  # fmt: skip


@dataclass(frozen=True)
class OptimizerSettings:
    """Settings that maximum likelihood training, PPO and the discriminator share."""

    warmup_steps: int = option(
        1000,
        'Table 1, "Generator Warmup Steps": number of steps in which the learning rate rises linearly to its peak. If '
        "this option is not given, and a phase has too few steps, the warm-up takes a tenth of the steps of the phase",
        low=0,
    )
    learning_rate_schedule: str = option(
        "linear", 'Table 1, "WarmupLinear": the learning rate after the warm-up. linear: it falls linearly to 0, as in '
        "TextGAIL; constant: it stays at its peak", choices=("linear", "constant"),
    )  # fmt: skip
    batch_size: int = option(
        32, 'Table 1, "Batch Size": responses in a batch of maximum likelihood training and of D', low=1
    )
    weight_decay: float = option(0.01, 'Table 1, "Weight Decay": weight decay of AdamW', low=0, high=1)
    gradient_clip: float = option(
        1.0, "largest norm of the policy's gradient; a larger gradient is scaled down to this norm", low=1e-9
    )


@dataclass(frozen=True)
class RolloutSettings:
    """How many updates there are, and how the responses of an update are collected."""

    updates: int = option(750, 'Table 1, "Epochs": number of updates of the policy', low=0)
    rollouts: int = option(128, 'Table 1, "PPO Buffer Size": number of responses in an update', low=2)
    sample_batch_size: int = option(
        16,
        'Table 1, "Sample Batch Size": responses are collected in batches of this size; each batch has the share '
        "--human-ratio of human demonstrations",
        low=1,
    )
    decoding_batch_size: int = option(
        64, "number of responses that are drawn together; a larger number is faster but needs more memory", low=1
    )
    human_ratio: float = option(
        0.3,
        'Table 1, "Human Demo Ratio": share of human demonstrations in the first update; it falls linearly to 0',
        low=0,
        high=0.99,
    )
    top_p: float = option(
        0.9,
        "tokens are drawn from the nucleus: the likeliest tokens that together reach this probability",
        low=1e-3,
        high=1,
    )
    temperature: float = option(0.9, "temperature at which tokens are drawn", low=COLDEST, high=HOTTEST)
    selection_candidates: int = option(
        8, "number of responses to a prompt among which D chooses, for --algorithm selection", low=2
    )
    counting: str = option(
        "plain", "which probabilities the ratio of PPO compares. plain: the probabilities of GPT-2 itself; filtered: "
        "the probabilities with which tokens are drawn, at --temperature and within the nucleus",
        choices=COUNTING,
    )  # fmt: skip
    old_log_probs: str = option(
        "sampled", "where the old log-probabilities in the ratio of PPO come from. sampled: they are computed when the "
        "responses are drawn; recomputed: another pass over the responses computes them, as in TextGAIL. The results "
        "differ only by rounding",
        choices=("sampled", "recomputed"),
    )  # fmt: skip


@dataclass(frozen=True)
class RewardSettings:
    """How the discriminator's output becomes a reward."""

    reward_form: str = option(
        "gail", "reward of a response. gail: -log D with the D of Eq. 6; log_expert: log(1 - D); logit: the sum of "
        "these two; probability: 1 - D (TextGAIL)",
        choices=("gail", "log_expert", "logit", "probability"),
    )  # fmt: skip
    human_reward: float = option(2.0, "reward of a human demonstration (TextGAIL)", low=-100, high=100)
    length_drift_strength: float = option(
        0.0, "strength of the reward that counters a drift of the mean response length; 0 for none", low=0
    )
    reward_control: str = option(
        "none", "a control experiment that takes D's information out of the rewards. permuted: D's rewards are "
        "permuted among the policy's responses in a buffer; zero: D's rewards are 0; none: D's rewards as they are. "
        "Human demonstrations keep their reward",
        choices=REWARD_CONTROLS,
    )  # fmt: skip
    reference_kl_coefficient: float = option(
        0.0, "initial weight of the KL to the reference in the reward: the weight times the log-ratio of policy and "
        "reference is subtracted from D's reward; 0 for none", low=0,
    )  # fmt: skip
    reference_kl: str = option(
        "fixed", "weight of the KL to the reference. fixed: it is constant; adaptive: it is doubled or halved to keep "
        "the KL near --reference-kl-target",
        choices=("fixed", "adaptive"),
    )  # fmt: skip
    reference_kl_target: float = option(
        0.05, "KL to the reference at which --reference-kl adaptive aims, in nats per generated token", low=1e-9
    )


@dataclass(frozen=True)
class PPOSettings:
    """How the policy learns by PPO or by TRPO."""

    generator_learning_rate: float = option(1e-5, "learning rate of AdamW for the policy in PPO", low=1e-9, high=1)
    ppo_epochs: int = option(1, "passes over an update's rollouts", low=1)
    minibatch_size: int = option(8, 'Table 1, "PPO Minibatch Size": responses in a minibatch', low=1)
    objective: str = option(
        "both", "objective of PPO. clip: the clipped objective; kl: Eq. 7 with its KL penalty; both: the clipped "
        "objective with the KL penalty, as Table 1 and Eq. 7 together say",
        choices=("clip", "kl", "both"),
    )  # fmt: skip
    epsilon: float = option(
        0.2, 'Table 1, "PPO Epsilon": the ratio is clipped to 1 - epsilon and 1 + epsilon', low=1e-6, high=1
    )
    kl_penalty: str = option(
        "adaptive", "weight C of the KL in Eq. 7. adaptive: C is doubled or halved to keep the KL near --kl-target; "
        "fixed: C is constant",
        choices=("adaptive", "fixed"),
    )  # fmt: skip
    kl_coefficient: float = option(0.1, "initial weight C of the KL in Eq. 7", low=0)
    kl_target: float = option(
        0.05, "KL of an update at which --kl-penalty adaptive aims, in nats per action (see --level)", low=1e-9
    )
    kl_stop: float | None = option(None, "end an update as soon as the KL of a minibatch is above this", low=0)
    level: str = option(
        "response",
        "the unit that is one action in the ratio of PPO. response: a whole response; token: a token",
        choices=("response", "token"),
    )
    discount: float = option(
        0.95,
        "discount per token, for --level token with --discriminator token, and for --algorithm iqlearn",
        low=0,
        high=1,
    )
    gae_lambda: float = option(
        0.95,
        "lambda of generalised advantage estimation, for --level token with --discriminator token and "
        "--value-baseline on",
        low=0,
        high=1,
    )
    trust_region: float = option(
        0.01, "largest KL of an update by --algorithm trpo, in nats per action (see --level)", low=1e-9
    )
    value_baseline: str = option(
        "off",
        "on: a network learns to predict the value of a state, which is subtracted from the reward; off: nothing is "
        "subtracted",
        choices=("on", "off"),
    )
    entropy_bonus: float = option(0.0, "weight of the policy's entropy in the objective of PPO", low=0)


@dataclass(frozen=True)
class JudgeSettings:
    """The discriminator D and its training."""

    discriminator_steps: int = option(
        200, 'Table 1, "Discriminator Pre-Train Steps": steps of D before the first update', low=0
    )
    discriminator_learning_rate: float = option(
        1e-4,
        'Table 1, "Discriminator Optimizer Learning Rate": learning rate of AdamW for D and the value baseline',
        low=1e-9,
        high=1,
    )
    discriminator: str = option(
        "binary", "what D judges. binary: each response by itself (Eq. 6); contrastive: two responses to the same "
        "prompt (TextGAIL); token: every token by Eq. 6, as the first paper's D does (its Eq. 7 and 8)",
        choices=DISCRIMINATORS,
    )  # fmt: skip
    discriminator_encoder: str = option(
        "frozen", "network that computes D's features. frozen: the reference policy; adapters: the reference's frozen "
        "network with low-rank adapters of D's own, which start as the reference and learn with D; trainable: a full "
        "copy of the network, which starts as the reference and learns with D; roberta: the RoBERTa of --roberta, or "
        "one from scratch",
        choices=ENCODERS,
    )  # fmt: skip
    discriminator_passes: int = option(1, "number of passes of D over the rollouts of an update", low=0)
    label_smoothing: float = option(
        0.0, "expert responses have the label 1 minus this value when D learns", low=0, high=0.49
    )
    instance_noise: float = option(
        0.0, "scale of the Gaussian noise on D's features in training, in standard deviations of the features", low=0
    )


@dataclass(frozen=True)
class RunSettings:
    """How the training is run."""

    validation_frequency: int = option(10, 'Table 1, "Validation Frequency": updates between two validations', low=1)
    on_failure: str = option(
        "warn", "what to do when the training fails in a known way (gail_tf/imitation/failures.py). warn: print a "
        "warning; stop: print it and stop the run",
        choices=("warn", "stop"),
    )  # fmt: skip
    precision: str = option("float32", "precision of GPT-2's matrix products", choices=("float32", "bfloat16"))
