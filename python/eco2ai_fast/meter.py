"""The started meter: a live energy curve of every domain, and questions about its past."""

from __future__ import annotations

from . import _core, settings
from .gpus import keeper
from .measurement import NS_PER_S, UJ_PER_J, Measurement

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from os import PathLike
    from types import TracebackType
    from typing import Any, TypeGuard

    from numpy.typing import ArrayLike, NDArray
    from typing_extensions import Self

    from .gpucurves import Card, GpuPast
    from .spans import Spans
    from .tasks import TaskSpan

# Settings that make a machine's meter; rate_hz is read at start().
MACHINE_SETTINGS = ("sources", "sysroot", "cpu_tdp_w", "cpu_idle_w", "cpu_max_w", "ram_w", "instance_type", "storage")
# What a calibration stands in for; a sysroot is another machine.
CALIBRATED = ("cpu_idle_w", "cpu_max_w", "cpu_tdp_w", "sysroot")


def machine_settings(**arguments: Any) -> dict[str, Any]:
    """The settings a core meter is made from; arguments that are not None come first.

    Figures of the processor that nobody set come from this machine's calibration.
    """
    values = {name: settings.resolve(name, arguments.get(name))[0] for name in MACHINE_SETTINGS}
    if all(values[name] is None for name in CALIBRATED):
        values |= _calibrated()
    idle_w, full_w = values["cpu_idle_w"], values["cpu_max_w"]
    if idle_w is not None and full_w is not None and idle_w >= full_w:
        raise settings.SettingsError(f"cpu_idle_w = {idle_w:g} must be below cpu_max_w = {full_w:g}")
    return values


def _calibrated() -> dict[str, Any]:
    """A file that cannot be read is warned about: it must not stop the user's program."""
    from .calibration import CalibrationError, load

    try:
        found = load()
    except CalibrationError as error:
        import warnings

        warnings.warn(str(error), RuntimeWarning, stacklevel=2)
        return {}
    return {} if found is None else found.figures()


def _known_cpus(cpus: Sequence[int]) -> list[int]:
    """Raises ValueError for a CPU that the machine cannot have."""
    import os

    number = os.sysconf("SC_NPROCESSORS_CONF")
    wrong = [cpu for cpu in cpus if not (isinstance(cpu, int) and 0 <= cpu < number)]
    if wrong:
        raise ValueError(f"cpus: this machine has CPUs 0 to {number - 1}, and none is number {wrong[0]!r}")
    return list(cpus)


def _is_number(value: object) -> TypeGuard[float]:
    """Python's or numpy's, not an array."""
    return isinstance(value, (int, float)) or getattr(value, "ndim", None) == 0


