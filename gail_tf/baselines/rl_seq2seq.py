"""RL-Seq2Seq (Fung et al. 2018): an LSTM encoder-decoder that learns to respond with the emotion of the prompt.

The network is trained by maximum likelihood and then by PPO, both of which run in `imitation/gail.py`. The reward is
the probability that the response has the emotion of the prompt (`emotion_agreement`). There is no discriminator.
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

NEVER = 1e-6  # probabilities are clipped to at least this distance from 0 and 1, so that their logits are finite


class EmotionJudge(Judge):
    """A judge that rates responses by the probability that they have the emotion of their prompt.

    The judge returns the logit of this probability. With `--reward-form probability`, the reward is the probability
    itself.

    Args:
        emotions: The emotion classifier for prompts and responses.
    """

    def __init__(self, emotions: EmotionClassifier):
        self._emotions = emotions

    def expert_logits(self, responses: JudgedResponses) -> np.ndarray:
        prompts = self._emotions.probabilities([spoken[-1] for spoken, _ in responses.exchanges])
        answers = self._emotions.probabilities([response for _, response in responses.exchanges])
        return logit(np.clip(emotion_agreement(prompts, answers), NEVER, 1 - NEVER)).astype(np.float32)


def make_policy(config: GAILConfig, tokenizer: Tokenizer, emotions: EmotionClassifier) -> Seq2SeqPolicy:
    """Make the encoder-decoder.

    Args:
        config: The settings. Only the dimensions of the network, the dropout rate and the seed are used.
        tokenizer: The tokenizer of the policy.
        emotions: The classifier whose word vectors initialise the embeddings of tokens that are whole words.

    Returns:
        The policy.
    """
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
    """Train an emotion classifier on the labelled prompts of trajectories.

    Args:
        trajectories: The trajectories. Those without a label are used only to fit word vectors.
        vectors: The word vectors by word, or None to fit them to the prompts.
        config: The settings. Only the seed and the size of fitted word vectors are used.

    Returns:
        The classifier.

    Raises:
        UserError: The prompts have fewer than two different labels, `vectors` is empty, or word vectors cannot be
            fitted.
    """
    prompts = [trajectory.prompt for trajectory in trajectories]
    labels = [trajectory.emotion for trajectory in trajectories]
    return EmotionClassifier.fit(prompts, labels, vectors, config.seed, dimension=config.model.word_embedding_size)
