"""Files of people's ratings, whose raters agree as much as a test needs."""

import json
from pathlib import Path

import numpy as np

from keras_gca.evaluation.human_ratings import Rated


def rated(contexts: int, noise: float, seed: int = 0, raters: int = 10) -> tuple[list[Rated], np.ndarray]:
    """Make two responses to each context, and the quality of each. A rater's score is the quality plus noise."""
    draw = np.random.default_rng(seed)
    good = draw.normal(size=2 * contexts)
    made = [
        Rated(
            (f"how are you {i // 2}", f"i am fine {i // 2}"),
            "well " * int(draw.integers(1, 12)),
            f"system {i % 2}",
            tuple((good[i] + noise * draw.normal(size=raters)).tolist()),
        )
        for i in range(2 * contexts)
    ]
    return made, good


def write(path: Path, some: list[Rated]) -> Path:
    lines = [
        json.dumps({"context": one.context, "response": one.response, "system": one.system, "scores": one.scores})
        for one in some
    ]
    path.write_text("\n".join(lines) + "\n")
    return path
