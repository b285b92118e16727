import pytest

from keras_gca.errors import UserError
from keras_gca.models.decoding_settings import Decoding


@pytest.mark.parametrize(
    "bad",
    [
        {"temperature": 0},
        {"temperature": float("inf")},
        {"temperature": 1, "beam": 2},
        {"beam": 0},
        {"top_k": 3},
        {"temperature": 1, "top_p": 2},
        {"length_penalty": 0.5},
        {"repeats": False},
        {"temperature": 1, "anti_language_model": 0.5},
    ],
)
def test_impossible_decoding_options(bad):
    with pytest.raises(UserError):
        Decoding(**bad)
