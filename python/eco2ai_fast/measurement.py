"""What a piece of code cost: a `Measurement`, by domain, with provenance and error."""

from __future__ import annotations

from math import nan, sqrt

from . import settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from typing import Any

    from . import _core
    from .carbon import Intensity
    from .process_share import ProcessShare

UJ_PER_J = 1_000_000
NS_PER_S = 1_000_000_000
# Half-width of 95 % of a normal distribution, in sigmas.
Z_95 = 1.96
# What a machine's sum consists of; what of it no source covers stands in `missing`.
EXPECTED_KINDS = ("package", "dram")


# What the sum of two windows has of both.
_SAME = (
    "id", "kind", "parent", "source", "detail", "counted", "sensor_rel", "uuid", "cuda_index", "device", "tick_s",
    "calibration", "_is_model",
)  # fmt: skip


class DomainMeasurement:
    """The energy of one domain in a window.

    Attributes:
        id, kind, parent, source, detail, counted: as in `meter.domains`.
        provenance: "measured", "modelled", or "mixed" where a meter failed for a part of the window.
        energy_uj: whole microjoules, None if it could not be read at all; measured_uj and modelled_uj are its parts.
        energy_j, measured_j, modelled_j: the same in joules.
        sampling_j: 95 % half-width from ticks, reading times and bridged gaps; independent between windows.
        sensor_rel: the meter's or model's own relative error, one sigma; the same in every window.
        uncertainty_j: 95 % half-width of both: sqrt(sampling_j^2 + (1.96 sensor_rel energy_j)^2).
        coverage: share of the window that unbroken readings bracket, 0 to 1.
        resets, ambiguous: how often the counter was set anew, or may have wrapped unseen.
        fault: why a reading failed, if it did.
        uuid, cuda_index: of a GPU: what stays the same across reboots, and its number for CUDA, if it has one.
        rule: of a GPU: how the window's ends were found between two updates of its meter (docs/gpus.md).
        device, tick_s, calibration: of a GPU: its product name, how often its meter moves, and the gain and the offset
            in watts that were undone, if any are known.
    """

    __slots__ = (
        "id",
        "kind",
        "parent",
        "source",
        "detail",
        "counted",
        "energy_uj",
        "modelled_uj",
        "sampling_j",
        "sensor_rel",
        "coverage",
        "resets",
        "ambiguous",
        "fault",
        "below_resolution",
        "uuid",
        "cuda_index",
        "rule",
        "_is_model",
        "device",
        "tick_s",
        "calibration",
    )

    def __init__(self, domain: _core.Domain | _core.GpuEnergy, energy: _core.DomainEnergy | _core.GpuEnergy) -> None:
        self.id: str = domain.id
        self.kind: str = domain.kind
        self.parent: str | None = domain.parent
        self.source: str = domain.source
        # A model stays one where it says 0 J, which joules do not tell.
        self._is_model: bool = getattr(domain, "provenance", None) == "modelled"
        self.detail: str = domain.detail
        self.counted: bool = domain.counted
        self.sensor_rel: float = domain.sensor_rel
        self.energy_uj: int | None = energy.energy_uj
        self.modelled_uj: int = energy.modelled_uj
        self.sampling_j: float = energy.sampling_uj / UJ_PER_J
        self.coverage: float = energy.coverage if energy.energy_uj is not None else 0.0
        self.resets: int = energy.resets
        self.ambiguous: int = energy.ambiguous
        self.fault: str | None = energy.fault
        self.below_resolution: bool = energy.below_resolution
        self.uuid: str | None = getattr(domain, "uuid", None)
        self.cuda_index: int | None = getattr(domain, "cuda_index", None)
        self.rule: str | None = getattr(energy, "rule", None)
        is_gpu = domain.kind == "gpu"
        self.device: str | None = getattr(domain, "name", None) if is_gpu else None
        self.tick_s: float | None = getattr(domain, "tick_s", None) if is_gpu else None
        self.calibration: tuple[float, float] | None = getattr(domain, "calibration", None)

    @property
    def energy_j(self) -> float | None:
        return None if self.energy_uj is None else self.energy_uj / UJ_PER_J

    @property
    def measured_uj(self) -> int:
        return (self.energy_uj or 0) - self.modelled_uj

    @property
    def measured_j(self) -> float:
        return self.measured_uj / UJ_PER_J

    @property
    def modelled_j(self) -> float:
        return self.modelled_uj / UJ_PER_J

    @property
    def provenance(self) -> str:
        if self._is_model or (self.energy_uj and self.modelled_uj == self.energy_uj):
            return "modelled"
        return "mixed" if self.modelled_uj else "measured"

    @property
    def uncertainty_j(self) -> float:
        return sqrt(self.sampling_j**2 + (Z_95 * self.sensor_rel * (self.energy_j or 0.0)) ** 2)

    def __repr__(self) -> str:
        from .quantity import si

        energy = (
            "unreadable" if self.energy_j is None else f"{si(self.energy_j, 'J')} ± {si(self.uncertainty_j, 'J', 2)}"
        )
        return f"<{self.id}: {energy}, {self.provenance} ({self.source})>"

    def _plus(self, other: DomainMeasurement, share: float) -> DomainMeasurement:
        """The sum over two windows of which the first took `share` of the time."""
        total = DomainMeasurement.__new__(DomainMeasurement)
        for name in _SAME:
            setattr(total, name, getattr(self, name))
        known = [one.energy_uj for one in (self, other) if one.energy_uj is not None]
        total.energy_uj = sum(known) if known else None
        total.modelled_uj = self.modelled_uj + other.modelled_uj
        total.sampling_j = sqrt(self.sampling_j**2 + other.sampling_j**2)
        total.coverage = share * self.coverage + (1 - share) * other.coverage
        total.resets = self.resets + other.resets
        total.ambiguous = self.ambiguous + other.ambiguous
        total.fault = self.fault or other.fault
        total.below_resolution = self.below_resolution and other.below_resolution
        total.rule = self.rule if self.rule == other.rule else None
        return total


