"""Where the project lies, and the optional reference data: corpora, vectors and numbers that are not part of it."""

import os
from pathlib import Path

PROJECT = Path(__file__).parents[1]
VARIABLE = "CONVERSATIONAL_AGENTS_SHARED"


def reference_data() -> Path:
    """The folder that VARIABLE names; without it, `shared` beside this project."""
    return Path(os.environ.get(VARIABLE, PROJECT.parent / "shared"))
