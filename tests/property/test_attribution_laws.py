"""Attribution conserves: the parts and the rest are the whole, whoever is asked about."""

from __future__ import annotations

from math import isclose

from hypothesis import given
from hypothesis import strategies as st

from eco2ai_fast.attribution import RESOLUTION_S, Process, attributed_j, below, shares

seconds = st.floats(0, 1e7)
busy = st.floats(RESOLUTION_S, 1e9)
joules = st.floats(0, 1e12)


@given(busy, st.lists(seconds, min_size=1, max_size=8))
def test_shares_are_shares_and_together_at_most_the_whole(busy_s: float, parts: list[float]) -> None:
    found = shares(busy_s, parts)
    assert found is not None
    assert all(0 <= share <= 1 for share in found)
    assert sum(found) <= 1 + 1e-9


@given(busy, st.lists(seconds, min_size=2, max_size=8))
def test_two_trees_taken_as_one_get_what_both_got(busy_s: float, parts: list[float]) -> None:
    apart, together = shares(busy_s, parts), shares(busy_s, [parts[0] + parts[1], *parts[2:]])
    assert apart is not None
    assert together is not None
    assert isclose(together[0], apart[0] + apart[1], rel_tol=1e-9, abs_tol=1e-300)  # below that floats lose digits


@given(busy, seconds, seconds)
def test_more_cpu_time_never_gets_less(busy_s: float, less_s: float, more_s: float) -> None:
    less_s, more_s = sorted((less_s, more_s))
    (less,), (more,) = shares(busy_s, [less_s]), shares(busy_s, [more_s])
    assert less <= more


@given(busy, st.floats(0, 1), st.dictionaries(st.text(), st.tuples(st.sampled_from(["package", "dram"]), joules)))
def test_attributed_energy_and_the_rest_are_the_energy(busy_s: float, part: float, domains: dict) -> None:
    command, own = shares(busy_s, [part * busy_s, (1 - part) * busy_s])
    rows = [(name, kind, energy_j) for name, (kind, energy_j) in domains.items()]
    first, second = attributed_j(rows, command), attributed_j(rows, own)
    for name, _, energy_j in rows:
        assert isclose(first[name] + second[name], energy_j, rel_tol=1e-9, abs_tol=1e-9)


@given(st.dictionaries(st.integers(1, 30), st.integers(0, 30), max_size=30), st.integers(1, 30))
def test_trees_of_two_children_are_apart_and_inside_the_tree_of_their_parent(parents: dict, root: int) -> None:
    parents = {pid: parent for pid, parent in parents.items() if parent < pid}  # a parent is older: no circles
    processes = {pid: Process(parent, "S", 1) for pid, parent in parents.items()}
    children = [pid for pid, parent in parents.items() if parent == root]
    trees = [below(processes, child) | {child} for child in children]
    whole = below(processes, root)
    assert set().union(*trees) == whole
    assert sum(map(len, trees)) == len(whole)
