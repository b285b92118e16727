"""The known ways in which adversarial imitation fails, seen from the figures of its updates.

Each update of a training gives a row of figures (FIGURES says which are read); `watch` says which failures are under
way, and which settings counter them.
"""

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from keras_gca.errors import UserError

FIGURES = {
    "accuracy_expert": "share of the experts' responses that D takes for experts'",
    "accuracy_generated": "share of the policy's responses that D takes for the policy's",
    "kl_per_token": "KL of the policy to the reference, in nats per generated token",
    "most_common_share": "share of a rollout's responses that are its most frequent one",
    "repeated": "share of a rollout's responses that an earlier one has said already",
    "response_length": "mean tokens in a generated response",
    "expert_length": "mean tokens in an expert's response",
}


@dataclass(frozen=True)
class Limits:
    """Beyond which value a figure means a failure; each is compared with the figure's median over `window` updates.

    Raises UserError for limits that no figure could be beyond, or that all are.
    """

    window: int = 5
    # D's reward saturates: nearly all generated responses get the same, and there is nothing to climb.
    accuracy: float = 0.95  # of both kinds
    # The policy leaves the language it was pretrained on: its likely responses there are unlikely in the reference.
    kl_per_token: float = 0.5
    # The policy has found one response that D likes, whatever the prompt.
    most_common_share: float = 0.2
    repeated: float = 0.5
    # A reward that is positive for each token pays for length, a negative one for silence.
    length_factor: float = 1.5  # longer or shorter than the experts'

    def __post_init__(self) -> None:
        if self.window < 1:
            raise UserError(f"a window of {self.window} updates; at least 1 is expected")
        for name in ("accuracy", "most_common_share", "repeated"):
            if not 0 < getattr(self, name) < 1:
                raise UserError(f"a limit of {getattr(self, name)} for {name}; between 0 and 1 is expected")
        if not self.kl_per_token > 0:
            raise UserError(f"a limit of {self.kl_per_token} for kl_per_token; above 0 is expected")
        if not self.length_factor > 1:
            raise UserError(f"a limit of {self.length_factor} for length_factor; above 1 is expected")


@dataclass(frozen=True)
class Failure:
    """A failure under way: its name (a key of REMEDIES), and a sentence with the figures that show it."""

    name: str
    sentence: str

    @property
    def remedies(self) -> dict[str, str]:
        """The settings that counter it, and what each does."""
        return REMEDIES[self.name]

    def __str__(self) -> str:
        """One line for people."""
        return f"{self.sentence}; remedies: {', '.join('--' + r.replace('_', '-') for r in self.remedies)}"


REMEDIES: dict[str, dict[str, str]] = {
    "discriminator_wins": {
        "label_smoothing": "D is never wholly sure of experts (discriminators.binary_loss)",
        "instance_noise": "noise on what D sees (discriminators.with_instance_noise)",
        "discriminator_passes": "fewer passes of D over each rollout",
        "reward_form": "logit does not saturate where D is sure (rewards.REWARD_FORMS)",
    },
    "kl_runs_away": {
        "kl_penalty": "adaptive: C doubles while the KL is above its target (ppo.adapt_kl_coefficient)",
        "kl_stop": "a PPO epoch ends early where the KL to the old policy is above this",
        "generator_learning_rate": "smaller steps",
    },
    "one_reply_to_all": {
        "entropy_bonus": "the policy's entropy joins the objective (ppo.policy_loss)",
        "human_ratio": "more human demonstrations in each batch (schedules.human_ratio)",
    },
    "length_drifts": {
        "length_drift_strength": "a reward against the drift of the mean length (rewards.counter_length_drift)",
    },
}


def watch(history: Sequence[Mapping[str, float]], limits: Limits | None = None) -> list[Failure]:
    """The failures under way, of the four in REMEDIES.

    history: one row of figures for each update, in order. A row may lack figures (while only D learns there is no KL),
    and may hold others; a figure that fewer than `limits.window` rows hold shows nothing yet.
    """
    return list(_failures(history, limits or Limits()))


def _failures(history: Sequence[Mapping[str, float]], limits: Limits) -> Iterator[Failure]:
    # A figure that is missing is NaN, and every comparison with NaN is false.
    median = {name: _median(history, name, limits.window) for name in FIGURES}

    if median["accuracy_expert"] > limits.accuracy and median["accuracy_generated"] > limits.accuracy:
        yield Failure(
            "discriminator_wins",
            f"the discriminator wins outright: it recognises {median['accuracy_expert']:.1%} of the experts' responses "
            f"and {median['accuracy_generated']:.1%} of the policy's (limit {limits.accuracy:.0%})",
        )
    if median["kl_per_token"] > limits.kl_per_token:
        yield Failure(
            "kl_runs_away",
            f"the policy runs away from the reference: its KL is {median['kl_per_token']:.2f} nats per token "
            f"(limit {limits.kl_per_token:g})",
        )
    if median["most_common_share"] > limits.most_common_share or median["repeated"] > limits.repeated:
        yield Failure(
            "one_reply_to_all",
            f"one reply goes to many prompts: the most common makes up {median['most_common_share']:.0%} of a rollout "
            f"(limit {limits.most_common_share:.0%}), and {median['repeated']:.0%} of its replies repeat an earlier "
            f"one (limit {limits.repeated:.0%})",
        )
    factor = median["response_length"] / median["expert_length"]
    if factor > limits.length_factor or factor < 1 / limits.length_factor:
        yield Failure(
            "length_drifts",
            f"the length of replies drifts: {median['response_length']:.1f} tokens, where experts use "
            f"{median['expert_length']:.1f} (limit: a factor of {limits.length_factor:g})",
        )


def _median(history: Sequence[Mapping[str, float]], name: str, window: int) -> float:
    """Over the last `window` rows that hold the figure as a number; NaN if there are fewer."""
    values = [row[name] for row in history if not math.isnan(row.get(name, math.nan))][-window:]
    return float(statistics.median(values)) if len(values) == window else math.nan
