"""The names that the packages export: complete, and imported lazily, so that TensorFlow is not imported before use."""

import importlib
import pkgutil
import pydoc
import re
import subprocess
import sys

import pytest

from tests.places import PROJECT

PACKAGES = ("keras_gca", "gail_tf")
HEAVY = ("tensorflow", "keras", "transformers", "h5py", "numpy", "torch")

every_package = pytest.mark.parametrize("package", PACKAGES)


def in_a_process(code):
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@every_package
def test_every_public_name_is_there_and_is_the_one_of_its_home(package):
    module = importlib.import_module(package)
    for name in module.__all__:
        home = importlib.import_module(f"{package}.{module._HOMES[name]}")
        assert getattr(module, name) is getattr(home, name), name
        assert (getattr(module, name).__doc__ or "").strip(), name
    assert set(module.__all__) <= set(dir(module))
    assert module.__version__
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        module.Nothing  # noqa: B018


@every_package
def test_no_public_name_is_a_modules(package):
    """A public name must differ from all modules: Python binds an imported module over a name of its package."""
    module = importlib.import_module(package)
    assert not set(module.__all__) & {found.name for found in pkgutil.iter_modules(module.__path__)}


@every_package
def test_the_names_that_help_lists_are_the_public_ones(package):
    module = importlib.import_module(package)
    listed = re.findall(r"^    (\w+)  +\S.*$", module.__doc__, re.MULTILINE)
    assert sorted(listed) == module.__all__
    printed = pydoc.plain(pydoc.render_doc(module))
    for name in module.__all__:
        assert re.search(rf"^        {name}  +\S", printed, re.MULTILINE), name


def test_importing_the_packages_imports_nothing_heavy():
    code = f"import sys, keras_gca, gail_tf; print([name for name in {HEAVY!r} if name in sys.modules])"
    assert in_a_process(code) == "[]\n"


def test_settings_cost_no_tensorflow():
    code = (
        "import sys; from keras_gca import Config, Source; from gail_tf import GAILConfig;"
        "print('tensorflow' in sys.modules, Config.__name__, Source().names()['data'], GAILConfig.__name__)"
    )
    assert in_a_process(code) == "False Config the embedded corpus GAILConfig\n"
