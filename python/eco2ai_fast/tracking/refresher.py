"""A call every so often from a thread that keeps nobody waiting: not the program's end, not a fork.

It is started without the threading module, which would cost a small program more than the tracker does, and is joined
by nobody: stop() tells it and goes on.
"""

from __future__ import annotations

from _thread import TIMEOUT_MAX, allocate_lock, start_new_thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Refresher:
    """Calls `refresh` every `period_s` seconds until stop(), or until it fails. A forked child has no such thread."""

    __slots__ = ("_running",)

    def __init__(self, period_s: float, refresh: Callable[[], None]) -> None:
        self._running = allocate_lock()
        self._running.acquire()
        try:
            start_new_thread(_call_every, (self._running, min(period_s, TIMEOUT_MAX), refresh))
        except RuntimeError:  # no thread left, or the interpreter is ending: the journal keeps its first row
            return

    def stop(self) -> None:
        """Once, by whoever made it. A refresh that is under way is not waited for."""
        self._running.release()


def _call_every(running: _thread.LockType, period_s: float, refresh: Callable[[], None]) -> None:
    while not running.acquire(timeout=period_s):
        try:
            refresh()
        except Exception:
            return  # a full disk; the row at the end of the run will tell of it


if TYPE_CHECKING:
    import _thread
