"""The networks that take part in one training. `gail_tf/build.py` makes them from the settings."""

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
        sampling: How the policy's responses are drawn.
        reference: A second policy of the same form. When imitation begins, it gets the policy's weights, and is then
            frozen. If GPT-2 itself is frozen, policy and reference share it.
        judge: The discriminator, or RL-Seq2Seq's emotion classifier.
        optimiser: PPO or TRPO, which improves the policy.
        pretrained: The network that is pretrained on running text. All of its weights are trained, even if the policy
            has adapters or a head and its GPT-2 is frozen later. None if GPT-2 is pretrained already.
        pretrained_into: The policy's weights, to which the weights of `pretrained` are copied after pretraining. Empty
            if `pretrained` has the policy's own weights.
    """

    policy: LanguagePolicy
    sampling: Sampling
    reference: LanguagePolicy
    judge: Judge
    optimiser: PolicyOptimiser
    pretrained: LanguagePolicy | None = None
    pretrained_into: Sequence[keras.Variable] = ()
