"""The base class for a run's settings, which checks every setting, provides presets, and converts settings to JSON.

Each paper has its own subclass of `Settings`. The commands offer each setting as a command-line option.
"""

import dataclasses
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from keras_gca.errors import UserError
from keras_gca.invocation import hint

LARGEST = 10**12  # the largest value allowed for any number; any size that fits into memory is far smaller
COLDEST, HOTTEST = 0.01, 100.0  # the range of temperatures: lower ones would give greedy replies, and higher ones noise


def option(default: Any, help: str, low: float | None = None, high: float | None = None, choices: tuple = ()) -> Any:
    """Declare an option, which is a field of a settings class or of a group of options.

    Args:
        default: The default value of the field, which is the paper's value.
        help: The meaning of the field, for `--help`.
        low: The smallest allowed number, or None for no lower bound.
        high: The largest allowed number, or None for no upper bound.
        choices: The allowed values, or an empty tuple if all values of the type are allowed.
    """
    return field(default=default, metadata={"help": help, "low": low, "high": high, "choices": choices})


def group(kind: type, title: str) -> Any:
    """Declare a field of a settings class that holds a group of options, such as `ppo` in `config.ppo.epsilon`.

    Groups exist only in the code. Command-line options, JSON, and the arguments of `preset` and `changed` are flat, so
    each option name occurs in only one group.

    Args:
        kind: A frozen dataclass whose fields are options.
        title: The heading of the group's options in `--help`.
    """
    return field(default_factory=kind, metadata={"group": kind, "title": title})


@dataclass(frozen=True, init=False)
class Settings:
    """Base class for the settings of both papers.

    Subclasses are frozen dataclasses that use the `__init__` of this class. The fields of a subclass are options
    (`option`) and groups of options (`group`). The default of an option is the paper's value. `presets` lists the
    options that each preset changes. Two objects are equal if all their options are equal.

    Args:
        **values: Options of any group, with values that replace the paper's.

    Raises:
        UserError: There is no such option, or an option has an invalid value. The message names the option
            (`--batch-size`) and the allowed values.
    """

    presets: ClassVar[dict[str, dict[str, Any]]]
    totals: ClassVar[tuple[str, ...]] = ()  # numbers of epochs or updates that `train --resume` may increase

    def __init__(self, /, **values: Any) -> None:
        self._refuse_unknown(values)
        flat = {option.name: values.get(option.name, option.default) for option in self.options()}
        for option in self.options():
            _check(option, flat[option.name])
        for part in dataclasses.fields(self):
            value = flat.get(part.name)
            if "group" in part.metadata:
                kind = part.metadata["group"]
                value = kind(**{option.name: flat[option.name] for option in dataclasses.fields(kind)})
            object.__setattr__(self, part.name, value)
        self._set_given(values)
        self.check_combinations()

    def check_combinations(self) -> None:
        """Raise UserError if the values of two or more options cannot be combined."""

    @classmethod
    def preset(cls, name: str, **changes: Any) -> Self:
        """Return a preset with some options changed.

        Args:
            name: One of `presets`.
            **changes: Options, with values that replace the preset's.

        Raises:
            UserError: There is no such preset or option, or a value is invalid.
        """
        if name not in cls.presets:
            raise UserError(f"{name!r} is not a preset; choose from {', '.join(cls.presets)}")
        return cls(**{**cls.presets[name], **cls.implied(changes), **changes})._set_given(changes)

    def changed(self, **changes: Any) -> Self:
        """Return the same settings with some options changed.

        Args:
            **changes: Options and their new values.

        Raises:
            UserError: There is no such option, or a value is invalid.
        """
        implied = self.implied(changes)
        given = (self.given - implied.keys()) | changes.keys()
        return type(self)(**{**self.to_values(), **implied, **changes})._set_given(given)

    @classmethod
    def implied(cls, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Return the further options that the given changes imply, with their values.

        `preset` and `changed` set these options unless the changes name them. This base class returns an empty
        dictionary.

        Args:
            changes: Options and their new values.
        """
        return {}

    @property
    def given(self) -> frozenset[str]:
        """The names of the options whose values were given explicitly in a call or a command.

        The values of all other options come from a preset, an algorithm, or a stored run, and the program may change
        these values if they do not suit the data. This property is not a setting: it is neither compared nor stored.
        """
        return vars(self)["_given"]

    def _set_given(self, names: Iterable[str]) -> Self:
        object.__setattr__(self, "_given", frozenset(names))
        return self

    def __repr__(self) -> str:
        """Return the call that creates these settings, listing only options whose values differ from the paper's."""
        values = self.to_values()
        changed = {
            option.name: values[option.name] for option in self.options() if values[option.name] != option.default
        }
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in changed.items())})"

    @classmethod
    def options(cls) -> list[dataclasses.Field]:
        """Return all options in order of declaration."""
        return [option for _, options in cls.titled_options() for option in options]

    @classmethod
    def titled_options(cls) -> list[tuple[str, tuple[dataclasses.Field, ...]]]:
        """Return the title and the options of each group. Options without a group are listed under an empty title."""
        return [
            (part.metadata["title"], dataclasses.fields(part.metadata["group"]))
            if "group" in part.metadata
            else ("", (part,))
            for part in dataclasses.fields(cls)
        ]

    @classmethod
    def _refuse_unknown(cls, changes: Mapping[str, Any]) -> None:
        unknown = set(changes) - {option.name for option in cls.options()}
        if unknown:
            package = cls.__module__.partition(".")[0]
            raise UserError(
                f"{min(unknown)!r} is not a setting; {hint(f'{package}.train', '--help')} lists all of them"
            )

    def to_values(self) -> dict[str, Any]:
        """Return all options and their values for JSON, without their grouping."""
        values: dict[str, Any] = {}
        for part in dataclasses.fields(self):
            value = getattr(self, part.name)
            values |= vars(value) if "group" in part.metadata else {part.name: value}
        return values

    def own_totals(self) -> dict[str, int]:
        """Return the names and values of the options in `totals`, which determine the length of training."""
        values = self.to_values()
        return {name: values[name] for name in self.totals}

    @classmethod
    def from_values(cls, values: Any) -> Self:
        """Make settings from the values returned by `to_values`; missing options take the paper's values.

        Args:
            values: The options and their values.

        Raises:
            UserError: `values` is not a dictionary, names an unknown option, or has an invalid value.
        """
        if not isinstance(values, dict):
            raise UserError(f"settings must be a JSON object of names and values, not a {type(values).__name__}")
        return cls(**values)._set_given(())


