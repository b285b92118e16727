"""The settings of the second paper, in groups, with their meanings, defaults and allowed values.

Code accesses a setting through its group, for example `config.ppo.epsilon`. Command-line options, presets and
`config.json` do not use groups. The help text of a setting names its entry in Table 1 or another source. A comment
marks each value that departs from the paper. D is the discriminator.
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
    """The trajectories for training, and how the networks read them."""

    turns: str = option(
        "disjoint", "disjoint: a turn is a prompt and its response, as in the paper's text; staggered: every utterance "
        "after the first is a response", choices=("disjoint", "staggered"),
    )  # fmt: skip
    max_trajectories: int | None = option(
        None,
        "train on about this many trajectories from randomly chosen complete conversations, and pretrain on at most "
        "this many general conversations (default: all)",
        low=30,
    )
    splits: str = option(
        "random", "random: split the conversations at random, 70 % for training, 20 % for test and 10 % for "
        "validation, as in the paper; official: use the corpora's official splits (docs/formats.md)",
        choices=("random", "official"),
    )  # fmt: skip
    sentiment: str = option(
        "on",
        "on: VADER computes each utterance's sentiment, which the policy reads as a control token and the "
        "discriminator reads as a number",
        choices=("on", "off"),
    )
    sentiment_history: str = option(
        "off",
        "on: from the second turn on, the policy (as control tokens) and the discriminator (as numbers) also read how "
        "the user's sentiment has changed over the turns. Requires --sentiment on",
        choices=("on", "off"),
    )
    listener_profile: str = option(
        "off",
        "on: the policy learns responses together with their profiles, and users can say in a chat which kind of "
        "response helps them (chat --calibrate). A profile says whether a response asks a question, names the user's "
        "feeling, shares the speaker's own experience, gives advice or consoles, and how long and intense the "
        "response is",
        choices=("on", "off"),
    )
    layout: str = option(
        "auto",
        "tokens around each utterance. auto: the tokens of the pretrained model's chat template, without its system "
        "message; end_of_text: <|endoftext|> ends each utterance, as for GPT-2 and models from scratch; plain: each "
        "utterance is a line that begins with a dash; chatml: <|im_start|>user ... <|im_end|>; llama3: "
        "<|start_header_id|>user<|end_header_id|> ... <|eot_id|>; smollm2, qwen2, qwen2.5: the model's system "
        "message, then chatml",
        choices=LAYOUTS,
    )
    condition_tokens: int = option(
        128, "maximum number of tokens in the history and prompt together; older utterances are dropped", low=8
    )
    response_tokens: int = option(
        50, "maximum number of tokens in a response, including END (50 as in TextGAIL)", low=2
    )


@dataclass(frozen=True)
class ModelSettings:
    """The dimensions of a GPT-2 trained from scratch or of RL-Seq2Seq's encoder-decoder, and the weights to train."""

    # The dimensions of a GPT-2 from scratch, which is made if --model is not given
    vocabulary_size: int = option(
        4000, "vocabulary size of the byte-level BPE that is fitted to the training text", low=300
    )
    n_layer: int = option(12, "number of transformer blocks in GPT-2", low=1, high=1000)
    n_head: int = option(12, "number of attention heads in each block of GPT-2", low=1)
    n_embd: int = option(768, "size of GPT-2's hidden states", low=1)
    n_positions: int = option(1024, "maximum number of tokens in a sequence that GPT-2 reads", low=16, high=1_000_000)

    # The dimensions of RL-Seq2Seq's encoder-decoder, which replaces GPT-2
    word_embedding_size: int = option(100, "size of the token embeddings, for --algorithm rl_seq2seq", low=1)
    sentence_embedding_size: int = option(
        300, "number of units in each of the two LSTMs, for --algorithm rl_seq2seq", low=1
    )

    # Which weights are trained
    trainable: str = option(
        "full", "weights to train. full: all weights of GPT-2; lora: low-rank adapters; head: the paper's two layers "
        "of 100 tanh units on a frozen GPT-2", choices=TRAINABLE,
    )  # fmt: skip
    lora_rank: int = option(
        8, "rank of the adapters for --trainable lora and --discriminator-encoder adapters", low=1, high=4096
    )
    lora_alpha: float = option(16.0, "alpha of the adapters, which are scaled by alpha / rank", low=1e-3)
    dropout: float = option(
        0.1, "dropout rate in maximum likelihood training; PPO does not use dropout", low=0, high=0.9
    )


