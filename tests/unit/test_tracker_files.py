"""The CSV and its journal: whole rows, old files that go on, torn ends, killed runs."""

from __future__ import annotations

import csv
import fcntl
import os
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import eco2ai_fast
from eco2ai_fast.testing import ManualClock, ScriptedDomain, meter
from eco2ai_fast.tracking import csvfile, journal, summary
from eco2ai_fast.tracking.errors import TrackerWarning
from eco2ai_fast.tracking.output import Output
from eco2ai_fast.tracking.row import COLUMNS, HEADER, line

# As eco2AI 0.3.12 with pandas 2 leaves it after a second run: N/A has become empty in the row before the last.
BY_ECO2AI = """\
id,project_name,experiment_description,epoch,start_time,duration(s),power_consumption(kWh),CO2_emissions(kg),CPU_name,\
GPU_name,OS,region/country,cost
6cbf753a-a4f7-4c28-8bfd-87d6f07f89a3,p,"d, e",,2026-11-23 17:38:25,1.1757266521453855,1.1096696651785958e-08,\
2.6694213465536302e-09,"AMD EPYC/1 device(s), TDP:500.0", 0 device(s),Linux,RU/Moscow,2.2193393303571915e-08
0dc9070a-e43c-41d3-b930-497b40cbb9ea,q,d,N/A,2026-11-23 17:38:30,0.19075942039489746,1.527047214343232e-09,\
1.527047214343232e-10,"AMD EPYC/1 device(s), TDP:500.0", 0 device(s),Linux,(FR),0
"""


def cells(run_id: str = "1" * 36, project: str = "p") -> list[str]:
    return [run_id, project, *("d, e", "N/A", "2026-01-01 00:00:00", "1.0", "2e-06", "1e-06"), *"cgolx"]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "e.csv"


def test_first_row_makes_the_file_with_its_header(path: Path) -> None:
    csvfile.append(str(path), cells())
    assert path.read_text() == HEADER + line(cells())


def test_file_of_eco2ai_goes_on_byte_for_byte(path: Path) -> None:
    path.write_text(BY_ECO2AI)
    csvfile.append(str(path), cells())
    assert path.read_text() == BY_ECO2AI + line(cells())
    assert BY_ECO2AI.startswith(HEADER)


def test_pandas_reads_old_and_new_rows_together(path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    path.write_text(BY_ECO2AI)
    csvfile.append(str(path), cells())
    frame = pandas.read_csv(path)
    assert list(frame.columns) == list(COLUMNS)
    assert list(frame["project_name"]) == ["p", "q", "p"]
    assert frame["power_consumption(kWh)"].dtype == float and not frame["power_consumption(kWh)"].isna().any()


def test_last_line_without_its_end_gets_one(path: Path) -> None:
    path.write_text(BY_ECO2AI.rstrip("\n"))
    csvfile.append(str(path), cells())
    assert path.read_text() == BY_ECO2AI + line(cells())


@given(cut=st.integers(1, 400), text=st.text(st.characters(codec="utf-8"), max_size=20))
def test_torn_beginning_of_a_pending_row_is_taken_away(
    tmp_path_factory: pytest.TempPathFactory, cut: int, text: str
) -> None:
    path = tmp_path_factory.mktemp("torn") / "e.csv"
    other = csvfile.encoded(line(cells("2" * 36, f"{text}\n{text}")))
    torn = other[: min(cut, len(other) - 1)]
    assume(not torn.endswith(b"\n"))  # the test below
    path.write_bytes(HEADER.encode() + torn)
    csvfile.append(str(path), cells(), lambda: [other])
    assert path.read_bytes() == (HEADER + line(cells())).encode()


@pytest.mark.parametrize("pages", [1, 2])
def test_beginning_that_is_torn_at_a_newline_between_pages_is_taken_away(path: Path, pages: int) -> None:
    begin = len(HEADER) + len("2" * 36) + len(',"')
    other = line(cells("2" * 36, "x" * (pages * csvfile.SMALLEST_PAGE - begin - 1) + "\nmore"))
    path.write_text((HEADER + other)[: pages * csvfile.SMALLEST_PAGE])
    assert path.read_text().endswith("x\n")
    csvfile.append(str(path), cells(), lambda: [other.encode()])
    assert path.read_text() == HEADER + line(cells())


def test_whole_file_that_fills_its_pages_goes_on(path: Path) -> None:
    fill = csvfile.SMALLEST_PAGE - len(HEADER + line(cells(project="")))
    whole = HEADER + line(cells(project="y" * fill))
    path.write_text(whole)
    # Its run has added the row and not removed its journal yet.
    csvfile.append(str(path), cells("2" * 36), lambda: [whole.encode()[len(HEADER) :]])
    assert path.read_text() == whole + line(cells("2" * 36))


def test_torn_header_is_written_anew(path: Path) -> None:
    path.write_text(HEADER[:20])
    csvfile.append(str(path), cells())
    assert path.read_text() == HEADER + line(cells())


def test_more_columns_in_another_order_are_filled_by_name(path: Path) -> None:
    columns = ["note", *reversed(COLUMNS)]
    path.write_text(",".join(columns) + "\n")
    csvfile.append(str(path), cells())
    assert rows(path) == [{"note": ""} | dict(zip(COLUMNS, cells(), strict=True))]


def test_table_with_other_columns_is_left_alone(path: Path) -> None:
    path.write_text("a,b\n1,2\n")
    output = Output(str(path), None, quiet=False)
    with pytest.warns(TrackerWarning, match="eco2ai.csv"):
        assert output.append(cells())
    assert path.read_text() == "a,b\n1,2\n"
    assert len(rows(path.with_suffix(".eco2ai.csv"))) == 1


def test_lock_of_another_writer_is_waited_for_and_not_for_ever(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csvfile, "LOCK_TIMEOUT_S", 0.05)
    with path.open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(csvfile.FileBusyError):
            csvfile.append(str(path), cells())
    csvfile.append(str(path), cells())
    assert len(rows(path)) == 1


def test_lock_does_not_live_on_in_a_child_that_was_forked_while_it_was_held(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csvfile, "LOCK_TIMEOUT_S", 0.05)
    inherited: list[int] = []
    write = os.write

    def write_and_fork(descriptor: int, row: bytes) -> int:
        inherited.append(os.dup(descriptor))  # what a fork does to it
        return write(descriptor, row)

    monkeypatch.setattr(csvfile.os, "write", write_and_fork)
    for _ in range(2):
        csvfile.append(str(path), cells())
    for descriptor in inherited:
        os.close(descriptor)
    assert len(rows(path)) == 2


def test_journal_of_a_killed_run_becomes_its_row(path: Path) -> None:
    for number in range(3):
        kept = journal.Journal(str(path), str(number) * 36, b"")
        kept.write(line(cells(str(number) * 36, "early")).encode())
        kept.write(line(cells(str(number) * 36, "late")).encode())
        kept.leave()  # what the kernel does for a killed process
    output = Output(str(path), None, quiet=False)
    with pytest.warns(TrackerWarning, match="was killed"):
        output.open(cells("9" * 36))
    output.append(cells("9" * 36))
    output.close()
    assert [row["project_name"] for row in rows(path)] == ["late"] * 3 + ["p"]
    assert list(path.parent.iterdir()) == [path]


def test_journal_of_a_living_run_is_left_alone(path: Path) -> None:
    kept = journal.Journal(str(path), "1" * 36, line(cells()).encode())
    assert journal.recover(str(path), csvfile.append) == []
    kept.close()
    assert not list(path.parent.iterdir())


def test_row_that_stands_in_the_file_is_not_added_again(path: Path) -> None:
    kept = journal.Journal(str(path), "1" * 36, line(cells()).encode())
    csvfile.append(str(path), cells())
    kept.leave()  # killed between adding its row and removing its journal
    assert journal.recover(str(path), csvfile.append) == []
    assert len(rows(path)) == 1 and list(path.parent.iterdir()) == [path]


@given(data=st.data())
def test_damaged_place_of_a_journal_leaves_the_row_before(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("damage") / "e.csv"
    first, second = (line(cells(project=project)).encode() for project in ("first", "second"))
    kept = journal.Journal(str(path), "1" * 36, first)
    kept.write(second)
    at = data.draw(st.integers(0, len(second)))
    with open(kept.path, "r+b") as file:
        file.seek(at)  # the second row is in the first place
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 0x15]))
    assert list(journal.pending(str(path))) == [first]
    kept.close()


