"""The curves of the live view: which metrics of the log share a plot, what they mean, and which direction is better."""

from typing import NamedTuple


class Panel(NamedTuple):
    """A plot of the live view.

    Attributes:
        title: The quantity that the plot shows, with its unit.
        better: Text that says whether higher or lower values are better.
        columns: The columns of the log that the plot shows.
    """

    title: str
    better: str
    columns: tuple[str, ...]


# By package. docs/metrics.md explains the columns of the second paper.
PANELS = {
    "keras_gca": (
        Panel(
            "Perplexity of the generator",
            "Lower is better, above all on held-out pairs.",
            ("perplexity", "val_perplexity"),
        ),
        Panel(
            "Share of tokens that the discriminator recognises",
            "Near 1 the discriminator is sure; at 0.5 it guesses.",
            ("val_accuracy_human", "val_accuracy_machine"),
        ),
        Panel(
            "Probability that the discriminator gives machine-generated answers of being human",
            "Higher is better for the generator; at 0.5 the discriminator guesses.",
            ("judged_human", "val_judged_human"),
        ),
        Panel(
            "Mean reward of a turn in simulated conversations (--algorithm dialogue_rewards)",
            "Higher is better.",
            ("reward", "val_reward"),
        ),
        Panel(
            "AUC of the terms of Eq. 8, human against machine-generated tokens",
            "The generator can change the token's term only; at 0.5 a term tells nothing.",
            ("val_token_auc", "val_context_auc", "val_answer_auc"),
        ),
        Panel("Share of different answers in self-conversation", "Higher is more diverse.", ("distinct_answers",)),
    ),
    "gail_tf": (
        Panel("Perplexity on held-out responses", "Lower is better.", ("val_perplexity",)),
        Panel(
            "Mean reward by the discriminator",
            "The policy's reward should rise to the experts'.",
            ("reward_generated", "val_reward_generated", "reward_expert"),
        ),
        Panel(
            "Share of responses that the discriminator recognises",
            "Near 1 the discriminator is sure; at 0.5 it guesses.",
            ("accuracy_generated", "accuracy_expert"),
        ),
        Panel(
            "KL divergence from the reference policy, nats a token",
            "Lower stays closer to the policy before imitation.",
            ("kl_per_token",),
        ),
        Panel(
            "Tokens in a response",
            "The policy's should stay near the experts'.",
            ("response_length", "expert_length"),
        ),
        Panel(
            "Diversity of the policy's responses",
            "Different pairs of words: higher is better. Repeated words: lower is better.",
            ("distinct_2", "repeated"),
        ),
    ),
}
