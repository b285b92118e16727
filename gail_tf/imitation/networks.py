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
        reference: A second policy with the same architecture. When imitation starts, the policy's weights are copied to
            the reference, which is then frozen. The two share the weights that are not trained.
        judge: The discriminator, or RL-Seq2Seq's emotion classifier.
        optimiser: The algorithm that improves the policy: PPO, TRPO or offline learning.
        pretrained: The policy for pretraining on running text, or None if the network is already pretrained. It has the
            same network as `policy`. Pretraining changes all weights of this network, even if later only adapters or a
            head are trained.
    """

    policy: LanguagePolicy
    sampling: Sampling
    reference: LanguagePolicy
    judge: Judge
    optimiser: PolicyOptimiser | OfflineOptimiser
    pretrained: LanguagePolicy | None = None
