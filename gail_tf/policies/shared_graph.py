"""Lets policies of the same structure draw responses with one graph, which is built only once.

The policies of an agent have the same layers and different weights. The graph takes the weights as arguments.
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from gail_tf.policies.base import LanguagePolicy
from gail_tf.policies.sampling import Responses
from keras_gca.engine.compiled import Compiled


def share_graph(policies: Sequence[LanguagePolicy]) -> None:
    """Let policies draw responses with the graph of the first one.

    The responses stay the same. Nothing changes if the weights of the policies differ in their shapes or dtypes, or in
    the scope of a `tf.distribute` strategy, where each replica may have its own copies of the weights.

    Args:
        policies: The policies.
    """
    structures = {tuple((tuple(v.shape), v.dtype) for v in policy.read_variables) for policy in policies}
    if len(policies) < 2 or len(structures) > 1 or tf.distribute.has_strategy():
        return
    shared = SharedDraw(policies[0])
    for policy in policies:
        policy.compiled_draw = DrawWith(shared, policy)


class SharedDraw:
    """A policy's `draw` whose first argument is the policy's weights.

    Args:
        policy: The policy.
    """

    def __init__(self, policy: LanguagePolicy):
        self._policy, self._variables = policy, policy.read_variables
        self.compiled_draw_with = Compiled(self.draw_with)

    def draw_with(self, values: Sequence[tf.Variable], *arguments: Any) -> Responses:
        """Compute the result of `LanguagePolicy.draw` with other weights.

        Args:
            values: The weights, in the order of `LanguagePolicy.read_variables`.
            *arguments: The arguments of `LanguagePolicy.draw`.
        """
        with keras.StatelessScope(list(zip(self._variables, values, strict=True))):
            return self._policy.draw(*arguments)


class DrawWith:
    """A function that calls a `SharedDraw` with the weights of one policy.

    Args:
        shared: The compiled function.
        policy: The policy.
    """

    def __init__(self, shared: SharedDraw, policy: LanguagePolicy):
        self._shared, self._values = shared, [variable.value for variable in policy.read_variables]

    def __call__(self, *arguments: Any) -> Responses:
        return self._shared.compiled_draw_with(self._values, *arguments)

    @property
    def traces(self) -> int:
        """The number of graphs that have been built."""
        return self._shared.compiled_draw_with.traces