@dataclass(frozen=True)
class LikelihoodSettings:
    """Pretraining of a GPT-2 from scratch, and maximum likelihood training of the policy."""

    pretraining_epochs: int = option(
        5, "epochs of pretraining on general and expert conversations, for a GPT-2 from scratch", low=0
    )
    pretraining_learning_rate: float = option(3e-4, "learning rate of AdamW in pretraining", low=1e-9, high=1)
    mle_epochs: int = option(3, "epochs of maximum likelihood training on the expert responses", low=0)
    mle_learning_rate: float = option(5e-5, "learning rate of AdamW in maximum likelihood training", low=1e-9, high=1)
    td_weight: float = option(
        0.1, "weight of the squared temporal-difference errors, for --algorithm iqlearn; 0 turns the algorithm into "
        "maximum likelihood training", low=0,
    )  # fmt: skip


@dataclass(frozen=True)
class OptimizerSettings:
    """Settings shared by maximum likelihood training, PPO and the discriminator."""

    warmup_steps: int = option(
        1000,
        'Table 1, "Generator Warmup Steps": number of steps over which the learning rate rises linearly to its peak. '
        "If this option is not given, a phase too short for the default warms up for a tenth of its steps",
        low=0,
    )
    learning_rate_schedule: str = option(
        "linear", 'Table 1, "WarmupLinear": learning rate after the warm-up. linear: falls linearly to 0, as in '
        'TextGAIL; constant: stays at its peak', choices=("linear", "constant"),
    )  # fmt: skip
    batch_size: int = option(
        32,
        'Table 1, "Batch Size": number of responses in a batch, when the policy is trained by maximum '
        "likelihood and when D is trained",
        low=1,
    )
    weight_decay: float = option(0.01, 'Table 1, "Weight Decay": weight decay of AdamW', low=0, high=1)
    gradient_clip: float = option(
        1.0, "maximum norm of the policy's gradient; larger gradients are scaled down to this norm", low=1e-9
    )


@dataclass(frozen=True)
class RolloutSettings:
    """The number of updates, and how the responses for each update are collected."""

    updates: int = option(750, 'Table 1, "Epochs": number of updates of the policy', low=0)
    rollouts: int = option(128, 'Table 1, "PPO Buffer Size": number of responses per update', low=2)
    sample_batch_size: int = option(
        16,
        'Table 1, "Sample Batch Size": number of responses collected in one batch; all batches have the same share '
        "of human demonstrations (see --human-ratio)",
        low=1,
    )
    decoding_batch_size: int = option(
        64, "number of responses drawn in one batch; a larger number is faster but needs more memory", low=1
    )
    human_ratio: float = option(
        0.3,
        'Table 1, "Human Demo Ratio": share of human demonstrations in the first update; it falls linearly to 0',
        low=0,
        high=0.99,
    )
    top_p: float = option(
        0.9,
        "tokens are drawn from the nucleus: the most likely tokens that together reach this probability",
        low=1e-3,
        high=1,
    )
    temperature: float = option(0.9, "sampling temperature", low=COLDEST, high=HOTTEST)
    selection_candidates: int = option(
        8, "number of responses to each prompt, of which D chooses one, for --algorithm selection", low=2
    )
    counting: str = option(
        "plain", "probabilities compared in PPO's ratio. plain: GPT-2's own probabilities; filtered: the probabilities "
        "with which tokens are drawn, at --temperature and within the nucleus",
        choices=COUNTING,
    )  # fmt: skip
    old_log_probs: str = option(
        "sampled", "source of the old log-probabilities in PPO's ratio. sampled: computed while the responses are "
        "drawn; recomputed: computed in another pass over the responses, as in TextGAIL. The results differ only by "
        "rounding errors",
        choices=("sampled", "recomputed"),
    )  # fmt: skip


@dataclass(frozen=True)
class RewardSettings:
    """How the discriminator's output becomes a reward."""

    reward_form: str = option(
        "gail", "reward for a response. gail: -log D, with D as in Eq. 6; log_expert: log(1 - D); logit: the sum of "
        "these two; probability: 1 - D (TextGAIL)",
        choices=("gail", "log_expert", "logit", "probability"),
    )  # fmt: skip
    human_reward: float = option(2.0, "reward for a human demonstration (TextGAIL)", low=-100, high=100)
    length_drift_strength: float = option(
        0.0, "strength of the reward that counters drift in the mean response length; 0 turns this reward off", low=0
    )
    reward_control: str = option(
        "none", "control experiment that removes D's information from the rewards. permuted: permute D's rewards "
        "among the policy's responses in a buffer; zero: replace D's rewards with 0; none: leave D's rewards "
        "unchanged. Human demonstrations always keep their reward",
        choices=REWARD_CONTROLS,
    )  # fmt: skip
    reference_kl_coefficient: float = option(
        0.0, "initial weight of the KL to the reference in the reward. The log-ratio of policy and reference, times "
        "this weight, is subtracted from D's reward; 0 subtracts nothing", low=0,
    )  # fmt: skip
    reference_kl: str = option(
        "fixed", "weight of the KL to the reference. fixed: constant; adaptive: doubled or halved to keep the KL "
        "near --reference-kl-target",
        choices=("fixed", "adaptive"),
    )  # fmt: skip
    reference_kl_target: float = option(
        0.05, "KL to the reference that --reference-kl adaptive aims for, in nats per generated token", low=1e-9
    )


