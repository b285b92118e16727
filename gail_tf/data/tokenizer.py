"""The policy's tokenizer: a byte-level BPE that is read from a pretrained model or fitted to the training text.

The tokenizer's layout determines which special tokens separate the utterances of a conversation (see
`data/layouts.py`). Control tokens may describe an utterance, for example its sentiment. Special and control tokens that
are spelled out in a text are read as plain text. Therefore a user's message cannot end an utterance, speak for the
assistant, or set a control token.
"""

import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

from gail_tf.data.added_tokens import add_tokens
from gail_tf.data.layouts import END as END
from gail_tf.data.layouts import END_OF_TEXT, PLAIN, TOKENIZER_CONFIG, Layout, read_layout
from keras_gca.errors import UserError
from keras_gca.storage import json_files
from keras_gca.storage.atomic import replacing

BYTES = 256
TOKENIZER = "tokenizer.json"  # this file contains the complete tokenizer

# The regular expressions that the supported models use to divide a text into words before BPE. Other expressions are
# rejected, because with a hostile regular expression some texts make the library `tokenizers` panic.
_PATTERNS = (
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",  # GPT-2
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+",  # Llama 3
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+",  # Qwen2
)
# The tokenizer classes of transformers that vocab.json and merges.txt describe completely. None stands for an old
# folder, which does not name a class.
_OF_TWO_FILES = (None, "GPT2Tokenizer", "GPT2TokenizerFast", "RobertaTokenizer", "RobertaTokenizerFast")


class Tokenizer:
    """A tokenizer for text and conversations. Its saved files can be read by transformers' AutoTokenizer.

    Args:
        implementation: A tokenizer from the library `tokenizers`, with the special tokens of the layout.
        known: The number of tokens in the tokenizer's files, including added tokens. Tokens whose ids are equal to or
            greater than this number are control tokens, for which a pretrained network has no embeddings. By default,
            the number of all tokens.
        layout: The layout of conversations.
    """

    def __init__(self, implementation: tokenizers.Tokenizer, known: int | None = None, layout: Layout = END_OF_TEXT):
        self._implementation, self.layout = implementation, layout
        self.known = len(self) if known is None else known
        added = implementation.get_added_tokens_decoder().items()
        self._special = {token.content: i for i, token in sorted(added) if token.special}

    @classmethod
    def read(cls, folder: str | os.PathLike, control_tokens: Sequence[str] = (), layout: str = "auto") -> "Tokenizer":
        """Read a tokenizer from tokenizer.json, or from vocab.json, merges.txt and the files of added tokens.

        Args:
            folder: The folder with the files.
            control_tokens: The control tokens that the tokenizer needs. Those missing from the files are added after
                all other tokens.
            layout: The setting `layout`. If it is "auto", `read_layout` determines the layout from the folder's files.

        Raises:
            UserError: A file is missing or damaged, the tokenizer is not a byte-level BPE, or it lacks a special token
                of its layout. The message names the file or the folder.
        """
        laid_out = read_layout(folder, layout)
        made, known = read_byte_level(folder, laid_out.tokens, control_tokens, divided=True)
        if laid_out.name == PLAIN.name:
            laid_out = _with_beginning(made, laid_out, Path(folder))
        tokenizer = cls(made, known, laid_out)
        for token in laid_out.tokens:
            number = tokenizer.special(token)
            if number in tokenizer.encode(made.decode([number], skip_special_tokens=False)):
                raise UserError(f"{folder}: {token!r} can occur in ordinary text; a special token is expected")
        return tokenizer

    @classmethod
    def fit(
        cls, texts: Iterable[str], size: int, control_tokens: Sequence[str] = (), layout: Layout = END_OF_TEXT
    ) -> "Tokenizer":
        """Fit a byte-level BPE to texts.

        Args:
            texts: The texts.
            size: The maximum number of tokens in the vocabulary, including special tokens and control tokens.
            control_tokens: The control tokens to add.
            layout: The layout of conversations.

        Raises:
            UserError: The size is too small for the 256 bytes, the special tokens and the control tokens.
        """
        return cls(fit_byte_level(texts, size, [*layout.tokens, *control_tokens]), layout=layout)

    def save(self, folder: str | os.PathLike) -> None:
        """Write the tokenizer to a folder as tokenizer.json and tokenizer_config.json. `read` restores the tokenizer.

        tokenizer_config.json records the layout. A tokenizer that works like GPT-2's is also saved as vocab.json and
        merges.txt.
        """
        first = [part for part in self.layout.parts(self.layout.begin) if part]
        end = self.layout.end
        config = {
            "tokenizer_class": "GPT2Tokenizer" if _is_gpt2s(self._implementation) else "PreTrainedTokenizerFast",
            "add_prefix_space": False,
            "clean_up_tokenization_spaces": False,
            "bos_token": first[0] if first else end,
            "eos_token": end,
            "unk_token": end,
            "additional_special_tokens": self.control_tokens,
            "layout": self.layout.name,
            "chat_template": self.layout.template,
        }
        write_byte_level(folder, self._implementation, config)

    def encode(self, text: str) -> list[int]:
        """Encode a text as token ids. No special tokens are added."""
        return self._implementation.encode(text, add_special_tokens=False).ids

    def encode_frame(self, frame: str) -> list[int]:
        """Encode a frame of the layout, that is, text that contains special tokens.

        Never pass a user's text to this method: the user could insert special tokens.
        """
        parts = enumerate(self.layout.parts(frame))
        return [i for place, part in parts for i in ([self.special(part)] if place % 2 else self.encode(part))]

    def encode_all(self, texts: Sequence[str]) -> list[list[int]]:
        """Encode many texts in parallel on all CPU cores."""
        return [encoding.ids for encoding in self._implementation.encode_batch(texts, add_special_tokens=False)]

    def decode(self, ids: Iterable[int]) -> str:
        """Decode token ids to text, without special tokens and control tokens."""
        return self._implementation.decode([int(i) for i in ids], skip_special_tokens=True)

    def special(self, token: str) -> int:
        """Return the id of a special or control token. Raise UserError if the tokenizer has no such token."""
        if token not in self._special:
            raise UserError(f"{token} is not a control token of this tokenizer, which has {self.control_tokens}")
        return self._special[token]

    @property
    def control_tokens(self) -> list[str]:
        """All special tokens in the order of their ids, except the token that ends a response."""
        return [token for token in self._special if token != self.layout.end]

    @property
    def control_ids(self) -> list[int]:
        """The ids of `control_tokens`. These tokens cannot occur in a text, because `encode` never produces them."""
        return [self._special[token] for token in self.control_tokens]

    @property
    def end(self) -> int:
        """The id of the token that ends a response, which is also used for padding."""
        return self.special(self.layout.end)

    def __len__(self) -> int:
        return self._implementation.get_vocab_size(with_added_tokens=True)

    def encodes_like(self, other: "Tokenizer") -> bool:
        """Return whether another tokenizer gives the same token ids and has the same layout."""
        return (self._implementation.to_str(), self.layout) == (other._implementation.to_str(), other.layout)


