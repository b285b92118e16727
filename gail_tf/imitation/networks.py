"""The networks of one training, which `gail_tf/build.py` makes from settings."""

from typing import NamedTuple

from gail_tf.imitation.judge import Judge
from gail_tf.imitation.policy_optimiser import PolicyOptimiser
from gail_tf.policies.base import LanguagePolicy
from gail_tf.policies.sampling import Sampling


class Networks(NamedTuple):
    """The networks and the optimiser of Algorithm 1.

    Attributes:
        policy: The policy that is trained.
        sampling: How its responses are drawn.
        reference: A policy of the same form, which becomes the frozen reference. Both share the weights that do
            not learn.
        judge: The discriminator, or RL-Seq2Seq's emotion classifier.
        optimiser: PPO or TRPO.
        pretrained: The policy's network as a policy that learns with all of its weights, to be pretrained on running
            text; None for a network that is pretrained already.
    """

    policy: LanguagePolicy
    sampling: Sampling
    reference: LanguagePolicy
    judge: Judge
    optimiser: PolicyOptimiser
    pretrained: LanguagePolicy | None = None
