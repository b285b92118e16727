import numpy as np
import pytest
from matplotlib.figure import Figure

from gail_tf.imitation import curves
from tests.factories.histories import HISTORY, panel


def test_each_figure_stands_at_the_epochs_and_updates_that_have_it():
    figure = curves.paint(HISTORY)
    assert [axes.get_title() for axes in figure.axes] == [title for title, *_ in curves.PANELS]
    perplexity = panel(figure, "held-out perplexity")
    np.testing.assert_array_equal(perplexity["experts' responses"], [(1, 30), (2, 20), (4, 21)])
    reward = panel(figure, "reward")
    assert set(reward) == {"the policy's responses", "the experts' responses"}
    np.testing.assert_array_equal(reward["the experts' responses"], [(3, 0.9), (4, 0.8)])
    assert panel(figure, "clip fraction") == {}
    assert figure.axes[0].get_ylabel() == "lower is better"


def test_shades_tell_the_phases_apart():
    axes = curves.paint(HISTORY).axes[0]
    assert [(patch.get_x(), patch.get_width()) for patch in axes.patches] == [(0.5, 2), (2.5, 2)]
    assert [text.get_text() for text in axes.texts] == ["maximum likelihood", "imitation"]
    explained = axes.figure.get_supxlabel()
    assert explained.endswith("phases of training: maximum likelihood (1 to 2), imitation (3 to 4).")
    assert curves.paint([]).get_supxlabel()


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
