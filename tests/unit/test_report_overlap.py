"""Sums over runs: one host's time counts once, by domain, and nothing else is lost or invented."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eco2ai_fast.report.total import Total, grouped
from reporting import SECOND, record

OTHER = {"hash": "1" * 32, "boot_id": "boot-2"}
windows = st.lists(st.tuples(st.integers(0, 50), st.integers(1, 50)), min_size=1, max_size=6)


@settings(max_examples=60, deadline=None)
@given(windows)
def test_energy_of_runs_at_constant_power_is_power_times_the_union_of_their_windows(spans) -> None:
    total = Total([record(start, seconds, power_w=10.0) for start, seconds in spans])
    union_s = len({second for start, seconds in spans for second in range(start, start + seconds)})
    assert total.energy_j == pytest.approx(10.0 * union_s)
    assert total.duration_s == pytest.approx(union_s)
    own_j = 10.0 * sum(seconds for _, seconds in spans)
    assert total.energy_j + total.overlap_j == pytest.approx(own_j)


@settings(max_examples=30, deadline=None)
@given(windows, st.randoms())
def test_order_of_the_records_changes_no_sum(spans, random) -> None:
    records = [record(start, seconds) for start, seconds in spans]
    mixed = random.sample(records, len(records))
    assert Total(mixed).energy_j == pytest.approx(Total(records).energy_j)
    assert Total(mixed).co2e_g == pytest.approx(Total(records).co2e_g)


def test_sum_over_one_record_is_the_record_to_the_last_bit() -> None:
    one = record(3, 7, power_w=1 / 3)
    total = Total([one])
    assert (total.energy_j, total.co2e_g, total.direct_g) == (
        one["energy_j"], one["co2e_g"], one["emissions"]["direct_g"],
    )  # fmt: skip
    assert (total.overlapping, total.overlap_j) == (0, 0.0)


def test_same_record_given_twice_counts_once() -> None:
    one = record()
    assert (Total([one, one]).energy_j, Total([one, one]).overlapping) == (one["energy_j"], 1)


def test_windows_that_touch_do_not_overlap() -> None:
    assert Total([record(0, 10), record(10, 10)]).overlapping == 0


def test_runs_of_two_hosts_at_one_time_add_up() -> None:
    assert Total([record(), record(host=OTHER)]).energy_j == 2000.0


def test_containers_of_one_boot_have_one_host_whatever_their_hash() -> None:
    other = record(host={"hash": None, "boot_id": "boot-1"})
    assert Total([record(), other]).energy_j == 1000.0


def test_hosts_without_a_boot_id_are_compared_by_utc() -> None:
    host = {"hash": "2" * 32, "boot_id": None}
    later = record(100, 100, host=host)
    later["clock_anchor"] = later["clock_anchor"] | {"utc_ns": later["clock_anchor"]["utc_ns"] - 100 * SECOND}
    assert Total([record(0, 100, host=host), later]).energy_j == 1000.0


def test_runs_without_a_host_are_never_taken_for_one_another() -> None:
    nobody = {"hash": None, "boot_id": None}
    assert Total([record(host=nobody), record(host=nobody)]).energy_j == 2000.0


def test_domain_that_only_one_of_two_runs_read_counts_whole() -> None:
    second = record()
    second["domains"] = [second["domains"][0] | {"id": "gpu-0", "kind": "gpu"}]
    assert Total([record(), second]).energy_j == 2000.0


def test_overlap_is_cut_where_the_bins_say_the_energy_was() -> None:
    second = record(50, 100, power_w=10.0)
    second["bins"] = {
        "method": "laps", "bin_s": 50, "edges_ns": [50 * SECOND, 100 * SECOND, 150 * SECOND],
        "energy_j": {"package-0": [900.0, 100.0]},
    }  # fmt: skip
    assert Total([record(0, 100), second]).energy_j == pytest.approx(1000.0 + 100.0)


def test_group_holds_what_its_own_runs_read_and_the_total_only_once() -> None:
    records = [record(0, 100, project="a"), record(50, 100, project="b")]
    groups = grouped(records, "project")
    assert [one.energy_j for one in groups.values()] == [1000.0, 1000.0]
    assert Total(records).energy_j == pytest.approx(1500.0)


def test_run_without_energy_is_counted_and_not_taken_for_zero() -> None:
    nothing = record(energy_j=None, co2e_g=None)
    nothing["domains"] = [nothing["domains"][0] | {"energy_j": None}]
    total = Total([record(), nothing])
    assert (total.energy_j, total.unknown) == (1000.0, 1)
    assert Total([nothing]).energy_j is None


def test_grams_that_one_run_does_not_know_are_not_known_of_the_sum() -> None:
    mixed = Total([record(), record(host=OTHER, co2e_g=None)])
    assert mixed.co2e_g is None
    assert mixed.energy_j == 2000.0


def test_runs_of_a_series_count_one_by_one() -> None:
    series = {"kind": "series", "runs": [record(0, 10), record(20, 10)]}
    assert Total([series]).energy_j == 200.0
    assert len(Total([series]).records) == 2


def test_months_are_those_of_the_begin() -> None:
    assert list(grouped([record()], "month")) == ["2026-02"]
