"""What does a fault of the counter do to each tool's figure? 65 W, and one fault in the window."""

from __future__ import annotations

from .plays import Company, Table

from eco2ai_fast_conformance.scenarios import Scenario, counter, steady  # isort: skip (plays sets the path)

WINDOW_S, QUICK_WINDOW_S = 8.0, 5.0
# Kind of the emulator, from, until (seconds of the window); for ever without the last.
FAULTS: dict[str, tuple[str, float, float | None] | None] = {
    "none": None,
    "EACCES for 2 s": ("eacces", 1.5, 3.5),
    "EIO for 2 s": ("eio", 1.5, 3.5),
    "file gone for 2 s": ("enoent", 1.5, 3.5),
    "file gone for good": ("gone", 3, None),
    "garbage for 2 s": ("garbage", 1.5, 3.5),
    "empty for 2 s": ("empty", 1.5, 3.5),
    "reads 0 for 2 s": ("zero", 1.5, 3.5),
    "stuck for 2 s": ("stuck", 1.5, 3.5),
    "stuck for good": ("stuckend", 3, None),
    "reset to 0": ("reset", 3, None),
    "1 J backwards": ("back1J", 3, None),
    "50 J backwards": ("back50J", 3, None),
    "each read takes 50 ms": ("slow50", 1.5, 3.5),
}
QUICK = ("EIO for 2 s", "reads 0 for 2 s", "reset to 0")


def measured(company: Company, quick: bool) -> Table:
    """The error in percent under each fault; in a quick run under three of them."""
    window_s = QUICK_WINDOW_S if quick else WINDOW_S
    asked = {name: _scenario(name, fault, window_s) for name, fault in FAULTS.items() if not quick or name in QUICK}
    company.listen(_scenario("none", None, window_s))
    return company.errors(asked, waits=True)


def _scenario(name: str, fault: tuple[str, float, float | None] | None, window_s: float) -> Scenario:
    return Scenario(name, name, name, counter(steady(65), *([fault] if fault else [])), window_s=window_s)
