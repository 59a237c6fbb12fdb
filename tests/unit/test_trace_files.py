"""Trace files: whole up to the last chunk, gaps shown as gaps, and the heights that the meter would have given."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import eco2ai_fast as eco
from eco2ai_fast._core import recorded_heights
from eco2ai_fast.testing import ManualClock, ScriptedDomain
from eco2ai_fast.tracefile import COLUMNS, TraceError, Writer
from fixtures.traces import NS_PER_S, START_NS, anchor, head, rows, write


def test_what_was_written_is_read(tmp_path: Path) -> None:
    trace = eco.load_trace(write(tmp_path / "t", seconds=10))
    assert (trace.start_ns, trace.end_ns) == (START_NS, START_NS + 10 * NS_PER_S)
    assert trace.is_complete and trace.notes == () and len(trace.gaps) == 0
    energy = trace.energy_between([START_NS, START_NS + NS_PER_S], [trace.end_ns, START_NS + NS_PER_S + 5_000])
    assert energy["energy_j"].tolist() == [1200.0, pytest.approx(120 * 5e-6, abs=2e-6)]


@given(cut=st.integers(0, 60_000))
def test_a_file_cut_anywhere_loads_up_to_its_last_whole_chunk_and_says_so(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    whole = write(folder / "t", seconds=5).read_bytes()
    (folder / "t").write_bytes(whole[: min(cut, len(whole) - 1)])
    try:
        trace = eco.load_trace(folder / "t")
    except TraceError as error:
        assert str(folder) in str(error)
        return
    assert not trace.is_complete
    assert "the recorder was stopped" in trace.notes[0] and f"{trace.end_ns} ns" in trace.notes[0]
    assert all(column["energy_uj"][-1] > 0 for column in trace.curves.values())


def test_a_flipped_bit_ends_the_trace_where_it_is(tmp_path: Path) -> None:
    data = bytearray(write(tmp_path / "t", seconds=10).read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "t").write_bytes(data)
    trace = eco.load_trace(tmp_path / "t")
    assert START_NS + 3 * NS_PER_S < trace.end_ns < START_NS + 6 * NS_PER_S
    assert "is damaged" in trace.notes[0]


def test_what_is_no_trace_or_of_another_version_says_so(tmp_path: Path) -> None:
    path = tmp_path / "t"
    path.write_text("hello, this is text\n")
    with pytest.raises(TraceError, match="is no trace"):
        eco.load_trace(path)
    path.write_bytes(b"eco2trc\n\x09\0\0\0")
    with pytest.raises(TraceError, match="version 9"):
        eco.load_trace(path)
    write(path, seconds=1)
    path.write_bytes(path.read_bytes()[:30])
    with pytest.raises(TraceError, match="holds no readings"):
        eco.load_trace(path)


def test_an_hour_without_readings_is_a_gap_and_so_is_one_without_detail(tmp_path: Path) -> None:
    hour_ns = 3600 * NS_PER_S
    t_ns = START_NS + np.concatenate([np.arange(100), 100 + np.arange(100)]).astype("u8") * 10_000_000
    t_ns[100:] += np.uint64(hour_ns)
    unread = rows(t_ns, 100.0)
    unread[100:, 4] = hour_ns
    writer = Writer(tmp_path / "t", head("package-0", "dram"))
    writer.data(anchor(int(t_ns[-1])), [(0, unread), (0, rows(t_ns, 20.0))])
    writer.done(anchor(int(t_ns[-1])))
    trace = eco.load_trace(tmp_path / "t")
    assert [(one["domain"], one["kind"]) for one in trace.gaps] == [("package-0", "unread"), ("dram", "unshaped")]
    assert all(one["t1_ns"] - one["t0_ns"] == hour_ns + 10_000_000 for one in trace.gaps)
    assert trace.energy_between([t_ns[50]], [t_ns[150]])["coverage"][0] < 0.001
    assert "2 gaps, the longest of 3600.0 s" in " ".join(trace.notes)


def test_a_meter_that_could_not_be_read_for_an_hour_is_a_gap_of_that_hour(tmp_path: Path) -> None:
    hour_s = 3600
    moving = [(START_NS + tick * NS_PER_S, tick * 50_000_000) for tick in range(20)]
    failing = [(START_NS + (20 + tick) * NS_PER_S, "vanished") for tick in range(hour_s)]
    back = [(START_NS + (20 + hour_s + tick) * NS_PER_S, (20 + hour_s + tick) * 50_000_000) for tick in range(20)]
    clock = ManualClock(START_NS)
    package = ScriptedDomain("package", [*moving, *failing, *back], tick_s=1.0)
    with eco.Meter(sources=[package], clock=clock) as meter:
        for tick in range(1, hour_s + 40):
            clock.set(START_NS + tick * NS_PER_S + 1000)
            meter.tick()
        meter.save_trace(tmp_path / "t")
    (gap,) = eco.load_trace(tmp_path / "t").gaps
    assert gap["kind"] == "unread"
    assert hour_s <= (int(gap["t1_ns"]) - int(gap["t0_ns"])) / 1e9 <= hour_s + 4


def test_instants_outside_the_trace_are_refused(tmp_path: Path) -> None:
    trace = eco.load_trace(write(tmp_path / "t", seconds=2))
    for t0_ns, t1_ns in ((START_NS - 1, START_NS + 5), (START_NS, trace.end_ns + 1)):
        with pytest.raises(eco.HistoryLost, match="reaches from"):
            trace.energy_between([t0_ns], [t1_ns])


def scripted(clock: ManualClock, ticks: int) -> eco.Meter:
    """A counter whose power is restless, read at every millisecond."""
    chance = np.random.default_rng(3)
    total_uj = np.cumsum(chance.integers(10_000, 200_000, ticks))
    readings = [(START_NS + tick * 1_000_000, int(total)) for tick, total in enumerate(total_uj)]
    return eco.Meter(sources=[ScriptedDomain("package", readings)], clock=clock)


def test_a_saved_trace_answers_as_the_meter_itself(tmp_path: Path) -> None:
    clock = ManualClock(START_NS)
    with scripted(clock, 400) as meter:
        for tick in range(1, 300):
            clock.set(START_NS + tick * 1_000_000 + 137_000)
            meter.tick()
        meter.save_trace(tmp_path / "t")
        trace = eco.load_trace(tmp_path / "t")
        at_ns = np.linspace(trace.start_ns, trace.end_ns, 1_000).astype("u8")
        theirs, ours = meter.heights(0, at_ns), trace.heights(0, at_ns)
    for one, other in zip(theirs, ours, strict=True):
        np.testing.assert_array_equal(one, other)
    assert trace.domains[0].id == "package-0"
    assert trace.head["host"].keys() == {"hash", "boot_id"}


def test_a_recorder_that_comes_often_writes_every_change_once(tmp_path: Path) -> None:
    from eco2ai_fast.traces import Recorder

    clock = ManualClock(START_NS)
    with scripted(clock, 400) as meter:
        recorder = Recorder(meter, tmp_path / "t")
        for tick in range(1, 300):
            clock.set(START_NS + tick * 1_000_000 + 137_000)
            meter.tick()
            if tick % 7 == 0:
                recorder.flush()
        recorder.close()
        t_ns = meter.trace("package-0")[0]
    trace = eco.load_trace(tmp_path / "t")
    np.testing.assert_array_equal(trace.curves["package-0"]["t_ns"], t_ns)
    assert trace.lost == 0 and trace.is_complete


def test_changes_that_were_overwritten_are_counted_as_lost(tmp_path: Path) -> None:
    from eco2ai_fast.traces import Recorder

    clock = ManualClock(START_NS)
    with scripted(clock, 20_100) as meter:
        recorder = Recorder(meter, tmp_path / "t")
        for tick in range(1, 20_000):
            clock.set(START_NS + tick * 1_000_000 + 137_000)
            meter.tick()
            if tick == 100:
                recorder.flush()
        recorder.close()
    trace = eco.load_trace(tmp_path / "t")
    assert trace.lost > 3_000 and "overwritten" in " ".join(trace.notes)


def test_columns_of_a_curve_must_be_of_one_length() -> None:
    one, two = np.zeros(1, "u8"), np.zeros(2, "u8")
    with pytest.raises(ValueError, match="one length"):
        recorded_heights((two, two, two, two, one), 1000, two)
    with pytest.raises(eco.HistoryLost):
        recorded_heights((two[:0],) * 5, 1000, two)


def test_npz_and_parquet_hold_every_column(tmp_path: Path) -> None:
    trace = eco.load_trace(write(tmp_path / "t", seconds=2))
    trace.to_npz(tmp_path / "t.npz")
    with np.load(tmp_path / "t.npz") as found:
        assert json.loads(str(found["head"]))["units"]["energy_uj"] == "uJ"
        for name in COLUMNS:
            np.testing.assert_array_equal(found[f"dram/{name}"], trace.curves["dram"][name])
    parquet = pytest.importorskip("pyarrow.parquet")
    trace.to_parquet(tmp_path / "t.parquet")
    table = parquet.read_table(tmp_path / "t.parquet")
    assert table.num_rows == sum(len(one["t_ns"]) for one in trace.curves.values())
    assert table.column_names == ["domain", *COLUMNS] and b"eco2ai_fast" in table.schema.metadata


def test_utc_is_read_through_the_anchors_to_the_nanosecond(tmp_path: Path) -> None:
    trace = eco.load_trace(write(tmp_path / "t", seconds=3))
    wanted = np.array([START_NS + 1, trace.end_ns - 1])
    assert (trace.monotonic_ns(wanted + anchor(0)[2]) == wanted).all()
