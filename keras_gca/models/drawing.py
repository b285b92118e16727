"""Draws Figures 1 and 2 from the Keras models.

White blocks are shared, yellow blocks belong to the generator, and green blocks to the discriminator.
"""

import itertools
from pathlib import Path
from typing import Any

import keras
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from keras_gca.config import Config
from keras_gca.models.networks import build

WHITE, YELLOW, GREEN = "#ffffff", "#ffe27a", "#a8dba8"
ROW = 1.4  # the distance between two rows of boxes; a box is 0.84 high
COLUMN = 4.0  # the distance between two boxes in a row; a box is 3.5 wide


def draw_figures(folder: Path, config: Config) -> list[Path]:
    """Draw Figures 1 and 2 at the sizes of a config.

    Args:
        folder: The folder in which `figure1.png`, `figure1.svg`, `figure2.png`, and `figure2.svg` are written. It is
            created if it does not exist.
        config: The settings of a run.

    Returns:
        The paths of the four files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    gca = build(config, config.vocabulary_size)
    paths = []
    for number, model, title in (
        (1, gca.generator, "Figure 1: the generative conversational agent"),
        (2, gca.adversarial, "Figure 2: generator (yellow) and discriminator (green)"),
    ):
        for ending in ("png", "svg"):
            paths.append(folder / f"figure{number}.{ending}")
            draw(model, paths[-1], title)
    return paths


def colour(layer: str) -> str:
    """Return the colour in which Figure 2 shows the named layer, as `#rrggbb`."""
    if layer.endswith("_bot") or layer == "bot":
        return YELLOW
    return GREEN if "discriminator" in layer else WHITE


def edges(model: keras.Model) -> list[tuple[str, str]]:
    """Return the edges of a functional model as (source, target) pairs of layer names, without edges for masks.

    If operations that are not layers lie between two layers, the edge joins these two layers.
    """
    arrows = []
    layers = {layer.name for layer in model.layers}  # the operations that make masks are not layers
    sources_of = {
        operation["name"]: [
            source
            for node in operation["inbound_nodes"]
            for source in _sources([node["args"], node["kwargs"].get("initial_state")])
        ]
        for operation in model.get_config()["layers"]
    }

    def layers_before(name: str) -> list[str]:
        before = sources_of[name]
        return [found for source in before for found in ([source] if source in layers else layers_before(source))]

    for name in sources_of:
        arrows += [(source, name) for source in layers_before(name) if name in layers]
    return list(dict.fromkeys(arrows))


def draw(model: keras.Model, path: Path, title: str = "") -> None:
    """Draw a functional model to a file.

    Args:
        model: The functional model.
        path: The file to write, whose extension determines the format (.png, .svg, .pdf).
        title: The title of the drawing.
    """
    paint(model, title).savefig(path, dpi=160, bbox_inches="tight")


def paint(model: keras.Model, title: str = "") -> Figure:
    """Draw a functional model, with its inputs at the top.

    Args:
        model: The functional model.
        title: The title of the drawing.

    Returns:
        A Matplotlib figure, which a notebook can show.
    """
    arrows = edges(model)
    place = _places(arrows)
    xs, ys = zip(*place.values(), strict=True)
    left, right, bottom = min(xs) - 2, max(xs) + 2, min(ys)
    figure = Figure(figsize=(0.75 * (right - left), 1.2 - 0.75 * bottom), layout="constrained")
    axes = figure.subplots()
    for source, target in arrows:
        (x0, y0), (x1, y1) = place[source], place[target]
        style = {"arrowstyle": "-|>", "color": "#444444", "shrinkA": 0, "shrinkB": 0, "linewidth": 1.1}
        axes.annotate("", (x1, y1 + 0.42), (x0, y0 - 0.42), arrowprops=style, zorder=1)
    for name, (x, y) in place.items():
        layer = model.get_layer(name)
        box = FancyBboxPatch((x - 1.75, y - 0.42), 3.5, 0.84, boxstyle="round,pad=0,rounding_size=0.12", zorder=2)
        box.set(facecolor=colour(name), edgecolor="#444444", linewidth=1.2)
        axes.add_patch(box)
        axes.text(x, y + 0.13, name.replace("_", " "), ha="center", va="center", fontsize=10.5, zorder=3)
        axes.text(x, y - 0.2, _describe(layer), ha="center", va="center", fontsize=9, color="#333333", zorder=3)
    axes.set(xlim=(left, right), ylim=(bottom - 0.7, 0.7), aspect="equal", title=title)
    axes.axis("off")
    return figure


def _sources(value: Any) -> list[str]:
    """Return the names of the layers whose outputs occur in a node's serialised arguments."""
    if isinstance(value, dict):
        if value.get("class_name") == "__keras_tensor__":
            return [value["config"]["keras_history"][0]]
        return [name for part in value.values() for name in _sources(part)]
    if isinstance(value, list | tuple):
        return [name for part in value for name in _sources(part)]
    return []


