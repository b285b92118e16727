"""What is imported from the top of the packages: lazy, complete, and free of TensorFlow until it is used."""

import importlib
import pkgutil
import subprocess
import sys

import pytest

from tests.places import PROJECT

PACKAGES = ("keras_gca", "gail_tf")


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_is_there_and_is_the_one_of_its_home(package):
    module = importlib.import_module(package)
    for name in module.__all__:
        home = importlib.import_module(f"{package}.{module._HOMES[name]}")
        assert getattr(module, name) is getattr(home, name), name
    assert set(module.__all__) <= set(dir(module))
    assert module.__version__
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        module.Nothing  # noqa: B018


@pytest.mark.parametrize("package", PACKAGES)
def test_no_public_name_is_a_modules(package):
    """Python binds an imported module over a name of its package."""
    module = importlib.import_module(package)
    assert not set(module.__all__) & {each.name for each in pkgutil.iter_modules(module.__path__)}


def test_importing_the_packages_costs_no_tensorflow():
    code = (
        "import sys, keras_gca, gail_tf;"
        "print('tensorflow' in sys.modules, keras_gca.Config.__name__, gail_tf.GAILConfig.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "Config", "GAILConfig"]
