"""Identifies a pretrained model by its name and the SHA-256 of its weights.

A bot that stores only adapters needs the pretrained model on which the adapters were trained. The SHA-256 shows whether
a model is the right one.
"""

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
_STEP = 1 << 20  # the number of bytes that are read at once
_HUB_FOLDER = re.compile(r"models--(.+)")


def identity(folder: Path) -> tuple[str, str]:
    """Return the name of the model in a folder in Hugging Face's format, and the SHA-256 of its weights.

    If the weights are split into shards, the SHA-256 is computed over all shards, in the order of their names, as if
    they were one file. The cache stores the SHA-256 with the sizes and modification times of the files, so it is
    computed again only if a file has changed.

    Raises:
        UserError: The folder has no safetensors files, or they cannot be read.
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
        raise UserError(f"{folder}: no file matches model*.safetensors")
    return files


def _stamps(files: list[Path]) -> list[list]:
    return [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files]


def _record(folder: Path) -> Path:
    return cache_folder() / "identities" / f"{hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()}.json"


def remember(folder: Path, sha256: str) -> None:
    """Store the SHA-256 of a folder's weights in the cache.

    If the cache cannot be written, nothing is stored, and `identity` computes the SHA-256 again next time.
    """
    with contextlib.suppress(OSError):
        record = _record(folder)
        record.parent.mkdir(parents=True, exist_ok=True)
        write_text(record, json.dumps({"sha256": sha256, "files": _stamps(_weight_files(folder))}))


def _name_of(folder: Path) -> str:
    """Return the name of the model in a folder.

    Models converted by this package have their name in config.json, and models in the local Hub cache have their name
    on the Hub. All other models have the name of their folder.
    """
    if folder.resolve().parent == cache_folder().resolve():
        return str(json_files.read_object(folder / "config.json").get(NAME, folder.name))
    for parent in folder.absolute().parents:
        if match := _HUB_FOLDER.fullmatch(parent.name):
            return match[1].replace("--", "/")
    return folder.resolve().name


def file_sha256(*paths: Path) -> str:
    """Return the SHA-256 of one file, or of several files read as one, in hexadecimal.

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
