"""sync=: work that was sent to a GPU is waited for at both ends of a window; stand-ins play the libraries."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

import eco2ai_fast as eco


def torch(calls: list[str], *, is_live: bool = True, is_capturing: bool = False) -> SimpleNamespace:
    cuda = SimpleNamespace(
        is_initialized=lambda: is_live,
        is_current_stream_capturing=lambda: is_capturing,
        synchronize=lambda: calls.append("synchronize"),
    )
    return SimpleNamespace(cuda=cuda)


def test_a_function_is_called_at_both_ends() -> None:
    calls: list[str] = []
    with eco.measure(sync=lambda: calls.append("sync")):
        calls.append("work")
    assert calls == ["sync", "work", "sync"]


def test_auto_waits_for_torch_with_a_live_context(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    monkeypatch.setitem(sys.modules, "torch", torch(calls))
    with eco.measure():
        pass
    assert len(calls) == 2


@pytest.mark.parametrize("state", [{"is_live": False}, {"is_capturing": True}])
def test_auto_leaves_a_torch_alone_that_has_no_context_or_records_a_graph(
    monkeypatch: pytest.MonkeyPatch, state: dict[str, bool]
) -> None:
    calls: list[str] = []
    monkeypatch.setitem(sys.modules, "torch", torch(calls, **state))
    with eco.measure():
        pass
    assert calls == []


def test_auto_imports_nothing_and_survives_a_torch_that_is_half_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    with eco.measure():
        pass
    assert "torch" not in sys.modules
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace())
    with eco.measure() as m:
        pass
    assert not any("sync" in note for note in m.notes)


def test_none_waits_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    monkeypatch.setitem(sys.modules, "torch", torch(calls))
    with eco.measure(sync=None):
        pass
    assert calls == []


def test_a_sync_that_fails_is_noted_and_never_raised() -> None:
    def broken() -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    with eco.measure(sync=broken) as m:
        pass
    assert m.energy_j == m.energy_j
    assert any("sync failed" in note and "illegal memory access" in note for note in m.notes)


def test_another_word_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="sync is"):
        eco.measure(sync="tensorflow")
