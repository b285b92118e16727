"""What says of responses how much they are an expert's: a discriminator, or what stands in its place."""

import abc
from typing import NamedTuple

import numpy as np

from gail_tf.imitation.rollouts import Evidence


class Judgement(NamedTuple):
    """Expert logits of the responses given and of the experts' to the same prompts.

    (B,) float32 each; of a token discriminator (B, R), with no meaning at padding. A contrastive discriminator has
    compared the two of each prompt, so that one logit is the negative of the other.
    """

    given: np.ndarray
    expert: np.ndarray


class Judge(abc.ABC):
    """What says of responses how much they are an expert's: a discriminator, or what stands in its place."""

    per_token = False  # whether it judges every token

    @abc.abstractmethod
    def expert_logits(self, evidence: Evidence) -> np.ndarray:
        """High where a response is taken for an expert's: (B,) float32, or (B, R) where every token is judged."""

    def judge(self, given: Evidence, expert: Evidence) -> Judgement:
        """Both responses to each prompt."""
        return Judgement(self.expert_logits(given), self.expert_logits(expert))
