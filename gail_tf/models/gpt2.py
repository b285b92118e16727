"""GPT-2 (Radford et al. 2019) in Keras 3. The layers are named as in GPT-2's files."""

from collections.abc import Sequence

import keras

from gail_tf.models.gpt2_config import GPT2Config
from gail_tf.models.gpt2_layers import Block, Embeddings, layer_norm
from gail_tf.models.language_model import LanguageModel
from gail_tf.models.projection import Adapters
from gail_tf.models.transformer import Initial


class GPT2(LanguageModel):
    """A GPT-2 model. For the arguments and methods, see `LanguageModel`.

    The weights are initialised as in Section 2.3 of the GPT-2 paper. The output layer shares its weights with the token
    embeddings.
    """

    config: GPT2Config

    def _make_layers(
        self,
        adapters: Sequence[Adapters | None],
        initial: Initial,
        policy: keras.DTypePolicy,
        shared: LanguageModel | None,
    ) -> None:
        own: Sequence[Block | None] = [None] * len(adapters) if shared is None else shared.blocks
        self.embeddings = (
            Embeddings(self.config, initial, policy, self._stored) if shared is None else shared.embeddings
        )
        self.blocks = [
            Block(self.config, i, initial, of_block, policy, block, self._stored)
            for i, (of_block, block) in enumerate(zip(adapters, own, strict=True))
        ]
        self.last_norm = layer_norm(self.config, policy, "ln_f") if shared is None else shared.last_norm

    @property
    def output(self) -> keras.Variable:
        return self.embeddings.wte.embeddings

    @property
    def weights(self) -> dict[str, keras.Variable]:
        """The weights without the adapters, in a fixed order, keyed by their names in GPT-2's files."""
        layers = {"wte": self.embeddings.wte, "wpe": self.embeddings.wpe, **self._parts, "ln_f": self.last_norm}
        named = {}
        for name, layer in layers.items():
            if isinstance(layer, keras.layers.Embedding):
                named[f"{name}.weight"] = layer.embeddings
            else:
                named[f"{name}.weight"], named[f"{name}.bias"] = layer.weights[:2]
        return named

    @property
    def _parts(self) -> dict[str, keras.layers.Layer]:
        return {f"h.{i}.{name}": layer for i, block in enumerate(self.blocks) for name, layer in block.parts.items()}
