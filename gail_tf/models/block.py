"""`TransformerBlock`, what the blocks of GPT-2 and Llama have in common, and one graph for all blocks of a network.

Shapes: B sequences, T tokens to read, S tokens to attend to, hidden states of width E, K key and value heads of width
D. With a cache, S is the number of positions in the cache.
"""

import abc
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from gail_tf.models.projection import Projection


class BlockInputs(NamedTuple):
    """The inputs of a block. For a description of each, see `TransformerBlock.call`."""

    h: Any
    visible: Any
    seeds: Any = None
    memory: Sequence[Any] | None = None
    place: Any = None
    kernels: Sequence[Any] = (None,) * 4
    angles: Any = None


class TransformerBlock(keras.layers.Layer, abc.ABC):
    """A transformer block: attention over the tokens, then dense layers applied to each token.

    Args:
        policy: The Keras dtype policy.
        cache_frame: K and D, the number and the width of the key and value heads.
        name: The layer's name.

    Attributes:
        graph: The graph that the block shares with other blocks, or None; see `share_graph_of_blocks`.
    """

    graph: "BlockGraph | None" = None

    def __init__(self, policy: keras.DTypePolicy, cache_frame: tuple[int, int], name: str):
        # The layers in the block convert weights and states to the precision of the computation themselves.
        super().__init__(dtype=policy, autocast=False, name=name)
        self.cache_frame = cache_frame

    @property
    @abc.abstractmethod
    def parts(self) -> dict[str, keras.layers.Layer]:
        """The layers with weights, keyed by their names in the network's files."""

    @property
    def projections(self) -> list[Projection]:
        """The layers of the block's four matrix products, in the order in which `compute` applies them."""
        return [part for part in self.parts.values() if isinstance(part, Projection)]

    @abc.abstractmethod
    def compute(self, inputs: BlockInputs, training: bool) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Compute the result of `call`."""

    def call(
        self,
        h: tf.Tensor,
        visible: tf.Tensor,
        seeds: tf.Tensor | None = None,
        memory: Sequence[tf.Tensor] | None = None,
        place: tf.Tensor | None = None,
        kernels: Sequence[tf.Tensor | None] = (None,) * 4,
        angles: tf.Tensor | None = None,
        training: bool = False,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Compute the block's output states.

        Args:
            h: The input states, an array of shape (B, T, E).
            visible: A bool array of shape (B, T, S), true at the tokens that each token can attend to. Without a
                memory, S = T.
            seeds: The dropout seeds, an int32 array of shape (B, 2).
            memory: The cached keys and values, two arrays of shape (B, K, S, D). With a memory, the block reads one new
                token of each sequence, so T = 1.
            place: The position in the memory where the new token's keys and values are written, an int32 scalar.
            kernels: The kernels of the four projections, already converted to the precision of the computation. If an
                entry is None, the projection uses its own kernel.
            angles: The rotations of queries and keys, an array of shape (B, 1, T, D), for a block with rotary
                positions. The cached keys of such a block are rotated.
            training: Whether to apply dropout.

        Returns:
            The output states, an array of shape (B, T, E), and the keys and values of all S tokens, two arrays of
            shape (B, K, S, D).
        """
        inputs = BlockInputs(h, visible, seeds, memory, place, kernels, angles)
        if self.graph is None or training:
            return self.compute(inputs, training)
        return self.graph(self, inputs)

    def compute_output_spec(self, h: Any, visible: Any, memory: Sequence[Any] | None = None, **others: Any) -> Any:
        """Return the shapes and dtypes of the results of `call`.

        Keras needs them to build a functional model. Without this method it would compute the block to find out.
        """
        heads, size = self.cache_frame
        written = [(h.shape[0], heads, h.shape[1], size)] * 2 if memory is None else [one.shape for one in memory]
        return tuple(keras.KerasTensor(shape, self.compute_dtype) for shape in (h.shape, *written))


class BlockGraph:
    """A graph that computes any block of the same structure. Its arguments are the block's weights and inputs.

    Without it, the graph of a network contains the operations of each block, and takes longest to build.

    Args:
        block: One of the blocks.
    """

    def __init__(self, block: TransformerBlock):
        self._block, self._variables = block, block.variables
        # TensorFlow would otherwise copy the operations into the calling graph.
        attributes = {"_noinline": True}
        self.compiled_compute = tf.function(self.compute, autograph=False, experimental_attributes=attributes)

    def __call__(self, block: TransformerBlock, inputs: BlockInputs) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Compute `block.compute` without dropout."""
        return self.compiled_compute([tf.convert_to_tensor(variable.value) for variable in block.variables], inputs)

    def compute(self, values: Sequence[tf.Tensor], inputs: BlockInputs) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Compute `TransformerBlock.compute` with the given weights, in the order of the block's `variables`."""
        with keras.StatelessScope(list(zip(self._variables, values, strict=True))):
            return self._block.compute(inputs, training=False)


def share_graph_of_blocks(blocks: Sequence[TransformerBlock]) -> None:
    """Let all blocks with the same structure compute with one graph, which is built only once.

    A network of many blocks is then ready much sooner. Use this only for networks that are not trained further:
    gradients through such graphs take more time, and keep about twice as much in memory.

    Args:
        blocks: The blocks of a network.
    """
    graphs: dict[tuple, BlockGraph] = {}
    for block in blocks:
        structure = tuple((tuple(variable.shape), variable.dtype) for variable in block.variables)
        if structure not in graphs:
            graphs[structure] = BlockGraph(block)
        block.graph = graphs[structure]