def test_folder_that_is_not_there_costs_the_row_and_not_the_run(tmp_path: Path) -> None:
    path = tmp_path / "absent" / "e.csv"
    t = eco2ai_fast.Tracker(file_name=str(path), alpha_2_code="RU")
    with pytest.warns(TrackerWarning) as said:
        t.start()
        record = t.stop()
    assert record is not None and record.energy_j >= 0
    assert sum("is not in" in str(one.message) for one in said) == 1


def test_row_that_is_lost_is_told_of_even_where_warnings_are_ignored(tmp_path: Path) -> None:
    t = eco2ai_fast.Tracker(file_name=str(tmp_path / "absent" / "e.csv"), alpha_2_code="RU", ignore_warnings=True)
    with pytest.warns(TrackerWarning, match="is not in") as said:
        t.start()
        t.stop()
    assert len(said) == 1


def test_working_folder_that_was_removed_costs_the_row_and_not_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    t = eco2ai_fast.Tracker(file_name="e.csv", alpha_2_code="RU", encode_file=True)
    with pytest.warns(TrackerWarning) as said:
        t.start()
        assert t.stop() is not None
    assert "is not in" in str(said[-1].message)


@pytest.mark.parametrize(("seconds", "forced"), [(59, 0), (60, 1)])
def test_row_of_a_long_run_is_forced_to_the_disk(
    seconds: int, forced: int, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    monkeypatch.setattr(csvfile.os, "fdatasync", lambda descriptor: sizes.append(os.fstat(descriptor).st_size))
    clock = ManualClock()
    machine = meter([ScriptedDomain("package", [(t * 10**9, t * 10**7) for t in range(100)], tick_s=1.0)], clock)
    t = eco2ai_fast.Tracker(file_name=str(path), emission_level=1, meter=machine)
    t.start()
    clock.advance(seconds)
    t.stop()
    assert sizes == [path.stat().st_size] * forced


def test_summary_is_of_a_path_and_never_of_a_descriptor() -> None:
    with open("/dev/null") as file:
        with pytest.raises(TypeError):
            eco2ai_fast.summary(file.fileno())
        os.fstat(file.fileno())  # still open


def test_summary_adds_up_by_project(path: Path) -> None:
    path.write_text(BY_ECO2AI + line(cells(project="p")))
    by_name = {record["project_name"]: record for record in summary.by_project(str(path))}
    assert list(by_name) == ["p", "q", "All the projects"]
    assert by_name["p"]["total duration(s)"] == pytest.approx(2.1757266521453855)
    assert by_name["All the projects"]["total electricity cost"] == pytest.approx(2.2193393303571915e-08)
    eco2ai_fast.summary(str(path), write_to_file=str(path.with_name("s.csv")))
    assert path.with_name("s.csv").read_text().splitlines()[1].startswith("0,p,2.17")
