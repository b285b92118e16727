"""Lets a judge, for example D, judge responses to conversations, as a chat and an evaluation need it."""

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
    """Judges responses to conversations.

    Args:
        judge: The judge.
        reference: Computes the features that the judge reads.
        config: The settings of the training.
    """

    def __init__(self, judge: Judge, reference: Reference, config: GAILConfig):
        self.judge = judge
        self._reference = reference
        self._contrastive = config.judge.discriminator == "contrastive"
        self._with_history = config.data.sentiment_history == "on"

    def log_expert(
        self, batch: Batch, tokens: np.ndarray, masks: np.ndarray, read: Sequence[Sequence[str]], texts: Sequence[str]
    ) -> np.ndarray:
        """Compute, for B responses of R tokens, the logarithm of D's probability that an expert wrote the response.

        Args:
            batch: The conditions (history and prompt) that the responses answer.
            tokens: (B, R) int32, the responses. All conditions have the same number of responses. The responses are in
                the order of the conditions.
            masks: (B, R) bool, false at padding.
            read: The utterances that each condition contains.
            texts: (B,), the responses as text.

        Returns:
            (B, R) float32. Padding has NaN. If D judges only whole responses, all tokens but the last have NaN, too.
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
        """Compute the logits with which D judges B responses of R tokens; the arguments are those of `log_expert`.

        Returns:
            (B,) float32, or (B, R) float32 if D judges each token. The higher the logit, the more certain is D that an
            expert wrote the response.
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
