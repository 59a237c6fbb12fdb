"""The vectors of vectors/*.json as plays: a machine whose meter shows, in real time, what the vector says it shows.

A vector is exact where a clock can be stopped. Played to a running program its window ends where the program's calls
come, so the truth is that of the power behind the readings, and what was "1e-6" becomes the tolerance of any play.
Long vectors are played faster: powers stay as they are, times and energies shrink by one factor.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

from .emulated.shapes import fault, ns, points, uw
from .emulated.truth import Spec
from .scenarios import BASELINE, GPU_TOLERANCE, HALF_FULL, TOLERANCE, Scenario, Stage, package

Vector = dict[str, Any]

FOLDER = Path(__file__).parent / "vectors"
LONGEST_S = 6.0
ESU = 14
FAULT_KINDS = {"read failed": "eio", "not permitted": "eacces", "vanished": "enoent", "unreadable text": "garbage"}


def load() -> list[Vector]:
    """All vectors, in the order of their files."""
    return [vector for path in sorted(FOLDER.glob("*.json")) for vector in json.loads(path.read_text())]


def plays() -> list[Scenario]:
    """Each vector as a scenario; its name begins with the kind of meter."""
    return [_play(vector) for vector in load()]


def _play(vector: Vector) -> Scenario:
    is_counter = vector["signal"] == "counter"
    scale = min(1.0, LONGEST_S / _window_s(vector))
    route = "powercap" if is_counter else "nvml"
    return Scenario(
        name="vector: " + vector["name"],
        story=f"{vector['signal']}, as in vectors/" + ("counters.json or faults.json" if is_counter else "gauges.json"),
        why=vector["why"],
        stage=lambda at_s: (_counter if is_counter else _gauge)(vector, at_s, scale),
        meter=BASELINE[route].meter,
        route=route,
        window_s=_window_s(vector) * scale,
        tolerance=_tolerance(vector, TOLERANCE if is_counter else GPU_TOLERANCE),
        must_say=bool(vector.get("flagged"))
        and (vector["energy_j"] is None or _ends_unknown(vector) or _falls(vector)),
    )


def _window_s(vector: Vector) -> float:
    return float(vector["read_at_s"][-1] - vector["read_at_s"][0])


def _tolerance(vector: Vector, least: tuple[float, float]) -> tuple[float, float] | None:
    """The vector's own where that is wider. A meter that is gone may be counted as far as it was seen."""
    if vector["energy_j"] is None:
        return None
    own = vector.get("tolerance_j", 0) / vector["energy_j"]
    low, high = min(least[0], -own), max(least[1], own)
    return (-0.65, 0.1) if _ends_unknown(vector) else (low, high)


def _ends_unknown(vector: Vector) -> bool:
    return isinstance(vector["shows"][-1][1], str)


def _falls(vector: Vector) -> bool:
    """Whether the counter loses more than the tolerance for good; after an outage alone, all is known again.

    A joule that a counter falls back cannot be seen but by who reads every few milliseconds, and is lost in the
    tolerance: there the phantom range alone is wrong.
    """
    return any(kind == "reset" for kind, _, _ in _faults(vector))


def _readings(vector: Vector) -> list[tuple[float, float]]:
    return [(t_s, value) for t_s, value in vector["shows"] if not isinstance(value, str)]


def _step(vector: Vector, before: tuple[float, float], after: tuple[float, float]) -> tuple[str | None, float]:
    """What happened between two readings, and the joules drawn, None where the readings do not tell."""
    grown = after[1] - before[1]
    if grown >= 0:
        return None, grown
    wrapped = grown + vector.get("range_j", 0)
    if 0 <= wrapped <= vector["max_power_w"] * (after[0] - before[0]):
        return None, wrapped
    return ("reset" if after[1] < before[1] / 2 else "back"), float("nan")


def _segments(vector: Vector) -> list[tuple[float, float, float]]:
    """(from, to, watts) between readings; across a fall the power of before goes on."""
    segments: list[tuple[float, float, float]] = []
    for before, after in itertools.pairwise(_readings(vector)):
        fell, energy_j = _step(vector, before, after)
        power_w = segments[-1][2] if fell and segments else energy_j / (after[0] - before[0])
        segments.append((before[0], after[0], round(power_w, 6)))
    return segments or [(0.0, 1.0, 65.0)]


