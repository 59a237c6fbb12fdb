"""Are the joules right on counters of known power: shapes over seconds, and windows from 5 ms on?"""

from __future__ import annotations

from .plays import Company, Table

from eco2ai_fast_conformance.emulated.shapes import burst, square, telegraph  # isort: skip (plays sets the path)
from eco2ai_fast_conformance.scenarios import BASELINE, Scenario, counter, layout, steady, through  # isort: skip

LONG_S, QUICK_S = 20.0, 5.0
SHORT_S = (0.005, 0.05, 0.5, 5.0)
SEED_OF_TELEGRAPH = 7
ALONE_BELOW_S = 1.0  # there waiting a few milliseconds for a CPU is more than what tools differ by
WRAPS = 3.5  # how often the small counter wraps in a window


def shapes(window_s: float) -> dict[str, Scenario]:
    """What does not care when it begins."""
    return {
        "constant 65 W": _scenario("constant", counter(steady(65)), window_s),
        "square 30/180 W, 730 ms": _scenario("square", counter(lambda at_s: square(30, 180, 0.73)), window_s),
        "40 ms bursts of 200 W over 20 W": _scenario(
            "burst", counter(lambda at_s: burst(20, 200, at_s + 0.5, 0.04, 1.0)), window_s
        ),
        "two sockets, 65 and 50 W": _scenario(
            "two sockets",
            layout((65, 50), ("intel-rapl:0", "package-0", 65), ("intel-rapl:1", "package-1", 50)),
            window_s,
        ),
    }


def timed(window_s: float) -> dict[str, Scenario]:
    """What begins at an instant that the tool must have been started by."""
    small = round(65 * window_s / WRAPS) << 14
    once = lambda at_s: counter(steady(65), start_units=2**32 - round(65 * 2**14 * (at_s + window_s / 2)))(at_s)  # noqa: E731
    return {
        "ramp 20 to 180 W": _scenario("ramp", counter(through((0, 20), (window_s, 180))), window_s),
        "one wrap of 262 kJ": _scenario("one wrap", once, window_s),
        f"a small counter, {WRAPS:g} wraps": _scenario(
            "many wraps", counter(steady(65), range_units=small, start_units=0, limit_uw=150_000_000), window_s
        ),
    }


def short(windows_s: tuple[float, ...], changing: bool) -> dict[str, Scenario]:
    """Short windows, of constant power and of one that changes at random."""
    found = {
        f"{window_s * 1e3:g} ms, constant": _scenario("short", counter(steady(65)), window_s) for window_s in windows_s
    }
    if changing:
        random_power = counter(lambda at_s: telegraph(20, 180, 0.01, SEED_OF_TELEGRAPH))
        found |= {
            f"{window_s * 1e3:g} ms, 20/180 W at random": _scenario("short random", random_power, window_s)
            for window_s in windows_s
        }
    return found


def by_perf() -> dict[str, Scenario]:
    """The route that perf itself can take: a software clock of 1 W under the name of a power PMU."""
    return {"constant 1 W, by perf events alone": BASELINE["perf"]}


def measured(company: Company, quick: bool) -> dict[str, Table]:
    """All of it; in a quick run shorter windows and fewer of them."""
    window_s = QUICK_S if quick else LONG_S
    wraps = timed(window_s)
    if quick:
        wraps.pop(f"a small counter, {WRAPS:g} wraps")
    brief = company.errors(short(_shortest(quick), changing=not quick), jobs=1)
    windows = brief | company.errors(short(() if quick else _longest(), changing=True))
    long = company.errors(shapes(window_s) | by_perf()) | company.errors(wraps, waits=True)
    return {f"waveforms over {window_s:g} s": long, "short windows": windows}


def _shortest(quick: bool) -> tuple[float, ...]:
    return SHORT_S[:2] if quick else tuple(window_s for window_s in SHORT_S if window_s < ALONE_BELOW_S)


def _longest() -> tuple[float, ...]:
    return tuple(window_s for window_s in SHORT_S if window_s >= ALONE_BELOW_S)


def _scenario(name: str, stage: object, window_s: float) -> Scenario:
    return Scenario(name, name, name, stage, window_s=window_s)  # type: ignore[arg-type]
