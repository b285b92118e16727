"""What says of responses how much they are an expert's: a discriminator, or what stands in its place."""

import abc
from typing import NamedTuple

import keras
import numpy as np

from gail_tf.imitation.judged_responses import JudgedResponses
from gail_tf.imitation.rollouts import Rollouts
from gail_tf.policies.base import LanguagePolicy


class Judgement(NamedTuple):
    """Expert logits of the responses given and of the experts' to the same prompts.

    (B,) float32 each; of a token discriminator (B, R), with no meaning at padding. A contrastive discriminator has
    compared the two of each prompt, so that one logit is the negative of the other.
    """

    given: np.ndarray
    expert: np.ndarray


class Judge(abc.ABC):
    """Judges responses. A judge that does not learn keeps the methods of this class that say so.

    per_token: whether it judges every token. discriminates: whether it tells the experts' responses from the policy's,
    so that its accuracy has a meaning.
    """

    per_token = False
    discriminates = False

    @abc.abstractmethod
    def expert_logits(self, responses: JudgedResponses) -> np.ndarray:
        """High where a response is taken for an expert's: (B,) float32, or (B, R) where every token is judged."""

    def judge(self, given: JudgedResponses, expert: JudgedResponses) -> Judgement:
        """Both responses to each prompt."""
        return Judgement(self.expert_logits(given), self.expert_logits(expert))

    @property
    def variables(self) -> list[keras.Variable]:
        """All weights, in a fixed order; empty for a judge that does not learn here."""
        return []

    @property
    def optimizer_variables(self) -> list[keras.Variable]:
        """What its training has to store besides the weights."""
        return []

    def learn(self, rollouts: Rollouts, seed: int, number: int = 0, steps: int | None = None) -> dict[str, float]:
        """Learn from a buffer: a pass over the generated responses and the experts' to the same prompts.

        seed: of the order and of noise. number: of the pass over these rollouts. steps: at most so many. Returns the
        figures to log; empty for a judge that does not learn.
        """
        return {}

    def begin_as(self, policy: LanguagePolicy) -> None:
        """Imitation begins with this policy."""
