"""Reads a byte-level BPE's added tokens from the files of transformers' slow tokenizers.

tokenizer_config.json    maps ids to added tokens, under the key `added_tokens_decoder`
added_tokens.json        maps added tokens to ids; read only if `added_tokens_decoder` is missing
special_tokens_map.json  names the special tokens; read only together with added_tokens.json

These files accompany vocab.json and merges.txt. They are not needed with tokenizer.json, which contains the added
tokens itself.
"""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import tokenizers

from keras_gca.errors import UserError
from keras_gca.storage import json_files

CONFIG, IDS, SPECIAL = "tokenizer_config.json", "added_tokens.json", "special_tokens_map.json"
_DECODER = "added_tokens_decoder"
_SETTINGS = ("single_word", "lstrip", "rstrip", "normalized", "special")


def add_tokens(made: tokenizers.Tokenizer, folder: Path, special: Collection[str]) -> None:
    """Extend a tokenizer with the added tokens listed in a folder's files, keeping their ids.

    Args:
        made: The tokenizer to extend.
        folder: The folder with the files.
        special: Tokens to add as special tokens, even if the files do not mark them as special.

    Raises:
        UserError: A file is damaged, or an added token's id is neither its id in vocab.json nor the next free id. The
            message names the file.
    """
    config = json_files.read_object(folder / CONFIG) if (folder / CONFIG).exists() else {}
    if config.get(_DECODER):
        path, tokens = folder / CONFIG, _of_config(folder / CONFIG, config[_DECODER])
    elif (folder / IDS).exists():
        path, tokens = folder / IDS, _of_ids(folder)
    else:
        return
    for number, settings in sorted(tokens, key=lambda token: token[0]):
        content = settings["content"]
        if not content:
            raise UserError(f"{path}: the token with the id {number} is empty")
        token = tokenizers.AddedToken(**settings | {"special": settings["special"] or content in special})
        expected = made.token_to_id(content)
        if expected is None:
            expected = made.get_vocab_size(with_added_tokens=True)
        if number != expected:
            raise UserError(f"{path}: {content!r} has the id {number}; {expected} is expected")
        (made.add_special_tokens if token.special else made.add_tokens)([token])


def _of_config(path: Path, decoder: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    wrong = UserError(f"{path}: {_DECODER} is damaged; an object that maps ids to tokens is expected")
    if not isinstance(decoder, dict):
        raise wrong
    tokens = []
    for number, values in decoder.items():
        if not number.isdecimal() or len(number) > 9 or not isinstance(values, dict):
            raise wrong
        settings = {name: values.get(name, False) for name in _SETTINGS}
        if not isinstance(values.get("content"), str) or not all(isinstance(flag, bool) for flag in settings.values()):
            raise wrong
        tokens.append((int(number), settings | {"content": values["content"]}))
    return iter(tokens)


def _of_ids(folder: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    named = _special_of(folder / SPECIAL) if (folder / SPECIAL).exists() else set()
    tokens = []
    for content, number in json_files.read_object(folder / IDS).items():
        if type(number) is not int:
            raise UserError(f"{folder / IDS}: {content!r} has the id {number!r}; a whole number is expected")
        special = content in named
        tokens.append((number, {"content": content, "normalized": not special, "special": special}))
    return iter(tokens)


def _special_of(path: Path) -> set[str]:
    """Read the names of the special tokens from special_tokens_map.json.

    Each value in this file is a name, an object whose `content` is a name, or a list of these.
    """
    values = json_files.read_object(path).values()
    listed = [token for value in values for token in (value if isinstance(value, list) else [value])]
    names = [token.get("content") if isinstance(token, dict) else token for token in listed]
    return {name for name in names if isinstance(name, str)}
