"""Byte-level BPE by Hugging Face's `tokenizers`: GPT-2's own, or one fitted to the training text.

`<|endoftext|>` ends an utterance, and control tokens may describe it. Text that spells out one of these tokens is read
as plain text, so that a message can neither end an utterance nor set a control token.
"""

import json
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers import decoders, models, pre_tokenizers, processors, trainers

from gail_tf.data.added_tokens import add_tokens
from keras_gca.errors import UserError
from keras_gca.storage import json_files
from keras_gca.storage.atomic import replacing

END = "<|endoftext|>"
BYTES = 256
TOKENIZER = "tokenizer.json"  # contains the whole tokenizer


class Tokenizer:
    """Encodes text as token ids, and decodes it. Its files are those of transformers' GPT2TokenizerFast.

    Args:
        implementation: A tokenizer of the library `tokenizers`.
        known: How many of the tokens were in the files from which it was read, added tokens included. The later ones
            are control tokens, for which a pretrained network has no embeddings. None means all tokens.
    """

    def __init__(self, implementation: tokenizers.Tokenizer, known: int | None = None):
        self._implementation = implementation
        self.known = len(self) if known is None else known
        added = implementation.get_added_tokens_decoder().items()
        self._special = {token.content: i for i, token in sorted(added) if token.special}

    @classmethod
    def read(cls, folder: str | os.PathLike, control_tokens: Sequence[str] = ()) -> "Tokenizer":
        """Read a tokenizer from tokenizer.json, or from vocab.json, merges.txt and the files of added tokens.

        Args:
            folder: The folder of the files.
            control_tokens: Control tokens; those that the files lack are added after all others.

        Raises:
            UserError: A file is missing or damaged, or the tokenizer is not like GPT-2's; the message names the file.
        """
        return cls(*read_byte_level(folder, [END], control_tokens))

    @classmethod
    def fit(cls, texts: Iterable[str], size: int, control_tokens: Sequence[str] = ()) -> "Tokenizer":
        """Fit a byte-level BPE to texts.

        Args:
            texts: The texts.
            size: The maximum number of tokens, END and control tokens included.
            control_tokens: Control tokens to add.

        Raises:
            UserError: The size does not suffice for the 256 bytes and the special tokens.
        """
        return cls(fit_byte_level(texts, size, [END, *control_tokens]))

    def save(self, folder: str | os.PathLike) -> None:
        """Write tokenizer.json, tokenizer_config.json, vocab.json and merges.txt; make the folder."""
        config = {
            "tokenizer_class": "GPT2Tokenizer",
            "add_prefix_space": False,
            "clean_up_tokenization_spaces": False,
            "bos_token": END,
            "eos_token": END,
            "unk_token": END,
            "additional_special_tokens": self.control_tokens,
        }
        write_byte_level(folder, self._implementation, config)

    def encode(self, text: str) -> list[int]:
        """Encode a text as token ids, without END."""
        return self._implementation.encode(text, add_special_tokens=False).ids

    def encode_all(self, texts: Sequence[str]) -> list[list[int]]:
        """Encode many texts, on all cores."""
        return [encoding.ids for encoding in self._implementation.encode_batch(texts, add_special_tokens=False)]

    def decode(self, ids: Iterable[int]) -> str:
        """Decode token ids; END and control tokens are left out."""
        return self._implementation.decode([int(i) for i in ids], skip_special_tokens=True)

    def special(self, token: str) -> int:
        """Return the id of END or of a control token; raise UserError if the tokenizer does not have it."""
        if token not in self._special:
            raise UserError(f"{token} is not a control token of this tokenizer; it has {self.control_tokens}")
        return self._special[token]

    @property
    def control_tokens(self) -> list[str]:
        """The special tokens other than END, in the order of their ids."""
        return [token for token in self._special if token != END]

    @property
    def end(self) -> int:
        """The id of END, which ends every utterance and is used as padding."""
        return self.special(END)

    def __len__(self) -> int:
        return self._implementation.get_vocab_size(with_added_tokens=True)


# Byte-level BPE with any special tokens


