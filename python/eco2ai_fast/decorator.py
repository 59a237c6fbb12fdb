"""`@measure()` and `@meter.span()` on a function, an async function or a generator."""

from __future__ import annotations

from collections import deque
from functools import wraps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._core import Span
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
    measurements: deque[Measurement] = deque(maxlen=KEPT)
    wrapper = around(function, lambda: _Window(measure, measurements))
    wrapper.measurements = measurements  # type: ignore[attr-defined]
    return wrapper


def spanned(span: Span, function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` with a span around each call; that of a coroutine nests within its task."""
    if kind_of(function) & (CO_COROUTINE | CO_ASYNC_GENERATOR):
        from .tasks import lane

        return around(function, lambda: span.again(lane()))
    return around(function, span.again)


def around(function: Callable[..., Any], window: Callable[[], Any]) -> Callable[..., Any]:
    """`function` within a context manager of its own for each call, whatever kind of function it is."""
    kind = kind_of(function)
    if kind & CO_ASYNC_GENERATOR:
        return _around_async_generator(window, function)
    if kind & CO_COROUTINE:
        return _around_coroutine(window, function)
    if kind & CO_GENERATOR:
        return _around_generator(window, function)
    return _around_call(window, function)


def kind_of(function: Callable[..., Any]) -> int:
    """Flags of the code that a call runs: also that of a partial, and of an object that can be called."""
    while hasattr(function, "func") and not hasattr(function, "__code__"):
        function = function.func
    if not hasattr(function, "__code__"):
        function = type(function).__call__
    flags: int = getattr(getattr(function, "__code__", None), "co_flags", 0)
    return flags


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


def _around_call(window: Callable[[], Any], function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with window():
            return function(*args, **kwargs)

    return call


def _around_coroutine(window: Callable[[], Any], function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        with window():
            return await function(*args, **kwargs)

    return call


def _around_generator(window: Callable[[], Any], function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with window():
            return (yield from function(*args, **kwargs))

    return call


def _around_async_generator(window: Callable[[], Any], function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        with window():
            items = function(*args, **kwargs)
            try:
                item = await items.__anext__()
                while True:
                    try:
                        sent = yield item
                    except GeneratorExit:
                        raise
                    except BaseException as error:
                        item = await items.athrow(error)
                    else:
                        item = await items.asend(sent)
            except StopAsyncIteration:
                pass
            finally:
                await items.aclose()

    return call
