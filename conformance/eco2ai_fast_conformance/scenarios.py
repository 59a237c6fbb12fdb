"""What is played to a tool: what its meters do in the window, what the energy then is, and what an answer must be.

Data, and the few words to write it down with. A scenario gives its stage for an instant `at_s`, at which its play
begins; the tool has been started by then, so that what its own start takes is before the play.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .emulated.shapes import burst, constant, fault, points, square
from .emulated.truth import Spec

# A window's ends are where start() returned and stop() was called; 2 % of 5 s is what a tool may take at them.
TOLERANCE = (-0.02, 0.02)
# A GPU's counter moves each 100 ms; one period at each end is 4 % of 5 s, and a tool may be off by most of one.
GPU_TOLERANCE = (-0.03, 0.03)
WINDOW_S = 5.0
# Half of the counter's range: a reset then looks like no wrap, and a wrap is far.
HALF_FULL = 2**31


@dataclass(frozen=True)
class Stage:
    """A machine, the powers that an answer must contain, and the process's own surroundings."""

    powers: tuple[Spec, ...]
    machine: Spec | None = None
    gpus: tuple[Mapping[str, object], ...] | None = None
    nvml: Mapping[str, object] = field(default_factory=dict)
    perf: bool = False
    is_guest: bool = False
    without_rights: bool = False
    without_nvidia_smi: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Scenario:
    """One play.

    Attributes:
        name: an identifier; story: what happens; why: what goes wrong where this is not held, and where it was seen.
        meter: what is asked for: "cpu", "cpu+ram" or "gpu".
        route: by which interface a tool can see it: "powercap", "nvml" or "perf".
        stage: the machine for a play that begins at so many seconds after its epoch.
        tolerance: the relative errors between which a number is right; None: it cannot be known, and any number must
            come with a word.
        must_say: whether a number without a word of doubt is wrong, however close.
        quick: whether it belongs to the short run.
    """

    name: str
    story: str
    why: str
    stage: Callable[[float], Stage]
    meter: str = "cpu"
    route: str = "powercap"
    window_s: float = WINDOW_S
    tolerance: tuple[float, float] | None = TOLERANCE
    must_say: bool = False
    quick: bool = False


def package(power: Spec, number: int = 0, **more: Any) -> Spec:
    """A socket's counter in powercap."""
    zones = [{"zone": f"intel-rapl:{number}", "name": f"package-{number}"}]
    return {
        "id": f"package-{number}",
        "power": power,
        "zones": zones,
        "start_units": HALF_FULL,
        "limit_uw": 200_000_000,
        **more,
    }


def counter(
    power: Callable[[float], Spec], *faults: tuple[str, float, float | None], **more: Any
) -> Callable[[float], Stage]:
    """One socket; faults as (kind, from, until) in seconds of the play."""

    def stage(at_s: float) -> Stage:
        shape = power(at_s)
        acting = [
            fault(kind, at_s + from_s, None if until_s is None else at_s + until_s) for kind, from_s, until_s in faults
        ]
        return Stage((shape,), {"domains": [package(shape, faults=acting, **more)]})

    return stage


def steady(power_w: float) -> Callable[[float], Spec]:
    """The same power throughout."""
    return lambda at_s: constant(power_w)


def through(*watts_at: tuple[float, float]) -> Callable[[float], Spec]:
    """Linear between (seconds of the play, watts)."""
    return lambda at_s: points(*((at_s + t_s, power_w) for t_s, power_w in watts_at))


def layout(counted: tuple[float, ...], *zones: tuple[str, str, float]) -> Callable[[float], Stage]:
    """Meters of constant power, as (zone, name, watts); zones of one name show one meter. `counted` is the truth."""

    def stage(at_s: float) -> Stage:
        domains: dict[str, Spec] = {}
        for zone, name, power_w in zones:
            new = {
                "id": name,
                "power": constant(power_w),
                "zones": [],
                "start_units": HALF_FULL,
                "limit_uw": 200_000_000,
            }
            domains.setdefault(name, new)["zones"].append({"zone": zone, "name": name})
        return Stage(tuple(map(constant, counted)), {"domains": list(domains.values())})

    return stage


def cards(
    *powers: Callable[[float], Spec], counted: tuple[int, ...] | None = None, **more: object
) -> Callable[[float], Stage]:
    """GPUs with an energy counter; `counted`: which of them an answer contains, all without it."""

    def stage(at_s: float) -> Stage:
        shapes = [power(at_s) for power in powers]
        which = range(len(shapes)) if counted is None else counted
        gpus = tuple({"wave": shape, "uuid": uuid(i)} for i, shape in enumerate(shapes))
        return Stage(tuple(shapes[i] for i in which), gpus=gpus, **more)  # type: ignore[arg-type]

    return stage


def failing_card(power_w: float, kind: str, from_s: float, **more: object) -> Callable[[float], Stage]:
    """One GPU with a fault from that second of the play on."""

    def stage(at_s: float) -> Stage:
        broken = {"kind": kind, "from_s": at_s + from_s, **more}
        return Stage((constant(power_w),), gpus=({"wave": constant(power_w), "uuid": uuid(0), "faults": [broken]},))

    return stage


