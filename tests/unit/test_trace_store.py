"""Traces stay in their files: any stretch as if all were in memory, and memory that does not grow with their length."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import eco2ai_fast as eco
from eco2ai_fast import tracestore
from eco2ai_fast._core import recorded_heights
from eco2ai_fast.testing import ManualClock, ScriptedDomain
from eco2ai_fast.tracefile import COLUMNS, TraceError, Writer
from eco2ai_fast.traces import Recorder
from fixtures.traces import NS_PER_S, START_NS, anchor, head, rows, write


def restless(path: Path, chunks: list[int]) -> Path:
    """A power that changes at each change; so many rows in each chunk."""
    chance = np.random.default_rng(5)
    count = sum(chunks)
    table = rows(START_NS + np.cumsum(chance.integers(500_000, 20_000_000, count)).astype("u8"), 0.0)
    table[:, 1] = np.cumsum(chance.integers(0, 900_000, count))
    table[:, 2] = chance.integers(0, 300_000, count)
    writer = Writer(path, head("package-0", "dram"))
    for number, last in zip(chunks, np.cumsum(chunks), strict=True):
        part = table[last - number : last]
        writer.data(anchor(START_NS), [(0, part), (0, part[: max(number - 1, 0)])])
    writer.done(anchor(START_NS))
    return path


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chunks=st.lists(st.integers(0, 40), min_size=2, max_size=30), block=st.sampled_from([1, 7, 64, 1000]))
def test_heights_are_the_same_however_the_file_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunks: list[int], block: int
) -> None:
    monkeypatch.setattr(tracestore, "BLOCK_ROWS", block)
    trace = eco.load_trace(restless(tmp_path / "t", [*chunks, 40]))
    for place, domain in enumerate(trace.domains):
        whole = tuple(trace.curves[domain.id][name] for name in COLUMNS)
        # Beyond the last change too, and in no order.
        asked = np.random.default_rng(1).integers(int(whole[0][0]), int(whole[0][-1]) + NS_PER_S, 300).astype("u8")
        asked = np.concatenate([asked, whole[0]])
        expected = recorded_heights(whole, round(domain.tick_s * 1e9), asked)
        for one, other in zip(trace.heights(place, asked), expected, strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_stretch_holds_the_changes_between_its_ends(tmp_path: Path) -> None:
    trace = eco.load_trace(restless(tmp_path / "t", [3, 0, 20, 1, 50, 0]))
    t_ns = trace.curves["package-0"]["t_ns"]
    for first, last in ((0, len(t_ns) - 1), (2, 3), (10, 60), (5, 5)):
        stretch = trace.stretch("package-0", int(t_ns[first]), int(t_ns[last]))
        for name in COLUMNS:
            np.testing.assert_array_equal(stretch[name], trace.curves["package-0"][name][first : last + 1])
    for t0_ns, t1_ns in ((0, START_NS), (trace.end_ns + NS_PER_S, trace.end_ns + 2 * NS_PER_S), (-5, -1)):
        assert len(trace.stretch("package-0", t0_ns, t1_ns)["t_ns"]) == 0
    with pytest.raises(KeyError):
        trace.stretch("gpu-7", 0, 1)


def test_an_instant_before_the_first_change_has_no_height(tmp_path: Path) -> None:
    trace = eco.load_trace(restless(tmp_path / "t", [30]))
    with pytest.raises(eco.HistoryLost):
        trace.heights(0, np.array([trace.end_ns, START_NS - 1], "u8"))


def test_the_usual_distance_of_changes_is_right_within_half_a_per_cent(tmp_path: Path) -> None:
    assert eco.load_trace(write(tmp_path / "t", seconds=20)).pace_ns == pytest.approx(10_000_000, rel=0.005)
    trace = eco.load_trace(restless(tmp_path / "r", [40] * 50))
    exact_ns = max(np.median(np.diff(one["t_ns"])) for one in trace.curves.values())
    assert trace.pace_ns == pytest.approx(exact_ns, rel=0.005)


def test_a_file_that_was_cut_after_loading_is_told_and_one_that_was_replaced_does_not_matter(tmp_path: Path) -> None:
    path = write(tmp_path / "t", seconds=20)
    trace = eco.load_trace(path)
    write(tmp_path / "other", seconds=2, powers_w={"package-0": 1.0, "dram": 1.0}).replace(path)
    assert trace.energy_between([trace.start_ns], [trace.end_ns])["energy_j"][0] == pytest.approx(2400)
    trace = eco.load_trace(path)
    os.truncate(path, 2000)
    with pytest.raises(TraceError, match="shorter since it was loaded"):
        trace.energy_between([trace.start_ns], [trace.end_ns])


def test_a_time_of_many_changes_without_readings_is_one_gap(tmp_path: Path) -> None:
    t_ns = START_NS + np.arange(30_000, dtype="u8") * 10_000_000
    table = rows(t_ns, 100.0)
    table[5_000:25_001, 4] = np.arange(20_001) * 10_000_000
    table[25_001:, 4] = 20_000 * 10_000_000
    writer = Writer(tmp_path / "t", head("package-0"))
    for begin in range(0, len(table), 100):
        writer.data(anchor(int(t_ns[begin])), [(0, table[begin : begin + 100])])
    writer.done(anchor(int(t_ns[-1])))
    (gap,) = eco.load_trace(tmp_path / "t").gaps
    assert (int(gap["t0_ns"]), int(gap["t1_ns"]), gap["kind"]) == (int(t_ns[5_000]), int(t_ns[25_000]), "unread")


WORK = """
import sys
import numpy as np
import eco2ai_fast as eco
from eco2ai_fast.requestlogs import Log

