"""Meters that follow a script, for your own tests: no hardware, no waiting.

clock = ManualClock()
package = ScriptedDomain("package", [(0, 1_000_000), (2_000_000_000, 91_000_000)])
with eco2ai_fast.measure(meter=meter([package], clock)) as m:
    clock.advance(2.0)
assert m.energy_j == 90
"""

from __future__ import annotations

from ._core import ManualClock, ScriptedDomain
from .meter import Meter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ManualClock", "ScriptedDomain", "meter"]


def meter(domains: Sequence[ScriptedDomain], clock: ManualClock | None = None) -> Meter:
    """A meter on scripted domains; without a clock it follows the machine's monotonic one.

    On a ManualClock nothing runs by itself: `start()` begins to record, and each `tick()` reads.
    """
    return Meter(sources=domains, clock=clock)
