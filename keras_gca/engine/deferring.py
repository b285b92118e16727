"""Defers running modules until they are used, so that importing a large library runs only the parts that are needed."""

import contextlib
import importlib.abc
import importlib.machinery
import sys
import threading
import types
from collections.abc import Collection, Iterator, Sequence
from typing import Any

_OF_IMPORTS = ("__path__", "__file__", "__cached__")  # attributes that Python sets before it runs a module
_loading = threading.RLock()


@contextlib.contextmanager
def deferred(*modules: str) -> Iterator[None]:
    """A context manager in which importing these modules does not run them. Each runs when it is first used.

    In contrast to `importlib.util.LazyLoader`, a module may replace itself in `sys.modules`, as some modules of
    TensorFlow do, and importing a module again, or one of its submodules, does not run it.
    """
    finder = _Finder(modules)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class DeferredModule(types.ModuleType):
    """A module that runs when an attribute is used that it does not have yet."""

    def __getattr__(self, name: str) -> Any:
        with _loading:
            spec = vars(self).get("__spec__")
            if name not in _OF_IMPORTS and spec is not None and isinstance(spec.loader, _Loader):
                loader = spec.loader.loader
                spec.loader = self.__loader__ = loader
                loader.exec_module(self)
        if name in vars(self):
            return vars(self)[name]
        module = sys.modules.get(self.__name__, self)
        if module is self:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return getattr(module, name)


class _Loader(importlib.abc.Loader):
    """A loader that makes a `DeferredModule`.

    Args:
        loader: The loader that runs the module, an object with the method `exec_module`.
    """

    def __init__(self, loader: Any):
        self.loader = loader

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return DeferredModule(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        pass


class _Finder(importlib.abc.MetaPathFinder):
    """A finder of the modules to defer."""

    def __init__(self, modules: Collection[str]):
        self._modules = set(modules)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in self._modules:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec
