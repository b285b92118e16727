"""The root of the project, and the folder of the optional reference data (corpora, vectors and numbers)."""

import os
from pathlib import Path

PROJECT = Path(__file__).parents[1]
VARIABLE = "CONVERSATIONAL_AGENTS_SHARED"


def reference_data() -> Path:
    """Return the folder that the environment variable VARIABLE names, or else `shared` beside the project."""
    return Path(os.environ.get(VARIABLE, PROJECT.parent / "shared"))
