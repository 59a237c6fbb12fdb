"""Rows: what a tracker computes and writes, on scripted meters."""

from __future__ import annotations

import copy
import csv
import math
import pickle
import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import eco2ai_fast
from eco2ai_fast import Tracker
from eco2ai_fast.testing import ManualClock, ScriptedDomain, meter
from eco2ai_fast.tracking.row import COLUMNS, line

S = 1_000_000_000


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home and a folder of the test's own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def steady(kind: str, power_w: int, seconds: int = 2000) -> ScriptedDomain:
    """A counter that moves every second."""
    return ScriptedDomain(kind, [(t * S, t * power_w * 1_000_000) for t in range(seconds)], tick_s=1.0)


def tracker(clock: ManualClock, **options: object) -> Tracker:
    """On a machine of 100 W of processors and 20 W of memory; a hundred watts of cores are inside the former."""
    machine = meter([steady("package", 100), steady("dram", 20), steady("core", 60)], clock)
    values = {"file_name": "e.csv", "cpu_processes": "all", "emission_level": 500, "ignore_warnings": True} | options
    return Tracker("p", "d", meter=machine, **values)  # type: ignore[arg-type]


def rows(path: str = "e.csv") -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_row_is_machine_energy_times_pue_times_level() -> None:
    clock = ManualClock()
    t = tracker(clock, pue=1.5)
    t.start()
    clock.advance(1000)
    record = t.stop()
    kwh = 120 * 1000 * 1.5 / 3.6e6
    assert record is not None
    assert (record.energy_j, record.duration_s, record.share) == (120_000, 1000, 1.0)
    assert record.power_consumption_kwh == kwh == t.consumption()
    assert record.co2_kg == kwh * 500 / 1000
    (row,) = rows()
    assert row == record.row
    assert tuple(row) == COLUMNS
    assert (row["duration(s)"], row["power_consumption(kWh)"], row["cost"]) == ("1000.0", str(kwh), "0")
    assert row["epoch"] == "N/A" and row["region/country"] == "(World)"
    assert str(uuid.UUID(row["id"], version=4)) == row["id"] == t.id()


def test_record_goes_to_another_process_as_it_is() -> None:
    clock = ManualClock()
    t = tracker(clock, pue=1.5, electricity_pricing={"0:00-24:00": 2})
    t.start()
    clock.advance(1000)
    record = t.stop()
    for again in (pickle.loads(pickle.dumps(record)), copy.deepcopy(record)):
        assert repr(again) == repr(record) and again.row == record.row and again.price == record.price
        assert repr(again.measurement) == repr(record.measurement)
        assert {name: repr(domain) for name, domain in again.measurement.domains.items()} == {
            name: repr(domain) for name, domain in record.measurement.domains.items()
        }
        assert again.measurement.missing == record.measurement.missing
        with pytest.raises(AttributeError):
            again.price = 1


