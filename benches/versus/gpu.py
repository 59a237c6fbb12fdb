"""Are the joules right on a GPU whose power is known, but whose counter moves only every 100 ms?"""

from __future__ import annotations

from .plays import Company, Table

from eco2ai_fast_conformance.emulated.shapes import square  # isort: skip (plays sets the path)
from eco2ai_fast_conformance.scenarios import Scenario, cards, steady, through  # isort: skip

WINDOW_S, QUICK_WINDOW_S = 10.0, 5.0


def measured(company: Company, quick: bool) -> Table:
    """The error in percent, one card, an energy counter every 100 ms and a gauge that means over a second."""
    window_s = QUICK_WINDOW_S if quick else WINDOW_S
    free = {
        "constant 300 W": _scenario("gpu constant", cards(steady(300)), window_s),
        "square 100/600 W, 370 ms": _scenario("gpu square", cards(lambda at_s: square(100, 600, 0.37)), window_s),
    }
    ramp = cards(through((0.5, 100), (window_s - 0.5, 600), (window_s - 0.5, 100)))
    burst = cards(through((0, 90), (2, 90), (2, 700), (2.15, 700), (2.15, 90)))
    timed = {
        "ramp 100 to 600 W": _scenario("gpu ramp", ramp, window_s),
        "one burst of 150 ms, 700 W over 90 W": _scenario("gpu burst", burst, window_s),
    }
    if quick:
        free.pop("constant 300 W")
        timed.pop("ramp 100 to 600 W")
    return company.errors(free) | company.errors(timed, waits=True)


def _scenario(name: str, stage: object, window_s: float) -> Scenario:
    return Scenario(name, name, name, stage, "gpu", "nvml", window_s)  # type: ignore[arg-type]
