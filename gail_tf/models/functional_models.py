"""What a causal language model computes: the states of whole sequences, or of one more token of each sequence.

The functions apply the layers eagerly, in a TensorFlow graph, or to Keras' symbolic tensors. The two functional models
are these functions applied to inputs. A language model computes everything with the functional models: TensorFlow
optimises the graphs of direct calls differently, so that rounding would differ.

Shapes: B sequences, T tokens, C positions in the cache, hidden states of width E, K key and value heads of width D.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras


class Parts(NamedTuple):
    """The parts of a causal language model.

    Attributes:
        embeddings: The layer that embeds tokens.
        blocks: The blocks, in order.
        last_norm: The layer after the last block.
        of_positions: A function that computes additional arguments for the blocks from the positions.
        first_adapted: The index of the first block with adapters, or None if no block has adapters.
    """

    embeddings: keras.layers.Layer
    blocks: Sequence[Any]
    last_norm: keras.layers.Layer
    of_positions: Callable[[Any], dict[str, Any]]
    first_adapted: int | None = None


def read_whole(parts: Parts, tokens: Any, positions: Any, visible: Any, seeds: Any) -> tuple[Any, list[Any]]:
    """Read whole sequences.

    Args:
        parts: The parts of the model.
        tokens: An int32 array of shape (B, T).
        positions: The positions of the tokens, an int32 array of shape (B, T).
        visible: A bool array of shape (B, T, T), true at the tokens that each token can attend to.
        seeds: The dropout seeds, an int32 array of shape (B, 2).

    Returns:
        The states, of shape (B, T, E), and each block's keys and values, of shape (B, K, T, D).
    """
    h, written = parts.embeddings(tokens, positions, seeds=seeds), []  # (B, T, E)
    placed = parts.of_positions(positions)
    for i, block in enumerate(parts.blocks):
        if i == parts.first_adapted:
            h = keras.ops.stop_gradient(h)  # the layers below have no adapters and do not learn
        h, *memory = block(h, visible, seeds=seeds, **placed)
        written.append(memory)
    return parts.last_norm(h), written


def read_next(
    parts: Parts, token: Any, position: Any, visible: Any, place: Any, cache: Sequence[Any], kernels: Sequence[Any]
) -> tuple[Any, list[Any]]:
    """Read the next token of each sequence.

    Args:
        parts: The parts of the model.
        token: An int32 array of shape (B, 1).
        position: The positions of the tokens, an int32 array of shape (B, 1).
        visible: A bool array of shape (B, 1, C), true at the positions of the cache that hold tokens.
        place: The new token's position in the cache, an int32 scalar.
        cache: Each block's keys and values, of shape (B, K, C, D).
        kernels: Each block's kernels, in the order of its `projections`.

    Returns:
        The states, of shape (B, 1, E), and the updated cache.
    """
    h, written = parts.embeddings(token, position), []  # (B, 1, E)
    placed = parts.of_positions(position)
    for block, memory, given in zip(parts.blocks, cache, kernels, strict=True):
        h, *memory = block(h, visible, memory=memory, place=place, kernels=given, **placed)
        written.append(memory)
    return parts.last_norm(h), written


def whole_model(parts: Parts, name: str) -> keras.Model:
    """Build the functional model that reads whole sequences.

    Args:
        parts: The parts of the model.
        name: The name of the model.

    Returns:
        A model whose inputs and outputs are those of `read_whole`.
    """
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    positions = keras.Input((None,), dtype="int32", name="positions")
    visible = keras.Input((None, None), dtype="bool", name="visible")  # (B, T, T)
    seeds = keras.Input((2,), dtype="int32", name="seeds")
    inputs = [tokens, positions, visible, seeds]
    return keras.Model(inputs, list(read_whole(parts, *inputs)), name=name)


def stepwise_model(parts: Parts, cache_frame: tuple[int, int], dtype: str, name: str) -> keras.Model:
    """Build the functional model that reads the next token of each sequence.

    Args:
        parts: The parts of the model.
        cache_frame: K and D, the number and the width of the key and value heads.
        dtype: The dtype of the cache and the kernels.
        name: The name of the model.

    Returns:
        A model whose inputs and outputs are those of `read_next`.
    """
    token = keras.Input((1,), dtype="int32", name="token")
    position = keras.Input((1,), dtype="int32", name="position")
    visible = keras.Input((1, None), dtype="bool", name="visible")  # (B, 1, C)
    place = keras.Input(batch_shape=(), dtype="int32", name="place")
    heads, size = cache_frame
    cache = [
        [keras.Input((heads, None, size), dtype=dtype, name=f"{part}_{i}") for part in ("keys", "values")]
        for i in range(len(parts.blocks))
    ]
    kernels = [
        [keras.Input(batch_shape=part.kernel.shape, dtype=dtype) for part in block.projections]
        for block in parts.blocks
    ]
    inputs = [token, position, visible, place, cache, kernels]
    return keras.Model(inputs, list(read_next(parts, *inputs)), name=name)
