"""Makes language models and their configs from the contents of a config.json file.

The `model_type` in a config.json names the kind of network. Only networks that can serve as a policy are supported.
"""

from typing import Any

from gail_tf.models.gpt2 import GPT2
from gail_tf.models.gpt2_config import GPT2Config
from gail_tf.models.language_model import LanguageModel
from gail_tf.models.language_model_config import LanguageModelConfig
from gail_tf.models.llama import Llama
from gail_tf.models.llama_config import LlamaConfig
from gail_tf.models.projection import Adapters
from keras_gca.errors import UserError

CONFIGS: dict[str, type[LanguageModelConfig]] = {"gpt2": GPT2Config, "llama": LlamaConfig, "qwen2": LlamaConfig}
NETWORKS: dict[type[LanguageModelConfig], type[LanguageModel]] = {GPT2Config: GPT2, LlamaConfig: Llama}


def config_of(values: dict[str, Any]) -> LanguageModelConfig:
    """Make a network's config from the contents of a config.json file.

    Args:
        values: The contents of the file. Old GPT-2 files have no model_type, so a file without one is assumed to
            describe a GPT-2.

    Raises:
        UserError: The network cannot serve as a policy, or is an unsupported variant.
    """
    kind = values.get("model_type", "gpt2")
    if not isinstance(kind, str) or kind not in CONFIGS:
        raise UserError(f"model_type is {kind!r}; one of {', '.join(CONFIGS)} is expected")
    return CONFIGS[kind].from_hugging_face(values)


def make_network(
    config: LanguageModelConfig,
    seed: int = 0,
    adapters: Adapters | None = None,
    precision: str = "float32",
    frozen: bool = False,
    loaded: bool = False,
) -> LanguageModel:
    """Make a network with random weights. For the arguments and errors, see `LanguageModel`."""
    return NETWORKS[type(config)](config, seed, adapters, precision, frozen=frozen, loaded=loaded)
