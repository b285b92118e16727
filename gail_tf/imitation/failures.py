"""Detection of four known failures of adversarial imitation from the logged metrics.

The log has one row of metrics for each update. METRICS lists the metrics that this module uses. `watch` returns the
failures that these metrics show, together with the settings that counter each failure. D is the discriminator.
"""

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from keras_gca.errors import UserError

METRICS = {
    "accuracy_expert": "share of the experts' responses that D classifies correctly",
    "accuracy_generated": "share of the policy's responses that D classifies correctly",
    "kl_per_token": "KL of the policy to the reference, in nats per generated token",
    "most_common_share": "share of the most frequent response in a rollout",
    "repeated": "share of the responses in a rollout that repeat an earlier response",
    "response_length": "mean number of tokens in a generated response",
    "expert_length": "mean number of tokens in an expert's response",
}


@dataclass(frozen=True)
class Limits:
    """Limits for the metrics. A failure is detected if a metric's median over the latest updates is beyond its limit.

    Args:
        window: The number of updates over which the median is taken.
        accuracy: The maximum accuracy of D. D "wins" if its accuracy exceeds this limit both on the experts' responses
            and on the policy's responses.
        kl_per_token: The maximum KL to the reference, in nats per token.
        most_common_share: The maximum share of the most frequent response.
        repeated: The maximum share of repeated responses.
        length_factor: The maximum factor by which generated responses may be longer or shorter than the experts'
            responses.

    Raises:
        UserError: A limit is out of range.
    """

    window: int = 5
    # D's reward saturates: nearly all generated responses get the same reward, so the gradient vanishes.
    accuracy: float = 0.95
    # The policy drifts away from the language that it was pretrained on: its likely responses are unlikely under the
    # reference.
    kl_per_token: float = 0.5
    # The policy gives one response that D rates highly, whatever the prompt is.
    most_common_share: float = 0.2
    repeated: float = 0.5
    # If the reward of every token is positive, long responses are favoured; if it is negative, short responses are.
    length_factor: float = 1.5

    def __post_init__(self) -> None:
        if self.window < 1:
            raise UserError(f"the window is {self.window} updates; at least 1 is expected")
        for name in ("accuracy", "most_common_share", "repeated"):
            if not 0 < getattr(self, name) < 1:
                raise UserError(f"the limit {name} is {getattr(self, name)}; a number between 0 and 1 is expected")
        if not self.kl_per_token > 0:
            raise UserError(f"the limit kl_per_token is {self.kl_per_token}; a number above 0 is expected")
        if not self.length_factor > 1:
            raise UserError(f"the limit length_factor is {self.length_factor}; a number above 1 is expected")


@dataclass(frozen=True)
class Failure:
    """A failure that the metrics show.

    Attributes:
        name: A key of REMEDIES.
        sentence: A sentence that describes the failure and gives the values of the metrics.
    """

    name: str
    sentence: str

    @property
    def remedies(self) -> dict[str, str]:
        """The settings that counter the failure, each with an explanation."""
        return REMEDIES[self.name]

    def __str__(self) -> str:
        """Return the failure and the options that counter it as one line of text."""
        return f"{self.sentence}; remedies: {', '.join('--' + r.replace('_', '-') for r in self.remedies)}"


REMEDIES: dict[str, dict[str, str]] = {
    "discriminator_wins": {
        "label_smoothing": "keeps D from becoming certain about experts' responses (discriminator_losses.binary_loss)",
        "instance_noise": "noise on D's features (discriminator_losses.with_instance_noise)",
        "discriminator_passes": "fewer passes of D over each rollout",
        "reward_form": "the reward form logit does not saturate where D is certain (rewards.REWARD_FORMS)",
    },
    "kl_runs_away": {
        "kl_penalty": "adaptive: C doubles while the KL is above its target (ppo_losses.adapt_kl_coefficient)",
        "kl_stop": "an update ends early if the KL to the old policy is above this value",
        "generator_learning_rate": "smaller steps",
    },
    "one_reply_to_all": {
        "entropy_bonus": "the policy's entropy is added to the objective (ppo_losses.policy_loss)",
        "human_ratio": "more human demonstrations in each batch (phases.human_ratio)",
    },
    "length_drifts": {
        "length_drift_strength": "a penalty keeps the mean length close to the experts' (rewards.counter_length_drift)",
    },
}


def watch(history: Sequence[Mapping[str, float]], limits: Limits | None = None) -> list[Failure]:
    """Detect which of the four failures in REMEDIES the metrics show.

    Args:
        history: One row of metrics for each update, in order. Rows may lack some of METRICS, and may contain other
            metrics. A metric is checked only if at least `limits.window` rows contain it.
        limits: The limits. If None, the defaults apply.

    Returns:
        The detected failures.
    """
    return list(_failures(history, limits or Limits()))


def _failures(history: Sequence[Mapping[str, float]], limits: Limits) -> Iterator[Failure]:
    # A missing metric is NaN, and every comparison with NaN is false.
    median = {name: _median(history, name, limits.window) for name in METRICS}

    if median["accuracy_expert"] > limits.accuracy and median["accuracy_generated"] > limits.accuracy:
        yield Failure(
            "discriminator_wins",
            f"the discriminator wins: it recognises {median['accuracy_expert']:.1%} of the experts' responses "
            f"and {median['accuracy_generated']:.1%} of the policy's responses (limit {limits.accuracy:.0%})",
        )
    if median["kl_per_token"] > limits.kl_per_token:
        yield Failure(
            "kl_runs_away",
            f"the policy drifts away from the reference: its KL is {median['kl_per_token']:.2f} nats per token "
            f"(limit {limits.kl_per_token:g})",
        )
    if median["most_common_share"] > limits.most_common_share or median["repeated"] > limits.repeated:
        yield Failure(
            "one_reply_to_all",
            f"many prompts get the same reply: the most common reply makes up {median['most_common_share']:.0%} of a "
            f"rollout (limit {limits.most_common_share:.0%}), and {median['repeated']:.0%} of the replies repeat an "
            f"earlier reply (limit {limits.repeated:.0%})",
        )
    factor = median["response_length"] / median["expert_length"]
    if factor > limits.length_factor or factor < 1 / limits.length_factor:
        yield Failure(
            "length_drifts",
            f"the length of replies drifts: {median['response_length']:.1f} tokens on average, but the experts' "
            f"replies have {median['expert_length']:.1f} (limit: a factor of {limits.length_factor:g})",
        )


def _median(history: Sequence[Mapping[str, float]], name: str, window: int) -> float:
    """Return the median of a metric's last `window` numeric values, or NaN if there are fewer."""
    values = [row[name] for row in history if not math.isnan(row.get(name, math.nan))][-window:]
    return float(statistics.median(values)) if len(values) == window else math.nan
