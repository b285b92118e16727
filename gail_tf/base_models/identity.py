"""What identifies the weights of a model, so that a bot which stores only adapters can check its base."""

import contextlib
import hashlib
import json
import os
import re
from pathlib import Path

from gail_tf.base_models.cache import cache_folder
from keras_gca.errors import UserError
from keras_gca.storage import json_files
from keras_gca.storage.atomic import write_text

NAME = "_name_or_path"  # the key of a model's name in config.json, as in transformers
_STEP = 1 << 20  # bytes that are read at once
_HUB_FOLDER = re.compile(r"models--(.+)")


def identity(folder: Path) -> tuple[str, str]:
    """Return what identifies the model of a folder in Hugging Face's format: its name, and the SHA-256 of its weights.

    The SHA-256 is that of model.safetensors, or of all its shards, in the order of their names, as if they were one
    file. It is computed once: the cache keeps it, with the sizes and times of the files.

    Raises:
        UserError: The folder has no safetensors, or they cannot be read.
    """
    record, files = _record(folder), _weight_files(folder)
    if record.exists():
        known = json_files.read_object(record)
        if known.get("files") == _stamps(files) and isinstance(known.get("sha256"), str):
            return _name_of(folder), known["sha256"]
    sha256 = file_sha256(*files)
    remember(folder, sha256)
    return _name_of(folder), sha256


def _weight_files(folder: Path) -> list[Path]:
    files = sorted(folder.glob("model*.safetensors"))
    if not files:
        raise UserError(f"{folder}: no safetensors here")
    return files


def _stamps(files: list[Path]) -> list[list]:
    return [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files]


def _record(folder: Path) -> Path:
    return cache_folder() / "identities" / f"{hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()}.json"


def remember(folder: Path, sha256: str) -> None:
    """Keep the SHA-256 of a folder's weights, if the cache can be written; otherwise it is computed again."""
    with contextlib.suppress(OSError):
        record = _record(folder)
        record.parent.mkdir(parents=True, exist_ok=True)
        write_text(record, json.dumps({"sha256": sha256, "files": _stamps(_weight_files(folder))}))


def _name_of(folder: Path) -> str:
    """Return the name of a model: of a converted one, that in its config.json; of one of the Hub, its name there."""
    if folder.resolve().parent == cache_folder().resolve():
        return str(json_files.read_object(folder / "config.json").get(NAME, folder.name))
    for parent in folder.absolute().parents:
        if match := _HUB_FOLDER.fullmatch(parent.name):
            return match[1].replace("--", "/")
    return folder.resolve().name


def file_sha256(*paths: Path) -> str:
    """Return the SHA-256 of a file, or of several files as if they were one, in hexadecimal digits.

    Raises:
        UserError: A file cannot be read.
    """
    checksum = hashlib.sha256()
    for path in paths:
        try:
            with path.open("rb") as stream:
                while block := stream.read(_STEP):
                    checksum.update(block)
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    return checksum.hexdigest()
