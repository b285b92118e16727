"""The networks of a training run, which `gail_tf/build.py` makes from the settings."""

from typing import NamedTuple

from gail_tf.imitation.judge import Judge
from gail_tf.imitation.offline import OfflineOptimiser
from gail_tf.imitation.policy_optimiser import PolicyOptimiser
from gail_tf.policies.base import LanguagePolicy
from gail_tf.policies.sampling import Sampling


class Networks(NamedTuple):
    """The networks and the optimiser of Algorithm 1.

    Attributes:
        policy: The policy that is trained.
        sampling: How the policy's responses are sampled.
        reference: A second policy of the same form. When imitation begins, it gets the policy's weights, and is then
            frozen. The policy and the reference share the weights that are not trained.
        judge: The discriminator, or RL-Seq2Seq's emotion classifier.
        optimiser: PPO, TRPO or offline learning, which improves the policy.
        pretrained: The policy that is pretrained on running text. It shares the weights of `policy`'s network. In
            pretraining all of these weights are trained, even if they are frozen later because only adapters or a head
            are trained. It is None if the network is already pretrained.
    """

    policy: LanguagePolicy
    sampling: Sampling
    reference: LanguagePolicy
    judge: Judge
    optimiser: PolicyOptimiser | OfflineOptimiser
    pretrained: LanguagePolicy | None = None
