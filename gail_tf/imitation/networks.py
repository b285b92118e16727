"""The networks of one training, which `gail_tf/build.py` makes from settings."""

from collections.abc import Sequence
from typing import NamedTuple

import keras

from gail_tf.imitation.judge import Judge
from gail_tf.imitation.policy_optimiser import PolicyOptimiser
from gail_tf.policies.base import LanguagePolicy
from gail_tf.policies.sampling import Sampling


class Networks(NamedTuple):
    """The networks and the optimiser of Algorithm 1.

    Attributes:
        policy: The policy that is trained.
        sampling: How its responses are drawn.
        reference: A policy of the same form, which becomes the frozen reference. Both share a frozen GPT-2.
        judge: The discriminator, or RL-Seq2Seq's emotion classifier.
        optimiser: PPO or TRPO.
        pretrained: The network that is pretrained on running text, with all of its weights, which would be frozen
            under adapters or a head; None for a network that is pretrained already.
        pretrained_into: The weights that the pretrained ones are copied to; empty where they are the policy's own.
    """

    policy: LanguagePolicy
    sampling: Sampling
    reference: LanguagePolicy
    judge: Judge
    optimiser: PolicyOptimiser
    pretrained: LanguagePolicy | None = None
    pretrained_into: Sequence[keras.Variable] = ()
