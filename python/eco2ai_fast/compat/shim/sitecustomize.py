"""Run by every Python that `eco2ai-fast shim` has started below it: old names come from eco2ai_fast.

Python imports `sitecustomize` at its start if it finds one. This one stands first on PYTHONPATH, puts a finder in place
that costs nothing until an old name is imported, and then runs the sitecustomize that would have been found without it.
Whatever goes wrong here, the program runs.
"""

# os.path and few types: this runs at the start of every Python, also of old ones.
# ruff: noqa: PTH100, PTH118, PTH120

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec

_HERE = os.path.dirname(os.path.abspath(__file__))
_PACKAGE = os.path.dirname(os.path.dirname(_HERE))


class _Finder:
    """Waits for the import of an old package, then lets eco2ai_fast.compat take its place."""

    def __init__(self, names: "list[str]") -> None:
        self.names = names

    def find_spec(self, name: str, path: object = None, target: object = None) -> "ModuleSpec | None":
        """The spec of an old package; it is asked once."""
        if name not in self.names:
            return None
        sys.meta_path.remove(self)
        try:
            _find_eco2ai_fast()
            from eco2ai_fast.compat import find_spec, install

            install(*self.names)
            return find_spec(name)
        except Exception as error:
            sys.stderr.write(f"eco2ai-fast shim: {name} is not replaced: {error}\n")
            return None


def _find_eco2ai_fast() -> None:
    """The eco2ai_fast that this file belongs to, where this Python has none of its own."""
    import importlib.util

    if importlib.util.find_spec("eco2ai_fast"):
        return
    spec = importlib.util.spec_from_file_location(
        "eco2ai_fast", os.path.join(_PACKAGE, "__init__.py"), submodule_search_locations=[_PACKAGE]
    )
    if spec and spec.loader:
        module = importlib.util.module_from_spec(spec)
        sys.modules["eco2ai_fast"] = module
        spec.loader.exec_module(module)


def _run_the_next() -> None:
    """The sitecustomize of the user or the distribution, which this one hides."""
    from importlib.machinery import PathFinder
    from importlib.util import module_from_spec

    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != _HERE]
    spec = PathFinder.find_spec("sitecustomize")
    if spec and spec.loader:
        module = module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


sys.meta_path.insert(0, _Finder(os.environ.get("ECO2AI_FAST_SHIM", "").split(",")))
_run_the_next()