def test_measurement_that_is_open_or_failed_is_told_from_one_of_0(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ManualClock()
    with eco2ai_fast.measure(meter=meter([steady("package", 100)], clock)) as m:
        with pytest.raises(TypeError, match="still open"):
            pickle.dumps(m)
        clock.advance(1)
    assert (m + pickle.loads(pickle.dumps(m))).energy_j == 200
    monkeypatch.setenv("ECO2AI_FAST_DISABLE", "1")
    with eco2ai_fast.measure() as nothing:
        pass
    again = pickle.loads(pickle.dumps(nothing))
    assert math.isnan(again.energy_j) and not again.is_open and again.missing == nothing.missing


def test_consumption_grows_while_running_and_stays_after_stop() -> None:
    clock = ManualClock()
    t = tracker(clock)
    assert (t.consumption(), t.price(), t.id()) == (0, 0, None)
    t.start()
    clock.advance(100)
    assert t.consumption() == 120 * 100 / 3.6e6
    clock.advance(100)
    t.stop()
    clock.advance(100)
    assert t.consumption() == 120 * 200 / 3.6e6


@given(laps=st.lists(st.integers(1, 50), max_size=5))
def test_looking_at_the_figures_in_between_changes_none(laps: list[int]) -> None:
    clock = ManualClock()
    t = tracker(clock)
    t.start()
    for seconds in laps:
        clock.advance(seconds)
        t.consumption()
    clock.advance(7)
    record = t.stop()
    assert record is not None and record.energy_j == 120 * (sum(laps) + 7)


def test_restart_on_the_same_tracker_begins_anew() -> None:
    clock = ManualClock()
    t = tracker(clock, electricity_pricing={"0:00-24:00": 3.6})
    for seconds in (100, 200):
        t.start()
        clock.advance(seconds)
        t.stop()
    first, second = rows()
    assert first["id"] != second["id"]
    assert [float(row["cost"]) for row in (first, second)] == pytest.approx([0.012, 0.024])
    assert float(second["power_consumption(kWh)"]) == 2 * float(first["power_consumption(kWh)"])


def test_start_while_running_ends_the_run_before() -> None:
    clock = ManualClock()
    t = tracker(clock, ignore_warnings=False)
    t.start()
    clock.advance(10)
    with pytest.warns(UserWarning, match="still going on"):
        t.start()
    clock.advance(20)
    t.stop()
    assert [row["duration(s)"] for row in rows()] == ["10.0", "20.0"]


def test_epochs_have_a_row_each_and_lose_nothing_between_them() -> None:
    clock = ManualClock()
    t = tracker(clock)
    t.start_training(start_epoch=3)
    energies = []
    for seconds, loss in ((10, 0.5), (30, 0.25)):
        clock.advance(seconds)
        record = t.new_epoch({"loss": loss, "note": 'a "b", c'})
        assert record is not None
        energies.append(record.energy_j)
    clock.advance(5)
    t.stop_training()
    assert energies == [1200, 3600]
    assert [row["epoch"] for row in rows()] == [
        'epoch: 3, loss: 0.5, note: a "b", c, ',
        'epoch: 4, loss: 0.25, note: a "b", c, ',
    ]
    assert len({row["id"] for row in rows()}) == 1
    assert t.consumption() == 3600 / 3.6e6


def test_methods_out_of_turn_say_what_to_call() -> None:
    t = tracker(ManualClock())
    error = eco2ai_fast.emission_track.IncorrectMethodSequenceError
    for call, hint in ((t.stop, "start"), (t.stop_training, "training"), (lambda: t.new_epoch({}), "training")):
        with pytest.raises(error, match=hint):
            call()
    t.start_training()
    with pytest.raises(error, match="stop_training"):
        t.start()
    with pytest.raises(TypeError, match="start_epoch"):
        t.start_training("1")  # type: ignore[arg-type]
    t.stop()
    with pytest.raises(error):
        t.stop()


def test_unreadable_machine_has_no_figure_rather_than_zero() -> None:
    silent = ScriptedDomain("package", [(0, "not permitted")])
    t = Tracker(file_name="e.csv", emission_level=1, meter=meter([silent], ManualClock()), ignore_warnings=True)
    t.start()
    record = t.stop()
    assert record is not None and math.isnan(record.energy_j)
    assert rows()[0]["power_consumption(kWh)"] == "nan"


def test_exception_of_the_user_comes_through_and_the_row_is_there() -> None:
    clock = ManualClock()
    with pytest.raises(KeyError, match="mine"), tracker(clock):
        clock.advance(1)
        raise KeyError("mine")
    assert len(rows()) == 1


def test_stopping_inside_its_own_block_is_no_error() -> None:
    with tracker(ManualClock()) as t:
        t.stop()
    assert len(rows()) == 1


def test_track_passes_results_and_exceptions_and_keeps_the_name() -> None:
    eco2ai_fast.set_params(project_name="tracked", file_name="t.csv")

    @eco2ai_fast.track
    def half(x: float) -> float:
        """Docs."""
        return 1 / x

    with pytest.warns(UserWarning, match="nobody has said where"):
        assert half(2) == 0.5
        with pytest.raises(ZeroDivisionError):
            half(0)
    assert (half.__name__, half.__doc__) == ("half", "Docs.")
    assert [row["project_name"] for row in rows("t.csv")] == ["tracked"] * 2


def test_encoded_file_has_the_name_that_was_given() -> None:
    for encode_file, name in ((True, "encoded_e.csv"), ("own.csv", "own.csv")):
        with tracker(ManualClock(), encode_file=encode_file):
            pass
        lines = Path(name).read_text().splitlines()
        assert lines[0] == ",".join(COLUMNS) and len(lines) == 2
        assert Path("e.csv").read_text().splitlines()[-1] != lines[1]


def test_disabled_tracker_writes_nothing_and_has_no_figure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ECO2AI_FAST_DISABLE", "1")
    with Tracker("p", "d", "e.csv", ignore_warnings=True) as t:
        pass
    assert math.isnan(t.consumption())
    assert not list(tmp_path.rglob("*.*"))


def test_record_cannot_be_changed() -> None:
    t = tracker(ManualClock())
    t.start()
    record = t.stop()
    with pytest.raises(AttributeError):
        record.energy_j = 1  # type: ignore[misc, union-attr]
    assert "TrackerRecord" in repr(record)


@given(st.lists(st.text(), min_size=2, max_size=5))
def test_line_reads_back_as_it_was(cells: list[str]) -> None:
    from io import StringIO

    assert list(csv.reader(StringIO(line(cells), newline=""))) == [[cell.replace("\0", "\ufffd") for cell in cells]]


def test_nul_becomes_a_letter_that_every_reader_takes() -> None:
    assert line(["a\0b", "c"]) == "a\ufffdb,c\n"
