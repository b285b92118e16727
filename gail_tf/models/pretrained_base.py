"""`Base`, the pretrained network that a run or bot refers to instead of storing the network's frozen weights."""

from typing import Any, NamedTuple


class Base(NamedTuple):
    """A pretrained network that a run or bot refers to instead of storing the network's frozen weights.

    Attributes:
        name: A folder, a file, the name of a known model, or a name on the Hub.
        sha256: The SHA-256 hash of the weights, used to recognise the files.
        rows: The number of rows in the network's tables that belong to tokens of its original tokenizer.
    """

    name: str
    sha256: str
    rows: int

    @classmethod
    def of(cls, facts: Any) -> "Base | None":
        """Make a base from JSON values: an object with the three attributes, or None.

        Returns:
            The base, or None if `facts` is None.

        Raises:
            ValueError: The values are not the attributes of a base.
        """
        if facts is None:
            return None
        kinds = {"name": str, "sha256": str, "rows": int}
        if not isinstance(facts, dict) or {name: type(value) for name, value in facts.items()} != kinds:
            raise ValueError(f"the base must have exactly the keys {', '.join(kinds)}")
        return cls(**facts)
