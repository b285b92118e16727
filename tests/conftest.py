"""Settings of all tests, and the one way to the optional reference data."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest
import tensorflow as tf

from tests import shared

tf.config.experimental.enable_op_determinism()


@pytest.fixture
def shared_file():
    """shared_file("data/x"): a path of the reference data; the test is skipped where it is absent."""

    def find(name: str):
        if not shared.folder().is_dir():
            pytest.skip(f"no reference data at {shared.folder()}; set {shared.VARIABLE} to its folder")
        path = shared.folder() / name
        assert path.exists(), f"the reference data lacks {name}"
        return path

    return find
