"""The stopwatch: `measure()` around a block or a function, on the process's own meter."""

from __future__ import annotations

from _thread import get_ident

from . import settings
from ._core import EnergyError, Meter, SourceError, WindowError
from .gpus import keeper
from .measurement import Measurement
from .meter import machine_settings
from .synchronise import synchroniser

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any

    from . import _core

MODES = ("direct", "precise")
SCOPES = ("machine", "process")

_implicit: Meter | None = None
# The GPUs beside it.
_implicit_gpus: _core.Gpus | None = None


class measure:
    """Measures the energy of a block, or of each call of a function.

        with eco2ai_fast.measure("step") as m: ...
        print(m)

        @eco2ai_fast.measure()
        def step(): ...          # also async functions and generators; the last results stand in step.measurements

    Args:
        name: a label for reports.
        mode: "direct" reads each meter once at each end. "precise" waits at both ends until the counters move, some
            milliseconds, and takes the power there as constant: for code of 1 to 100 ms.
        zone: grid zone of this measurement; else the configured one, else the world's average.
        pue: PUE of this measurement; else the configured one.
        scope: "machine", or "process": of processors and memory only the share that this process and its descendants
            took by CPU time; `m.process` says how much that was. Graphics cards stay whole.
        meter: a meter of `eco2ai_fast.testing` instead of the machine's.
        sync: waits at both ends for work that was sent to a GPU: "torch", "jax", "cupy", a function, or None. "auto"
            waits for torch where it is imported and has a live CUDA context.

    One object may be used again and again, also nested. Raises UnknownZoneError or SettingsError at once for a zone or
    PUE that cannot be; nothing is raised later into the measured program.
    """

    __slots__ = ("_meter", "_mode", "_name", "_open", "_pue", "_scope", "_spare", "_sync", "_zone")

    def __init__(
        self,
        name: str | None = None,
        *,
        mode: str = "direct",
        zone: str | None = None,
        pue: float | None = None,
        scope: str = "machine",
        meter: Meter | None = None,
        sync: str | Callable[[], object] | None = "auto",
    ) -> None:
        if mode not in MODES:
            raise ValueError(f"mode must be one of {', '.join(MODES)}, not {mode!r}")
        if scope not in SCOPES:
            raise ValueError(f"scope must be one of {', '.join(SCOPES)}, not {scope!r}")
        if zone is not None:
            from .carbon import intensity

            intensity(zone)
        if pue is not None:
            settings.resolve("pue", pue)
        self._name = name
        self._mode = mode
        self._zone = zone
        self._pue = pue
        self._scope = scope
        self._meter = meter
        self._sync = synchroniser(sync)
        # The windows open now, by thread: two threads may use one object.
        self._open: dict[int, list[tuple[_core.Window | None, Measurement]]] = {}
        self._spare: list[_core.Window] = []

    def _begin(self) -> tuple[_core.Window | None, Measurement]:
        measurement = Measurement(self._name, None, self._zone, self._pue)
        if settings.disabled():
            measurement._fail("switched off by ECO2AI_FAST_DISABLE")
            return None, measurement
        try:
            meter = self._meter or implicit_meter()
            window = self._spare.pop() if self._spare else meter.window(self._mode)
            measurement._meter = meter
            if self._scope == "process":
                from .process_share import ProcessShare

                measurement._process = ProcessShare()
            self._synchronise(measurement)
            # The GPUs' window lies around the other: it is two stamps, and the rest follows later.
            gpus = _implicit_gpus if self._meter is None else getattr(self._meter, "_gpus", None)
            if gpus is not None:
                measurement._gpus = gpus.begin()
            window.begin()
        except EnergyError as error:
            if isinstance(error, SourceError) and settings.resolve("sources")[1] != "default":
                raise
            measurement._fail(str(error))
            return None, measurement
        return window, measurement

    def _end(self, window: _core.Window | None, measurement: Measurement) -> None:
        if window is None:
            return
        self._synchronise(measurement)
        try:
            measurement._close(window.end())
            if measurement._gpus is not None:
                measurement._gpus.end()
            if measurement._process is not None:
                measurement._process.close()
        except EnergyError as error:
            measurement._fail(str(error))
        else:
            self._spare.append(window)

    def _synchronise(self, measurement: Measurement) -> None:
        """What it raises is noted: the program meets its GPU's errors where it looks at its own results."""
        if self._sync is not None:
            try:
                self._sync()
            except Exception as error:
                measurement._remarks += (f"sync failed, so that GPU work may be missing: {error!r}",)

    def __enter__(self) -> Measurement:
        begun = self._begin()
        self._open.setdefault(get_ident(), []).append(begun)
        return begun[1]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        begun = self._open.get(get_ident())
        if not begun:
            raise WindowError("this measurement is not open in this thread: it ended before or never began")
        self._end(*begun.pop())

    def _lap(self) -> _core.Readout | None:
        """From the begin until now of the innermost block of this thread, which stays open; None if it is not read."""
        begun = self._open.get(get_ident())
        window, measurement = begun[-1] if begun else (None, None)
        try:
            lap = window.lap() if window else None
        except EnergyError:
            return None
        if lap is not None and measurement is not None and measurement._gpus is not None:
            measurement._gpu_laps.append(measurement._gpus.lap(lap.t1_ns))
        return lap

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        from .decorator import measured

        return measured(self, function)


def implicit_meter() -> Meter:
    """The process's own meter, behind every `measure()`. Made at the first need from the settings of that moment."""
    global _implicit, _implicit_gpus
    if _implicit is None:
        _implicit = Meter(**machine_settings())
        _implicit_gpus = keeper()
    return _implicit


def configure(**values: object) -> None:
    """Sets settings for this process: `configure(zone="FR", pue=1.2)`. They outrank environment and config file.

    None takes a setting back. Raises SettingsError for an unknown name or a value that cannot be, and sets none then.
    `eco2ai-fast config` lists the settings. Meters made earlier keep theirs.
    """
    global _implicit, _implicit_gpus
    settings.configure(**values)
    _implicit = _implicit_gpus = None
