import re

import matplotlib.image
import pytest

from keras_gca.figures import main
from keras_gca.models.drawing import GREEN, WHITE, YELLOW, colour


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        ("shared", WHITE),
        ("context", WHITE),
        ("encoder_answer_bot", YELLOW),
        ("bot", YELLOW),
        ("decision_bot", YELLOW),
        ("concatenation_discriminator", GREEN),
        ("discriminator_output", GREEN),
    ],
)
def test_colours_of_the_figure(layer, expected):
    assert colour(layer) == expected


def test_both_figures_are_painted_in_both_formats(tmp_path, capsys):
    assert main(["--output", str(tmp_path)]) == 0
    assert capsys.readouterr().out.count("wrote") == 4
    for number, blocks in ((1, {WHITE: 3, YELLOW: 5, GREEN: 0}), (2, {WHITE: 3, YELLOW: 5, GREEN: 4})):
        picture = matplotlib.image.imread(tmp_path / f"figure{number}.png")
        assert min(picture.shape[:2]) > 400
        svg = (tmp_path / f"figure{number}.svg").read_text()
        for fill, count in blocks.items():
            boxes = len(re.findall(f"fill: {fill}; stroke: #444444", svg))
            assert boxes == count
