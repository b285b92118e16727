"""Lists the second paper's experiments, the variants that they compare, and the scales at which they can run.

The command's `--help` shows this list. Therefore the module does not import TensorFlow or other slow libraries.
"""

from typing import Any, NamedTuple


class Variant(NamedTuple):
    """A training that experiments compare.

    Attributes:
        start: The variant whose GPT-2 this training starts from, or None if it starts from scratch. If --gpt2 is given,
            its GPT-2 replaces that of the variant "pretrained".
        settings: The settings that define the variant.
    """

    start: str | None
    settings: dict[str, Any]


PRETRAINED, MLE, MLE_PLAIN = "pretrained", "mle", "mle_without_sentiment"
MLE_HISTORY, MLE_PROFILES = "mle_with_sentiment_history", "mle_with_profiles"

VARIANTS: dict[str, Variant] = {
    PRETRAINED: Variant(None, {"algorithm": "mle", "mle_epochs": 0}),
    MLE: Variant(PRETRAINED, {"algorithm": "mle"}),
    MLE_PLAIN: Variant(PRETRAINED, {"algorithm": "mle", "sentiment": "off"}),
    "rl_seq2seq": Variant(None, {"algorithm": "rl_seq2seq"}),
    "textgail": Variant(MLE_PLAIN, {"algorithm": "textgail"}),
    "trpo": Variant(MLE, {"algorithm": "trpo"}),
    "gail": Variant(MLE, {}),
    "contrastive": Variant(MLE, {"discriminator": "contrastive", "reward_form": "probability"}),
    "clip_alone": Variant(MLE, {"objective": "clip"}),
    "kl_alone": Variant(MLE, {"objective": "kl"}),
    "no_demonstrations": Variant(MLE, {"human_ratio": 0.0}),
    "no_sentiment": Variant(MLE_PLAIN, {"sentiment": "off"}),
    "lora": Variant(MLE, {"trainable": "lora"}),
    "head": Variant(MLE, {"trainable": "head"}),
    "token_rewards": Variant(MLE, {"discriminator": "token", "level": "token"}),
    MLE_HISTORY: Variant(PRETRAINED, {"algorithm": "mle", "sentiment_history": "on"}),
    "sentiment_history": Variant(MLE_HISTORY, {"sentiment_history": "on"}),
    MLE_PROFILES: Variant(PRETRAINED, {"algorithm": "mle", "listener_profile": "on"}),
    "profiles": Variant(MLE_PROFILES, {"listener_profile": "on"}),
}


class Experiment(NamedTuple):
    """A question, and the variants whose comparison answers it."""

    question: str
    variants: tuple[str, ...]


EXPERIMENTS = {
    "table2": Experiment(
        "Table 2: the paper's four models, and TRPO in place of PPO", (MLE, "rl_seq2seq", "textgail", "trpo", "gail")
    ),
    "discriminator": Experiment(
        "should D judge single responses, compare two responses, or judge each token?",
        (MLE, "gail", "contrastive", "token_rewards"),
    ),
    "objective": Experiment(
        "should PPO have the clipped objective, the KL penalty, or both?", (MLE, "gail", "clip_alone", "kl_alone")
    ),
    "demonstrations": Experiment(
        "does a share of human demonstrations, 0.3 at first, help?", (MLE, "gail", "no_demonstrations")
    ),
    "sentiment": Experiment("does the sentiment of each turn help?", (MLE, MLE_PLAIN, "gail", "no_sentiment")),
    "trainable": Experiment(
        "should all of GPT-2 be trained, low-rank adapters, or a head?", (MLE, "gail", "lora", "head", "trpo")
    ),
    "history": Experiment(
        "does the course of the user's sentiment over the turns help?", (MLE, MLE_HISTORY, "gail", "sentiment_history")
    ),
    "profiles": Experiment(
        "do responses do what the user's profile asks for, and what does that cost?",
        (MLE, MLE_PROFILES, "gail", "profiles"),
    ),
}

# Settings of the trainings at each scale; the user's settings override them.
SCALES: dict[str, dict[str, Any]] = {
    "tiny": {"preset": "tiny"},
    # A small GPT-2 from scratch, for two CPU cores.
    "small": {
        "preset": "default",
        "max_trajectories": 8000,
        "pretraining_epochs": 15,
        "dropout": 0.2,
        "mle_epochs": 3,
        "warmup_steps": 100,
    },
    # Table 1, with a pretrained GPT-2 and RoBERTa, for a GPU or TPU.
    "paper": {"preset": "paper"},
}
