"""Finds a model given as a folder, a file, the name of a known model, or a name on the Hub."""

import os
from pathlib import Path

from gail_tf.base_models import known_models
from gail_tf.base_models.conversion import convert_file
from gail_tf.base_models.fetching import fetch
from gail_tf.models.hugging_face import CONFIG, HUB_FILES, INDEX, WEIGHTS, find
from keras_gca.errors import UserError
from keras_gca.sharing import hub
from keras_gca.storage import json_files

FILES = (".gguf", ".whl")


def locate(model: str | os.PathLike, agreed: bool = False) -> Path:
    """Return the folder of a model in Hugging Face's format.

    A folder or file with this name takes precedence. If there is none, the name is looked up among the known models,
    and then on the Hub. A model that is not on this machine yet is downloaded if the user agrees.

    Args:
        model: A folder, a .gguf file, a .whl file that contains one GGUF file, the name of a known model (a key of
            `known_models.KNOWN`), or a name on the Hub.
        agreed: Whether the user has already agreed to a download. If False, the user is asked at the terminal.

    Raises:
        UserError: There is no such model, the user declines, or a file is damaged.
    """
    path = Path(model)
    if path.is_dir():
        return path
    if path.suffix in FILES:
        if not path.is_file():
            raise UserError(f"{model}: no such file")
        return convert_file(path)
    if path.exists():
        raise UserError(f"{model}: a folder, or a file that ends with {' or '.join(FILES)}, is expected")
    if str(model) in known_models.KNOWN:
        return fetch(str(model), agreed)
    return _from_hub(str(model), agreed)


def _from_hub(name: str, agreed: bool) -> Path:
    if hub.is_name(name):  # otherwise `find` raises an error that says what is expected
        folder = hub.cached_folder(name)
        if folder is not None and _is_whole(folder):
            return folder
        hub.ask_for(name, HUB_FILES, agreed)
    return find(name)


def _is_whole(folder: Path) -> bool:
    """Return whether a folder in the local Hub cache contains a complete model, not an interrupted download."""
    if (folder / CONFIG).exists() and (folder / WEIGHTS).exists():
        return True
    if not (folder / CONFIG).exists() or not (folder / INDEX).exists():
        return False
    shards = json_files.read_object(folder / INDEX).get("weight_map")
    return isinstance(shards, dict) and all((folder / str(shard)).exists() for shard in shards.values())