class Measurement:
    """What a window cost. Times in seconds and nanoseconds of CLOCK_MONOTONIC, energies in joules.

    While the window is open, and where nothing could be read, energies are not-a-number, never 0.

    A GPU's meter moves every 20 or 100 ms, so that its part of a window is known only afterwards: the first look at an
    energy waits for one update (and, in a process's first window, for the driver). `provisional` and repr never wait.
    `wait()`, or `await m`, waits until later updates can change nothing any more.
    """

    __slots__ = (
        "_closed",
        "_domains",
        "_failure",
        "_gpu_laps",
        "_gpu_missing",
        "_gpu_notes",
        "_gpus",
        "_is_settled",
        "_meter",
        "_process",
        "_pue",
        "_readout",
        "_remarks",
        "_suspended_ns",
        "_zone",
        "name",
    )

    def __init__(
        self, name: str | None, meter: _core.Meter | None, zone: str | None = None, pue: float | None = None
    ) -> None:
        self.name = name
        self._meter = meter
        self._zone = zone
        self._pue = pue
        self._readout: _core.Readout | None = None
        # Of a sum: its length, and how long the machine slept; a window's readout tells both.
        self._suspended_ns = 0
        self._closed: tuple[int, int, float] | None = None
        self._domains: dict[str, DomainMeasurement] | None = None
        self._failure: str | None = None
        self._process: ProcessShare | None = None
        # What the window's owner has to say.
        self._remarks: tuple[str, ...] = ()
        self._gpus: _core.GpuWindow | None = None
        # Windows from the begin until some instants in between, for the bins.
        self._gpu_laps: list[_core.GpuWindow] = []
        self._gpu_missing: tuple[tuple[str, str], ...] = ()
        self._gpu_notes: tuple[str, ...] = ()
        # Whether what was told of the GPUs is final.
        self._is_settled = True

    def _close(self, readout: _core.Readout) -> None:
        self._readout = readout

    def _fail(self, reason: str) -> None:
        self._failure = reason

    @property
    def is_open(self) -> bool:
        """Whether the window has not ended yet."""
        return self._readout is None and self._closed is None and self._failure is None

    def _times(self) -> tuple[int, int, float]:
        if self._readout is not None:
            t0_ns, t1_ns = self._readout.t0_ns, self._readout.t1_ns
            return t0_ns, t1_ns, (t1_ns - t0_ns) / NS_PER_S
        return self._closed or (0, 0, nan)

    @property
    def t0_ns(self) -> int:
        return self._times()[0]

    @property
    def t1_ns(self) -> int:
        return self._times()[1]

    @property
    def duration_s(self) -> float:
        return self._times()[2]

    @property
    def suspended_s(self) -> float:
        """How long the machine was asleep meanwhile: no part of duration_s. 0 where nobody looked."""
        return (self._suspended_ns if self._readout is None else self._readout.suspended_ns) / NS_PER_S

    @property
    def domains(self) -> dict[str, DomainMeasurement]:
        """Every domain that was read, counted or not, by id. Waits for a GPU's first update after the window."""
        if self._domains is None:
            if self._readout is None or self._meter is None:
                return {}
            if self._gpus is not None:
                self._gpus.wait(False)
            self._domains = self._tell(self._meter, self._readout)
        return self._domains

    def _tell(self, meter: _core.Meter, readout: _core.Readout) -> dict[str, DomainMeasurement]:
        """What is known now."""
        pairs = zip(meter.domains, readout.domains, strict=True)
        domains = {domain.id: DomainMeasurement(domain, energy) for domain, energy in pairs}
        if self._process is not None:
            self._process.apply(domains, meter.idle_powers_w, self.duration_s)
        if self._gpus is not None:
            self._tell_gpus(self._gpus, domains)
        return domains

    def _tell_gpus(self, window: _core.GpuWindow, domains: dict[str, DomainMeasurement]) -> None:
        from .gpus import missing, notes

        self._is_settled = window.is_ready(True)
        energies = window.energies()
        self._gpu_missing, self._gpu_notes = missing(window), notes(window, energies)
        for one in energies:
            if one.is_module and one.energy_uj is not None:
                _put_inside(domains, one.id)
            domains[one.id] = DomainMeasurement(one, one)

    @property
    def provisional(self) -> bool:
        """Whether `wait()` may still change the energies: the window is open, or a GPU's update is to come."""
        if self._gpus is None or self._domains is not None:
            return self.is_open or not self._is_settled
        return self.is_open or not self._gpus.is_ready(True)

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until the energies are final, at most `timeout` seconds; True if they are.

        None waits for half a second after the window in the usual case, and for a driver that does not start at most
        4.5 s after the process's first window.
        """
        if self._gpus is None or self._readout is None or self._meter is None:
            return not self.is_open
        if self._domains is None or not self._is_settled:
            self._gpus.wait(True, timeout)
            self._domains = self._tell(self._meter, self._readout)
        return self._is_settled

    def __await__(self) -> Generator[Any, None, Measurement]:
        return _settled(self).__await__()

    def _as_known(self) -> Measurement:
        """Itself, or what is known now where looking at it would wait."""
        if self._gpus is None or self._domains is not None or self._readout is None or self._meter is None:
            return self
        known = Measurement(self.name, self._meter, self._zone, self._pue)
        for slot in ("_readout", "_gpus", "_process", "_remarks"):
            setattr(known, slot, getattr(self, slot))
        known._domains = known._tell(self._meter, self._readout)
        return known

    @property
    def process(self) -> ProcessShare | None:
        """Of `measure(scope="process")`: the share that the domains are scaled by, and what it was taken of."""
        self.domains  # noqa: B018 (the share's joules are told as the domains are)
        return self._process

    def _counted(self) -> list[DomainMeasurement]:
        return [domain for domain in self.domains.values() if domain.counted and domain.energy_uj is not None]

    @property
    def energy_j(self) -> float:
        """Sum over the counted domains, measured_j + modelled_j."""
        return _joules(domain.energy_uj or 0 for domain in self._counted())

    @property
    def measured_j(self) -> float:
        return _joules(domain.measured_uj for domain in self._counted())

    @property
    def modelled_j(self) -> float:
        return _joules(domain.modelled_uj for domain in self._counted())

    @property
    def sampling_j(self) -> float:
        """95 % half-width without the sensors' own error: judge differences on one machine by it."""
        counted = self._counted()
        return sqrt(sum(domain.sampling_j**2 for domain in counted)) if counted else nan

    @property
    def uncertainty_j(self) -> float:
        """95 % half-width: sensor errors add up within a source, and in quadrature between sources."""
        by_source: dict[str, float] = {}
        for domain in self._counted():
            error_j = Z_95 * domain.sensor_rel * (domain.energy_j or 0.0)
            by_source[domain.source] = by_source.get(domain.source, 0.0) + error_j
        return sqrt(self.sampling_j**2 + sum(error_j**2 for error_j in by_source.values()))

    @property
    def coverage(self) -> float:
        """Share of the time that valid readings bracket: the least over the counted domains."""
        counted = [domain.coverage for domain in self.domains.values() if domain.counted]
        return min(counted, default=nan)

    @property
    def missing(self) -> tuple[tuple[str, str], ...]:
        """What should be in the sum and is not: pairs of a domain and the reason."""
        unread = tuple(
            (d.id, d.fault or "unreadable") for d in self.domains.values() if d.counted and d.energy_j is None
        )
        known = {domain for domain, _ in unread}
        unread += tuple(pair for pair in self._gpu_missing if pair[0] not in known)
        kinds = {domain.kind for domain in self.domains.values()}
        reason = self._failure or ("the window is open" if self.is_open else "no source")
        return unread + tuple((kind, reason) for kind in EXPECTED_KINDS if kind not in kinds)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the numbers must know: flags, each a sentence."""
        notes = [note for domain in self.domains.values() for note in _notes(domain)]
        notes += [*self._gpu_notes, *self._remarks]
        if self.suspended_s:
            notes.append(
                f"the machine slept for {self.suspended_s:.3g} s, which are no part of the duration; "
                "a counter that went on in its sleep has that energy in it"
            )
        if self.auxiliary != 1.0:
            notes.append(
                f"co2e_g is of {self.auxiliary:g} times energy_j, which does not contain fans, board and power supply "
                "(servers: 1.15 to 1.6)"
            )
        return tuple(notes)

    @property
    def pue(self) -> float:
        """Energy of the data centre over that of its computers; 1.0: IT energy only."""
        value: float = settings.resolve("pue", self._pue)[0]
        return value

    @property
    def auxiliary(self) -> float:
        """Energy of the whole computer over that of its processors, memory and GPUs: fans, board, power supply.

        1.0: left out, as by default; energy_j never contains it. Servers lie between 1.15 and 1.6.
        """
        value: float = settings.resolve("auxiliary")[0]
        return value

    @property
    def intensity(self) -> Intensity:
        """The grid's intensity that co2e_g is computed with. Raises UnknownZoneError for a zone nobody knows."""
        from .carbon import here

        return here(self._zone)

    @property
    def co2e_g(self) -> float:
        """Grams of CO2 equivalent: energy x auxiliary x PUE x intensity."""
        from .carbon import co2e_g

        energy_j = self.energy_j * self.auxiliary
        return co2e_g(energy_j, self.intensity.g_per_kwh, self.pue) if energy_j == energy_j else nan

    def per(self, unit: str, count: float) -> Per:
        """Energy per token, image, step: `m.per("token", 128)`. Raises ValueError unless count is above 0."""
        return Per(self, unit, count)

    def __add__(self, other: Measurement) -> Measurement:
        """The sum over two windows, which must not overlap. Energies and durations add up."""
        if not isinstance(other, Measurement):
            return NotImplemented
        total = Measurement(self.name if self.name == other.name else None, self._meter, self._zone, self._pue)
        duration_s = self.duration_s + other.duration_s
        total._closed = (min(self.t0_ns, other.t0_ns), max(self.t1_ns, other.t1_ns), duration_s)
        total._suspended_ns = round((self.suspended_s + other.suspended_s) * NS_PER_S)
        total._gpu_missing = tuple(dict.fromkeys(self._gpu_missing + other._gpu_missing))
        total._domains = _sum_domains(self.domains, other.domains, self.duration_s / duration_s if duration_s else 1.0)
        return total

    def to_record(self, **terms: Any) -> dict[str, Any]:
        """The measurement as plain data with its provenance: docs/record.md has the schema.

        terms: what only you know of the run, each optional: project, stage, functional_unit=("token", 128_000),
        instruments, embodied_kg and lifetime_s, ...: footprint.Terms explains them.
        """
        from .footprint import Terms
        from .record import of_measurement

        return of_measurement(self, Terms(**terms) if terms else None)

    def __reduce__(self) -> tuple[Any, ...]:
        """For pickle and copy: what is known now, without the meter, which is this process's own."""
        if self.is_open:
            raise TypeError("a measurement that is still open cannot leave its process")
        told = {"_domains": self.domains, "_closed": None if self._failure else self._times()}
        own = dict.fromkeys(("_meter", "_readout", "_gpus"))
        state = {slot: getattr(self, slot) for slot in Measurement.__slots__} | told | own
        return _restored, (state,)

    def __repr__(self) -> str:
        from .presentation import line

        return line(self._as_known())

    def _repr_html_(self) -> str:
        from .presentation import html

        return html(self._as_known())


