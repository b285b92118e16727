"""Computes the logged metrics of imitation. docs/metrics.md explains each metric.

Two kinds of metrics are computed elsewhere. The metrics of PPO's and TRPO's steps are computed together with the loss
(`ppo_losses.py`, `trpo.py`), and the discriminator's loss is computed in `discriminator.py`.
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
    """The metrics of a judgement: rewards, accuracy, entropy and KL, before the judge learns from the buffer.

    Args:
        rollouts: The buffer.
        judgement: The judge's logits for the responses in the buffer and for the experts' responses.
        config: The settings.
        discriminates: See `Judge.discriminates`.

    Returns:
        The mean rewards and the KL to the reference; if the judge discriminates, also its accuracies and its entropy.
    """
    generated = rollouts.generated
    # A contrastive discriminator would compare a human demonstration with itself, which gives no information.
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
    """The row that an update adds to the log, without the validation columns.

    Args:
        rollouts: The buffer.
        judged: The result of `of_judgement`, computed before the policy and the judge learned from the buffer.
        policy_log: The metrics of each step of the policy's optimiser. Their means are logged.
        adapted: The coefficients that change from update to update, for example the share of demonstrations.
        judge_log: The metrics of each pass of the judge over the buffer. The metrics of the last pass are logged.
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
    """The mean of each metric over the steps of an optimiser."""
    return {name: float(np.mean([step[name] for step in metrics])) for name in metrics[0]}


def of_responses(rollouts: Rollouts) -> Metrics:
    """The diversity and length of the policy's responses, and the length of the experts' responses."""
    replies = [text.split() for text, generated in zip(rollouts.texts, rollouts.generated, strict=True) if generated]
    return {
        "distinct_2": reply_metrics.distinct(replies, 2),
        "repeated": reply_metrics.repeated(replies),
        "most_common_share": reply_metrics.most_frequent(replies),
        "response_length": float(rollouts.batch.response_lengths[rollouts.generated].mean()),
        "expert_length": rollouts.expert_length,
    }


def learned(row: Metrics) -> Metrics:
    """The row of the log without the validation columns, whose names begin with `val_`."""
    return {name: value for name, value in row.items() if not name.startswith("val_")}


def auc(rollouts: Rollouts, judgement: Judgement, config: GAILConfig) -> float:
    """The probability that the discriminator ranks an expert's response above a response of the policy.

    A contrastive discriminator only compares the two responses to the same prompt. A token discriminator ranks
    responses by the mean of their tokens' logits.

    Args:
        rollouts: A buffer without human demonstrations.
        judgement: The discriminator's logits for the responses in the buffer and for the experts' responses.
        config: The settings.

    Returns:
        The probability; see `discriminator_losses.auc`.
    """
    if config.judge.discriminator == "contrastive":
        # The expert's logit is the difference between the expert's score and the score of the policy's response.
        return float(np.mean((np.sign(judgement.expert) + 1) / 2))
    expert, generated = judgement.expert, judgement.given
    if config.judge.discriminator == "token":
        sides = (expert, rollouts.expert.batch.response_mask), (generated, rollouts.batch.response_mask)
        expert, generated = (np.sum(logits * mask, 1) / mask.sum(1) for logits, mask in sides)
    return discriminator_losses.auc(expert, generated)


def held_out(judged: Metrics, perplexity: float, auc: float) -> Metrics:
    """The columns that a validation adds to the log.

    Args:
        judged: The result of `of_judgement` for responses to held-out prompts.
        perplexity: The held-out perplexity.
        auc: The result of `auc` for the same responses. It is left out if the judge does not discriminate.

    Returns:
        The metrics, with the prefix `val_`.
    """
    names = ("reward_generated", "accuracy_generated", "accuracy_expert")
    return {
        "val_perplexity": perplexity,
        **{f"val_{name}": judged[name] for name in names if name in judged},
        **({"val_auc": auc} if "accuracy_expert" in judged else {}),
    }
