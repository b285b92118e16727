"""Finds the folder of the model that a user names by a folder, a file, a known model, or a name on the Hub."""

import os
from pathlib import Path

from gail_tf.base_models import known_models
from gail_tf.base_models.consent import ask_before_fetching
from gail_tf.base_models.conversion import convert_file
from gail_tf.base_models.fetching import fetch
from gail_tf.models.hugging_face import CONFIG, HUB_FILES, INDEX, WEIGHTS, find
from keras_gca.errors import UserError
from keras_gca.storage import json_files

FILES = (".gguf", ".whl")


def locate(model: str | os.PathLike, agreed: bool = False) -> Path:
    """Return the folder of a model, in Hugging Face's format.

    A folder or file of this name is used if there is one. Otherwise the name may be that of a known model, or else that
    of a model on the Hub. A known model or a model on the Hub is downloaded if it is not on this machine yet, but only
    if the user agrees.

    Args:
        model: A folder, a .gguf file, a .whl file with one GGUF file in it, a known model (a key of
            `known_models.KNOWN`), or a name on the Hub.
        agreed: Whether the user has agreed to a download already. If not, the user is asked at the terminal.

    Raises:
        UserError: There is no such model, the user does not agree, or the file is damaged.
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
    import huggingface_hub  # slow to import; only needed for remote models
    from huggingface_hub.errors import HFValidationError, HTTPError, LocalEntryNotFoundError
    from huggingface_hub.utils import filter_repo_objects

    try:
        folder = Path(huggingface_hub.snapshot_download(name, local_files_only=True))
        if _is_whole(folder):
            return folder
    except HFValidationError:
        return find(name)  # its error says what is expected
    except LocalEntryNotFoundError:
        pass  # not downloaded yet
    try:
        about = huggingface_hub.HfApi().model_info(name, files_metadata=True, timeout=20)
    except (HTTPError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"{name}: no such folder, and not available on the Hub ({reason})") from None
    files = {file.rfilename: file.size or 0 for file in about.siblings or []}
    size = sum(files[file] for file in filter_repo_objects(files, allow_patterns=list(HUB_FILES)))
    licence = (about.card_data.get("license") if about.card_data else None) or "its licence is not stated"
    where = huggingface_hub.constants.HF_HUB_CACHE
    ask_before_fetching(f"{name}: {size / 1e6:,.0f} MB, {licence}, from the Hugging Face Hub, into {where}", agreed)
    return find(name)


def _is_whole(folder: Path) -> bool:
    """Return whether a folder of the Hub's cache has all files of a network.

    After an interrupted download some are missing.
    """
    if (folder / CONFIG).exists() and (folder / WEIGHTS).exists():
        return True
    if not (folder / CONFIG).exists() or not (folder / INDEX).exists():
        return False
    shards = json_files.read_object(folder / INDEX).get("weight_map")
    return isinstance(shards, dict) and all((folder / str(shard)).exists() for shard in shards.values())
