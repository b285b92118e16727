"""The two functional models of a causal language model: one reads whole sequences, and the other reads token by token.

Both models use the same layers. Shapes: B sequences, T tokens, C positions in the cache, hidden states of width E, K
key and value heads of width D.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras


def whole_model(
    embeddings: keras.layers.Layer,
    blocks: Sequence[Any],
    last_norm: keras.layers.Layer,
    of_positions: Callable[[Any], dict[str, Any]],
    first_adapted: int | None,
    name: str,
) -> keras.Model:
    """Build the model that reads whole sequences.

    Args:
        embeddings: The layer that embeds tokens.
        blocks: The blocks, in order.
        last_norm: The layer after the last block.
        of_positions: A function that computes additional arguments for the blocks from the positions.
        first_adapted: The index of the first block with adapters, or None if no block has adapters.
        name: The name of the model.

    Returns:
        A model with four inputs: tokens and positions, both of shape (B, T), `visible` of shape (B, T, T), and dropout
        seeds of shape (B, 2). The outputs are the states, of shape (B, T, E), and each block's keys and values, of
        shape (B, K, T, D).
    """
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    positions = keras.Input((None,), dtype="int32", name="positions")
    visible = keras.Input((None, None), dtype="bool", name="visible")  # (B, T, T)
    seeds = keras.Input((2,), dtype="int32", name="seeds")
    h, written = embeddings(tokens, positions, seeds=seeds), []  # (B, T, E)
    placed = of_positions(positions)
    for i, block in enumerate(blocks):
        if i == first_adapted:
            h = keras.ops.stop_gradient(h)  # the layers below have no adapters and do not learn
        h, *memory = block(h, visible, seeds=seeds, **placed)
        written.append(memory)
    return keras.Model([tokens, positions, visible, seeds], [last_norm(h), written], name=name)


def stepwise_model(
    embeddings: keras.layers.Layer,
    blocks: Sequence[Any],
    last_norm: keras.layers.Layer,
    of_positions: Callable[[Any], dict[str, Any]],
    cache_frame: tuple[int, int],
    dtype: str,
    name: str,
) -> keras.Model:
    """Build the model that reads the next token of each sequence.

    Args:
        embeddings: The layer that embeds tokens.
        blocks: The blocks, in order.
        last_norm: The layer after the last block.
        of_positions: A function that computes additional arguments for the blocks from the positions.
        cache_frame: K and D, the number and the width of the key and value heads.
        dtype: The dtype of the cache and the kernels.
        name: The name of the model.

    Returns:
        A model with six inputs: tokens and positions, both of shape (B, 1), `visible` of shape (B, 1, C), the new
        token's position in the cache (a scalar), the cache, and each block's kernels. The outputs are the states, of
        shape (B, 1, E), and the updated cache.
    """
    token = keras.Input((1,), dtype="int32", name="token")
    position = keras.Input((1,), dtype="int32", name="position")
    visible = keras.Input((1, None), dtype="bool", name="visible")  # (B, 1, C)
    place = keras.Input(batch_shape=(), dtype="int32", name="place")
    heads, size = cache_frame
    cache = [
        [keras.Input((heads, None, size), dtype=dtype, name=f"{part}_{i}") for part in ("keys", "values")]
        for i in range(len(blocks))
    ]
    kernels = [
        [keras.Input(batch_shape=part.kernel.shape, dtype=dtype) for part in block.projections] for block in blocks
    ]
    h, written = embeddings(token, position), []  # (B, 1, E)
    placed = of_positions(position)
    for block, memory, given in zip(blocks, cache, kernels, strict=True):
        h, *memory = block(h, visible, memory=memory, place=place, kernels=given, **placed)
        written.append(memory)
    return keras.Model([token, position, visible, place, cache, kernels], [last_norm(h), written], name=name)
