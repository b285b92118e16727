"""The networks of a training run, which `gail_tf/build.py` creates from the settings."""

from typing import NamedTuple

from gail_tf.imitation.judge import Judge
from gail_tf.imitation.offline import OfflineOptimiser
from gail_tf.imitation.policy_optimiser import PolicyOptimiser
from gail_tf.policies.base import LanguagePolicy
from gail_tf.policies.sampling import Sampling


class Networks(NamedTuple):
    """The networks and the optimiser of Algorithm 1.

    Attributes:
        policy: The policy to train.
        sampling: How the policy's responses are sampled.
        reference: A second policy of the same form. When imitation starts, it receives the policy's weights and is
            frozen. The policy and the reference share the weights that are not trained.
        judge: The discriminator, or RL-Seq2Seq's emotion classifier.
        optimiser: The algorithm that improves the policy: PPO, TRPO or offline learning.
        pretrained: The policy for pretraining on running text, or None if the network is already pretrained. It shares
            the network of `policy`. All weights of this network are trained during pretraining, even if they are frozen
            later to train only adapters or a head.
    """

    policy: LanguagePolicy
    sampling: Sampling
    reference: LanguagePolicy
    judge: Judge
    optimiser: PolicyOptimiser | OfflineOptimiser
    pretrained: LanguagePolicy | None = None
