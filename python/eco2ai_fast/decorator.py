"""`@measure()` on a function, an async function or a generator."""

from __future__ import annotations

from collections import deque
from functools import wraps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .measurement import Measurement
    from .stopwatch import measure

# A decorated function keeps so many of its last measurements.
KEPT = 1000
# Flags of a code object (the `inspect` module names them, and costs more to import than this package).
CO_GENERATOR = 0x20
CO_COROUTINE = 0x80
CO_ASYNC_GENERATOR = 0x200


def measured(measure: measure, function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` with a window around each call; a generator's window lasts until it is exhausted or closed."""
    flags = getattr(getattr(function, "__code__", None), "co_flags", 0)
    measurements: deque[Measurement] = deque(maxlen=KEPT)
    if flags & CO_ASYNC_GENERATOR:
        wrapper = _around_async_generator(measure, function, measurements)
    elif flags & CO_COROUTINE:
        wrapper = _around_coroutine(measure, function, measurements)
    elif flags & CO_GENERATOR:
        wrapper = _around_generator(measure, function, measurements)
    else:
        wrapper = _around_call(measure, function, measurements)
    wrapper.measurements = measurements  # type: ignore[attr-defined]
    return wrapper


class _Window:
    """One call's window. Unlike `with measure`, it may begin in one thread and end in another."""

    __slots__ = ("begun", "kept", "measure")

    def __init__(self, measure: measure, kept: deque[Measurement]) -> None:
        self.measure = measure
        self.kept = kept

    def __enter__(self) -> None:
        self.begun = self.measure._begin()

    def __exit__(self, *error: object) -> None:
        self.measure._end(*self.begun)
        self.kept.append(self.begun[1])


def _around_call(measure: measure, function: Callable[..., Any], kept: deque[Measurement]) -> Callable[..., Any]:
    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with _Window(measure, kept):
            return function(*args, **kwargs)

    return call


def _around_coroutine(measure: measure, function: Callable[..., Any], kept: deque[Measurement]) -> Callable[..., Any]:
    @wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        with _Window(measure, kept):
            return await function(*args, **kwargs)

    return call


def _around_generator(measure: measure, function: Callable[..., Any], kept: deque[Measurement]) -> Callable[..., Any]:
    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with _Window(measure, kept):
            return (yield from function(*args, **kwargs))

    return call


def _around_async_generator(
    measure: measure, function: Callable[..., Any], kept: deque[Measurement]
) -> Callable[..., Any]:
    @wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        with _Window(measure, kept):
            async for item in function(*args, **kwargs):
                yield item

    return call
