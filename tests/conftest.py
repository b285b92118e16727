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
        path = shared.folder() / name
        if not path.exists():
            pytest.skip(f"no reference data at {path}; set {shared.VARIABLE} to its folder")
        return path

    return find
