"""Converts the byte-level BPE tokenizer in the metadata of a GGUF file to Hugging Face's format.

Before BPE merges are applied, text is split into words. A GGUF file contains only the name of the splitting method
(`tokenizer.ggml.pre`). This module defines the steps of each method, taken from the tokenizer.json of the original
models.
"""

from typing import Any

import tokenizers
from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers, processors

from gail_tf.base_models.gguf_header import Header
from keras_gca.errors import UserError

CONTROL, USER_DEFINED, UNUSED = 3, 4, 5  # values of `tokenizer.ggml.token_type`
LONGEST_TEMPLATE = 1_000_000  # the maximum number of characters in a chat template

_LLAMA_3_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
_QWEN_2_WORDS = _LLAMA_3_WORDS.replace(r"\p{N}{1,3}", r"\p{N}")  # each digit is a separate word
# Each group contains the names in `tokenizer.ggml.pre` that stand for one method of splitting text.
_GPT_2 = ("gpt-2", "mpt", "olmo", "phi-2")
_SINGLE_DIGITS = ("smollm", "starcoder", "refact", "command-r", "codeshell", "exaone")
_LLAMA_3 = ("llama3", "llama-v3", "llama-bpe", "falcon3")
_QWEN_2 = ("qwen2", "deepseek-r1-qwen", "megrez")


def read_tokenizer(header: Header) -> tokenizers.Tokenizer:
    """Make the tokenizer described in a GGUF file.

    Raises:
        UserError: The tokenizer is not a byte-level BPE, splits text by an unknown method, or is damaged. The message
            names the file.
    """
    kind, pre = header.text("tokenizer.ggml.model"), header.text("tokenizer.ggml.pre", "")
    if kind != "gpt2":
        raise UserError(
            f"{header.path}: the tokenizer {kind[:80]!r} is not supported; byte-level BPE ('gpt2') is expected"
        )
    tokens, types = header.texts("tokenizer.ggml.tokens"), header.counts("tokenizer.ggml.token_type")
    if types and len(types) != len(tokens):
        raise UserError(f"{header.path}: there are {len(tokens)} tokens, but {len(types)} token types")
    spare = len(tokens)
    while types and spare and types[spare - 1] == UNUSED:
        spare -= 1  # unused tokens at the end only pad the embeddings, and are left out
    vocabulary = {token: i for i, token in enumerate(tokens[:spare])}
    if len(vocabulary) < spare:
        raise UserError(f"{header.path}: a token occurs twice in the vocabulary")
    merges = []
    for merge in header.texts("tokenizer.ggml.merges"):
        first, _, second = merge.partition(" ")
        merges.append((first, second))
    try:
        made = tokenizers.Tokenizer(models.BPE(vocabulary, merges, ignore_merges=pre in _LLAMA_3))
    except Exception as error:  # the library does not raise a more specific class
        raise UserError(f"{header.path}: the tokenizer is damaged ({error})") from None
    made.pre_tokenizer = _pre_tokenizer(header, pre)
    made.decoder = decoders.ByteLevel()
    made.post_processor = processors.ByteLevel(trim_offsets=False)
    if pre in _QWEN_2:
        made.normalizer = normalizers.NFC()
    for token, number in zip(tokens[:spare], types, strict=False):
        if number in (CONTROL, USER_DEFINED) and token:
            special = number == CONTROL
            (made.add_special_tokens if special else made.add_tokens)([AddedToken(token, normalized=False)])
    return made


def tokenizer_config(header: Header, vocab_size: int) -> dict[str, Any]:
    """Return the content of tokenizer_config.json: the special tokens, and the chat template if there is one.

    Args:
        header: The header of the file.
        vocab_size: The number of tokens.

    Raises:
        UserError: A special token has an id outside the vocabulary, or the chat template is too long.
    """
    tokens, ids = header.texts("tokenizer.ggml.tokens"), special_ids(header, vocab_size)
    config: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        "model_max_length": header.count(f"{header.text('general.architecture')}.context_length"),
    }
    config |= {name.removesuffix("_id"): tokens[i] for name, i in ids.items()}
    for name in ("add_bos_token", "add_eos_token"):
        if f"tokenizer.ggml.{name}" in header.metadata:
            config[name] = bool(header.metadata[f"tokenizer.ggml.{name}"])
    if "tokenizer.chat_template" in header.metadata:
        config["chat_template"] = header.text("tokenizer.chat_template")
        if len(config["chat_template"]) > LONGEST_TEMPLATE:
            raise UserError(f"{header.path}: the chat template has more than {LONGEST_TEMPLATE:,} characters")
    return config


def special_ids(header: Header, vocab_size: int) -> dict[str, int]:
    """Return the ids of special tokens by their keys in config.json, such as `eos_token_id`.

    Raises:
        UserError: An id is outside the vocabulary.
    """
    ids = {}
    for name, key in (("bos", "bos"), ("eos", "eos"), ("unk", "unknown"), ("pad", "padding")):
        key = f"tokenizer.ggml.{key}_token_id"
        if key in header.metadata:
            ids[f"{name}_token_id"] = header.count(key, least=0)
            if ids[f"{name}_token_id"] >= vocab_size:
                raise UserError(f"{header.path}: {key!r} is not an id in the vocabulary of {vocab_size} tokens")
    return ids


def _pre_tokenizer(header: Header, pre: str) -> pre_tokenizers.PreTokenizer:
    words = pre_tokenizers.ByteLevel(add_prefix_space=False)
    if pre in _GPT_2:
        return words
    if pre in _SINGLE_DIGITS:
        return pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), words])
    if pre in _LLAMA_3 or pre in _QWEN_2:
        split = Regex(_LLAMA_3_WORDS if pre in _LLAMA_3 else _QWEN_2_WORDS)
        to_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        return pre_tokenizers.Sequence([pre_tokenizers.Split(split, "isolated"), to_bytes])
    known = ", ".join((*_GPT_2, *_SINGLE_DIGITS, *_LLAMA_3, *_QWEN_2))
    raise UserError(f"{header.path}: the pre-tokenizer {pre[:80]!r} is not supported; one of {known} is expected")
