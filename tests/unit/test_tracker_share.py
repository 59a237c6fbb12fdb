"""The share of a process tree in the machine's busy time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from eco2ai_fast.tracking.tree import CpuTimes, cpu_times, share_between

seconds = st.floats(0, 1e6)


@given(seconds, seconds, seconds, seconds)
def test_share_is_never_below_nothing_nor_above_all(tree0: float, tree1: float, busy0: float, busy1: float) -> None:
    share = share_between(CpuTimes(tree0, busy0), CpuTimes(tree1, busy1))
    assert share is not None and 0 <= share <= 1


@given(own=st.floats(0.1, 1e4), others=st.floats(0, 1e4))
def test_what_others_computed_is_not_ours(own: float, others: float) -> None:
    share = share_between(CpuTimes(1, 1), CpuTimes(1 + own, 1 + own + others))
    assert share is not None and abs(share - own / (own + others)) < 1e-9


def test_machine_that_does_not_tell_its_busy_time_has_no_shares() -> None:
    assert share_between(CpuTimes(0, None), CpuTimes(1, 1.0)) is None


def test_own_time_is_counted_finer_than_in_ticks() -> None:
    first = cpu_times().tree_s
    while (step_s := cpu_times().tree_s - first) == 0:
        pass
    assert 0 < step_s < 0.01
