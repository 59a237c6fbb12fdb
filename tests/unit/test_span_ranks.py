"""Ranks of one host see the same meters, and are told."""

from __future__ import annotations

import warnings

import pytest

import eco2ai_fast as eco
from eco2ai_fast import ranks


@pytest.fixture(autouse=True)
def no_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    for names in ranks.LAUNCHERS:
        for name in names:
            monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(ranks, "_warned", False)


@pytest.mark.parametrize("names", ranks.LAUNCHERS, ids=lambda names: names[0])
def test_a_rank_is_found_whoever_launched_it(names: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(names[0], "3")
    monkeypatch.setenv(names[1], "8")
    found = ranks.rank()
    assert found is not None and (found.local, found.size, found.variable) == (3, 8, names[0])


def test_without_a_launcher_there_is_no_rank_and_no_warning() -> None:
    assert ranks.rank() is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with eco.Meter(sources="estimate") as meter:
            assert meter.spans().rank is None


def test_a_rank_among_others_is_warned_once_and_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    with pytest.warns(UserWarning, match="all 4 ranks on this host read the same meters"):
        meter = eco.Meter(sources="estimate").start()
    with meter.span("x"):
        pass
    assert meter.spans().rank.local == 1 and "shared" in meter.spans().notes[-1]
    meter.stop()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        meter.start()
        meter.stop()


def test_a_rank_alone_on_its_host_is_not_warned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "1")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ranks.warn_if_shared()