# Byte-level BPE with any special tokens


def read_byte_level(
    folder: str | os.PathLike, required: Sequence[str], others: Sequence[str] = (), divided: bool = False
) -> tuple[tokenizers.Tokenizer, int]:
    """Read a tokenizer from tokenizer.json, or from vocab.json, merges.txt and the files of added tokens.

    Args:
        folder: The folder with the files.
        required: Special tokens that the files must contain.
        others: Special tokens that are added after all other tokens if they are missing from the files.
        divided: Whether the tokenizer may also split text into words as SmolLM2, Llama 3 or Qwen2 do. If False, it must
            split text as GPT-2 does.

    Returns:
        The tokenizer, and the number of tokens in the files.

    Raises:
        UserError: A file is missing or damaged, or the tokenizer is of an unsupported kind. The message names the file
            or the folder.
    """
    whole, vocabulary, merges = (Path(folder) / name for name in (TOKENIZER, "vocab.json", "merges.txt"))
    if whole.exists():
        read = _attempt(whole, lambda: _from_file(whole))
        if not _is_byte_level(read, divided):
            kinds = "like that of GPT-2, SmolLM2, Llama 3 or Qwen2" if divided else "like GPT-2's"
            raise UserError(
                f"{whole}: this tokenizer is not supported; a byte-level BPE tokenizer, {kinds}, is expected"
            )
        read.no_truncation()  # a file may make the library truncate or pad every text
        read.no_padding()
    elif vocabulary.exists() and merges.exists():
        config = Path(folder) / TOKENIZER_CONFIG
        kind = json_files.read_object(config).get("tokenizer_class") if config.exists() else None
        if kind not in _OF_TWO_FILES:
            raise UserError(
                f"{folder}: tokenizer.json is missing; vocab.json and merges.txt do not describe a {kind!r} completely"
            )
        model = _attempt(vocabulary, lambda: models.BPE.from_file(str(vocabulary), str(merges)))
        read = _byte_level(model)
        add_tokens(read, Path(folder), {*required, *others})
    else:
        raise UserError(f"{folder}: there is no tokenizer; tokenizer.json, or vocab.json and merges.txt, are expected")
    for token in required:
        if read.token_to_id(token) is None:
            raise UserError(f"{folder}: the tokenizer has no {token}")
    known = read.get_vocab_size(with_added_tokens=True)
    made = _with_special(read, [*required, *others])
    ids = set(made.get_vocab(with_added_tokens=True).values())
    if ids != set(range(made.get_vocab_size(with_added_tokens=True))):
        raise UserError(f"{folder}: the tokenizer's ids are not consecutive numbers starting at 0")
    return made, known


