"""The base class of the configs of language models, which gives the settings of GPT-2 and Llama common names."""

import abc
import dataclasses
import re
from collections.abc import Sequence
from typing import Any, ClassVar, Self

# The tensors of heads that were fine-tuned for other tasks: values, multiple choices, or classes. A file may contain
# such a head in addition to the language model.
HEADS = r"(v_head|multiple_choice_head|score)\..*"


class LanguageModelConfig(abc.ABC):
    """The config of a causal language model. A subclass is a frozen dataclass with the field names of its config.json.

    Attributes:
        title: The name of the network in messages.
        prefix: The prefix that the names of the network's tensors have in a language model's files.
        vocab_size: The number of tokens.
        eos_token_id: The token that ends a text.
    """

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]
    title: ClassVar[str]
    prefix: ClassVar[str]
    vocab_size: int
    eos_token_id: int
    initializer_range: float

    @property
    @abc.abstractmethod
    def width(self) -> int:
        """The width of the hidden states."""

    @property
    @abc.abstractmethod
    def depth(self) -> int:
        """The number of transformer blocks."""

    @property
    @abc.abstractmethod
    def positions(self) -> int:
        """The maximum length of a sequence, in tokens."""

    @property
    @abc.abstractmethod
    def cache_frame(self) -> tuple[int, int]:
        """The number of heads for the keys and values in a cache, and the width of each head."""

    @property
    @abc.abstractmethod
    def shapes(self) -> dict[str, list[int]]:
        """The shapes of all weights, by their names in the network's files, without `prefix`."""

    @property
    @abc.abstractmethod
    def tables(self) -> Sequence[str]:
        """The names of the weights with one row for each token: the token embeddings and any separate output layer."""

    @property
    @abc.abstractmethod
    def no_weights(self) -> re.Pattern:
        """A pattern for the names, without `prefix`, of tensors in files that the network does not need."""

    def name_in_file(self, name: str) -> str:
        """Return a weight's name in a file: its name in `shapes` with `prefix` before it, except for lm_head."""
        return name if name.startswith("lm_head") else self.prefix + name

    @abc.abstractmethod
    def with_vocabulary(self, vocab_size: int, dropout: float | None = None) -> Self:
        """Return a copy of the config with another vocabulary size and, if given, another dropout rate."""

    @classmethod
    @abc.abstractmethod
    def from_hugging_face(cls, values: dict[str, Any]) -> Self:
        """Make a config from the content of a config.json; raise UserError if it describes another kind of network."""

    @abc.abstractmethod
    def to_hugging_face(self) -> dict[str, Any]:
        """Return the content of a config.json."""