@dataclass(frozen=True)
class PPOSettings:
    """Training of the policy by PPO or TRPO."""

    generator_learning_rate: float = option(1e-5, "learning rate of AdamW for the policy in PPO", low=1e-9, high=1)
    ppo_epochs: int = option(1, "number of passes over the rollouts of an update", low=1)
    minibatch_size: int = option(8, 'Table 1, "PPO Minibatch Size": number of responses in a minibatch', low=1)
    objective: str = option(
        "both", "objective of PPO. clip: the clipped objective; kl: Eq. 7 with its KL penalty; both: the clipped "
        "objective with the KL penalty, as Table 1 and Eq. 7 together describe",
        choices=("clip", "kl", "both"),
    )  # fmt: skip
    epsilon: float = option(
        0.2, 'Table 1, "PPO Epsilon": the ratio is clipped to the range 1 - epsilon to 1 + epsilon', low=1e-6, high=1
    )
    kl_penalty: str = option(
        "adaptive", "weight C of the KL in Eq. 7. adaptive: doubled or halved to keep the KL near --kl-target; "
        "fixed: constant",
        choices=("adaptive", "fixed"),
    )  # fmt: skip
    kl_coefficient: float = option(0.1, "initial weight C of the KL in Eq. 7", low=0)
    kl_target: float = option(
        0.05, "KL per update that --kl-penalty adaptive aims for, in nats per action (see --level)", low=1e-9
    )
    kl_stop: float | None = option(
        None, "end an update as soon as the KL of a minibatch exceeds this value (default: no limit)", low=0
    )
    level: str = option(
        "response",
        "what PPO's ratio treats as one action. response: a complete response; token: a single token",
        choices=("response", "token"),
    )
    discount: float = option(
        0.95,
        "discount factor per token, for --level token with --discriminator token and for --algorithm iqlearn",
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
        0.01, "maximum KL per update with --algorithm trpo, in nats per action (see --level)", low=1e-9
    )
    value_baseline: str = option(
        "off",
        "on: subtract the value of the state, predicted by a trained network, from the reward; off: subtract nothing",
        choices=("on", "off"),
    )
    entropy_bonus: float = option(0.0, "weight of the policy's entropy in PPO's objective", low=0)


@dataclass(frozen=True)
class JudgeSettings:
    """The discriminator D and its training."""

    discriminator_steps: int = option(
        200, 'Table 1, "Discriminator Pre-Train Steps": number of training steps of D before the first update', low=0
    )
    discriminator_learning_rate: float = option(
        1e-4,
        'Table 1, "Discriminator Optimizer Learning Rate": learning rate of AdamW for D and the value baseline',
        low=1e-9,
        high=1,
    )
    discriminator: str = option(
        "binary", "what D judges. binary: a single response (Eq. 6); contrastive: two responses to the same prompt "
        "(TextGAIL); token: each token (Eq. 6), like the first paper's D (Eq. 7 and 8 of that paper)",
        choices=DISCRIMINATORS,
    )  # fmt: skip
    discriminator_encoder: str = option(
        "frozen", "network that computes D's features. frozen: the reference policy; adapters: the reference's "
        "frozen network with separate low-rank adapters, which are trained with D; trainable: a full copy of the "
        "reference's network, which is trained with D; roberta: the RoBERTa of --roberta, or one from scratch. With "
        "adapters or trainable, the initial features are the same as with frozen",
        choices=ENCODERS,
    )  # fmt: skip
    discriminator_passes: int = option(1, "number of times D is trained on the rollouts of each update", low=0)
    label_smoothing: float = option(
        0.0, "label smoothing in D's training: the label of expert responses is 1 minus this value", low=0, high=0.49
    )
    instance_noise: float = option(
        0.0,
        "scale of the Gaussian noise added to D's features during training, in standard deviations of the features",
        low=0,
    )


@dataclass(frozen=True)
class RunSettings:
    """The validation frequency, the reaction to training failures, and the numerical precision."""

    validation_frequency: int = option(
        10, 'Table 1, "Validation Frequency": number of updates between two validations', low=1
    )
    on_failure: str = option(
        "warn", "what to do when a known training failure occurs (gail_tf/imitation/failures.py). warn: print a "
        "warning; stop: print a warning and stop the run",
        choices=("warn", "stop"),
    )  # fmt: skip
    precision: str = option("float32", "precision of GPT-2's matrix multiplications", choices=("float32", "bfloat16"))