class Meter(_core.Meter):
    """Samples the machine's meters in threads of its own and keeps their energy curves.

        with eco2ai_fast.Meter() as meter:
            before = meter.read()
            ...
            print(meter.between(before, meter.read()))
            print(meter.energy_between(t0_ns, t1_ns))
            with meter.span("request", tokens=128): ...
            print(meter.spans(split="share").summary())

    Args:
        rate_hz: readings a second; "auto" is 10, and 100 from the first span on. Totals need no rate; a rate buys
            resolution in time. Meters that move more slowly than that are read at their own pace (RAPL of a
            guest: once a second).
        sources: "auto", "perf", "powercap", "file", "estimate", or scripted domains (`eco2ai_fast.testing`).
        sysroot: prefix in front of /sys, /proc and /dev.
        edges: hunt for the instants at which counters change, as long as the thread takes less than a tenth of a core;
            None: from 500 Hz on.
        cpus: CPUs on which the threads stay; None: any.
        clock: a ManualClock, with scripted domains only; then nothing runs by itself and `tick()` reads.
        gpus: NVIDIA GPUs: a list as in CUDA_VISIBLE_DEVICES, "all" or "off"; None: the setting, else that variable.

    Any thread may use it. In a forked child it goes on with threads of the child's own.
    """

    # PyO3 makes the object in __new__; a subclass passes its arguments on there.
    def __new__(
        cls,
        *,
        rate_hz: float | str | None = None,
        sources: str | Sequence[_core.ScriptedDomain] | None = None,
        sysroot: str | PathLike[str] | None = None,
        edges: bool | None = None,
        cpus: Sequence[int] | None = None,
        clock: _core.ManualClock | None = None,
        gpus: str | None = None,
    ) -> Self:
        if sources is not None and not isinstance(sources, str):
            meter = super().__new__(cls, sources=sources, clock=clock)
            found = None
        else:
            is_elsewhere = sysroot is not None or sources == "estimate"
            sysroot = None if sysroot is None else str(sysroot)
            meter = super().__new__(cls, **machine_settings(sources=sources, sysroot=sysroot))
            found = keeper(gpus, is_elsewhere)
        meter._gpus = found
        meter._gpu_past = None
        meter._rate_hz = settings.resolve("rate_hz", rate_hz)[0]
        meter._edges = edges
        meter._cpus = None if cpus is None else _known_cpus(cpus)
        meter._is_manual = clock is not None
        meter._has_spans = False
        return meter

    _rate_hz: float | str
    _edges: bool | None
    _cpus: Sequence[int] | None
    _is_manual: bool
    _has_spans: bool
    _gpus: _core.Gpus | None
    _gpu_past: GpuPast | None

    AUTO_RATE_HZ = 10.0
    SPAN_RATE_HZ = 100.0

    max_spans = 1 << 20
    """Spans that are kept; set it before the first one. 48 bytes each, 24 for each domain and 16 for each attribute."""

    def start(self) -> Meter:
        """Starts sampling; a second start changes nothing. Returns the meter."""
        if self._is_manual:
            self.record()
        elif not self.is_sampling:
            from .ranks import warn_if_shared

            warn_if_shared()
            self._begin_gpus()
            self.sample(self._hz(), self._edges, self._cpus)
        return self

    def _begin_gpus(self) -> None:
        if self._gpus is not None:
            if self._gpu_past is None:
                from .gpucurves import GpuPast

                self._gpu_past = GpuPast(self._gpus)
            window = self._gpu_past.begin()
            if window is not None:
                self.attach_gpus(window)

    @property
    def gpus(self) -> list[Card]:
        """The GPUs that were found so far, beside `domains`: `id`, `uuid`, `detail`, `condition` and more. A driver
        takes up to two seconds to start; nothing here waits for it. Empty before start()."""
        return [] if self._gpu_past is None else self._gpu_past.cards()

    def _hz(self) -> float:
        if self._rate_hz == "auto":
            return self.SPAN_RATE_HZ if self._has_spans else self.AUTO_RATE_HZ
        return float(self._rate_hz)

    def stop(self) -> None:
        """Stops sampling and waits for the threads. What was recorded stays, and start() goes on with it."""
        self.halt()
        if self._gpu_past is not None:
            self._gpu_past.end()

    def __enter__(self) -> Meter:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def between(self, first: _core.Reading, last: _core.Reading) -> Measurement:
        """What happened between two readings of this meter."""
        return self._measurement(last.since(first))

    def energy_between(self, t0_ns: ArrayLike, t1_ns: ArrayLike) -> Any:
        """The energy between instants of the recorded past, in ns of CLOCK_MONOTONIC (`time.perf_counter_ns()`).

        Two numbers give a Measurement. Two arrays of one length n give a structured array of n rows with the fields
        t0_ns, t1_ns, energy_j, measured_j, modelled_j, sampling_j and coverage, over the counted domains.
        An instant that is not yet sampled is filled by a reading now, and beyond that by the last power. For GPUs,
        whose meters move every 20 or 100 ms, arrays wait for the first update after the last instant.

        Raises HistoryLost for an instant before the recorded history, ValueError for an end before its begin.
        """
        if _is_number(t0_ns) and _is_number(t1_ns):
            first_ns, last_ns = round(t0_ns), round(t1_ns)
            if not 0 <= first_ns <= last_ns:
                raise ValueError(f"t1_ns = {last_ns} lies before t0_ns = {first_ns}, or that before 0")
            return self._measurement(self.readout_between(first_ns, last_ns))
        from .energies import energies

        return energies(self, t0_ns, t1_ns)

    def trace(self, domain: str) -> tuple[NDArray[Any], NDArray[Any]]:
        """The recorded curve of a domain: instants of change in ns, and energy since the first reading in joules. Of a
        GPU: the updates of its meter."""
        card = self._card(domain)
        if card is not None:
            rows = card.changes_since(0)[1]
            return rows[:, 0].copy(), rows[:, 1] / UJ_PER_J
        t_ns, energy_j, _ = self.changes(self._number(domain))
        return t_ns, energy_j

    def save_trace(self, path: str | PathLike[str]) -> None:
        """Writes the recorded curves, as far back as the fine history reaches, to a trace file (see `load_trace`)."""
        from .traces import save_trace

        save_trace(self, path)

    def power(self, width_s: float = 0.01, domain: str | None = None) -> tuple[NDArray[Any], NDArray[Any]]:
        """Mean power over bins of `width_s`, derived from the curve: middles of the bins in ns, and watts.

        domain: one domain; None: the sum of the counted ones. Bins narrower than about ten ticks of the meter show its
        phase more than the load.
        """
        from .energies import power

        card = None if domain is None else self._card(domain)
        return power(self, width_s, None if domain is None or card else self._number(domain), card)

    def aspan(self, name: str, **attributes: Any) -> TaskSpan:
        """A span for `async with`, which nests within its asyncio task and not within the thread."""
        from .tasks import TaskSpan

        return TaskSpan(self, name, attributes)

    def spans(
        self,
        split: str = "whole",
        *,
        weights: str | Callable[[Spans], ArrayLike] | None = None,
        idle: float | Measurement | None = None,
        name: str | Sequence[str] | None = None,
        domain: str | None = None,
    ) -> Spans:
        """Every span that has ended, as a structured array in the order of their begins (see `Spans`).

        split: "whole": each span has all the energy of its time, so that overlapping ones add up to more than there
            was. "share": at each instant the energy is divided among the spans then active. "self": within a lane it
            belongs to the span that began last, a parent's without its children's; lanes divide it.
        weights: how it is divided: equally, by an attribute ("tokens"), or by what a function of the rows returns.
            A span without the attribute takes nothing.
        idle: power of the idle machine in watts, or a Measurement of it: `net_j` is then the energy beyond it.
        name: only spans of this name, or of these. domain: over one domain in place of the sum of the counted ones.

        Under "share" and "self", parts, `open_j` and `rest_j` add up to `whole_j`, to the microjoule.
        """
        from .spans import of_meter

        card = self._card(domain) if domain else None
        places = None if domain is None else [] if card else [self._number(domain)]
        cards = None if domain is None else [card] if card else []
        return of_meter(self, places, cards, split, weights, idle, name)

    def _prepare_spans(self) -> int:
        """Called by the core before the first span: a meter that nobody started starts. How many spans to keep."""
        # Two threads may come at once; no other gets in between these two.
        comes_first, self._has_spans = not self._has_spans, True
        if settings.disabled():
            return 0
        if comes_first:
            try:
                if self.is_sampling and self._rate_hz == "auto":
                    self.sample(self._hz(), self._edges, self._cpus)
                self.start()
            except _core.EnergyError as error:
                from warnings import warn

                warn(f"spans are read only when they are asked for, so their bounds are wide: {error}", stacklevel=3)
        return self.max_spans

    def stats(self) -> dict[str, float]:
        """What sampling did and cost: wakeups, late, missed, polls, cpu_s (CPU time of the threads), suspended_s."""
        rows = self.ledgers
        names = ("wakeups", "late", "missed", "polls", "cpu_s", "suspended_s")
        totals = dict(zip(names, (sum(column) for column in zip(*rows, strict=True)), strict=False))
        return {name: totals.get(name, 0) / (NS_PER_S if name.endswith("_s") else 1) for name in names}

    def _measurement(self, readout: _core.Readout) -> Measurement:
        measurement = Measurement(None, self)
        measurement._close(readout)
        if self._gpu_past is not None:
            measurement._gpus = self._gpu_past.between(readout.t0_ns, readout.t1_ns)
        return measurement

    def _card(self, domain: str) -> Card | None:
        """The GPU of this name, once the driver has started."""
        if not domain.startswith("gpu-") or domain in [one.id for one in self.domains] or self._gpu_past is None:
            return None
        found = {card.id: card for card in self._gpu_past.started()}
        if domain not in found:
            raise ValueError(f"no GPU is called {domain!r} here: there are {', '.join(found) or 'none'}")
        return found[domain]

    def _number(self, domain: str) -> int:
        names = [one.id for one in self.domains]
        if domain not in names:
            raise ValueError(f"no domain is called {domain!r} here: there are {', '.join(names)}")
        return names.index(domain)
