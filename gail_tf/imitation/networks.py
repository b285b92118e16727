"""The networks of one training, which `gail_tf/build.py` makes from settings."""

from collections.abc import Sequence
from typing import NamedTuple

import keras

from gail_tf.imitation.judge import Judge
from gail_tf.imitation.policy_optimiser import PolicyOptimiser
from gail_tf.policies.base import LanguagePolicy
from gail_tf.policies.sampling import Sampling


class Networks(NamedTuple):
    """What Algorithm 1 trains, and trains against.

    policy:          learns.
    sampling:        how its responses are drawn.
    reference:       a policy of the same form, which becomes the frozen reference. A frozen GPT-2 is shared.
    judge:           the discriminator, or RL-Seq2Seq's emotion classifier.
    optimiser:       PPO or TRPO.
    pretrained:      what is pretrained on running text: all of the network, since no gradient passes below adapters or
                     a head; None for a network that is pretrained already.
    pretrained_into: the weights that the pretrained ones are copied to; empty where they are the policy's own.
    """

    policy: LanguagePolicy
    sampling: Sampling
    reference: LanguagePolicy
    judge: Judge
    optimiser: PolicyOptimiser
    pretrained: LanguagePolicy | None = None
    pretrained_into: Sequence[keras.Variable] = ()
