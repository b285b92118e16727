"""The settings of a run as a frozen dataclass: how a field is declared and checked, presets, and JSON.

Each of the two papers has one such class; the commands turn its fields into options.
"""

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from keras_gca.errors import UserError

LARGEST = 10**12  # of a setting; what has memory for its numbers is far smaller
COLDEST, HOTTEST = 0.01, 100.0  # temperatures of sampling; what lies beyond is greedy, or mere noise


def option(default: Any, help: str, low: float | None = None, high: float | None = None, choices: tuple = ()) -> Any:
    """A field: its default, what it means, and which values are possible."""
    return field(default=default, metadata={"help": help, "low": low, "high": high, "choices": choices})


@dataclass(frozen=True)
class Settings:
    """Base of the dataclasses. Their fields' defaults are their paper's numbers; `presets` lists what others change.

    Raises UserError on an impossible value.
    """

    presets: ClassVar[dict[str, dict[str, Any]]]

    def __post_init__(self) -> None:
        for option in dataclasses.fields(self):
            _check(option, getattr(self, option.name))

    @classmethod
    def preset(cls, name: str, **changes: Any) -> Self:
        """A preset with some fields changed. Raises UserError for an unknown preset or field, or a bad value."""
        if name not in cls.presets:
            raise UserError(f"{name!r} is no preset; choose from {', '.join(cls.presets)}")
        unknown = set(changes) - {option.name for option in dataclasses.fields(cls)}
        if unknown:
            raise UserError(
                f"{sorted(unknown)[0]!r} is no setting; the settings are the fields of {cls.__module__}.{cls.__name__}"
            )
        return cls(**{**cls.presets[name], **changes})

    def to_values(self) -> dict[str, Any]:
        """All fields, for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_values(cls, values: Any) -> Self:
        """What `to_values` gave. Raises UserError where it did not give that."""
        if not isinstance(values, dict):
            raise UserError(f"settings are a JSON object of names and values, not {type(values).__name__}")
        return cls.preset("paper", **values)


def _check(option: dataclasses.Field, value: Any) -> None:
    low, high, choices = (option.metadata[key] for key in ("low", "high", "choices"))
    name = option.name.replace("_", "-")
    optional, kind = field_type(option)
    if value is None and optional:
        return
    accepted = (int, float) if kind is float else kind
    if not isinstance(value, accepted) or isinstance(value, bool):
        raise UserError(f"--{name}: {value!r} where {'a number' if kind is float else kind.__name__} is expected")
    if choices and value not in choices:
        raise UserError(f"--{name}: {value!r} is not one of {', '.join(choices)}")
    if (isinstance(value, int) and abs(value) > LARGEST) or (isinstance(value, float) and not math.isfinite(value)):
        raise UserError(f"--{name}: {str(value)[:20]} is out of range; a number up to {LARGEST:g} is expected")
    if (low is not None and not value >= low) or (high is not None and not value <= high):
        bounds = f"at least {low:g}" if high is None else f"from {low:g} to {high:g}"
        raise UserError(f"--{name}: {value} is out of range; {bounds} is expected")


def check_sampling(
    temperature: float | None = None, top_p: float = 1.0, greedy: bool = False, name: str = "--temperature"
) -> None:
    """Raises UserError where tokens cannot be drawn so.

    temperature: from COLDEST to HOTTEST, or None, where nothing is drawn. top_p: the nucleus, above 0 and at most 1.
    greedy: whether a temperature of 0 is possible too, which takes the likeliest token. name: what the user calls the
    temperature.
    """
    if temperature is not None and not (COLDEST <= temperature <= HOTTEST or (greedy and temperature == 0)):
        bounds = f"a number from {COLDEST:g} to {HOTTEST:g}"
        raise UserError(f"{name}: {temperature}; {f'0, or {bounds},' if greedy else bounds} is expected")
    if not 0 < top_p <= 1:
        raise UserError(f"--top-p: {top_p}; a number above 0, at most 1, is expected")


def field_type(option: dataclasses.Field) -> tuple[bool, type]:
    """Whether a field may be None, and the type of its other values."""
    arguments = getattr(option.type, "__args__", (option.type,))
    kinds = [kind for kind in arguments if isinstance(kind, type) and kind is not type(None)]
    return type(None) in arguments, kinds[0]
