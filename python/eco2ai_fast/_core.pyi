"""The energy core: meters of this machine, and windows on them. Integers throughout; floats begin in Python.

Times are nanoseconds of ``CLOCK_MONOTONIC``, which is what ``time.perf_counter_ns()`` reads on Linux.
Energies are microjoules.
"""

from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any, Literal, TypeAlias, TypeVar, final

from numpy import bool_, float64, uint8, uint64
from numpy.typing import NDArray
from typing_extensions import Self, disjoint_base

_Function = TypeVar("_Function", bound=Callable[..., Any])

__version__: str

_FaultName: TypeAlias = Literal[
    "not permitted", "vanished", "read failed", "unreadable text", "shows zero", "stands still"
]

class EnergyError(Exception):
    """Base of all errors of this package's core."""

class SourceError(EnergyError):
    """A source that was asked for cannot be used here; the message says why and what helps."""

class HistoryLost(EnergyError):
    """An instant lies before the recorded history, or nothing was recorded."""

class WindowError(EnergyError):
    """A window was opened or closed out of turn."""

def clock_anchor() -> tuple[int, int, int]:
    """The same instant in nanoseconds on CLOCK_MONOTONIC, CLOCK_BOOTTIME and CLOCK_REALTIME (Unix time, UTC)."""

def processor(*, sysroot: str | PathLike[str] | None = None) -> Processor:
    """Which processor this machine, or the one below a sysroot, has."""

def tdp_w(brand: str) -> float | None:
    """Thermal design power of one package in watts, by the kernel's name for it; None where no table knows it."""

@final
class Processor:
    """A processor as it is named in tables and reports."""

    @property
    def brand(self) -> str:
        """The kernel's name for it; empty where it has none (ARM)."""
    @property
    def packages(self) -> int: ...
    @property
    def logical(self) -> int:
        """Logical processors online."""
    @property
    def tdp_w(self) -> float | None:
        """Thermal design power of one package; None for names that no table knows, which are never guessed."""

