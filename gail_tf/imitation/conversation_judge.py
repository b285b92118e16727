"""Judges responses to conversations, in a chat or an evaluation, with a judge such as D."""

from collections.abc import Sequence

import numpy as np
from scipy.special import log_expit, log_softmax

from gail_tf.config import GAILConfig
from gail_tf.data.batches import Batch
from gail_tf.data.samples import scores_of
from gail_tf.data.sentiment import sentiment
from gail_tf.imitation.judge import Judge
from gail_tf.imitation.judged_responses import JudgedResponses
from gail_tf.imitation.reference import Reference


class ConversationJudge:
    """A judge of responses to conversations.

    Args:
        judge: The judge.
        reference: The reference policy, which computes the features for the judge.
        config: The settings of the training run.
    """

    def __init__(self, judge: Judge, reference: Reference, config: GAILConfig):
        self.judge = judge
        self._reference = reference
        self._contrastive = config.judge.discriminator == "contrastive"
        self._with_history = config.data.sentiment_history == "on"

    def log_expert(
        self, batch: Batch, tokens: np.ndarray, masks: np.ndarray, read: Sequence[Sequence[str]], texts: Sequence[str]
    ) -> np.ndarray:
        """Compute D's log-probability that an expert wrote a response, for B responses of at most R tokens.

        Args:
            batch: The conditions (history and prompt) to which the texts respond.
            tokens: The responses as tokens, shape (B, R) and dtype int32. The responses are in the order of the
                conditions, with the same number of responses for each condition.
            masks: The bool mask of the tokens, shape (B, R), false at padding.
            read: The utterances of each condition.
            texts: The B responses as text.

        Returns:
            A float32 array of shape (B, R), NaN at padding. If D judges only whole responses, each response has a value
            only at its last token, and NaN at the others.
        """
        count = len(texts) // len(read)
        logits = self.expert_logits(batch, tokens, masks, read, texts)
        if self.judge.per_token:
            return np.where(masks, log_expit(logits), np.nan)
        last = np.arange(masks.shape[1]) == masks.sum(1, keepdims=True) - 1
        # A contrastive D gives only the probability that a response is chosen among the responses to its condition.
        among = self._contrastive
        log_expert = log_softmax(logits.reshape(-1, count), axis=1).ravel() if among else log_expit(logits)
        return np.where(last, log_expert[:, None], np.nan)

    def expert_logits(
        self, batch: Batch, tokens: np.ndarray, masks: np.ndarray, read: Sequence[Sequence[str]], texts: Sequence[str]
    ) -> np.ndarray:
        """Compute D's logits for B responses of at most R tokens. `log_expert` explains the arguments.

        Returns:
            A float32 array of shape (B,), or (B, R) if D judges tokens. The higher the logit, the more certain D is
            that an expert wrote the response.
        """
        count = len(texts) // len(read)
        condition, condition_mask = (
            np.repeat(array, count, axis=0) for array in (batch.condition, batch.condition_mask)
        )
        judged = Batch(condition, condition_mask, tokens, masks)
        features = self._reference.features(judged, size=len(texts))
        asked = [scores_of(before, prompt, self._with_history) for *before, prompt in read]
        exchanges = [(read[i // count], text) for i, text in enumerate(texts)]
        sentiments = np.array(
            [[*asked[i // count], sentiment(text).compound] for i, text in enumerate(texts)], np.float32
        )
        return self.judge.expert_logits(JudgedResponses(judged, features, sentiments, exchanges))
