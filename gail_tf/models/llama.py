"""Llama (Touvron et al. 2023) in Keras 3: the architecture of Llama 2 and 3, SmolLM2, Qwen2 and Qwen2.5."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from gail_tf.models.language_model import LanguageModel
from gail_tf.models.llama_config import LlamaConfig
from gail_tf.models.llama_layers import Angles, Block, Embeddings, rms_norm
from gail_tf.models.projection import Adapters
from gail_tf.models.transformer import Initial


class Llama(LanguageModel):
    """A Llama model. For the arguments and methods, see `LanguageModel`.

    Unlike GPT-2, Llama has RMS norms, rotary positions, grouped-query attention and gated hidden layers.

    Files contain separate kernels for queries, keys and values, each of shape (outputs, inputs). This class joins them
    into one kernel of shape (inputs, outputs), and likewise joins the two kernels of a gated hidden layer.
    `names_in_files`, `from_file` and `to_file` convert between the two forms.
    """

    config: LlamaConfig

    def _make_layers(
        self,
        adapters: Sequence[Adapters | None],
        initial: Initial,
        policy: keras.DTypePolicy,
        shared: LanguageModel | None,
    ) -> None:
        config = self.config
        own: Sequence[Block | None] = [None] * len(adapters) if shared is None else shared.blocks
        self.embeddings = Embeddings(config, initial, policy, self._stored) if shared is None else shared.embeddings
        self.angles = Angles(config)
        self.blocks = [
            Block(config, i, initial, of_block, policy, block, self._stored)
            for i, (of_block, block) in enumerate(zip(adapters, own, strict=True))
        ]
        self.last_norm = rms_norm(config, policy, "norm") if shared is None else shared.last_norm
        if config.tie_word_embeddings:
            self.lm_head = None
        elif isinstance(shared, Llama):
            self.lm_head = shared.lm_head
        else:
            self.lm_head = keras.Variable(
                initial.normal(), (config.vocab_size, config.hidden_size), dtype=self._stored, name="lm_head"
            )

    def _of_positions(self, positions: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"angles": self.angles(positions)}

    @property
    def output(self) -> keras.Variable:
        return self.embeddings.embed_tokens.embeddings if self.lm_head is None else self.lm_head

    @property
    def weights(self) -> dict[str, keras.Variable]:
        """The weights without the adapters, in a fixed order, keyed by name."""
        named = {"embed_tokens.weight": self.embeddings.embed_tokens.embeddings}
        for name, layer in {**self._parts, "norm": self.last_norm}.items():
            named[f"{name}.weight"] = layer.weights[0]
            if getattr(layer, "bias", None) is not None:
                named[f"{name}.bias"] = layer.bias
        return named if self.lm_head is None else {**named, "lm_head.weight": self.lm_head}

    @property
    def _parts(self) -> dict[str, keras.layers.Layer]:
        return {
            f"layers.{i}.{name}": layer for i, block in enumerate(self.blocks) for name, layer in block.parts.items()
        }

    def names_in_files(self, name: str) -> Sequence[str]:
        for joined, parts in _JOINED.items():
            if joined in name:
                return [name.replace(joined, part) for part in parts]
        return (name,)

    def from_file(self, name: str, tensors: Sequence[np.ndarray]) -> np.ndarray:
        parts = [tensor.T if _is_kernel(name) else tensor for tensor in tensors]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)  # a copy would take time

    def to_file(self, name: str, values: np.ndarray) -> Sequence[np.ndarray]:
        config, sizes = self.config, [values.shape[-1]]
        if "qkv_proj" in name:
            sizes = [config.query_width, config.key_width, config.key_width]
        elif "gate_up_proj" in name:
            sizes = [config.intermediate_size] * 2
        parts = np.split(values, np.cumsum(sizes)[:-1], axis=-1)
        return [np.ascontiguousarray(part.T) if _is_kernel(name) else part for part in parts]


# The names of the joined kernels, with the names of their parts in a file.
_JOINED = {"qkv_proj": ("q_proj", "k_proj", "v_proj"), "gate_up_proj": ("gate_proj", "up_proj")}


def _is_kernel(name: str) -> bool:
    return name.endswith("_proj.weight")