@disjoint_base
class Meter:
    """The meters of one machine: finds them and chooses the best route to each domain.

    sources: "auto" (perf, powercap, files of other drivers, then models), one of "perf", "powercap", "msr", "file",
    "estimate", or a list of ScriptedDomain.
    sysroot: prefix in front of /sys, /proc and /dev; None is the machine itself.
    clock: a ManualClock, with scripted domains only.
    cpu_tdp_w, cpu_idle_w, cpu_max_w, ram_w: the user's figures for the models, in watts; idle and max are of all
    packages together, or of the whole computer with is_wall_power, whose memory is then taken off.
    calibration: words for where idle and max come from, shown wherever they are used.
    instance_type: the cloud's name of this machine's type, "m5.large"; it tells the processor's family.
    storage: "off", "show" or "count" a model of the disks.

    Raises SourceError if nothing can be measured or modelled.
    """

    def __new__(
        cls,
        *,
        sources: str | Sequence[ScriptedDomain] | None = None,
        sysroot: str | PathLike[str] | None = None,
        clock: ManualClock | None = None,
        cpu_tdp_w: float | None = None,
        cpu_idle_w: float | None = None,
        cpu_max_w: float | None = None,
        ram_w: float | None = None,
        calibration: str | None = None,
        is_wall_power: bool = False,
        instance_type: str | None = None,
        storage: str = "off",
    ) -> Self: ...
    @property
    def domains(self) -> list[Domain]:
        """What is measured or modelled, in the order of every Readout.domains."""
    @property
    def findings(self) -> list[Finding]:
        """What was looked for, found or not: the substance of ``eco2ai-fast doctor``."""
    @property
    def idle_powers_w(self) -> list[float | None]:
        """Watts of each of `domains` at rest, where a model knows them; None for meters."""
    @property
    def keep_alive_period_s(self) -> float | None:
        """How often the counters are read while a window is open; None if none of them wraps."""
    @property
    def now_ns(self) -> int:
        """The time on this meter's clock: CLOCK_MONOTONIC, or that of its ManualClock."""
    def window(self, mode: str = "direct") -> Window:
        """A closed window; it may be opened and closed any number of times, by one thread at a time.

        mode: "direct" reads once at each end; "precise" reads until the counters move, a millisecond or two at each
        end, and assumes that the power at the ends is constant. Raises ValueError for another.
        """
    def tick(self) -> None:
        """Reads every meter once now and publishes. Threads do so by themselves, except on a ManualClock."""
    def record(self) -> None:
        """Records the energy curves from now on, at each reading, without starting a thread."""
    def sample(self, rate_hz: float, edges: bool | None = None, cpus: Sequence[int] | None = None) -> None:
        """Starts a sampling thread for each pace of meters, or changes its rate.

        edges: hunt for the instants at which counters change, below a tenth of a core; None: from 500 Hz on.
        cpus: where the threads stay.
        Raises ValueError unless rate_hz is above 0.
        """
    def span(self, name: str, /, *, lane: str | int | None = None, **attributes: object) -> Span:
        """A span, for `with` or as a decorator of functions, async functions and generators. Any thread.

        Its begin and its end read the clock and append some words to a buffer of the thread, and do nothing else;
        energy is looked up later. The first span of a meter starts it, and raises an automatic rate to 100 Hz.

        lane: what it nests within (split="self"): the thread, unless a name or a number is given.
        attributes: up to eight numbers or words; None says nothing. Others are counted as unusable.
        """
    def begin(self, name: str, /, *, lane: str | int | None = None, **attributes: object) -> Span:
        """A span that begins now and that `end` closes, in any order and from any thread."""
    def end(self, span: Span, /, **attributes: object) -> None:
        """Ends a span now, with more attributes. Raises WindowError if it is not open."""
    def _prepare_spans(self) -> int:
        """Called once, before the first span; how many spans to keep."""
    def span_table(self, domains: Sequence[int]) -> dict[str, Any]:
        """Columns of all spans over the domains at these places, and the words behind their codes: for `spans`."""
    def forget_spans(self) -> None:
        """Forgets every span that has ended: for programs that run for long and take their spans in portions."""
    def halt(self) -> None:
        """Stops all threads of this meter and waits for them. Recorded curves stay."""
    @property
    def is_sampling(self) -> bool: ...
    def read(self) -> Reading:
        """The latest published states, without a system call and without waiting for anybody."""
    def attach_gpus(self, window: GpuWindow) -> None:
        """Readings show the GPUs of this window's walk too, from now on."""
    def readout_between(self, t0_ns: int, t1_ns: int) -> Readout:
        """The energy between two instants of the recorded past. Raises HistoryLost."""
    def heights(
        self, domain: int, at_ns: NDArray[uint64]
    ) -> tuple[NDArray[uint64], NDArray[uint64], NDArray[float64], NDArray[uint64]]:
        """Of one domain (its place in `domains`) at each instant: energy since the first reading and the estimated part
        of it in microjoules, one sigma of it in microjoules, and uncovered nanoseconds. Raises HistoryLost."""
    def changes(self, domain: int) -> tuple[NDArray[uint64], NDArray[float64], NDArray[uint64]]:
        """Every recorded change of one domain: instants in ns, energy since the first reading in joules, half-widths of
        the instants in ns."""
    def changes_since(self, domain: int, number: int) -> tuple[int, NDArray[uint64]]:
        """For a reader that comes back for more: the number of the next change of one domain, and the changes from
        `number` on that are still kept, (n, 5): instant in ns, energy since the first reading in microjoules,
        half-width of the instant in ns, estimated part of the energy in microjoules, uncovered ns up to there."""
    @property
    def ledgers(self) -> list[tuple[int, int, int, int, int, int]]:
        """Of the sampling threads that were stopped, added up, and of each that runs: wake-ups, late and missed
        deadlines, readings, CPU time in ns, time asleep in ns."""

@final
class Reading:
    """The states of all domains as they were last published, each with its own instant: those of `Meter.domains`, then
    the GPUs that were found, in the order of `eco2ai_fast.Meter.gpus`."""

    @property
    def t_ns(self) -> list[int]:
        """When each domain was read; of a GPU: when its meter was updated last, at most one period ago. 0: not yet."""
    @property
    def energy_uj(self) -> list[int]:
        """Microjoules of each domain since the meter was made; of a GPU: since its first update."""
    @property
    def power_w(self) -> list[float]:
        """Mean power of each domain over its last ten ticks or more, of a GPU over its last ten updates."""
    def since(self, earlier: Reading) -> Readout:
        """What happened since another reading of the same meter. Raises ValueError for one of another meter."""

