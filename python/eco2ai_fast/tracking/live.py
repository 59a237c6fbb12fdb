"""The trackers that run in this process: ended at its exit, forgotten by a forked child, whose parent has them."""

from __future__ import annotations

import atexit
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..tracker import Tracker

_running: dict[int, Tracker] = {}
_watching = False


def add(tracker: Tracker) -> None:
    global _watching
    if not _watching:
        atexit.register(_end_all)
        os.register_at_fork(after_in_child=_forget_all)
        _watching = True
    _running[id(tracker)] = tracker


def discard(tracker: Tracker) -> None:
    _running.pop(id(tracker), None)


def _end_all() -> None:
    """What a script that never called stop() would have lost."""
    failed: Exception | None = None
    for tracker in list(_running.values()):
        try:
            tracker.stop()
        except Exception as error:  # a warning where warnings are errors: the others are ended all the same
            failed = error
    if failed:
        raise failed


def _forget_all() -> None:
    for tracker in list(_running.values()):
        tracker._forget()
    _running.clear()
