"""The metrics that are logged during imitation; docs/metrics.md explains them.

The metrics of PPO's and TRPO's steps and the discriminator's loss are computed elsewhere, together with the losses, in
`ppo_losses.py`, `trpo.py` and `discriminator.py`.
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
    """Compute the mean rewards, the KL to the reference, and the judge's accuracies and entropy.

    Call this function before the judge learns from the buffer.

    Args:
        rollouts: The buffer.
        judgement: The judge's logits for the responses in the buffer and for the experts' responses.
        config: The settings.
        discriminates: See `Judge.discriminates`.

    Returns:
        The mean rewards, the KL to the reference and, if the judge discriminates, its accuracies and entropy.
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
    """Return the row that an update adds to the log, without the validation metrics.

    Args:
        rollouts: The buffer.
        judged: The result of `of_judgement`, computed before the policy and the judge learn from the buffer.
        policy_log: The metrics of each optimiser step of the policy. Their means are logged.
        adapted: The coefficients that change between updates, for example the share of human demonstrations.
        judge_log: The metrics of each pass of the judge over the buffer. Those of the last pass are logged.
        seconds: The duration of the update in seconds.

    Returns:
        The metrics by name.
    """
    learned_by_judge: Metrics = {}
    for metrics in judge_log:
        learned_by_judge |= metrics
    speed = {"tokens_per_second": float(rollouts.batch.response_lengths.sum() / seconds)}
    return judged | of_steps(policy_log) | adapted | learned_by_judge | of_responses(rollouts) | speed


def of_steps(metrics: Sequence[Metrics]) -> Metrics:
    """Compute the mean of each metric over the steps of an optimiser."""
    return {name: float(np.mean([step[name] for step in metrics])) for name in metrics[0]}


def of_responses(rollouts: Rollouts) -> Metrics:
    """Compute the diversity and length of the policy's responses, and the length of the experts' responses."""
    replies = [text.split() for text, generated in zip(rollouts.texts, rollouts.generated, strict=True) if generated]
    return {
        "distinct_2": reply_metrics.distinct(replies, 2),
        "repeated": reply_metrics.repeated(replies),
        "most_common_share": reply_metrics.most_frequent(replies),
        "response_length": float(rollouts.batch.response_lengths[rollouts.generated].mean()),
        "expert_length": rollouts.expert_length,
    }


def learned(row: Metrics) -> Metrics:
    """Return a copy of a log row without the validation metrics, whose names begin with `val_`."""
    return {name: value for name, value in row.items() if not name.startswith("val_")}


def auc(rollouts: Rollouts, judgement: Judgement, config: GAILConfig) -> float:
    """Compute the probability that the discriminator ranks an expert's response above one of the policy's responses.

    A contrastive discriminator compares only responses to the same prompt. A token discriminator ranks responses by
    their mean logit per token.

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
    """Return the metrics that validation adds to the log.

    Args:
        judged: The result of `of_judgement` for responses to held-out prompts.
        perplexity: The held-out perplexity.
        auc: The result of `auc` for the same responses. It is not logged if the judge does not discriminate.

    Returns:
        The metrics by name, with the prefix `val_`.
    """
    names = ("reward_generated", "accuracy_generated", "accuracy_expert")
    return {
        "val_perplexity": perplexity,
        **{f"val_{name}": judged[name] for name in names if name in judged},
        **({"val_auc": auc} if "accuracy_expert" in judged else {}),
    }
