import numpy as np

from gail_tf.evaluation import learning_curves
from tests.factories.histories import HISTORY, panel


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
    kl = panel(figure, "KL to the reference, nats per token")
    assert list(kl) == ["gail", "trpo"]
    np.testing.assert_array_equal(kl["gail"], [(1, 2), (2, 4)])
    np.testing.assert_array_equal(kl["trpo"], [(1, 0.5), (2, 0.6)])
    axes = figure.axes[3]
    band = axes.collections[0].get_paths()[0].vertices
    # The band has the deviation of 1 and 3; a single run has none.
    assert (band[:, 1].min(), band[:, 1].max()) == (2 - 2**0.5, 4)
    reward = figure.axes[1].lines
    np.testing.assert_allclose([line.get_xydata() for line in reward[:2]], [[(1, 0.3)], [(1, 0.9)]])
    assert [line.get_linestyle() for line in reward[:2]] == ["-", "--"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["gail", "trpo"]


def test_a_logarithm_has_plain_numbers():
    axes = learning_curves.compare({}).axes[0]
    assert axes.yaxis.get_major_formatter()(1000.0) == "1000"
