"""The base class of judges, which rate how similar a response is to an expert's.

The discriminator is one kind of judge. A judge outputs an expert logit for each response, which is high if the judge
attributes the response to an expert. Shapes: B responses of at most R tokens.
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

    Both attributes have shape (B,) and dtype float32. For a discriminator that judges tokens, their shape is (B, R),
    and logits at padding are meaningless. A contrastive discriminator compares the two responses to each prompt, so the
    logits of these responses differ only in sign.

    Attributes:
        given: The logits for the responses in the buffer.
        expert: The logits for the experts' responses.
    """

    given: np.ndarray
    expert: np.ndarray


class Judge(abc.ABC):
    """Base class of judges. A judge that is not trained needs to define only `expert_logits`.

    Attributes:
        per_token: Whether the judge outputs a logit for each token instead of one for each response.
        discriminates: Whether the judge is meant to distinguish experts' responses from the policy's. If not, its
            accuracy is not logged.
    """

    per_token = False
    discriminates = False

    @abc.abstractmethod
    def expert_logits(self, responses: JudgedResponses) -> np.ndarray:
        """Compute expert logits for responses.

        Args:
            responses: B responses.

        Returns:
            A float32 array of expert logits with shape (B,), or (B, R) if `per_token` is true.
        """

    def judge(self, given: JudgedResponses, expert: JudgedResponses) -> Judgement:
        """Judge the responses in a buffer and the experts' responses to the same prompts.

        Args:
            given: The B responses in the buffer.
            expert: The B responses from the experts.

        Returns:
            The expert logits for both sets of responses.
        """
        return Judgement(self.expert_logits(given), self.expert_logits(expert))

    @property
    def variables(self) -> list[keras.Variable]:
        """All weights in a fixed order. A judge that is not trained has none."""
        return []

    @property
    def optimizer_variables(self) -> list[keras.Variable]:
        """The optimizer's variables, which are stored in checkpoints. A judge that is not trained has none."""
        return []

    def learn(self, rollouts: Rollouts, seed: int, number: int = 0, steps: int | None = None) -> dict[str, float]:
        """Train for one pass over the policy's responses in a buffer and the experts' responses to the same prompts.

        Args:
            rollouts: The buffer.
            seed: The seed for the order of the responses and for noise.
            number: The index of this pass over the buffer, starting from 0.
            steps: The maximum number of steps. If None, the pass covers the whole buffer.

        Returns:
            The metrics to log, or an empty dictionary if the judge is not trained.
        """
        return {}

    def begin_as(self, policy: LanguagePolicy) -> None:
        """Prepare for imitation: copy the policy's weights to the judge's encoder if it is a trainable GPT-2.

        Args:
            policy: The policy at the start of imitation.
        """
