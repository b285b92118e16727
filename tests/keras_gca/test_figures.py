import re

import matplotlib.image
import pytest

from keras_gca.config import Config
from keras_gca.figures import main
from keras_gca.models.drawing import GREEN, ROW, WHITE, YELLOW, _places, colour, edges
from keras_gca.models.networks import build


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


def test_the_discriminators_encoders_stand_halfway_to_what_they_feed():
    """The encoders are drawn between the generator's encoders and `decision_bot`, so that no quarter stays empty."""
    place = _places(edges(build(Config.preset("tiny"), 40).adversarial))
    rows = {name: -y / ROW for name, (_, y) in place.items()}
    assert rows["encoder_context_bot"] == 2
    assert rows["decision_bot"] == 5
    assert rows["encoder_context_discriminator"] == rows["encoder_answer_discriminator"] == 3.5
    assert rows["discriminator_output"] == 7
