"""Computes the logged metrics of imitation; docs/metrics.md explains them.

The metrics of PPO's and TRPO's steps are computed with their losses, and the discriminator's loss in
`discriminator.py`.
"""

from collections.abc import Sequence

import numpy as np

from gail_tf.config import GAILConfig
from gail_tf.imitation import discriminator_losses, rewards
from gail_tf.imitation.judge import Judgement
from gail_tf.imitation.policy_optimiser import Metrics
from gail_tf.imitation.rollouts import Rollouts
from keras_gca.evaluation import reply_metrics


def of_judgement(rollouts: Rollouts, judgement: Judgement, config: GAILConfig, discriminates: bool) -> Metrics:
    """The metrics of a judgement of the generated responses and of the experts', before the judge learns from them.

    Args:
        rollouts: The buffer.
        judgement: The judge's logits of its responses.
        config: The settings.
        discriminates: Whether the judge distinguishes experts' responses from the policy's; see `Judge`.

    Returns:
        The rewards and the KL; with a judge that discriminates also its accuracy and entropy.
    """
    generated = rollouts.generated
    # A demonstration that was compared with itself carries no information.
    compared = generated if config.judge.discriminator == "contrastive" else np.ones_like(generated)
    own, expert = judgement.given[generated], judgement.expert[compared]
    tokens = rollouts.batch.response_mask[generated]
    if config.judge.discriminator == "token":
        own, expert = own[tokens], expert[rollouts.expert.batch.response_mask[compared]]
    distance = (rollouts.log_probs - rollouts.reference)[generated]
    row = {
        "reward_generated": float(np.mean(rewards.reward(own, config.reward.reward_form))),
        "reward_expert": float(np.mean(rewards.reward(expert, config.reward.reward_form))),
        "kl_per_token": float(distance[tokens].mean()),
    }
    if not discriminates:
        return row
    return row | {
        "accuracy_generated": float(discriminator_losses.accuracy(own, expert=False)),
        "accuracy_expert": float(discriminator_losses.accuracy(expert, expert=True)),
        "discriminator_entropy": float(discriminator_losses.entropy(np.concatenate([own, expert]))),
    }


def row(
    rollouts: Rollouts,
    judged: Metrics,
    policy_log: Sequence[Metrics],
    adapted: Metrics,
    judge_log: Sequence[Metrics],
    seconds: float,
) -> Metrics:
    """The log's row of an update, without a validation.

    Args:
        rollouts: The buffer.
        judged: The metrics of `of_judgement`, computed before anything was learned from the buffer.
        policy_log: The metrics of each step of the policy's optimiser.
        adapted: The values that change from update to update.
        judge_log: The metrics of each of D's passes; those of the last pass are logged.
        seconds: The duration of the update.

    Returns:
        The metrics by their column names.
    """
    learned_by_judge: Metrics = {}
    for metrics in judge_log:
        learned_by_judge |= metrics
    speed = {"tokens_per_second": float(rollouts.batch.response_lengths.sum() / seconds)}
    return judged | of_steps(policy_log) | adapted | learned_by_judge | of_responses(rollouts) | speed


def of_steps(metrics: Sequence[Metrics]) -> Metrics:
    """The means of an optimiser's metrics over its steps."""
    return {name: float(np.mean([step[name] for step in metrics])) for name in metrics[0]}


def of_responses(rollouts: Rollouts) -> Metrics:
    """The diversity and length of the generated responses, and the length of the experts' to the same prompts."""
    replies = [text.split() for text, generated in zip(rollouts.texts, rollouts.generated, strict=True) if generated]
    return {
        "distinct_2": reply_metrics.distinct(replies, 2),
        "repeated": reply_metrics.repeated(replies),
        "most_common_share": reply_metrics.most_frequent(replies),
        "response_length": float(rollouts.batch.response_lengths[rollouts.generated].mean()),
        "expert_length": rollouts.expert_length,
    }


def learned(row: Metrics) -> Metrics:
    """A row without the metrics of a validation."""
    return {name: value for name, value in row.items() if not name.startswith("val_")}


def held_out(judged: Metrics, perplexity: float) -> Metrics:
    """The columns of a validation.

    Args:
        judged: The metrics of `of_judgement` for responses to held-out prompts.
        perplexity: The held-out perplexity.

    Returns:
        The metrics, with the prefix `val_`.
    """
    names = ("reward_generated", "accuracy_generated", "accuracy_expert")
    return {
        "val_perplexity": perplexity,
        **{f"val_{name}": judged[name] for name in names if name in judged},
    }
