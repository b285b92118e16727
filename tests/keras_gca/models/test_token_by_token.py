import pytest
import tensorflow as tf

from keras_gca.engine.nucleus import FORBIDDEN
from keras_gca.models.token_by_token import keep_likeliest


@pytest.mark.parametrize(
    ("top_k", "top_p", "kept"),
    [
        (4, 1.0, [0, 1, 2, 3]),
        (2, 1.0, [0, 2]),
        (4, 0.5, [2]),
        (4, 0.51, [0, 2]),
        (4, 0.81, [0, 2, 3]),
        (3, 0.99, [0, 2, 3]),
    ],
)
def test_filters(top_k, top_p, kept):
    scores = tf.math.log([[0.3, 0.06, 0.5, 0.14]])
    filtered = keep_likeliest(scores, top_k, None if top_p == 1 else tf.constant(top_p)).numpy()[0]
    assert [i for i in range(4) if filtered[i] > FORBIDDEN] == kept
