"""Makes the history of a training run, as its log contains it, and reads the lines of a plot of this history."""

HISTORY = [
    {"phase": "maximum_likelihood", "number": 1, "loss": 3.0, "val_perplexity": 30.0},
    {"phase": "maximum_likelihood", "number": 2, "loss": 2.5, "val_perplexity": 20.0},
    {"phase": "imitation", "number": 1, "reward_generated": 0.5, "reward_expert": 0.9},
    {"phase": "imitation", "number": 2, "reward_generated": 0.7, "reward_expert": 0.8, "val_perplexity": 21.0},
]


def panel(figure, title):
    """Return the lines of the panel with this title: {label: points (N, 2)}."""
    [axes] = [axes for axes in figure.axes if axes.get_title() == title]
    return {line.get_label(): line.get_xydata() for line in axes.lines}
