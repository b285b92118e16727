"""RL-Seq2Seq (Fung et al. 2018): an LSTM encoder-decoder that learns to answer in the emotion of the prompt.

It learns by maximum likelihood, then by PPO, as `gail.py` does, with a reward of its own in place of a discriminator's:
how far a response agrees with the prompt's emotion (`emotion_agreement`).
"""

from collections.abc import Sequence

import numpy as np
from scipy.special import logit

from gail_tf.baselines.emotion import EmotionClassifier, emotion_agreement
from gail_tf.baselines.seq2seq_policy import Seq2SeqPolicy, word_start_vectors
from gail_tf.config import GAILConfig
from gail_tf.data.tokenizer import Tokenizer
from gail_tf.data.trajectories import Trajectory
from gail_tf.imitation.judge import Judge
from gail_tf.imitation.judged_responses import JudgedResponses

NEVER = 1e-6  # a probability's distance from 0 and 1, so that its logit is a number


class EmotionJudge(Judge):
    """Gives the agreement with the prompt's emotion as a logit, so that `reward_form` "probability" returns it."""

    def __init__(self, emotions: EmotionClassifier):
        self._emotions = emotions

    def expert_logits(self, responses: JudgedResponses) -> np.ndarray:
        prompts = self._emotions.probabilities([spoken[-1] for spoken, _ in responses.exchanges])
        answers = self._emotions.probabilities([response for _, response in responses.exchanges])
        return logit(np.clip(emotion_agreement(prompts, answers), NEVER, 1 - NEVER)).astype(np.float32)


def make_policy(config: GAILConfig, tokenizer: Tokenizer, emotions: EmotionClassifier) -> Seq2SeqPolicy:
    """The encoder-decoder of these settings; tokens that are words start with the classifier's word vectors."""
    return Seq2SeqPolicy(
        len(tokenizer),
        tokenizer.end,
        config.model.word_embedding_size,
        config.model.sentence_embedding_size,
        dropout=config.model.dropout,
        word_vectors=word_start_vectors(tokenizer, emotions.vectors),
        seed=config.seed,
    )


def learn_emotions(
    trajectories: Sequence[Trajectory], vectors: dict[str, np.ndarray] | None, config: GAILConfig
) -> EmotionClassifier:
    """A classifier of the prompts of trajectories, by their labels.

    vectors: of words; None: fitted to the prompts. Raises UserError where fewer than two emotions are labelled.
    """
    prompts, labels = [each.prompt for each in trajectories], [each.emotion for each in trajectories]
    return EmotionClassifier.fit(prompts, labels, vectors, config.seed, dimension=config.model.word_embedding_size)