def uuid(number: int) -> str:
    """A GPU's name for life."""
    return f"GPU-{number:08x}-0000-4000-8000-0123456789ab"


def _guest(at_s: float) -> Stage:
    return Stage((constant(65),), {"domains": [package(constant(65), tick_ns=1_000_000_000)]}, is_guest=True)


def _perf_only(at_s: float) -> Stage:
    return Stage((constant(1),), {"domains": []}, perf=True)


BASELINE = {
    "powercap": Scenario(
        "constant", "65 W throughout", "the least that integration must do", counter(steady(65)), quick=True
    ),
    "nvml": Scenario(
        "gpu constant",
        "one GPU at 300 W",
        "the least that a GPU's meter must give",
        cards(steady(300)),
        "gpu",
        "nvml",
        tolerance=GPU_TOLERANCE,
        quick=True,
    ),
    "perf": Scenario(
        "perf events alone",
        "a power PMU of 1 W on one CPU, and no powercap",
        "kernels without powercap, and users with CAP_PERFMON alone, have this only",
        _perf_only,
        route="perf",
        quick=True,
    ),
}

SHAPES = (
    Scenario(
        "square",
        "30 and 180 W in turn, every 730 ms",
        "a power sampled now and then stands for what was not sampled",
        counter(lambda at_s: square(30, 180, 0.73)),
        quick=True,
    ),
    Scenario(
        "ramp",
        "from 20 to 180 W in a straight line",
        "a tool that holds its last value lags: carbontracker -3.8 % over 20 s",
        counter(through((0, 20), (WINDOW_S, 180))),
    ),
    Scenario(
        "falling power",
        "from 180 to 20 W in a straight line",
        "energy was added only when power rose (Alumet's minimal mode)",
        counter(through((0, 180), (WINDOW_S, 20))),
    ),
    Scenario(
        "burst",
        "20 W, and 200 W for 40 ms of each second",
        "a sampler misses what happens between its samples: carbontracker -2.3 %",
        counter(lambda at_s: burst(20, 200, at_s + 0.5, 0.04, 1.0)),
    ),
    Scenario(
        "plateau",
        "180 W for 4 s, then 40 W",
        "a trapezoid that forgets repeated values loses the plateau (zeus PowerMonitor)",
        counter(through((0, 180), (4, 180), (4, 40))),
    ),
    Scenario(
        "one wrap",
        "the counter passes its range of 262 kJ",
        "-262 kJ, or the interval lost (EnergiBridge #17, Scaphandre #280)",
        lambda at_s: counter(steady(65), start_units=2**32 - round(65 * 2**14 * (at_s + 2.5)))(at_s),
        quick=True,
    ),
    Scenario(
        "many wraps",
        "120 W on a counter of 100 J: six wraps, which takes hours on a real one",
        "who reads only at the ends sees none of them (zeus #91), and must say that it cannot know",
        counter(steady(120), range_units=100 << 14, start_units=0, limit_uw=150_000_000),
    ),
    Scenario(
        "virtual machine",
        "a guest whose counter its host moves once a second",
        "a window's ends are known to a second only",
        _guest,
        tolerance=(-0.2, 0.2),
        window_s=6.0,
    ),
    Scenario(
        "slow reads",
        "each read takes 50 ms for 2 s",
        "a sampler that waits for one meter loses the others' time",
        counter(steady(65), ("slow50", 1.5, 3.5)),
    ),
)

FAULTS = (
    Scenario(
        "zero for a while",
        "the counter reads 0 for 2 s and then goes on",
        "262 kJ of phantom energy (zeus, CodeCarbon, perun)",
        counter(steady(65), ("zero", 1.5, 3.5)),
        quick=True,
    ),
    Scenario(
        "empty for a while",
        "the file has no byte for 2 s",
        "carbontracker ends the user's process with exit code 70",
        counter(steady(65), ("empty", 1.5, 3.5)),
    ),
    Scenario(
        "stuck for a while",
        "the counter stands still for 2 s, then shows what it missed",
        "0 W and then a peak, or a hole",
        counter(steady(65), ("stuck", 1.5, 3.5)),
    ),
    Scenario(
        "stuck for good",
        "the counter stands still from the second 2 on",
        "-60 % without a word in every rival",
        counter(steady(65), ("stuckend", 2, None)),
        must_say=True,
        tolerance=(-0.65, 0.1),
        quick=True,
    ),
    Scenario(
        "falls back by 50 J",
        "the counter is 50 J behind from the second 2 on",
        "262 kJ of phantom energy, or 15 % lost",
        counter(steady(65), ("back50J", 2, None)),
        must_say=True,
        tolerance=(-0.05, 0.05),
    ),
    Scenario(
        "no permission",
        "energy_uj cannot be read, as it is for users since Linux 5.10",
        "0 J without a word (zeus)",
        lambda at_s: Stage(
            (constant(65),), {"domains": [package(constant(65))], "energy_mode": "0000"}, without_rights=True
        ),
        must_say=True,
        tolerance=None,
        quick=True,
    ),
    Scenario(
        "nothing there",
        "no powercap at all, as in most virtual machines",
        "0 J without a word (zeus), TypeError (pyJoules)",
        lambda at_s: Stage((constant(65),), {"domains": []}),
        must_say=True,
        tolerance=None,
        quick=True,
    ),
)

