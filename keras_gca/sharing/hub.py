"""Downloads agents and models from the Hugging Face Hub, and publishes folders there, always with the user's consent.

The huggingface_hub library is slow to import, so it is imported only when needed.
"""

import argparse
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from glove.text_files import counted
from keras_gca.errors import UserError
from keras_gca.sharing.consent import ask_before_fetching, ask_before_publishing

BOT = "bot.h5"
CARD = "README.md"
_PART = r"[\w-][\w.-]*"
_NAME = re.compile(rf"{_PART}(/{_PART})?")  # "model" or "owner/model"
_BOT_NAME = re.compile(rf"{_PART}/{_PART}(?<!\.h5)")


def add_push_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for publishing an exported folder."""
    parser.add_argument(
        "--push", metavar="OWNER/NAME", help="also publish the folder under this name on the Hugging Face Hub"
    )
    parser.add_argument("--private", action="store_true", help="with --push: make the model private if it is new")
    parser.add_argument("--yes", dest="agreed", action="store_true", help="download and publish without asking")


def is_name(text: str) -> bool:
    """Return whether a text has the form of a model name on the Hub: `model` or `owner/model`."""
    return _NAME.fullmatch(text) is not None


def cached_folder(name: str) -> Path | None:
    """Return the folder of a model in the local Hub cache, or None if the model has not been downloaded."""
    import huggingface_hub
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(huggingface_hub.snapshot_download(name, local_files_only=True))
    except (HFValidationError, LocalEntryNotFoundError):
        return None


def ask_for(name: str, files: Sequence[str], agreed: bool) -> None:
    """Ask the user for consent to download a model's files from the Hub.

    Args:
        name: The name of the model on the Hub.
        files: Patterns that match the files to download.
        agreed: Whether the user has already agreed.

    Raises:
        UserError: The user declines, the model is not on the Hub, or the Hub cannot be reached.
    """
    import huggingface_hub
    from huggingface_hub.errors import HTTPError
    from huggingface_hub.utils import filter_repo_objects

    try:
        about = huggingface_hub.HfApi().model_info(name, files_metadata=True, timeout=20)
    except (HTTPError, OSError) as error:
        raise _unavailable(name, error) from None
    sizes = {file.rfilename: file.size or 0 for file in about.siblings or []}
    size = sum(sizes[file] for file in filter_repo_objects(sizes, allow_patterns=list(files)))
    licence = (about.card_data.get("license") if about.card_data else None) or "its licence is not stated"
    where = huggingface_hub.constants.HF_HUB_CACHE
    ask_before_fetching(f"{name}: {size / 1e6:,.0f} MB, {licence}, from the Hugging Face Hub, into {where}", agreed)


def download(name: str, files: Sequence[str]) -> Path:
    """Download a model's files to the local Hub cache, and return the folder that contains them.

    Args:
        name: The name of the model on the Hub.
        files: Patterns that match the files to download.

    Raises:
        UserError: The model is not on the Hub, or the Hub cannot be reached.
    """
    import huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(huggingface_hub.snapshot_download(name, allow_patterns=list(files)))
    except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError, OSError) as error:
        raise _unavailable(name, error) from None


def bot_of(path: str | os.PathLike, agreed: bool = False) -> Path:
    """Return the local path of a bot, downloading the bot first if a name on the Hub is given.

    A text is treated as a name on the Hub if it has the form OWNER/NAME and there is no local folder OWNER, so a
    mistyped path to a run is not looked up on the Hub. Only the bot is downloaded, and only if the user agrees.

    Args:
        path: A local path, or a name on the Hub.
        agreed: Whether the user has already agreed to a download. If not, the user is asked at the terminal.

    Raises:
        UserError: The user declines, the bot is not on the Hub, or the Hub cannot be reached.
    """
    name = str(path)
    if not _BOT_NAME.fullmatch(name) or Path(name).exists() or Path(name).parent.exists():
        return Path(path)
    folder = cached_folder(name)
    if folder is None or not (folder / BOT).exists():
        ask_for(name, [BOT], agreed)
        folder = download(name, [BOT])
        if not (folder / BOT).exists():
            raise UserError(f"{name}: this model on the Hugging Face Hub has no {BOT}, so it is not an agent")
    return folder / BOT


def push(folder: Path, name: str, private: bool, agreed: bool, api: Any = None) -> str:
    """Publish a folder as a model on the Hub, using the account stored by `hf auth login`.

    Args:
        folder: The folder. All files in it are uploaded.
        name: The name of the model, in the form OWNER/NAME. The model is created if it does not exist.
        private: Whether a newly created model is visible only to its owner. An existing model keeps its visibility.
        agreed: Whether the user has already agreed to publish. If not, the user is asked at the terminal.
        api: The client for the Hub. By default, `huggingface_hub.HfApi()`.

    Returns:
        The URL of the model.

    Raises:
        UserError: The name is invalid, the user declines, the Hub rejects the files, or the Hub cannot be reached.
    """
    refuse_bad_name(name)
    files = [path for path in folder.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files) / 1e6
    seen = "private" if private else "public"
    what = f"{counted(len(files), 'file')}, {size:,.0f} MB, {seen} if the model is new"
    ask_before_publishing(f"{name}: {what}, to the Hugging Face Hub", agreed)
    import huggingface_hub
    from huggingface_hub.errors import HTTPError

    api = api or huggingface_hub.HfApi()
    try:
        address = api.create_repo(name, private=private, exist_ok=True)
        api.upload_folder(repo_id=name, folder_path=str(folder), commit_message="A trained agent")
    except (HTTPError, OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"{name}: the agent could not be published ({reason}); {folder} contains its files") from None
    return str(address)


def refuse_bad_name(name: str) -> None:
    """Raise UserError if a text is not a valid name for a new model on the Hub."""
    if not _BOT_NAME.fullmatch(name):
        raise UserError(f"--push {name}: this is not a name on the Hub; use the form OWNER/NAME")


def _unavailable(name: str, error: Exception) -> UserError:
    reason = str(error).strip().splitlines()[0]
    return UserError(f"{name}: there is no such folder, and the model is not available on the Hub ({reason})")