class Per:
    """Energy of a measurement per unit of work."""

    __slots__ = ("co2e_g", "count", "energy_j", "uncertainty_j", "unit")

    def __init__(self, measurement: Measurement, unit: str, count: float) -> None:
        if not count > 0:
            raise ValueError(f"energy per {unit} needs a count above 0, not {count!r}")
        self.unit = unit
        self.count = count
        self.energy_j = measurement.energy_j / count
        self.uncertainty_j = measurement.uncertainty_j / count
        self.co2e_g = measurement.co2e_g / count

    def __repr__(self) -> str:
        from .quantity import si

        return f"<{si(self.energy_j, 'J')}/{self.unit} ± {si(self.uncertainty_j, 'J', 2)} over {self.count:g}>"


def _restored(state: dict[str, Any]) -> Measurement:
    made = Measurement.__new__(Measurement)
    for slot, value in state.items():
        setattr(made, slot, value)
    return made


def _joules(energies_uj: Iterable[int]) -> float:
    """The sum in joules, added as integers; not-a-number, never 0, where there is nothing to add."""
    energies_uj = list(energies_uj)
    return sum(energies_uj) / UJ_PER_J if energies_uj else nan


async def _settled(measurement: Measurement) -> Measurement:
    """Waits as `wait()` does, and lets the event loop run meanwhile."""
    from asyncio import get_running_loop

    await get_running_loop().run_in_executor(None, measurement.wait)
    return measurement


def _put_inside(domains: dict[str, DomainMeasurement], module: str) -> None:
    """A Grace Hopper module's figure contains its processor and memory: they are shown and not added."""
    for domain in domains.values():
        if domain.kind in EXPECTED_KINDS:
            domain.counted, domain.parent = False, module


def _sum_domains(
    first: dict[str, DomainMeasurement], second: dict[str, DomainMeasurement], share: float
) -> dict[str, DomainMeasurement]:
    both = {key: domain._plus(second[key], share) for key, domain in first.items() if key in second}
    return first | second | both


def _notes(domain: DomainMeasurement) -> Iterable[str]:
    if domain.below_resolution:
        yield f"{domain.id}: the window is below the model's resolution of 100 ms"
    if domain.resets:
        yield f"{domain.id}: the counter was set anew {domain.resets} times; what was lost is estimated"
    if domain.ambiguous:
        yield f"{domain.id}: {domain.ambiguous} times more than one wrap was possible between two readings"
    if domain.fault and domain.kind == "gpu":
        yield f"{domain.id}: {domain.fault}"
    elif domain.fault:
        yield f"{domain.id}: a reading failed ({domain.fault}); the rest is estimated from the last power"