LAYOUTS = (
    Scenario(
        "two sockets",
        "65 W and 50 W",
        "carbontracker takes the mean of all devices: half",
        layout((65, 50), ("intel-rapl:0", "package-0", 65), ("intel-rapl:1", "package-1", 50)),
        quick=True,
    ),
    Scenario(
        "core inside package",
        "package 65 W, of which core 40 W and uncore 5 W",
        "what is inside is counted twice",
        layout(
            (65,), ("intel-rapl:0", "package-0", 65), ("intel-rapl:0:0", "core", 40), ("intel-rapl:0:1", "uncore", 5)
        ),
    ),
    Scenario(
        "psys beside package",
        "package 65 W, and the platform's own 95 W",
        "zeus counts psys as a second CPU",
        layout((65,), ("intel-rapl:0", "package-0", 65), ("intel-rapl:1", "psys", 95)),
        quick=True,
    ),
    Scenario(
        "mmio mirror",
        "the same package once more under intel-rapl-mmio",
        "one meter counted twice",
        layout((65,), ("intel-rapl:0", "package-0", 65), ("intel-rapl-mmio:0", "package-0", 65)),
    ),
    Scenario(
        "memory",
        "package 65 W and DRAM 8 W, both asked for",
        "CodeCarbon's rapl_include_dram changes nothing; its RAM is a constant",
        layout((65, 8), ("intel-rapl:0", "package-0", 65), ("intel-rapl:0:0", "dram", 8)),
        "cpu+ram",
    ),
)

GPUS = (
    Scenario(
        "gpu square",
        "100 and 600 W in turn, every 370 ms",
        "a 1 s mean read now and then: carbontracker -6 %",
        cards(lambda at_s: square(100, 600, 0.37)),
        "gpu",
        "nvml",
        tolerance=GPU_TOLERANCE,
    ),
    Scenario(
        "gpu ramp",
        "from 100 to 600 W in 3.5 s, and back at once",
        "eco2AI takes its last reading for the whole interval: +71 %",
        cards(through((0.5, 100), (4, 600), (4, 100))),
        "gpu",
        "nvml",
        tolerance=GPU_TOLERANCE,
    ),
    Scenario(
        "gpu falling power",
        "at once to 600 W, and in 3.5 s back to 100 W",
        "energy added only when power rises",
        cards(through((0.5, 100), (0.5, 600), (4, 100))),
        "gpu",
        "nvml",
        tolerance=GPU_TOLERANCE,
    ),
    Scenario(
        "gpu burst",
        "90 W, and 700 W for 150 ms",
        "a gauge that means over a second and is read each second sees a part of it",
        cards(through((0, 90), (2, 90), (2, 700), (2.15, 700), (2.15, 90))),
        "gpu",
        "nvml",
        tolerance=GPU_TOLERANCE,
        quick=True,
    ),
    Scenario(
        "four gpus",
        "300, 250, 200 and 150 W",
        "carbontracker averages devices: a quarter",
        cards(steady(300), steady(250), steady(200), steady(150)),
        "gpu",
        "nvml",
        tolerance=GPU_TOLERANCE,
        quick=True,
    ),
    Scenario(
        "gpu visible by uuid",
        "two GPUs, of which CUDA_VISIBLE_DEVICES names the second by its UUID",
        "CodeCarbon 0 J, zeus ValueError, eco2AI counts both",
        cards(steady(300), steady(200), counted=(1,), environment={"CUDA_VISIBLE_DEVICES": uuid(1)}),
        "gpu",
        "nvml",
        tolerance=GPU_TOLERANCE,
        quick=True,
    ),
    Scenario(
        "gpu lost",
        "the GPU answers GPU_IS_LOST from the second 2 on",
        "CodeCarbon 0 J; eco2AI raises into the user's code",
        failing_card(300, "error", 2, code=15),
        "gpu",
        "nvml",
        tolerance=(-0.65, 0.1),
        must_say=True,
    ),
    Scenario(
        "gpu counter reset",
        "the counter starts again from 0, as after a driver's reload",
        "a negative or a lost energy",
        failing_card(300, "counter_reset", 2),
        "gpu",
        "nvml",
        tolerance=(-0.05, 0.05),
        must_say=True,
    ),
    Scenario(
        "gpu driver fails",
        "nvmlInit answers that driver and library do not match",
        "0 J without a word",
        lambda at_s: Stage((constant(300),), gpus=({"wave": constant(300)},), nvml={"init": {"code": 18}}),
        "gpu",
        "nvml",
        tolerance=None,
        must_say=True,
    ),
    Scenario(
        "gpu without nvidia-smi",
        "NVML works; the program nvidia-smi is not there, as in slim containers",
        "CodeCarbon 0 J: it looks for the program first",
        cards(steady(300), without_nvidia_smi=True),
        "gpu",
        "nvml",
        tolerance=GPU_TOLERANCE,
    ),
)
