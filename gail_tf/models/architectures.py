"""Makes the config and the network of a language model from a config.json, if the model can be a policy.

The key `model_type` in a config.json names the kind of network.
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
    """Make the config of a network from the content of a config.json.

    Args:
        values: The content of the file. A file without a model_type is treated as a GPT-2 file, because old GPT-2 files
            have no model_type.

    Raises:
        UserError: The file describes a network that cannot be a policy, or a variant that is not implemented.
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
) -> LanguageModel:
    """Make a network with random weights; see `LanguageModel` for the arguments and errors."""
    return NETWORKS[type(config)](config, seed, adapters, precision, frozen=frozen)
