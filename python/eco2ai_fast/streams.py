"""A callable as requests: what it returns or yields counts as output."""

from __future__ import annotations

from contextlib import aclosing, closing
from functools import wraps

from .decorator import CO_ASYNC_GENERATOR, CO_COROUTINE, CO_GENERATOR, kind_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .serving import Request


def as_request(
    request: Callable[[], Request], function: Callable[..., Any], units: Callable[[Any], float] | None
) -> Callable[..., Any]:
    """`function` with a request around each call, whatever kind of function it is."""
    kind = kind_of(function)
    if kind & CO_ASYNC_GENERATOR:
        return _async_generator(request, function, units)
    if kind & CO_COROUTINE:
        return _coroutine(request, function, units)
    if kind & CO_GENERATOR:
        return _generator(request, function, units)
    return _call(request, function, units)


def _call(request: Any, function: Any, units: Any) -> Callable[..., Any]:
    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with request() as one:
            result = function(*args, **kwargs)
            one.units = units(result) if units else 1
            return result

    return call


def _coroutine(request: Any, function: Any, units: Any) -> Callable[..., Any]:
    @wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        with request() as one:
            result = await function(*args, **kwargs)
            one.units = units(result) if units else 1
            return result

    return call


def _generator(request: Any, function: Any, units: Any) -> Callable[..., Any]:
    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with request() as one, closing(function(*args, **kwargs)) as items:
            for item in items:
                one.output(units(item) if units else 1)
                yield item

    return call


def _async_generator(request: Any, function: Any, units: Any) -> Callable[..., Any]:
    @wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        with request() as one:
            async with aclosing(function(*args, **kwargs)) as items:
                async for item in items:
                    one.output(units(item) if units else 1)
                    yield item

    return call
