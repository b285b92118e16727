"""The base class of judges, which rate how much a response looks like an expert's.

The discriminator is an example of a judge. A judge outputs an expert logit for each response. The logit is high if the
judge considers the response to be an expert's. Shapes: B responses of at most R tokens.
"""

import abc
from typing import NamedTuple

import keras
import numpy as np

from gail_tf.imitation.judged_responses import JudgedResponses
from gail_tf.imitation.rollouts import Rollouts
from gail_tf.policies.base import LanguagePolicy


class Judgement(NamedTuple):
    """The expert logits for the responses in a buffer, and for the experts' responses to the same prompts.

    Both are (B,) float32. For a discriminator that judges tokens they are (B, R), and the logits at padding have no
    meaning. A contrastive discriminator compares the two responses to each prompt, so one logit is the negative of the
    other.

    Attributes:
        given: The logits for the responses in the buffer.
        expert: The logits for the experts' responses.
    """

    given: np.ndarray
    expert: np.ndarray


class Judge(abc.ABC):
    """Base class of judges of responses. A judge that does not learn needs to define only `expert_logits`.

    Attributes:
        per_token: Whether the judge outputs a logit for each token instead of one for each response.
        discriminates: Whether the judge is meant to distinguish the experts' responses from the policy's responses.
            Only then is its accuracy logged.
    """

    per_token = False
    discriminates = False

    @abc.abstractmethod
    def expert_logits(self, responses: JudgedResponses) -> np.ndarray:
        """Compute the expert logits for responses.

        Args:
            responses: B responses.

        Returns:
            The expert logits, (B,) float32, or (B, R) if `per_token`.
        """

    def judge(self, given: JudgedResponses, expert: JudgedResponses) -> Judgement:
        """Judge the responses in a buffer and the experts' responses to the same prompts.

        Args:
            given: The B responses in the buffer.
            expert: The B responses from the experts.

        Returns:
            The expert logits for the responses in the buffer and for the experts' responses.
        """
        return Judgement(self.expert_logits(given), self.expert_logits(expert))

    @property
    def variables(self) -> list[keras.Variable]:
        """All weights, in a fixed order. A judge that does not learn has none."""
        return []

    @property
    def optimizer_variables(self) -> list[keras.Variable]:
        """The variables of the judge's optimizer, which a checkpoint stores. A judge that does not learn has none."""
        return []

    def learn(self, rollouts: Rollouts, seed: int, number: int = 0, steps: int | None = None) -> dict[str, float]:
        """Learn from a buffer, in one pass over the policy's responses and the experts' responses to the same prompts.

        Args:
            rollouts: The buffer.
            seed: The seed for the order of the responses and for the noise.
            number: The number of this pass over the buffer, counted from 0.
            steps: The maximum number of steps. If None, the whole buffer is read.

        Returns:
            The metrics to log. A judge that does not learn has none.
        """
        return {}

    def begin_as(self, policy: LanguagePolicy) -> None:
        """Prepare for imitation. If the judge's encoder is a trainable GPT-2, this policy's weights are copied to it.

        Args:
            policy: The policy at the beginning of imitation.
        """
