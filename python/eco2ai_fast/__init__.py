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
    from .joining import join
    from .projection import project
    from .serving import inference
    from .stages import life_cycle, roll_up, stage
    from .traces import load_trace
    from .tracked import track
    from .tracker import Tracker

__all__ = [
    "measure",
    "Measurement",
    "Meter",
    "configure",
    "stage",
    "life_cycle",
    "roll_up",
    "inference",
    "project",
    "load_trace",
    "join",
    "Tracker",
    "track",
    "carbon",
    "testing",
    "EnergyError",
    "SourceError",
    "WindowError",
    "HistoryLost",
    "SettingsError",
    "__version__",
]

# Where what is reached later stands: "module" or "module:name".
_LAZY = {
    "carbon": "carbon",
    "testing": "testing",
    "stage": "stages:stage",
    "life_cycle": "stages:life_cycle",
    "roll_up": "stages:roll_up",
    "inference": "serving:inference",
    "project": "projection:project",
    "load_trace": "traces:load_trace",
    "join": "joining:join",
    "Tracker": "tracker:Tracker",
    "track": "tracked:track",
}


def __getattr__(name: str) -> object:
    """What costs more than the import shall: some of our names, and eco2AI's, for `import eco2ai_fast as eco2ai`."""
    if name in _LAZY:
        from importlib import import_module

        module, _, attribute = _LAZY[name].partition(":")
        found: object = import_module(f".{module}", __name__)
        found = getattr(found, attribute) if attribute else found
    elif name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    else:
        from .compat.eco2ai import attribute as old_name

        found = old_name(name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return list(__all__)