def _faults(vector: Vector) -> list[tuple[str, float, float | None]]:
    shows = vector["shows"]
    faults: list[tuple[str, float, float | None]] = []
    for place, (t_s, value) in enumerate(shows):
        if isinstance(value, str):
            later = shows[place + 1][0] if place + 1 < len(shows) else None
            faults.append((FAULT_KINDS[value], t_s, later))
    for before, after in itertools.pairwise(_readings(vector)):
        if kind := _step(vector, before, after)[0]:
            faults.append((kind, after[0], None))
    return faults


def power(vector: Vector, at_s: float, scale: float) -> Spec:
    """The power behind a counter's readings: held before the first and after the last."""
    steps = [
        (t_s, watts) for from_s, to_s, watts in _segments(vector) for t_s, watts in ((from_s, watts), (to_s, watts))
    ]
    turns = [
        steps[0],
        *(step for pair in itertools.pairwise(steps) for step in pair if pair[0][1] != pair[1][1]),
        steps[-1],
    ]
    return points(*((at_s + t_s * scale, watts) for t_s, watts in turns))


def _counter(vector: Vector, at_s: float, scale: float) -> Stage:
    shape = power(vector, at_s, scale)
    acting = [
        _fault(vector, kind, at_s + from_s * scale, None if to_s is None else at_s + to_s * scale)
        for kind, from_s, to_s in _faults(vector)
    ]
    return Stage(
        (shape,),
        {
            "domains": [
                package(shape, faults=acting, limit_uw=uw(vector["max_power_w"]), **_range(vector, shape, at_s, scale))
            ]
        },
    )


def _fault(vector: Vector, kind: str, from_s: float, to_s: float | None) -> Spec:
    if kind == "back":
        kind = "back1J"
    # What cannot be read from the vector's first second on cannot be read by a tool that starts before it either.
    start_s = 0.0 if from_s <= 0 or not _readings(vector) else from_s
    return fault(kind, start_s, to_s)


def _range(vector: Vector, shape: Spec, at_s: float, scale: float) -> Spec:
    """Where the counter wraps, and its first reading, such that the play begins with the vector's."""
    range_j = vector.get("range_j", 0)
    if not 0 < range_j < 262_000:
        return {"start_units": HALF_FULL}
    range_units = round(range_j * scale * 2**ESU)
    before_j = shape["points"][0][1] / 1e6 * at_s
    start_j = _readings(vector)[0][1] * scale - before_j
    return {"range_units": range_units, "start_units": round(start_j * 2**ESU) % range_units}


def _gauge(vector: Vector, at_s: float, scale: float) -> Stage:
    """A GPU without a counter, whose instant power is the vector's gauge."""
    tick_s, is_boxcar = vector["tick_s"] * scale, vector["signal"] == "boxcar gauge"
    shape = points(*((at_s + t_s * scale, watts) for t_s, watts in _corners(vector, is_boxcar)))
    gauge = {"period_ms": tick_s * 1e3, "window_ms": tick_s * 1e3 if is_boxcar else 1.0, "jitter_ms": 0.0}
    gauge["phase_ms"] = at_s % tick_s * 1e3
    card = {
        "wave": shape,
        "counter": None,
        "average": None,
        "instant": gauge,
        "power_usage": "instant",
        "architecture": 4,
    }
    return Stage((shape,), gpus=(card,))


def _corners(vector: Vector, is_boxcar: bool) -> list[tuple[float, float]]:
    """The power that such a gauge shows so: straight between readings where they are dense, else a step."""
    shows, tick_s = _readings(vector), vector["tick_s"]
    corners = [shows[0]]
    for before, after in itertools.pairwise(shows):
        is_step = after[0] - before[0] > 1.5 * tick_s
        # A boxcar shows the mean of the period that ends with it.
        corners += [(after[0] - (tick_s if is_boxcar else 0), before[1])] * is_step
        corners.append((after[0] - (tick_s if is_boxcar and is_step else 0), after[1]))
    return corners


def energy_j(shape: Spec, from_s: float, to_s: float) -> float:
    """Joules of a play's power, for the test that holds plays to their vectors."""
    from .emulated.truth import FJ_PER_J, closed_form

    energy_fj = closed_form(shape)
    return (energy_fj(ns(to_s)) - energy_fj(ns(from_s))) / FJ_PER_J
