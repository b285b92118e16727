"""The base class of judges, which rate how much a response looks like an expert's: discriminators and others."""

import abc
from typing import NamedTuple

import keras
import numpy as np

from gail_tf.imitation.judged_responses import JudgedResponses
from gail_tf.imitation.rollouts import Rollouts
from gail_tf.policies.base import LanguagePolicy


class Judgement(NamedTuple):
    """Expert logits of responses, and of the experts' responses to the same prompts.

    Both are (B,) float32, or (B, R) from a token discriminator, with no meaning at padding. A contrastive discriminator
    compares the two responses to each prompt, so one logit is the negative of the other.

    Attributes:
        given: The logits of the responses.
        expert: The logits of the experts' responses.
    """

    given: np.ndarray
    expert: np.ndarray


class Judge(abc.ABC):
    """Base class of judges of responses; a judge that does not learn need only define `expert_logits`.

    Attributes:
        per_token: Whether it judges every token.
        discriminates: Whether it distinguishes the experts' responses from the policy's, so that its accuracy has a
            meaning.
    """

    per_token = False
    discriminates = False

    @abc.abstractmethod
    def expert_logits(self, responses: JudgedResponses) -> np.ndarray:
        """Judge responses.

        Args:
            responses: B responses.

        Returns:
            (B,) float32, or (B, R) where every token is judged: high for what is taken for an expert's.
        """

    def judge(self, given: JudgedResponses, expert: JudgedResponses) -> Judgement:
        """Judge responses and the experts' responses to the same prompts.

        Args:
            given: B responses.
            expert: The B responses of the experts.

        Returns:
            The expert logits of both.
        """
        return Judgement(self.expert_logits(given), self.expert_logits(expert))

    @property
    def variables(self) -> list[keras.Variable]:
        """All weights, in a fixed order; empty for a judge that does not learn."""
        return []

    @property
    def optimizer_variables(self) -> list[keras.Variable]:
        """The variables of its optimizer, which a checkpoint stores besides the weights."""
        return []

    def learn(self, rollouts: Rollouts, seed: int, number: int = 0, steps: int | None = None) -> dict[str, float]:
        """Learn from a buffer in one pass over the generated responses and the experts' to the same prompts.

        Args:
            rollouts: The buffer.
            seed: The seed of the order and of the noise.
            number: The number of the pass over these rollouts.
            steps: The largest number of steps; all of the buffer if None.

        Returns:
            The metrics to log; empty for a judge that does not learn.
        """
        return {}

    def begin_as(self, policy: LanguagePolicy) -> None:
        """Prepare for imitation, which begins with this policy."""
