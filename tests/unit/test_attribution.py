"""CPU time of a process tree: what the kernel's texts say, and who belongs to the tree."""

from __future__ import annotations

import pytest

from eco2ai_fast.attribution import Process, attributed_j, below, parse_busy_ticks, parse_process, shares

STAT = "{pid} ({name}) S 7 40 40 0 -1 4194560 100 200 0 0 11 22 33 44 20 0 1 0 500 1000 200 18446744073709551615\n"


@pytest.mark.parametrize("name", ["python", "a b", "x) R 1 (y", "", ") (", "\udcff"])
def test_process_is_read_whatever_its_name(name: str) -> None:
    process = parse_process(STAT.format(pid=9, name=name))
    assert (process.parent, process.state, process.cpu_ticks) == (7, "S", 11 + 22 + 33 + 44)


@pytest.mark.parametrize("text", ["", "9 (x", "9 (x) S 7", "9 (x) S a" + " 1" * 20])
def test_text_that_is_no_process_is_an_error(text: str) -> None:
    with pytest.raises(ValueError):
        parse_process(text)


def test_busy_time_is_work_without_idle_waiting_and_what_the_hypervisor_took() -> None:
    assert parse_busy_ticks("cpu  1 20 300 4000 50000 600000 7000000 80000000 5 5\ncpu0 1 1 1 1 1 1 1 1\n") == 7600321


@pytest.mark.parametrize(
    "text", ["", "cpu\n", "cpu0 1 2 3 4 5 6 7 8\n", "intr 1 2 3 4 5 6 7 8\n", "cpu 1 2 x 4 5 6 7\n"]
)
def test_text_that_is_no_stat_is_an_error(text: str) -> None:
    with pytest.raises(ValueError):
        parse_busy_ticks(text)


def test_tree_holds_descendants_of_every_depth_and_nobody_else() -> None:
    parents = {1: 0, 10: 1, 11: 10, 12: 11, 13: 10, 20: 1, 21: 20}
    processes = {pid: Process(parent, "S", 0) for pid, parent in parents.items()}
    assert below(processes, 10) == {11, 12, 13}
    assert below(processes, 21) == set()


def test_ids_that_were_taken_anew_while_reading_make_no_endless_tree() -> None:
    processes = {10: Process(12, "S", 0), 11: Process(10, "S", 0), 12: Process(11, "S", 0)}
    assert below(processes, 10) == {11, 12}


def test_share_of_too_short_a_busy_time_is_unknown() -> None:
    assert shares(0.09, [0.01]) is None
    assert shares(0.2, [0.05, 0.1]) == [0.25, 0.5]


def test_parts_timed_finer_than_the_machine_are_never_more_than_the_whole() -> None:
    assert shares(1.0, [1.5, 0.5]) == [0.75, 0.25]


def test_only_packages_and_memory_are_shared_and_the_unreadable_is_left_out() -> None:
    domains = [
        ("package-0", "package", 10.0),
        ("dram", "dram", 4.0),
        ("psys", "psys", 99.0),
        ("package-1", "package", None),
    ]
    assert attributed_j(domains, 0.5) == {"package-0": 5.0, "dram": 2.0}
