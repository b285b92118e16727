"""The base class of language model configs, with common names for the settings of GPT-2 and Llama."""

import abc
import dataclasses
import re
from collections.abc import Sequence
from typing import Any, ClassVar, Self

# The tensors of heads that were fine-tuned for other tasks: values, multiple choices, or classes. A file may contain
# such a head in addition to the language model.
HEADS = r"(v_head|multiple_choice_head|score)\..*"


class LanguageModelConfig(abc.ABC):
    """The config of a causal language model. Subclasses are frozen dataclasses with the field names of config.json.

    Attributes:
        title: The network's name in messages.
        prefix: The prefix of the network's tensor names in the files of a language model.
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
        """The number of key and value heads in a cache, and the width of each head."""

    @property
    @abc.abstractmethod
    def shapes(self) -> dict[str, list[int]]:
        """The shapes of all weights, keyed by their names in the network's files, without `prefix`."""

    @property
    @abc.abstractmethod
    def tables(self) -> Sequence[str]:
        """The names of the weights with one row per token: the token embeddings and, if separate, the output layer."""

    @property
    @abc.abstractmethod
    def no_weights(self) -> re.Pattern:
        """A pattern that matches the names (without `prefix`) of stored tensors that the network does not use."""

    def name_in_file(self, name: str) -> str:
        """Return a weight's name in a file: `prefix` followed by the name in `shapes`. lm_head has no prefix."""
        return name if name.startswith("lm_head") else self.prefix + name

    @abc.abstractmethod
    def with_vocabulary(self, vocab_size: int, dropout: float | None = None) -> Self:
        """Return a copy of the config with a different vocabulary size and, if given, a different dropout rate."""

    @classmethod
    @abc.abstractmethod
    def from_hugging_face(cls, values: dict[str, Any]) -> Self:
        """Make a config from the contents of a config.json; raise UserError if it describes another kind of network."""

    @abc.abstractmethod
    def to_hugging_face(self) -> dict[str, Any]:
        """Return the contents of a config.json with these settings."""
