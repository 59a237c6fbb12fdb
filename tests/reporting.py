"""Records for the tests of reports: real ones, of scripted meters and a manual clock, with chosen windows."""

from __future__ import annotations

from typing import Any

import eco2ai_fast as eco
from eco2ai_fast.record import Run, of_run
from eco2ai_fast.testing import ManualClock, ScriptedDomain, meter

SECOND = 1_000_000_000
UTC_NS = 1_770_000_000 * SECOND  # 2026-02-02T02:40:00Z
HOST = {"hash": "0" * 32, "boot_id": "boot-1"}
HOSTILE = [
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "two\nlines\r\n---\n# head",
    "\x1b[31mred\x07\u2028\u0085",
    "a | b `c` [d](http://e.f) **g** &amp; @h",
    '"quoted": {yaml: 1}',
    "x" * 10_000,
    "\ud800 half \U0001f642",
]


def record(start_s: float = 0.0, seconds: float = 100.0, *, power_w: float = 10.0, **changes: Any) -> dict[str, Any]:
    """A run of `seconds` at constant power from `start_s` of the host's clock on, in France unless `zone` says so.

    `terms` are those of `to_record`; other keywords replace keys of the record.
    """
    zone, pue, terms = changes.pop("zone", "FR"), changes.pop("pue", None), changes.pop("terms", {})
    energy_uj = round(power_w * seconds * 1e6)
    clock = ManualClock()
    package = ScriptedDomain("package", [(0, 0), (round(seconds * SECOND), energy_uj)], max_power_w=1e9)
    with eco.measure("step", zone=zone, pue=pue, meter=meter([package], clock)) as m:
        clock.advance(seconds)
    made = moved(m.to_record(**terms), start_s) | {"host": HOST, "code_commit": None}
    return made | changes


def command_record(argv: list[str], **changes: Any) -> dict[str, Any]:
    """The record of a command's run."""
    clock = ManualClock()
    package = ScriptedDomain("package", [(0, 0), (SECOND, 1_000_000)])
    with eco.measure(argv[0], zone="FR", meter=meter([package], clock)) as m:
        clock.advance(1.0)
    return moved(of_run(m, Run(argv, cpu_s=0.5, busy_s=1.0)), 0.0) | changes


def moved(made: dict[str, Any], start_s: float) -> dict[str, Any]:
    """The record with its window and bins at `start_s`."""
    shift_ns = round(start_s * SECOND) - made["t0_ns"]
    edges_ns = [edge + shift_ns for edge in made["bins"]["edges_ns"]]
    return made | {
        "t0_ns": made["t0_ns"] + shift_ns,
        "t1_ns": made["t1_ns"] + shift_ns,
        "bins": made["bins"] | {"edges_ns": edges_ns},
        "clock_anchor": {"monotonic_ns": 0, "boottime_ns": 0, "utc_ns": UTC_NS},
        "t0_utc": "2026-02-02T02:40:00.000Z",
        "t1_utc": "2026-02-02T02:41:40.000Z",
    }
