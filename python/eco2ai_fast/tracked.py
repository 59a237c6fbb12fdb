"""`@track`: a tracker around each call of a function."""

from __future__ import annotations

from .decorator import around
from .tracker import Tracker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    F = TypeVar("F", bound=Callable[..., Any])


def track(func: F) -> F:
    """Tracks each call of a function, async function or generator with the stored parameters: a row per call.

    What the function returns and raises comes through unchanged.
    """
    tracked: Any = around(func, _Tracked)
    result: F = tracked
    return result


class _Tracked:
    """The tracker of one call, made when the call begins."""

    __slots__ = ("_tracker",)

    def __enter__(self) -> None:
        self._tracker = Tracker()
        self._tracker.start()

    def __exit__(self, *error: Any) -> None:
        self._tracker.__exit__(*error)