@final
class Span:
    """A piece of code: two marks, whose energy is looked up later."""

    def __enter__(self) -> Self:
        """Begins it. Raises WindowError if it is open."""
    def __exit__(self, kind: object, error: object, trace: object, /) -> None:
        """Ends it. Raises WindowError if it is not open."""
    def __call__(self, function: _Function, /) -> _Function:
        """`function` with a span like this one around each call; that of a coroutine is on the lane of its task."""
    def set(self, **attributes: object) -> None:
        """Adds attributes, until it ends."""
    def again(self, lane: str | int | None = None) -> Span:
        """Another one of the same name, attributes and lane; `lane` if it has none of its own."""

def shares(
    t_ns: NDArray[uint64],
    energy_uj: NDArray[uint64],
    t0_ns: NDArray[uint64],
    t1_ns: NDArray[uint64],
    weights: NDArray[float64] | None = None,
    idle_w: float = 0.0,
) -> tuple[NDArray[uint64], int, int]:
    """Divides the energy of a curve (m,) at each instant among the intervals (n,) then active.

    Returns the parts (n,), idle energy and rest in microjoules, which add up to that of the curve. Raises ValueError
    for an end that is no instant of the curve.
    """

def share_sigmas(
    t_ns: NDArray[uint64],
    sigma_uj: NDArray[float64],
    t0_ns: NDArray[uint64],
    t1_ns: NDArray[uint64],
    weights: NDArray[float64] | None = None,
    grain_ns: int = 0,
) -> NDArray[float64]:
    """One sigma of each part in microjoules, from one sigma of the curve; heights within grain_ns err together."""

def own_time(
    lane: NDArray[uint64], t0_ns: NDArray[uint64], t1_ns: NDArray[uint64]
) -> tuple[NDArray[uint64], NDArray[uint64], NDArray[uint64]]:
    """Cuts the time of each lane into pieces of one owner: the interval that began last and still lasts.

    Returns the owners' places, begins and ends.
    """

_Column: TypeAlias = NDArray[uint64]

def recorded_heights(
    curve: tuple[_Column, _Column, _Column, _Column, _Column], tick_ns: int, at_ns: _Column
) -> tuple[_Column, _Column, NDArray[float64], _Column]:
    """What `Meter.heights` answers, of a curve that was written down.

    curve: columns as those of `Meter.changes_since`, ascending; tick_ns: how often its meter moves. Ascending instants
    are found quickest. Raises HistoryLost for an instant before the first.
    """

def number_list(text: str, at: int, is_nested: bool) -> tuple[NDArray[float64], int]:
    """Elements of a JSON list from place `at` of ASCII text on, each a number, or with is_nested the sum of a list of
    numbers; and the place of the next one. Stops before what is something else or not whole."""

def set_stage(code: int) -> None:
    """The stage that spans begin in from now on, in all threads; 0 is none."""

@final
class Window:
    """An energy window on the calling thread: every meter is read once at each end."""

    def begin(self) -> int:
        """Opens the window; the instant of its first reading. Raises WindowError if it is open."""
    def end(self) -> Readout:
        """Closes the window. Raises WindowError if it is not open."""
    def lap(self) -> Readout:
        """From the begin until now; the window stays open. Raises WindowError if it is not open."""
    def split(self) -> Readout:
        """Closes the window and opens the next one on the same reading, so that nothing is lost between the two.

        Raises WindowError if it is not open.
        """

@final
class Gpus:
    """The NVIDIA GPUs of this process. One thread looks at them: from the first window until 30 s after the last.

    NVML is initialised on that thread, once in a process and once more in a forked child.
    """

    @staticmethod
    def find(
        *,
        library: str | PathLike[str] | None = None,
        visible: str | None = None,
        device_order: str | None = None,
        calibrations: Sequence[tuple[str, float, float]] = ...,
    ) -> Gpus | None:
        """The GPUs, or None where nothing looks like a driver. Loads no library and starts no thread.

        library: path of libnvidia-ml.so.1. visible, device_order: CUDA_VISIBLE_DEVICES and CUDA_DEVICE_ORDER.
        calibrations: UUID (or the begin of one), gain, and offset in watts of what cards show of a true power.
        """
    def begin(self) -> GpuWindow | None:
        """Opens a window now; no call of the driver is made. None where the machine has no thread left."""
    def stop(self) -> None:
        """Ends the thread, and waits for it at most 0.2 s. A window opened later starts another."""

