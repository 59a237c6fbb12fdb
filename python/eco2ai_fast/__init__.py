"""An energy stopwatch for machine learning: as cheap as reading a clock, honest about what it does not know.

    import eco2ai_fast as eco

    with eco.measure("step") as m:
        ...
    print(m)

Importing starts nothing: no thread, no file, no network.
"""

from __future__ import annotations

from ._core import EnergyError, HistoryLost, SourceError, WindowError, __version__
from .measurement import Measurement
from .meter import Meter
from .settings import SettingsError
from .stopwatch import configure, measure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from . import carbon, testing

__all__ = [
    "measure",
    "Measurement",
    "Meter",
    "configure",
    "carbon",
    "testing",
    "EnergyError",
    "SourceError",
    "WindowError",
    "HistoryLost",
    "SettingsError",
    "__version__",
]

_LAZY_MODULES = ("carbon", "testing")


def __getattr__(name: str) -> object:
    if name in _LAZY_MODULES:
        from importlib import import_module

        return import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
