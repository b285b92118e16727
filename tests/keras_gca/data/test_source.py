"""A training of the first paper reports missing files before it reads anything."""

from pathlib import Path

import pytest

from keras_gca.data.source import Source
from keras_gca.errors import UserError


@pytest.mark.parametrize("name", ["data", "vocabulary", "glove"])
def test_a_missing_file_is_named(name):
    with pytest.raises(UserError, match=r"nowhere\.txt: no such file or folder"):
        Source(**{name: Path("nowhere.txt")})
