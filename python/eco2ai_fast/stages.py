"""The life cycle of a model by stages: what preparing data, training, evaluating and serving it cost."""

from __future__ import annotations

import os
from _thread import allocate_lock

from . import _core, settings
from .decorator import around
from .measurement import Measurement

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType
    from typing import Any

# The usual stages, in the order of a model's life; any other name is a stage too.
STAGES = ("data collection", "preprocessing", "training", "fine-tuning", "evaluation", "serving")
SCHEMA_VERSION = 1
# A stage's code has 16 bits in a span.
MOST_STAGES = 1 << 16
# Times that a stage was entered before they are added up.
MOST_PARTS = 64
# What adds up from one record to the next; bounds add up too, for the sensors of one machine err alike.
SUMS = ("entries", "duration_s", "energy_j", "measured_j", "modelled_j", "uncertainty_j", "co2e_g")


class stage:
    """Marks a stage of a model's life: its energy is measured, and spans within it carry its name.

        with eco2ai_fast.stage("preprocessing"): ...
        with eco2ai_fast.stage("training"): ...
        print(eco2ai_fast.life_cycle())

    Also a decorator. The stage is that of the whole process, whatever the thread. Within another stage it takes over,
    so that no energy is counted twice; afterwards the outer one goes on.
    """

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        if not isinstance(name, str) or not name:
            raise ValueError(f"a stage is a name, such as {', '.join(STAGES)}, not {name!r}")
        self.name = name

    def __enter__(self) -> stage:
        _ledger.enter(self.name)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _ledger.leave(self.name)

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return around(function, lambda: stage(self.name))


class LifeCycle:
    """What the stages of this process cost so far.

    Attributes:
        stages: a Measurement for each, in the order of their first begin; an open one up to now.
        entries: how often each was entered.
    """

    __slots__ = ("entries", "stages")

    def __init__(self, stages: dict[str, Measurement], entries: dict[str, int]) -> None:
        self.stages = stages
        self.entries = entries

    def to_record(self) -> dict[str, Any]:
        """Plain data, for `roll_up`: by stage entries, seconds, joules with their parts and bound, grams of CO2e."""
        return {
            "schema_version": SCHEMA_VERSION,
            "stages": {name: _record(one, self.entries[name]) for name, one in self.stages.items()},
        }

    def __repr__(self) -> str:
        return "\n".join(repr(one) for one in self.stages.values()) or "<no stages>"


def life_cycle() -> LifeCycle:
    """What the stages of this process cost so far."""
    return _ledger.so_far()


def roll_up(records: Iterable[Mapping[str, Any] | LifeCycle]) -> dict[str, Any]:
    """Several records as one, added up by stage: those of many runs, or of many machines.

    Raises ValueError for a record of another schema.
    """
    stages: dict[str, dict[str, float]] = {}
    for one in records:
        record = one.to_record() if isinstance(one, LifeCycle) else one
        if record.get("schema_version") != SCHEMA_VERSION or "stages" not in record:
            raise ValueError(f"not a record of stages with schema_version {SCHEMA_VERSION}: {record!r:.200}")
        for name, figures in record["stages"].items():
            total = stages.setdefault(name, dict.fromkeys(SUMS, 0.0))
            for field in SUMS:
                total[field] += figures[field]
    return {"schema_version": SCHEMA_VERSION, "stages": stages}


def stage_names() -> tuple[str, ...]:
    """The names behind the codes that spans carry; code 0 is no stage."""
    return tuple(_ledger.names)


def current_stage() -> str:
    """The stage now; empty without one."""
    return _ledger.stack[-1] if _ledger.stack else ""


class _Ledger:
    """The stages of this process. At each change one reading closes a stage and opens the next: nothing is lost in
    between, nothing is counted twice."""

    def __init__(self) -> None:
        self.lock = allocate_lock()
        self.names = [""]
        self._begin()

    def _begin(self) -> None:
        self.pid = os.getpid()
        self.stack: list[str] = []
        self.parts: dict[str, list[Measurement]] = {}
        self.entries: dict[str, int] = {}
        self.meter: _core.Meter | None = None
        # Open while any stage is: it keeps the counters followed.
        self.window: _core.Window | None = None
        self.gpus: _core.GpuWindow | None = None
        self.reading: _core.Reading | None = None
        self.failure: str | None = None

    def enter(self, name: str) -> None:
        if settings.disabled():
            return
        with self.lock:
            self._follow_fork()
            self._turn()
            self.stack.append(name)
            self.entries[name] = self.entries.get(name, 0) + 1
            self._label()

    def leave(self, name: str) -> None:
        with self.lock:
            if name not in self.stack:
                return  # switched off, or begun before a fork
            self._turn()
            # The last of this name: another thread's stage may have been entered since.
            del self.stack[len(self.stack) - 1 - self.stack[::-1].index(name)]
            self._label()
            if not self.stack and self.window is not None:
                self.window.end()
                self.window = self.reading = None
                if self.gpus is not None:
                    self.gpus.end()
                    self.gpus = None

    def so_far(self) -> LifeCycle:
        with self.lock:
            self._follow_fork()
            if self.stack:
                self._turn()
            parts, entries = {name: list(one) for name, one in self.parts.items()}, dict(self.entries)
        # Without the lock: it waits for GPUs' next update.
        return LifeCycle({name: _sum(one) for name, one in parts.items()}, entries)

    def _turn(self) -> None:
        """Books what happened since the last change to the stage that was open."""
        try:
            reading = self._read()
        except _core.EnergyError as error:
            reading, self.failure = None, str(error)
        gpus, self.gpus = self.gpus, self._begin_gpus(reading)
        if self.stack:
            self._book(self.stack[-1], reading, gpus)
        self.reading = reading

    def _begin_gpus(self, reading: _core.Reading | None) -> _core.GpuWindow | None:
        """A window on the GPUs from this change on."""
        from .gpus import keeper

        found = keeper() if reading is not None and self.meter is not None else None
        return found.begin() if found else None

    def _read(self) -> _core.Reading:
        from .stopwatch import implicit_meter

        if self.meter is None:
            self.meter = implicit_meter()
        if self.window is None:
            self.window = self.meter.window()
            self.window.begin()
        self.meter.tick()
        return self.meter.read()

    def _book(self, name: str, reading: _core.Reading | None, gpus: _core.GpuWindow | None) -> None:
        part = Measurement(name, self.meter)
        if reading is None or self.reading is None:
            part._fail(self.failure or "a reading failed")
        else:
            readout = reading.since(self.reading)
            part._close(readout)
            if gpus is not None:
                gpus.end(readout.t1_ns)
                part._gpus = gpus
        parts = self.parts.setdefault(name, [])
        parts.append(part)
        if len(parts) > MOST_PARTS:
            # All but the last, which a GPU may still have to tell about: adding up looks at their energies.
            self.parts[name] = [_sum(parts[:-1]), parts[-1]]

    def _label(self) -> None:
        name = self.stack[-1] if self.stack else ""
        if name not in self.names and len(self.names) < MOST_STAGES:
            self.names.append(name)
        _core.set_stage(self.names.index(name) if name in self.names else 0)

    def _follow_fork(self) -> None:
        """What happened before a fork is the parent's to tell."""
        if self.pid != os.getpid():
            self._begin()
            _core.set_stage(0)


_ledger = _Ledger()


def _sum(parts: list[Measurement]) -> Measurement:
    total, *others = parts
    for one in others:
        total = total + one
    return total


def _record(one: Measurement, entries: int) -> dict[str, Any]:
    figures = {field: getattr(one, field) for field in SUMS if field != "entries"}
    return {"entries": entries, **figures}
