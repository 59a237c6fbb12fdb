"""Old modules made of tables: put in place of the original, whether or not it is installed.

A table is a module of this package that is named in TABLES and holds MODULES: for each module of the old package its
names, each with the place where it really stands, "module:attribute" below eco2ai_fast. A name is looked up when it is
used. Nothing else is needed for one more package.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

# Packages that there is a table for.
TABLES = ("eco2ai",)


def install(*names: str) -> None:
    """Puts the named packages, or all there are tables for, in place of the originals in this process.

    What was imported from an original before keeps being the original's. Raises ValueError for a name without table.
    """
    for name in names or TABLES:
        if name not in TABLES:
            raise ValueError(f"there is no table for {name!r}: there are {', '.join(TABLES)}")
        if _finder(name) is None:
            sys.meta_path.insert(0, TableFinder(name))
            for loaded in [one for one in sys.modules if one == name or one.startswith(f"{name}.")]:
                del sys.modules[loaded]


def find_spec(name: str) -> ModuleSpec | None:
    """The spec of an old module whose package is installed; None for any other."""
    finder = _finder(name.partition(".")[0])
    return finder.find_spec(name) if finder else None


def resolve(place: str) -> Any:
    """What stands at "module:attribute" below eco2ai_fast."""
    module, _, attribute = place.partition(":")
    return getattr(import_module(f"eco2ai_fast.{module}"), attribute)


def _finder(name: str) -> TableFinder | None:
    return next((one for one in sys.meta_path if isinstance(one, TableFinder) and one.package == name), None)


class TableFinder:
    """Finds the modules of one table, and loads them."""

    def __init__(self, package: str) -> None:
        self.package = package

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of one of our modules; None for everybody else's."""
        if name.partition(".")[0] != self.package or name not in self._modules():
            return None
        is_package = any(other.startswith(f"{name}.") for other in self._modules())
        table = import_module(f"eco2ai_fast.compat.{self.package}").__file__
        spec = ModuleSpec(name, self, origin=table, is_package=is_package)  # type: ignore[arg-type]
        spec.has_location = True  # programs look for __file__
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return TableModule(spec.name, f"{spec.name}, by eco2ai_fast")

    def exec_module(self, module: ModuleType) -> None:
        names = self._modules()[module.__name__]
        children = [one for one in self._modules() if one.rpartition(".")[0] == module.__name__]
        module.__dict__["__all__"] = [name for name in names if not name.startswith("_")]
        module.__dict__["_places"] = names
        module.__dict__["_children"] = {child.rpartition(".")[2]: child for child in children}

    def _modules(self) -> dict[str, dict[str, str]]:
        modules: dict[str, dict[str, str]] = import_module(f"eco2ai_fast.compat.{self.package}").MODULES
        return modules


class TableModule(ModuleType):
    """An old module: a name is looked up at its first use and kept, a submodule imported."""

    _places: dict[str, str]
    _children: dict[str, str]

    def __getattr__(self, name: str) -> Any:
        own = self.__dict__
        if name in own.get("_places", ()):
            found = resolve(self._places[name])
        elif name in own.get("_children", ()):
            found = _child(self._children[name])
        else:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        own[name] = found
        return found

    def __dir__(self) -> list[str]:
        return sorted({*self.__dict__, *self._places, *self._children} - {"_places", "_children"})


def _child(name: str) -> ModuleType:
    """A submodule: the installed one, or one of its own where nothing is installed."""
    package = name.partition(".")[0]
    if _finder(package):
        return import_module(name)
    return detached(name)


def detached(name: str) -> ModuleType:
    """A module of a table that stands under no name in sys.modules."""
    finder = TableFinder(name.partition(".")[0])
    spec = finder.find_spec(name)
    if spec is None:
        raise ImportError(f"no table has a module {name!r}")
    module = finder.create_module(spec)
    module.__spec__, module.__package__ = spec, name if spec.submodule_search_locations is not None else spec.parent
    finder.exec_module(module)
    return module