def naming(settings: Iterable[str]) -> str:
    """Format the names of settings as command-line options for messages, such as "--batch-size, --seed"."""
    return ", ".join(f"--{name.replace('_', '-')}" for name in settings)


def _check(option: dataclasses.Field, value: Any) -> None:
    low, high, choices = (option.metadata[key] for key in ("low", "high", "choices"))
    name = naming([option.name])
    optional, kind = field_type(option)
    if value is None and optional:
        return
    accepted = (int, float) if kind is float else kind
    if not isinstance(value, accepted) or isinstance(value, bool):
        raise UserError(
            f"{name}: {value!r} has the wrong type; {'a number' if kind is float else kind.__name__} is expected"
        )
    if choices and value not in choices:
        raise UserError(f"{name}: {value!r} is not one of {', '.join(choices)}")
    if (isinstance(value, int) and abs(value) > LARGEST) or (isinstance(value, float) and not math.isfinite(value)):
        raise UserError(f"{name}: {str(value)[:20]} is out of range; a number up to {LARGEST:g} is expected")
    if (low is not None and not value >= low) or (high is not None and not value <= high):
        bounds = f"at least {low:g}" if high is None else f"from {low:g} to {high:g}"
        raise UserError(f"{name}: {value} is out of range; {bounds} is expected")


def check_sampling(
    temperature: float | None = None, top_p: float = 1.0, greedy: bool = False, name: str = "--temperature"
) -> None:
    """Check that the sampling options are in range.

    Args:
        temperature: A number from COLDEST to HOTTEST, or None for no sampling.
        top_p: The probability of the nucleus, above 0 and at most 1.
        greedy: Whether a temperature of 0, which chooses the most probable token, is also allowed.
        name: The name of the temperature option, for the message.

    Raises:
        UserError: An option is out of range.
    """
    if temperature is not None and not (COLDEST <= temperature <= HOTTEST or (greedy and temperature == 0)):
        bounds = f"a number from {COLDEST:g} to {HOTTEST:g}"
        raise UserError(f"{name}: {temperature}; {f'0, or {bounds},' if greedy else bounds} is expected")
    if not 0 < top_p <= 1:
        raise UserError(f"--top-p: {top_p}; a number above 0 and at most 1 is expected")


def field_type(option: dataclasses.Field) -> tuple[bool, type]:
    """Return whether a field may be None, and the type of its other values."""
    arguments = getattr(option.type, "__args__", (option.type,))
    kinds = [kind for kind in arguments if isinstance(kind, type) and kind is not type(None)]
    return type(None) in arguments, kinds[0]
