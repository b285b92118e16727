"""Imports the public names of a package when they are first used."""

import importlib
from collections.abc import Mapping
from typing import Any


def public_name(package: str, homes: Mapping[str, str], name: str) -> Any:
    """Import a public name of a package; called by the package's `__getattr__`.

    Args:
        package: The name of the package.
        homes: {public name: the module of the package that defines it, such as "training.generator"}.
        name: The public name to import.

    Returns:
        The object with that name.

    Raises:
        AttributeError: The package does not have this public name.
    """
    if name not in homes:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{package}.{homes[name]}"), name)
