import numpy as np

from gail_tf.models.masks import causal_mask, positions_of


def test_positions():
    mask = np.array([[0, 0, 1, 1, 1], [1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], bool)
    np.testing.assert_array_equal(positions_of(mask), [[0, 0, 0, 1, 2], [0, 1, 2, 2, 2], [0, 1, 2, 3, 4]])


def test_positions_and_masks_of_padded_rows():
    mask = np.array([[False, True, True], [True, True, False]])
    np.testing.assert_array_equal(positions_of(mask), [[0, 0, 1], [0, 1, 1]])
    assert causal_mask(mask).numpy()[0].tolist() == [[False] * 3, [False, True, False], [False, True, True]]
