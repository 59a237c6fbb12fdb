"""Spans of asyncio tasks: what runs in one thread at a time need not nest there."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._core import Span
    from .meter import Meter


class TaskSpan:
    """`async with meter.aspan("request") as span`: begins and ends like `meter.span()`, on the lane of its task."""

    __slots__ = ("_attributes", "_meter", "_name", "_span")

    def __init__(self, meter: Meter, name: str, attributes: dict[str, Any]) -> None:
        self._meter = meter
        self._name = name
        self._attributes = attributes
        self._span: Span | None = None

    def __enter__(self) -> Span:
        self._span = self._meter.span(self._name, **{"lane": lane(), **self._attributes})
        return self._span.__enter__()

    def __exit__(self, *error: Any) -> None:
        if self._span is not None:
            self._span.__exit__(*error)

    async def __aenter__(self) -> Span:
        return self.__enter__()

    async def __aexit__(self, *error: Any) -> None:
        self.__exit__(*error)


def lane() -> int | None:
    """The lane of the running task: no two tasks that are alive share one. None outside of tasks: the thread's."""
    from asyncio import current_task

    try:
        task = current_task()
    except RuntimeError:
        return None
    return None if task is None else id(task)
