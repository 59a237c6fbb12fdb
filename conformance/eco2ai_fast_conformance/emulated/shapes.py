"""Powers and times as a person writes them, turned into the whole microwatts and nanoseconds of a spec."""

from __future__ import annotations

from typing import Any

Spec = dict[str, Any]


def ns(seconds: float) -> int:
    """Whole nanoseconds."""
    return round(seconds * 1e9)


def uw(watts: float) -> int:
    """Whole microwatts."""
    return round(watts * 1e6)


def constant(power_w: float) -> Spec:
    """The same power for ever."""
    return {"shape": "constant", "power_uw": uw(power_w)}


def square(low_w: float, high_w: float, period_s: float, duty: float = 0.5) -> Spec:
    """high_w for the first `duty` of each period."""
    period_ns = ns(period_s)
    return {
        "shape": "square",
        "low_uw": uw(low_w),
        "high_uw": uw(high_w),
        "period_ns": period_ns,
        "high_ns": int(period_ns * duty),
    }


def ramp(from_w: float, to_w: float, duration_s: float) -> Spec:
    """Linear over the duration, then to_w."""
    return {"shape": "ramp", "from_uw": uw(from_w), "to_uw": uw(to_w), "duration_ns": ns(duration_s)}


def burst(base_w: float, peak_w: float, at_s: float, width_s: float, every_s: float | None = None) -> Spec:
    """base_w with peaks: one, or one every `every_s`."""
    spec = {
        "shape": "burst",
        "base_uw": uw(base_w),
        "peak_uw": uw(peak_w),
        "at_ns": ns(at_s),
        "width_ns": ns(width_s),
    }
    return spec if every_s is None else spec | {"every_ns": ns(every_s)}


def sine(mean_w: float, amplitude_w: float, period_s: float) -> Spec:
    """mean_w + amplitude_w x sin."""
    return {
        "shape": "sine",
        "mean_uw": uw(mean_w),
        "amplitude_uw": uw(amplitude_w),
        "period_ns": ns(period_s),
    }


def points(*watts_at: tuple[float, float]) -> Spec:
    """Linear between pairs of seconds and watts, held at both ends; two at one instant are a step."""
    return {"shape": "points", "points": [[ns(t_s), uw(power_w)] for t_s, power_w in watts_at]}


def telegraph(low_w: float, high_w: float, dwell_s: float, seed: int) -> Spec:
    """Random switches between two powers, on average every dwell_s."""
    return {
        "shape": "telegraph",
        "low_uw": uw(low_w),
        "high_uw": uw(high_w),
        "dwell_ns": ns(dwell_s),
        "seed": seed,
    }


def fault(kind: str, start_s: float, end_s: float | None = None) -> Spec:
    """A fault of the kinds in README.md, in seconds after the epoch."""
    spec: Spec = {"kind": kind, "start_ns": ns(start_s)}
    return spec if end_s is None else spec | {"end_ns": ns(end_s)}
