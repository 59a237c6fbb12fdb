"""Waiting for a GPU, whose work goes on after the call that asked for it."""

from __future__ import annotations

from sys import modules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def synchroniser(sync: str | Callable[[], object] | None) -> Callable[[], object] | None:
    """The function behind `sync=`: "auto", "torch", "jax", "cupy", a callable, or None for none.

    Raises ValueError for another word, ImportError where the library is missing.
    """
    if sync is None or callable(sync):
        return sync
    if sync == "auto":
        return wait_for_torch
    if sync == "torch":
        return _module("torch").cuda.synchronize  # type: ignore[no-any-return]
    if sync == "cupy":
        return _module("cupy").cuda.Device().synchronize  # type: ignore[no-any-return]
    if sync == "jax":
        jax = _module("jax")
        # Waits until all work that was sent to the devices before is done.
        return lambda: [jax.device_put(0.0, device).block_until_ready() for device in jax.devices()]
    raise ValueError(f'sync is "auto", "torch", "jax", "cupy", a function, or None, not {sync!r}')


def wait_for_torch() -> None:
    """Waits for torch's current device, where torch is imported and has a live CUDA context that records no graph.

    Imports nothing and makes no context.
    """
    cuda = getattr(modules.get("torch"), "cuda", None)
    if cuda is not None and cuda.is_initialized() and not cuda.is_current_stream_capturing():
        cuda.synchronize()


def _module(name: str) -> Any:
    from importlib import import_module

    return import_module(name)
