import numpy as np
import pytest
from matplotlib.figure import Figure

from gail_tf.evaluation import learning_curves
from gail_tf.imitation import curves

HISTORY = [
    {"phase": "maximum_likelihood", "number": 1, "loss": 3.0, "val_perplexity": 30.0},
    {"phase": "maximum_likelihood", "number": 2, "loss": 2.5, "val_perplexity": 20.0},
    {"phase": "imitation", "number": 1, "reward_generated": 0.5, "reward_expert": 0.9},
    {"phase": "imitation", "number": 2, "reward_generated": 0.7, "reward_expert": 0.8, "val_perplexity": 21.0},
]


def panel(figure, title):
    [axes] = [axes for axes in figure.axes if axes.get_title() == title]
    return {line.get_label(): line.get_xydata() for line in axes.lines}


def test_each_figure_stands_at_the_epochs_and_updates_that_have_it():
    figure = curves.paint(HISTORY)
    assert [axes.get_title() for axes in figure.axes] == [title for title, _ in curves.PANELS]
    perplexity = panel(figure, "perplexity, held out")
    np.testing.assert_array_equal(perplexity["val perplexity"], [(1, 30), (2, 20), (4, 21)])
    reward = panel(figure, "reward")
    assert set(reward) == {"reward generated", "reward expert"}
    np.testing.assert_array_equal(reward["reward expert"], [(3, 0.9), (4, 0.8)])
    assert panel(figure, "clip fraction") == {}


def test_shades_tell_the_phases_apart():
    axes = curves.paint(HISTORY).axes[0]
    assert [(patch.get_x(), patch.get_width()) for patch in axes.patches] == [(0.5, 2), (2.5, 2)]
    assert [text.get_text() for text in axes.texts] == ["maximum likelihood", "imitation"]


def test_the_picture_goes_to_a_file(tmp_path):
    curves.draw(HISTORY, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_a_picture_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    def fail(self, path, **options):
        path.write_text("half")
        raise OSError(28, "No space left on device")

    (tmp_path / "curves.png").write_text("old")
    monkeypatch.setattr(Figure, "savefig", fail)
    with pytest.raises(OSError, match="No space left"):
        curves.draw(HISTORY, tmp_path / "curves.png")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("curves.png", "old")]


def imitation(*figures):
    return [{"phase": "imitation", "number": float(i), **row} for i, row in enumerate(figures, start=1)]


def test_systems_are_compared_by_means_in_bands_over_their_runs():
    histories = {
        "no updates": [HISTORY[:2]],
        "gail": [
            imitation({"kl_per_token": 1.0, "reward_generated": 0.2, "reward_expert": 0.8}, {"kl_per_token": 4.0}),
            imitation({"kl_per_token": 3.0, "reward_generated": 0.4, "reward_expert": 1.0}),
        ],
        "trpo": [imitation({"kl_per_token": 0.5}, {"kl_per_token": 0.6, "val_perplexity": 20.0})],
    }
    figure = learning_curves.compare(histories)
    kl = panel(figure, "KL to the reference, nats a token")
    assert list(kl) == ["gail", "trpo"]
    np.testing.assert_array_equal(kl["gail"], [(1, 2), (2, 4)])
    np.testing.assert_array_equal(kl["trpo"], [(1, 0.5), (2, 0.6)])
    axes = figure.axes[3]
    band = axes.collections[0].get_paths()[0].vertices
    assert (band[:, 1].min(), band[:, 1].max()) == (2 - 2**0.5, 4)  # the deviation of 1 and 3; none of a single run
    reward = figure.axes[1].lines
    np.testing.assert_allclose([line.get_xydata() for line in reward[:2]], [[(1, 0.3)], [(1, 0.9)]])
    assert [line.get_linestyle() for line in reward[:2]] == ["-", "--"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["gail", "trpo"]


def test_a_logarithm_has_plain_numbers():
    axes = learning_curves.compare({}).axes[0]
    assert axes.yaxis.get_major_formatter()(1000.0) == "1000"