def fit_byte_level(texts: Iterable[str], size: int, special: Sequence[str]) -> tokenizers.Tokenizer:
    """Fit a byte-level BPE to texts.

    Args:
        texts: The texts.
        size: The maximum number of tokens in the vocabulary.
        special: Special tokens. They get the lowest ids.

    Raises:
        UserError: The size is too small for the 256 bytes and the special tokens.
    """
    if size < BYTES + len(special):
        raise UserError(f"a vocabulary of {size} tokens is too small; {BYTES + len(special)} or more are expected")
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
    """Write a tokenizer to a folder as tokenizer.json, and `config` as tokenizer_config.json.

    A tokenizer that works like GPT-2's is also written as vocab.json and merges.txt.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    content = implementation.to_str(pretty=True)
    files = {}
    if _is_gpt2s(implementation):
        model = json.loads(content)["model"]
        merges = "".join(" ".join(pair) + "\n" for pair in model["merges"])
        files = {
            "vocab.json": json.dumps(model["vocab"], ensure_ascii=False),
            "merges.txt": "#version: 0.2\n" + merges,
        }
    files |= {TOKENIZER_CONFIG: json.dumps(config, indent=2), TOKENIZER: content}
    for name, text in files.items():
        with replacing(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="")


def _from_file(path: Path) -> tokenizers.Tokenizer:
    model = json_files.read_object(path).get("model")
    if not isinstance(model, dict):
        raise ValueError("it has no model")
    for name in ("continuing_subword_prefix", "end_of_word_suffix", "dropout"):  # the first can crash the process
        if model.get(name):
            raise ValueError(f"{name} is {model[name]!r}; a byte-level BPE does not use it")
    return tokenizers.Tokenizer.from_file(str(path))


def _is_gpt2s(read: tokenizers.Tokenizer) -> bool:
    """Return whether vocab.json and merges.txt describe a byte-level BPE completely.

    They do if the BPE has GPT-2's pre-tokenizer and no normalizer.
    """
    return isinstance(read.pre_tokenizer, pre_tokenizers.ByteLevel) and read.normalizer is None


def _is_byte_level(read: tokenizers.Tokenizer, divided: bool) -> bool:
    """Return whether a tokenizer works like GPT-2's or, if `divided` is true, SmolLM2's, Llama 3's or Qwen2's."""
    if not isinstance(read.model, models.BPE) or not isinstance(read.decoder, decoders.ByteLevel):
        return False
    if not divided or not isinstance(read.pre_tokenizer, pre_tokenizers.Sequence):
        return _is_gpt2s(read)
    *dividing, last = json.loads(read.pre_tokenizer.__getstate__())["pretokenizers"] or [{}]
    return (
        last.get("type") == "ByteLevel"
        and all(_divides(part) for part in dividing)
        and isinstance(read.normalizer, (type(None), normalizers.NFC))
    )


def _divides(part: dict[str, Any]) -> bool:
    """Return whether a step of a pre-tokenizer is one of the known steps, which never drop text."""
    if part["type"] == "Split":
        return part["behavior"] == "Isolated" and part["pattern"].get("Regex") in _PATTERNS
    return part["type"] == "Digits"


def _with_beginning(read: tokenizers.Tokenizer, layout: Layout, folder: Path) -> Layout:
    """Return a layout that begins with the special token that the tokenizer puts before each text.

    If the tokenizer puts no token there, or puts the layout's `end` there, return the layout unchanged.
    """
    tokens = _attempt(folder / TOKENIZER, lambda: read.encode("").tokens)
    if not tokens or tokens[0] == layout.end:
        return layout
    if tokens[0] not in {token.content for token in read.get_added_tokens_decoder().values() if token.special}:
        raise UserError(
            f"{folder}: the tokenizer begins each text with {tokens[0]!r}, which is not one of its special tokens"
        )
    return replace(layout, begin=tokens[0], markers=(tokens[0],))


def _byte_level(model: models.BPE) -> tokenizers.Tokenizer:
    made = tokenizers.Tokenizer(model)
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.post_processor = processors.ByteLevel(trim_offsets=False)
    return made


def _with_special(made: tokenizers.Tokenizer, special: Sequence[str]) -> tokenizers.Tokenizer:
    made.add_special_tokens(list(special))
    made.encode_special_tokens = True  # a special token that a text spells out is encoded as plain text
    return made


def _attempt(path: Path, read: Callable[[], Any]) -> Any:
    try:
        return read()
    except Exception as error:  # the library raises no more specific class
        raise UserError(f"{path}: the file cannot be read as a tokenizer ({error})") from None
