"""`@track`: a tracker around each call of a function."""

from __future__ import annotations

from .decorator import measured
from .tracker import Tracker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    F = TypeVar("F", bound=Callable[..., Any])


class _Tracking:
    """A tracker around each call, in the form that decorator.measured asks for."""

    def _begin(self) -> tuple[Tracker, None]:
        tracker = Tracker()
        tracker.start()
        return tracker, None

    def _end(self, tracker: Tracker, _: None) -> None:
        tracker.__exit__(None, None, None)


def track(func: F) -> F:
    """Tracks each call of a function, async function or generator with the stored parameters: a row per call.

    What the function returns and raises comes through unchanged.
    """
    tracked: Any = measured(_Tracking(), func)  # type: ignore[arg-type]
    del tracked.measurements
    result: F = tracked
    return result