@final
class GpuWindow:
    """A window on the GPUs: two instants, and what becomes known of them later. Only wait() waits."""

    def end(self, t1_ns: int | None = None) -> None:
        """Closes the window, now or at an instant of CLOCK_MONOTONIC; a second end changes nothing."""
    def lap(self, t1_ns: int) -> GpuWindow:
        """A closed window from this one's begin; this one stays open."""
    def between(self, t0_ns: int, t1_ns: int) -> GpuWindow:
        """A closed window between two instants, of which about seven minutes back are remembered."""
    def remember(self) -> None:
        """The GPUs remember a long past from now on: half a million updates, 14 hours of a 100 ms meter."""
    def is_beside(self, other: GpuWindow) -> bool:
        """Whether both are of one walk of the thread, and so know the same past."""
    @property
    def curves(self) -> list[GpuCurve]:
        """The GPUs that were found so far, in the order of finding."""
    @property
    def t0_ns(self) -> int: ...
    @property
    def is_foreign(self) -> bool:
        """Whether it was opened before this process was forked; its results are the parent's."""
    def is_ready(self, settled: bool) -> bool:
        """Whether every GPU has told what it can: the first answer, or with `settled` the last."""
    def wait(self, settled: bool, timeout_s: float | None = None) -> bool:
        """Waits until it is ready; None: as long as an update of the meters, or the driver's start, may take."""
    @property
    def stand(self) -> tuple[str, str]:
        """ "starting", "ready", or one of the words of Finding.availability; and the reason."""
    @property
    def failed(self) -> list[tuple[str, str]]:
        """GPUs that are wanted and do not answer: domain and reason."""
    @property
    def doubts(self) -> list[str]:
        """What is doubtful in the choice of GPUs, each a sentence."""
    def energies(self) -> list[GpuEnergy]:
        """What each GPU tells now."""

@final
class GpuEnergy:
    """A GPU and what it drew in a window: the attributes of Domain and DomainEnergy, and its own."""

    @property
    def id(self) -> str:
        """`gpu-N`, N being NVML's index."""
    @property
    def kind(self) -> str: ...
    @property
    def parent(self) -> str | None: ...
    @property
    def source(self) -> str: ...
    @property
    def provenance(self) -> str: ...
    @property
    def detail(self) -> str:
        """Its name, the meter that is believed, what the figure covers, and how it is calibrated."""
    @property
    def name(self) -> str:
        """What the driver calls it."""
    @property
    def counted(self) -> bool: ...
    @property
    def sensor_rel(self) -> float:
        """One sigma of +-5 % (nvml.h); cards differ by gain and offset: of a calibrated one, of +-1 %."""
    @property
    def tick_s(self) -> float:
        """How often its meter moves."""
    @property
    def calibration(self) -> tuple[float, float] | None:
        """Gain and offset in watts that were undone; None where none is known."""
    @property
    def uuid(self) -> str: ...
    @property
    def cuda_index(self) -> int | None: ...
    @property
    def is_module(self) -> bool:
        """Whether the figure contains a processor and its memory (Grace Hopper)."""
    @property
    def energy_uj(self) -> int | None: ...
    @property
    def modelled_uj(self) -> int: ...
    @property
    def sampling_uj(self) -> int: ...
    @property
    def coverage(self) -> float: ...
    @property
    def resets(self) -> int: ...
    @property
    def ambiguous(self) -> int: ...
    @property
    def fault(self) -> str | None: ...
    @property
    def below_resolution(self) -> bool: ...
    @property
    def rule(self) -> str | None:
        """How the window's ends were found between two updates of the meter; None without a number."""
    @property
    def remarks(self) -> list[str]:
        """What its meter cannot see, and whether counter and gauge disagree."""

_Windows: TypeAlias = tuple[
    NDArray[uint64], NDArray[uint64], NDArray[float64], NDArray[float64], NDArray[uint8], NDArray[bool_]
]
_GpuHeights: TypeAlias = tuple[NDArray[uint64], NDArray[uint64], NDArray[float64], NDArray[uint64], NDArray[uint8]]