def read_byte_level(
    folder: str | os.PathLike, required: Sequence[str], others: Sequence[str] = ()
) -> tuple[tokenizers.Tokenizer, int]:
    """Read a tokenizer from tokenizer.json, or from vocab.json, merges.txt and the files of added tokens.

    Args:
        folder: The folder of the files.
        required: Special tokens that the files must have.
        others: Special tokens that are added after all others if the files lack them.

    Returns:
        The tokenizer, and how many tokens the files have.

    Raises:
        UserError: A file is missing or damaged, or the tokenizer is of another kind; the message names the file.
    """
    whole, vocabulary, merges = (Path(folder) / name for name in (TOKENIZER, "vocab.json", "merges.txt"))
    if whole.exists():
        read = _attempt(whole, lambda: _from_file(whole))
        parts = [(read.model, models.BPE), (read.pre_tokenizer, pre_tokenizers.ByteLevel)]
        parts += [(read.decoder, decoders.ByteLevel), (read.normalizer, type(None))]
        if not all(isinstance(part, kind) for part, kind in parts):
            raise UserError(f"{whole}: a byte-level BPE tokenizer, like GPT-2's, is expected")
        read.no_truncation()  # files may set both for every text
        read.no_padding()
    elif vocabulary.exists() and merges.exists():
        model = _attempt(vocabulary, lambda: models.BPE.from_file(str(vocabulary), str(merges)))
        read = _byte_level(model)
        add_tokens(read, Path(folder), {*required, *others})
    else:
        raise UserError(f"{folder}: no tokenizer; tokenizer.json, or vocab.json and merges.txt, are expected")
    for token in required:
        if read.token_to_id(token) is None:
            raise UserError(f"{folder}: the tokenizer has no {token}")
    known = read.get_vocab_size(with_added_tokens=True)
    made = _with_special(read, [*required, *others])
    ids = set(made.get_vocab(with_added_tokens=True).values())
    if ids != set(range(made.get_vocab_size(with_added_tokens=True))):
        raise UserError(f"{folder}: the tokenizer's ids are not the numbers from 0 on, one for each token")
    return made, known


def fit_byte_level(texts: Iterable[str], size: int, special: Sequence[str]) -> tokenizers.Tokenizer:
    """Fit a byte-level BPE to texts.

    Args:
        texts: The texts.
        size: The maximum number of tokens.
        special: Special tokens, which have the first ids.

    Raises:
        UserError: The size does not suffice for the 256 bytes and the special tokens.
    """
    if size < BYTES + len(special):
        raise UserError(f"a vocabulary of {size}; {BYTES + len(special)} tokens or more are expected")
    fitted = _byte_level(models.BPE())
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(special),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    fitted.train_from_iterator(texts, trainer)
    return _with_special(fitted, special)


def write_byte_level(folder: str | os.PathLike, implementation: tokenizers.Tokenizer, config: dict[str, Any]) -> None:
    """Write tokenizer.json, tokenizer_config.json (`config`), vocab.json and merges.txt; make the folder."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    content = implementation.to_str(pretty=True)
    model = json.loads(content)["model"]
    merges = "".join(" ".join(pair) + "\n" for pair in model["merges"])
    files = {
        "vocab.json": json.dumps(model["vocab"], ensure_ascii=False),
        "merges.txt": "#version: 0.2\n" + merges,
        "tokenizer_config.json": json.dumps(config, indent=2),
        TOKENIZER: content,
    }
    for name, text in files.items():
        with replacing(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="")


def _from_file(path: Path) -> tokenizers.Tokenizer:
    model = json_files.read_object(path).get("model")
    if not isinstance(model, dict):
        raise ValueError("it has no model")
    for name in ("continuing_subword_prefix", "end_of_word_suffix", "dropout"):  # the first can end the whole process
        if model.get(name):
            raise ValueError(f"{name} is {model[name]!r}; a byte-level BPE has none")
    return tokenizers.Tokenizer.from_file(str(path))


def _byte_level(model: models.BPE) -> tokenizers.Tokenizer:
    made = tokenizers.Tokenizer(model)
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.post_processor = processors.ByteLevel(trim_offsets=False)
    return made


def _with_special(made: tokenizers.Tokenizer, special: Sequence[str]) -> tokenizers.Tokenizer:
    made.add_special_tokens(list(special))
    made.encode_special_tokens = True  # when they occur in a text, they are plain text
    return made


def _attempt(path: Path, read: Callable[[], Any]) -> Any:
    try:
        return read()
    except Exception as error:  # the library raises no narrower class
        raise UserError(f"{path}: not readable as a tokenizer ({error})") from None
