"""The plots of the live view: the log columns that each plot shows, and whether higher or lower values are better."""

from typing import NamedTuple


class Panel(NamedTuple):
    """A plot of the live view.

    Attributes:
        title: The quantity shown, with its unit.
        better: Text that says whether higher or lower values are better.
        columns: The columns of the log that are plotted.
    """

    title: str
    better: str
    columns: tuple[str, ...]


# The panels of each package. docs/metrics.md explains the columns of the second paper.
PANELS = {
    "keras_gca": (
        Panel(
            "Perplexity of the generator",
            "Lower is better, especially on held-out pairs.",
            ("perplexity", "val_perplexity"),
        ),
        Panel(
            "Share of tokens that the discriminator classifies correctly",
            "Near 1, the discriminator is reliable; at 0.5, it guesses.",
            ("val_accuracy_human", "val_accuracy_machine"),
        ),
        Panel(
            "The discriminator's probability that machine-generated answers are human",
            "Higher is better for the generator; at 0.5, the discriminator guesses.",
            ("judged_human", "val_judged_human"),
        ),
        Panel(
            "Mean reward of a turn in simulated conversations (--algorithm dialogue_rewards)",
            "Higher is better.",
            ("reward", "val_reward"),
        ),
        Panel(
            "AUC of the terms of Eq. 8 for human versus machine-generated tokens",
            "The generator can change only the term of the token. At 0.5, a term carries no information.",
            ("val_token_auc", "val_context_auc", "val_answer_auc"),
        ),
        Panel("Share of distinct answers in self-conversation", "Higher is more diverse.", ("distinct_answers",)),
    ),
    "gail_tf": (
        Panel("Perplexity on held-out responses", "Lower is better.", ("val_perplexity",)),
        Panel(
            "Mean reward from the discriminator",
            "The policy's reward should rise to that of the experts.",
            ("reward_generated", "val_reward_generated", "reward_expert"),
        ),
        Panel(
            "Share of responses that the discriminator classifies correctly",
            "Near 1, the discriminator is reliable; at 0.5, it guesses.",
            ("accuracy_generated", "accuracy_expert"),
        ),
        Panel(
            "KL divergence from the reference policy, in nats per token",
            "The lower the value, the closer the policy is to the policy before imitation.",
            ("kl_per_token",),
        ),
        Panel(
            "Tokens in a response",
            "The policy's responses should stay about as long as the experts'.",
            ("response_length", "expert_length"),
        ),
        Panel(
            "Diversity of the policy's responses",
            "For distinct 2 (pairs of words), higher is better. For repeated (words), lower is better.",
            ("distinct_2", "repeated"),
        ),
    ),
}