@final
class GpuCurve:
    """The recorded energy of one GPU: the attributes of Domain, and its own. Nothing here calls the driver."""

    @property
    def id(self) -> str:
        """`gpu-N`, N being NVML's index."""
    @property
    def kind(self) -> str: ...
    @property
    def package(self) -> int | None: ...
    @property
    def source(self) -> str: ...
    @property
    def provenance(self) -> str: ...
    @property
    def counted(self) -> bool: ...
    @property
    def parent(self) -> str | None: ...
    @property
    def reason(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def detail(self) -> str: ...
    @property
    def sensor_rel(self) -> float: ...
    @property
    def tick_s(self) -> float: ...
    @property
    def resolution_s(self) -> float: ...
    @property
    def max_power_w(self) -> float | None:
        """Its power limit, where known."""
    @property
    def reach_ns(self) -> int:
        """How far beyond its own interval an update says something: of gauges that average over more than a period."""
    @property
    def uuid(self) -> str: ...
    @property
    def cuda_index(self) -> int | None: ...
    @property
    def is_module(self) -> bool: ...
    @property
    def calibration(self) -> tuple[float, float] | None: ...
    @property
    def remarks(self) -> list[str]: ...
    @property
    def fault(self) -> str | None:
        """Why it does not answer now; None if it does."""
    @property
    def span_ns(self) -> tuple[int, int] | None:
        """From when to when its energy is known."""
    @property
    def forgotten_ns(self) -> int | None:
        """From when on it is remembered, if earlier updates were forgotten."""
    @property
    def condition(self) -> dict[str, Any] | None:
        """How it was when last looked at, once a second: utilisation_percent, memory_utilisation_percent,
        memory_used_bytes, temperature_c, sm_mhz, memory_mhz, limit_w, throttle_reasons; None for what it does not
        tell."""
    def changes_since(self, number: int) -> tuple[int, NDArray[uint64]]:
        """As `Meter.changes_since`, of the updates of its meter."""
    def closed(self, t0_ns: NDArray[uint64], t1_ns: NDArray[uint64]) -> _Windows:
        """Windows (n,), each closed by what suits its ends: energy and estimated part in microjoules, 95 % half-width
        in joules, coverage, code of the rule (`gpu_rules`), whether later updates can change nothing."""
    def heights(self, t_ns: NDArray[uint64], is_active: NDArray[bool_]) -> _GpuHeights | None:
        """The one curve of all who divide its energy, at ascending instants, each once: energy, estimated part and one
        sigma in microjoules, uncovered ns, and the codes of the rules. None before two updates.

        is_active: whether anybody is, from each instant to the next: who then has what exceeds the flat power beside.
        """

def gpu_heights(
    curve: tuple[_Column, _Column, _Column, _Column, _Column],
    t_ns: _Column,
    is_active: NDArray[bool_],
    *,
    reach_ns: int = 0,
    limit_w: float | None = None,
) -> _GpuHeights | None:
    """What `GpuCurve.heights` answers, of a curve that was written down; columns as those of `changes_since`."""

def gpu_rules() -> list[str]:
    """The words of the codes of `GpuCurve`: five rules, then three reasons for which there is no energy."""

@final
class Readout:
    """What a window found out."""

    @property
    def t0_ns(self) -> int: ...
    @property
    def t1_ns(self) -> int: ...
    @property
    def suspended_ns(self) -> int:
        """How long the machine was asleep in between, which is no part of t1_ns - t0_ns; 0 if nobody looked."""
    @property
    def domains(self) -> list[DomainEnergy]:
        """One entry for each of Meter.domains, in the same order."""

@final
class DomainEnergy:
    """What a window found out about one domain."""

    @property
    def energy_uj(self) -> int | None:
        """Measured and modelled energy; None if no reading at the begin was possible."""
    @property
    def modelled_uj(self) -> int:
        """The part that was modelled: all of it for a model; for a meter what bridged a reset or an unreadable end."""
    @property
    def sampling_uj(self) -> int:
        """95 % half-width from ticks, reading times and bridges."""
    @property
    def coverage(self) -> float:
        """Share of the window that unbroken readings bracket, 0 to 1."""
    @property
    def resets(self) -> int:
        """How often the counter was set anew."""
    @property
    def ambiguous(self) -> int:
        """How often a wrap was not the only explanation: several rounds, or a counter set anew."""
    @property
    def fault(self) -> _FaultName | None:
        """Why a reading failed: the one at the end, at the begin, or the latest in between (then it was bridged)."""
    @property
    def below_resolution(self) -> bool:
        """Whether the window is too short for this domain's model to say anything."""

@final
class Domain:
    """One domain as it is measured."""

    @property
    def id(self) -> str:
        """ "package-0", "dram": stable on a machine."""
    @property
    def kind(self) -> Literal["package", "core", "uncore", "dram", "psys", "gpu-card", "battery", "storage"]: ...
    @property
    def package(self) -> int | None:
        """The kernel's physical_package_id; None for what belongs to the whole machine."""
    @property
    def source(self) -> str:
        """The route: "perf", "powercap", "hwmon", "drm", "battery", "estimate", "replay"."""
    @property
    def provenance(self) -> Literal["measured", "modelled"]: ...
    @property
    def counted(self) -> bool:
        """Whether its energy is part of the machine's sum. Counted domains never overlap."""
    @property
    def parent(self) -> str | None:
        """The domain that contains it, if that is measured too."""
    @property
    def reason(self) -> str:
        """Why this route."""
    @property
    def detail(self) -> str:
        """What a person needs to recognise the meter: a path, an event, a model's formula."""
    @property
    def sensor_rel(self) -> float:
        """Systematic relative error of the meter or model, one sigma."""
    @property
    def tick_s(self) -> float:
        """How often the meter moves."""
    @property
    def resolution_s(self) -> float:
        """Shortest window that says something; 0 where the bound alone tells."""
    @property
    def max_power_w(self) -> float:
        """Largest plausible power: what tells a wrap from a reset."""

@final
class Finding:
    """One line of what was looked for on the machine."""

    @property
    def source(self) -> str: ...
    @property
    def domain(self) -> str | None:
        """The domain, where the finding is about one."""
    @property
    def availability(self) -> Literal["available", "absent", "not permitted", "not supported", "failed"]: ...
    @property
    def detail(self) -> str:
        """Where, and what happened there."""

def findings(*, sysroot: str | PathLike[str] | None = None) -> list[Finding]:
    """What was looked for below sysroot, found or not, also where nothing can be measured or modelled."""

def adopt_orphans() -> bool:
    """Makes this process the parent of descendants whose own parent ends, instead of init; False if refused."""

def cross_check(*, sysroot: str | PathLike[str] | None = None, window_s: float = 0.25) -> list[Comparison]:
    """Reads every route to every domain (perf, powercap, and the MSRs if they may be read) over one window.

    Routes of one domain show one register: where they disagree by more than 2 % and their bounds, a driver takes the
    wrong unit, or a meter is not what it says. Domains with a single route are left out. Waits for window_s seconds.
    Raises ValueError for a window that is negative or no number.
    """

@final
class Comparison:
    """The routes to one domain beside each other."""

    @property
    def id(self) -> str: ...
    @property
    def routes(self) -> list[Route]:
        """Best first."""
    @property
    def agrees(self) -> bool:
        """Whether all routes that could be read show the same power."""

@final
class Route:
    """One route to a domain, and the power that it showed."""

    @property
    def source(self) -> str: ...
    @property
    def power_w(self) -> float | None:
        """None if it could not be read at both ends."""
    @property
    def bound_w(self) -> float:
        """How far off power_w may be: two updates and two units."""
    @property
    def detail(self) -> str: ...

@final
class ManualClock:
    """A clock that stands still until it is moved: simulated time for tests."""

    def __new__(cls, now_ns: int = 0) -> ManualClock: ...
    @property
    def now_ns(self) -> int: ...
    def set(self, now_ns: int) -> None: ...
    def advance(self, seconds: float) -> None: ...
    def suspend(self, seconds: float) -> None:
        """Lets the machine sleep: this clock stands still meanwhile, and windows tell how long that was."""

@final
class ScriptedDomain:
    """A domain whose meter follows a script, for tests.

    kind: "package", "core", "uncore", "dram", "psys", "gpu-card", "battery" or "storage".
    readings: pairs of an instant (ns) and what the meter shows from then on: a raw count in microjoules (of a gauge:
    microwatts), or the name of a fault ("not permitted", "vanished", "read failed", "unreadable text").
    signal: "counter", "point gauge" (shows the power at its last refresh) or "boxcar gauge" (shows the mean power of
    its last refresh period); tick_s is then the refresh period.
    package: the kernel's number of it, 0 if not given; None for what belongs to the whole machine.
    range_uj: value at which the counter starts again from 0; None: it never wraps.
    """

    def __new__(
        cls,
        kind: str,
        readings: Sequence[tuple[int, int | str]],
        *,
        package: int | None = ...,
        range_uj: int | None = None,
        max_power_w: float = 2000.0,
        tick_s: float = 0.001,
        sensor_rel: float = 0.0,
        modelled: bool = False,
        signal: str = "counter",
    ) -> ScriptedDomain: ...
