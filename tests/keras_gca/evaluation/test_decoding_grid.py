"""The points of the grid, and which points are at the edge of the grid."""

import pytest

from keras_gca.errors import UserError
from keras_gca.evaluation.decoding_grid import Setting, at_edge, grid


def test_all_combinations_in_order():
    assert grid((1.0, 0.5, 1.0), (1.0, 0.9)) == [(0.5, 0.9), (0.5, 1.0), (1.0, 0.9), (1.0, 1.0)]
    assert str(Setting(0.5, 0.9)) == "T 0.5, top-p 0.9"


@pytest.mark.parametrize(
    ("values", "message"), [(((0.0,), (1.0,)), "--temperatures: 0.0; a number"), (((1.0,), (1.5,)), "--top-p: 1.5")]
)
def test_impossible_points_are_refused(values, message):
    with pytest.raises(UserError, match=message):
        grid(*values)


def test_the_edge_is_where_a_better_point_may_lie_outside():
    settings = grid((0.5, 1.0, 1.5), (0.8, 0.9, 1.0))
    assert not at_edge(Setting(1.0, 0.9), settings)
    assert not at_edge(Setting(1.0, 1.0), settings)  # there is no wider nucleus
    assert at_edge(Setting(1.0, 0.8), settings)
    assert at_edge(Setting(1.5, 0.9), settings)
    assert at_edge(Setting(1.0, 0.9), grid((0.5, 1.0, 1.5), (0.8, 0.9)))
