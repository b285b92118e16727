"""`Base` names the pretrained network whose files hold the frozen weights that a run or a bot does not store itself."""

from typing import Any, NamedTuple


class Base(NamedTuple):
    """A pretrained network, whose files hold the frozen weights that a bot or a run does not store itself.

    Attributes:
        name: A folder, a file, the name of a known model, or a name on the Hub.
        sha256: The SHA-256 of the weights, by which the files are recognised.
        rows: The number of rows in the network's tables that belong to tokens of its own tokenizer.
    """

    name: str
    sha256: str
    rows: int

    @classmethod
    def of(cls, facts: Any) -> "Base | None":
        """Make a base from values that were read from JSON: an object of the three attributes, or None.

        Returns:
            The base, or None if `facts` is None.

        Raises:
            ValueError: The values are not the attributes of a base.
        """
        if facts is None:
            return None
        kinds = {"name": str, "sha256": str, "rows": int}
        if not isinstance(facts, dict) or {name: type(value) for name, value in facts.items()} != kinds:
            raise ValueError(f"the base does not have exactly the values {', '.join(kinds)}")
        return cls(**facts)
