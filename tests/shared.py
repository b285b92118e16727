"""Where the optional reference data lies: corpora, vectors and reference numbers that are not part of this project."""

import os
from pathlib import Path

VARIABLE = "CONVERSATIONAL_AGENTS_SHARED"


def folder() -> Path:
    """The folder that VARIABLE names; without it, `shared` beside this project."""
    return Path(os.environ.get(VARIABLE, Path(__file__).parents[2] / "shared"))