path, out = sys.argv[1:]
trace = eco.load_trace(path)
begins = np.linspace(trace.start_ns, trace.end_ns - 10**9, 2000).astype("u8")
trace.energy_between(begins, begins + 10**9)
begins = begins.astype("i8")
log = Log(begins, np.zeros(2000, "i8"), begins + 10**9, "monotonic_ns", "row")
joined = eco.join(log, trace, idle=10.0)
parts_uj = np.rint(joined.rows["energy_j"] * 1e6).sum() + round(joined.report.rest_j * 1e6)
assert parts_uj == sum(trace.total_uj(place) for place in range(2)), parts_uj
trace.to_npz(out)
# Not ru_maxrss: that of a child begins at what its parent had.
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def test_memory_to_load_join_and_convert_does_not_grow_with_the_trace(tmp_path: Path) -> None:
    sizes, peaks = [], []
    for seconds in (2400, 9600):
        path = write(tmp_path / f"{seconds}", seconds=seconds)
        command = [sys.executable, "-c", WORK, path, tmp_path / "o.npz"]
        done = subprocess.run(
            [*command], capture_output=True, text=True, check=True, env=os.environ | {"XDG_CONFIG_HOME": str(tmp_path)}
        )
        sizes.append(path.stat().st_size)
        peaks.append(int(done.stdout) * 1024)
    # The index and the anchors are a hundredth of the file; the blocks are full in the short one already.
    assert peaks[1] - peaks[0] < 0.05 * (sizes[1] - sizes[0]), (sizes, peaks)


def test_memory_of_a_recorder_does_not_grow(tmp_path: Path) -> None:
    clock = ManualClock(START_NS)
    readings = [(START_NS + tick * 10_000_000, tick * 1_000_000) for tick in range(12_000)]
    with eco.Meter(sources=[ScriptedDomain("package", readings)], clock=clock) as meter:
        recorder = Recorder(meter, tmp_path / "t")
        sizes = []
        tracemalloc.start()
        for tick in range(1, 12_000):
            clock.set(START_NS + tick * 10_000_000 + 1000)
            meter.tick()
            if tick % 100 == 0:
                recorder.flush()
                sizes.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
        recorder.close()
    assert sizes[-1] - sizes[20] < 20_000, sizes
    assert eco.load_trace(tmp_path / "t").is_complete
