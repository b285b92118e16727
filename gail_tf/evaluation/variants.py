"""The second paper's experiments, the variants that they compare, and the scales at which they can be run.

`--help` lists the experiments, so this module imports neither TensorFlow nor other slow libraries.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from gail_tf import config


class Variant(NamedTuple):
    """A kind of training run that experiments compare.

    Attributes:
        start: The variant whose trained GPT-2 this variant starts from, or None to start from scratch. With --gpt2, the
            given GPT-2 replaces the one that the variant "pretrained" trains.
        settings: The settings that distinguish this variant.
    """

    start: str | None
    settings: dict[str, Any]


PRETRAINED, MLE, MLE_PLAIN, START = "pretrained", "mle", "mle_without_sentiment", "start_of_imitation"

# How rollouts are drawn. Experts' responses come from the full distribution. If the policy's responses were drawn at a
# lower temperature and within a nucleus, the policy could earn rewards simply by flattening its distribution, until its
# filtered responses look like the experts'. Therefore rollouts are not filtered in any comparison.
UNFILTERED: dict[str, Any] = {"temperature": 1.0, "top_p": 1.0}
FILTERED: dict[str, Any] = {"temperature": 0.9, "top_p": 0.9}  # as in the paper and in TextGAIL
MLE_HISTORY, MLE_PROFILES = "mle_with_sentiment_history", "mle_with_profiles"

VARIANTS: dict[str, Variant] = {
    PRETRAINED: Variant(None, {"algorithm": "mle", "mle_epochs": 0}),
    MLE: Variant(PRETRAINED, {"algorithm": "mle"}),
    MLE_PLAIN: Variant(PRETRAINED, {"algorithm": "mle", "sentiment": "off"}),
    # The policy of MLE in the form from which other variants start: its adapters are merged into the weights, which are
    # rounded. It is not trained further, because a variant that starts from a trained variant has no epochs of maximum
    # likelihood training.
    START: Variant(MLE, {"algorithm": "mle"}),
    "rl_seq2seq": Variant(None, {"algorithm": "rl_seq2seq", **FILTERED}),  # without D, filtering gives no advantage
    "textgail": Variant(MLE_PLAIN, {"algorithm": "textgail"}),
    "trpo": Variant(MLE, {"algorithm": "trpo"}),
    "gail": Variant(MLE, {}),
    # Controls, in which imitation lacks one of its components, and alternatives that use only the experts' responses.
    "extra_likelihood": Variant(MLE, {"algorithm": "extra_likelihood"}),
    "iqlearn": Variant(MLE, {"algorithm": "iqlearn"}),
    "selection": Variant(MLE, {"algorithm": "selection"}),
    "gail_filtered": Variant(MLE, FILTERED),
    "gail_permuted": Variant(MLE, {"reward_control": "permuted"}),
    "gail_zero": Variant(MLE, {"reward_control": "zero"}),
    # Changes that could improve imitation.
    "reference_kl_weak": Variant(MLE, {"reference_kl_coefficient": 0.1}),
    "reference_kl_strong": Variant(MLE, {"reference_kl_coefficient": 1.0}),
    "reference_kl_adaptive": Variant(MLE, {"reference_kl_coefficient": 0.1, "reference_kl": "adaptive"}),
    "d_with_adapters": Variant(MLE, {"discriminator_encoder": "adapters"}),
    "d_trainable": Variant(MLE, {"discriminator_encoder": "trainable"}),
    "label_smoothing": Variant(MLE, {"label_smoothing": 0.1}),
    "instance_noise": Variant(MLE, {"instance_noise": 0.3}),
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


COMPARABLE = tuple(name for name in VARIANTS if name != PRETRAINED)  # PRETRAINED is only a starting point for others


class Experiment(NamedTuple):
    """An experiment: a question, and the variants that are compared to answer it."""

    question: str
    variants: tuple[str, ...]


EXPERIMENTS = {
    "table2": Experiment(
        "Table 2: the paper's four models, and TRPO in place of PPO", (MLE, "rl_seq2seq", "textgail", "trpo", "gail")
    ),
    "controls": Experiment(
        "Does imitation learn from D, or from filtered rollouts and additional steps?",
        (MLE, "extra_likelihood", "gail", "gail_filtered", "gail_permuted", "gail_zero"),
    ),
    "imitation": Experiment(
        "What works best: a KL penalty, a trainable encoder for D, smoothing, noise, or no imitation at all?",
        (
            MLE,
            "gail",
            "reference_kl_weak",
            "reference_kl_strong",
            "reference_kl_adaptive",
            "d_with_adapters",
            "d_trainable",
            "label_smoothing",
            "instance_noise",
            "iqlearn",
            "selection",
        ),
    ),
    "discriminator": Experiment(
        "Should D judge single responses, compare two responses, or judge each token?",
        (MLE, "gail", "contrastive", "token_rewards"),
    ),
    "objective": Experiment(
        "Should PPO use the clipped objective, the KL penalty, or both?", (MLE, "gail", "clip_alone", "kl_alone")
    ),
    "demonstrations": Experiment(
        "Do human demonstrations help, with an initial share of 0.3?", (MLE, "gail", "no_demonstrations")
    ),
    "sentiment": Experiment("Does the sentiment of each turn help?", (MLE, MLE_PLAIN, "gail", "no_sentiment")),
    "trainable": Experiment(
        "Should training change all of GPT-2, only adapters, or only a head?", (MLE, "gail", "lora", "head", "trpo")
    ),
    "history": Experiment(
        "Does knowing the history of the user's sentiment help?", (MLE, MLE_HISTORY, "gail", "sentiment_history")
    ),
    "profiles": Experiment(
        "Do responses follow the user's profile, and what does that cost?",
        (MLE, MLE_PROFILES, "gail", "profiles"),
    ),
}

# The variants of the experiment table2 at the scale "pretrained", in the order in which they are trained.
TABLE_2_PRETRAINED = (
    START, "extra_likelihood", "gail", "iqlearn", "selection", "textgail", "rl_seq2seq", "gail_filtered",
    "gail_permuted", "gail_zero",
)  # fmt: skip

# Settings of the training runs at each scale; the user's settings override them.
SCALES: dict[str, dict[str, Any]] = {
    "tiny": {"preset": "tiny"},
    # Trains a small GPT-2 from scratch, on two CPU cores.
    "small": {
        "preset": "default",
        "max_trajectories": 8000,
        "pretraining_epochs": 15,
        "dropout": 0.2,
        "mle_epochs": 3,
        "warmup_steps": 100,
    },
    # Trains adapters for config.PRETRAINED on 2,500 trajectories (70 % of `max_trajectories`), on two CPU cores.
    "pretrained": {
        "preset": "pretrained",
        "max_trajectories": 3571,
        "mle_epochs": 2,
        "updates": 30,
        "rollouts": 64,
        "discriminator_steps": 50,
    },
    # Uses the settings of Table 1, with a pretrained GPT-2 and RoBERTa, on a GPU or TPU.
    "paper": {"preset": "paper"},
}

# How an evaluation draws responses: as the rollouts from which D learned, and at the paper's scale as in the paper. The
# odds by which D selects responses are those of one distribution, and mean nothing for candidates from another.
ANSWERING = {scale: FILTERED if scale == "paper" else UNFILTERED for scale in SCALES}


def variants_of(experiment: str, scale: str, chosen: Sequence[str] | None = None) -> Sequence[str]:
    """Return the variants that an experiment compares.

    Args:
        experiment: A key of EXPERIMENTS.
        scale: A key of SCALES.
        chosen: The variants chosen by the user, or None for the experiment's own variants.
    """
    if chosen is not None:
        return chosen
    return TABLE_2_PRETRAINED if (experiment, scale) == ("table2", "pretrained") else EXPERIMENTS[experiment].variants


def settings_of(name: str, scale: str, given: dict[str, Any], with_roberta: bool) -> dict[str, Any]:
    """Return the settings for training a variant.

    Args:
        name: A key of VARIANTS.
        scale: A key of SCALES.
        given: The user's settings. These override the settings of the scale, but not those that define an algorithm or
            a variant.
        with_roberta: Whether a pretrained RoBERTa is available for TextGAIL.
    """
    own = VARIANTS[name].settings
    algorithm = own.get("algorithm", "gail")
    of_scale = SCALES[scale]
    if scale == "pretrained" and algorithm == "rl_seq2seq":  # its LSTMs cannot start from a pretrained network
        of_scale = SCALES["small"] | {"max_trajectories": of_scale["max_trajectories"]}
    settings = of_scale | UNFILTERED | given | config.ALGORITHMS[algorithm] | own
    if scale == "pretrained" and settings.get("discriminator_encoder") == "roberta" and not with_roberta:
        settings["discriminator_encoder"] = "adapters"  # TextGAIL's D also starts from a pretrained network
    return settings
