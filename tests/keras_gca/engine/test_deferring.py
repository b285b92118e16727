"""Deferred modules run when they are used, and then work like all other modules."""

import importlib
import sys

import pytest

from keras_gca.engine.deferring import DeferredModule, deferred

RAN = "import sys\nsys.ran = [*getattr(sys, 'ran', []), __name__]\n"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package with a module, a subpackage with a module, a module that replaces itself, and one that fails."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "ran", [], raising=False)
    folder = tmp_path / "a_package_to_defer"
    (folder / "inner").mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "plain.py").write_text(f"{RAN}value = 5\n")
    (folder / "inner" / "__init__.py").write_text(f"{RAN}value = 6\n")
    (folder / "inner" / "leaf.py").write_text(f"{RAN}value = 7\n")
    (folder / "replaced.py").write_text(
        f"{RAN}import types\nvalue = 8\nother = types.ModuleType(__name__)\nother.value, other.more = 9, 10\n"
        "sys.modules[__name__] = other\n"
    )
    (folder / "broken.py").write_text("raise OSError('broken')\n")
    yield folder.name
    for name in [name for name in sys.modules if name.partition(".")[0] == folder.name]:
        del sys.modules[name]


def test_a_module_runs_at_its_first_use_and_only_once(package):
    with deferred(f"{package}.plain"):
        module = importlib.import_module(f"{package}.plain")
    assert (type(module), sys.ran) == (DeferredModule, [])
    assert importlib.import_module(f"{package}.plain") is module
    assert (module.__file__.endswith("plain.py"), sys.ran) == (True, [])
    assert (module.value, module.value) == (5, 5)
    assert sys.ran == [f"{package}.plain"]
    with pytest.raises(AttributeError, match=r"module 'a_package_to_defer\.plain' has no attribute 'nothing'"):
        _ = module.nothing
    importlib.reload(module)
    assert sys.ran == [f"{package}.plain"] * 2


def test_a_module_of_a_deferred_package_can_be_imported_without_running_the_package(package):
    with deferred(f"{package}.inner"):
        leaf = importlib.import_module(f"{package}.inner.leaf")
        assert (leaf.value, sys.ran) == (7, [f"{package}.inner.leaf"])
    assert importlib.import_module(package).inner.value == 6
    assert sys.ran == [f"{package}.inner.leaf", f"{package}.inner"]


def test_a_module_may_replace_itself(package):
    with deferred(f"{package}.replaced"):
        module = importlib.import_module(f"{package}.replaced")
    assert (module.value, module.more) == (8, 10)  # its own value, and what only its replacement has
    assert importlib.import_module(f"{package}.replaced").value == 9


def test_an_error_is_raised_at_the_first_use(package):
    with deferred(f"{package}.broken"):
        module = importlib.import_module(f"{package}.broken")
    with pytest.raises(OSError, match="broken"):
        _ = module.value


def test_modules_that_are_not_named_run_at_once(package):
    with deferred(f"{package}.inner", f"{package}.missing"):
        importlib.import_module(f"{package}.plain")
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module(f"{package}.missing")
    assert sys.ran == [f"{package}.plain"]
