"""The live view of a training run: replies to a user's questions, and the discriminator's judgements of these replies.

Responses are drawn with a separate seed, so watching does not affect training.
"""

from collections.abc import Sequence

import numpy as np
from scipy.special import log_expit

from gail_tf.baselines.emotion import EmotionClassifier
from gail_tf.data.samples import Samples
from gail_tf.data.spelling import as_written
from gail_tf.data.trajectories import Trajectory
from gail_tf.imitation.gail import GAILTraining
from gail_tf.imitation.judged_responses import JudgedResponses
from gail_tf.imitation.phases import DISCRIMINATOR, IMITATION
from gail_tf.imitation.rollouts import Collector, respond
from keras_gca.models.scoring import log_score
from keras_gca.storage.live_files import Exchange, Judged

NO_RESPONSE = "."  # takes the place of an expert's response to a user's question; it is not shown


def answer(
    training: GAILTraining,
    trajectories: Sequence[Trajectory],
    emotions: EmotionClassifier | None,
    questions: list[str],
) -> tuple[list[Exchange], list[Exchange]]:
    """Respond to the user's questions and to the prompts of held-out trajectories.

    Args:
        training: The training run, paused between two steps.
        trajectories: Held-out trajectories.
        emotions: RL-Seq2Seq's emotion classifier, or None for other algorithms.
        questions: The user's questions.

    Returns:
        The exchanges for the questions and for the trajectories. Exchanges for trajectories include the experts'
        responses. The scores of the discriminator D are missing if the algorithm has no D or if D has not been trained
        yet. A contrastive D can only compare a response with an expert's response, so it does not score replies to the
        user's questions, which no expert has answered.
    """
    config, tokenizer = training.config, training.tokenizer
    prompts = [*(Trajectory((), as_written(question), NO_RESPONSE) for question in questions), *trajectories]
    limits = config.data.condition_tokens, config.data.response_tokens, config.data.sentiment == "on", emotions
    samples = Samples.encode(tokenizer, prompts, *limits, config.data.sentiment_history == "on")
    rows, seed = np.arange(len(prompts)), (config.seed, 1)
    learned = any(row["phase"] in (DISCRIMINATOR, IMITATION) for row in training.history)
    if training.judge.discriminates and learned and not config.offline:
        collector = Collector(training.policy, training.reference, tokenizer, samples, training.sampling)
        rollouts = collector.collect(rows, seed, len(rows))
        judgement = training.judge.judge(rollouts.given, rollouts.expert)
        order = np.argsort(rollouts.rows)
        replies, experts = (
            [judged[row] for row in order]
            for judged in (
                _judged(training, rollouts.given, judgement.given),
                _judged(training, rollouts.expert, judgement.expert),
            )
        )
    else:
        tokens, masks, _ = respond(training.policy, samples.batch, rows, seed, training.sampling, len(rows))
        replies = [Judged(tokenizer.decode(row[mask]).strip()) for row, mask in zip(tokens, masks, strict=True)]
        experts = [Judged(text.strip()) for text in samples.response_texts]  # truncated, as D will read them
    first = len(questions)
    if config.judge.discriminator == "contrastive":
        replies[:first] = [Judged(reply.text) for reply in replies[:first]]
    asked = [Exchange(question, reply) for question, reply in zip(questions, replies, strict=False)]
    held_out = zip(trajectories, replies[first:], experts[first:], strict=True)
    return asked, [Exchange(" / ".join((*t.history, t.prompt)), reply, expert) for t, reply, expert in held_out]


def _judged(training: GAILTraining, responses: JudgedResponses, logits: np.ndarray) -> list[Judged]:
    """Return responses with D's probabilities that an expert wrote the response and, if D judges tokens, each token."""
    judged = []
    batch = responses.batch
    texts = [text for _, text in responses.exchanges]
    for text, tokens, mask, logit in zip(texts, batch.response, batch.response_mask, logits, strict=True):
        if not training.judge.per_token:
            judged.append(Judged(text.strip(), float(np.exp(log_expit(logit)))))
            continue
        log_l = np.where(mask, log_expit(logit), np.nan)
        written = [training.tokenizer.decode([token]) or "<eos>" for token in tokens[mask]]
        parts = zip(written, np.exp(log_l[mask]).tolist(), strict=True)
        judged.append(Judged(text.strip(), float(np.exp(log_score(log_l))), tuple(parts)))
    return judged