def _places(arrows: list[tuple[str, str]]) -> dict[str, tuple[float, float]]:
    """Place the layers' boxes in rows by their distance from the inputs, with each box below its sources."""
    layers = {name for arrow in arrows for name in arrow}
    # Utterance encoders make long columns. Arrows that skip rows need space between these columns.
    in_columns = any("encoder_utterance" in name for name in layers)
    if in_columns:
        arrows = _with_bends(arrows)
    names, parents = _names_and_parents(arrows)

    def depth(name: str) -> int:
        return _depth(name, parents)

    place: dict[str, tuple[float, float]] = {}
    for level in range(max(map(depth, names)) + 1):
        row = [name for name in names if depth(name) == level]
        centre = {name: sum(place[p][0] for p in parents[name]) / max(len(parents[name]), 1) for name in row}
        row.sort(key=lambda name: (centre[name], "discriminator" in name))
        middle = sum(centre.values()) / len(row)
        across = {name: middle + COLUMN * (i - (len(row) - 1) / 2) for i, name in enumerate(row)}
        if all(centre[right] - centre[left] >= COLUMN for left, right in itertools.pairwise(row)):
            across = centre  # exactly below the sources
        place |= {name: (across[name], -ROW * level) for name in row}
    if in_columns:
        return {name: place[name] for name in names if name in layers}
    # A box that is many rows above its targets is moved halfway down to them, so that the drawing fills the frame.
    for name in names:
        fed = [depth(target) for source, target in arrows if source == name]
        if parents[name] and fed:
            place[name] = place[name][0], -ROW * (depth(name) + min(fed) - 1) / 2
    return place


def _names_and_parents(arrows: list[tuple[str, str]]) -> tuple[list[str], dict[str, list[str]]]:
    names = list(dict.fromkeys(name for arrow in arrows for name in arrow))
    return names, {name: [source for source, target in arrows if target == name] for name in names}


def _depth(name: str, parents: dict[str, list[str]]) -> int:
    """Return the row of a box: the length of the longest path from an input to the box."""
    return 1 + max(_depth(parent, parents) for parent in parents[name]) if parents[name] else 0


def _with_bends(arrows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Insert a bend into each arrow that skips rows; the bend takes the place of a box in the row below the source."""
    _, parents = _names_and_parents(arrows)
    bent = []
    for source, target in arrows:
        bend = f"{source} to {target}"
        skips = _depth(target, parents) - _depth(source, parents) > 1
        bent += [(source, bend), (bend, target)] if skips else [(source, target)]
    return bent


def _describe(layer: keras.layers.Layer) -> str:
    """Describe a layer by its class and output shape, without the batch axis."""
    shape = layer.output[0].shape if isinstance(layer.output, list) else layer.output.shape
    kind = type(layer).__name__
    if isinstance(layer, keras.layers.TimeDistributed):
        kind = f"{type(layer.layer).__name__} of each row"
    return f"{kind}  ({', '.join(str(size) for size in shape[1:])})"
