"""The command `eco2ai-fast`: `start` is its door, `commands` the list of what it does."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .commands import main as main


def __getattr__(name: str) -> object:
    """`main`, which needs click: whoever enters by `start` may do without."""
    if name == "main":
        from .commands import main

        return main
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
