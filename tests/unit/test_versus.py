"""Does the comparison show what failed, count it, and quote ratios?"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benches"))

from versus import runs, table
from versus.runs import Failed


def test_a_command_that_fails_is_a_message_and_no_exception_of_another_kind():
    with pytest.raises(Failed, match="exit code 3: the reason"):
        runs.run([sys.executable, "-c", "import sys; print('the reason', file=sys.stderr); sys.exit(3)"], 30)


def test_a_command_that_hangs_ends_with_all_that_it_started(tmp_path):
    with pytest.raises(Failed, match="no answer within 2 s"):
        runs.run(["sh", "-c", "sleep 60 & echo $! > pid; wait"], 2, tmp_path)
    pid = int((tmp_path / "pid").read_text())
    status = Path(f"/proc/{pid}/stat")
    assert not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z"


def test_failed_tries_are_counted_and_not_repeated_away():
    cell = runs.cell([1.0, Failed("no counter"), 3.0])
    assert cell == {
        "tries": 3,
        "failed": 1,
        "median": 2.0,
        "least": 1.0,
        "most": 3.0,
        "message": "no counter",
    }
    assert "median" not in runs.cell([Failed("a"), Failed("b")])


def test_costs_are_ratios_to_ours_and_a_failure_says_so():
    row = {"eco2ai_fast": runs.cell([2.0]), "zeus": runs.cell([50.0]), "perun": runs.cell([Failed("hangs")])}
    cells = table.costs(row, "ms", 1)
    assert cells[0] == "2.0 ms"
    assert dict(zip(table.RIVALS, cells[1:], strict=True)) == {
        "eco2ai": "-",
        "codecarbon": "-",
        "carbontracker": "-",
        "zeus": "25x",
        "pyjoules": "-",
        "perun": "fails",
    }


def test_errors_show_spread_failures_and_whether_the_tool_spoke():
    assert table.signed(runs.cell([-1.0, 2.0]) | {"spoke": 1}, spread=True) == "+0.50 [-1.00 .. +2.00]!"
    assert table.signed(runs.cell([12345.6, Failed("exit code 70")])) == "+12346, 1 of 2 none"
    assert table.signed(runs.cell([Failed("exit code 70")])) == "none"


def test_a_rival_that_is_nearer_is_named():
    row = {"eco2ai_fast:measure": runs.cell([3.0]), "eco2ai_fast:meter": runs.cell([-2.0]), "zeus": runs.cell([0.5])}
    assert table.nearer(row) == ["nearer: zeus"]
    assert table.nearer(row | {"zeus": runs.cell([2.01])}) == ["as near: zeus"]
    assert table.nearer(row | {"zeus": runs.cell([9.0])}) == []


def test_only_what_stands_between_the_markers_is_replaced(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- versus -->\nold\n<!-- /versus -->\nafter\n")
    table.put(page, "new")
    assert page.read_text() == "before\n<!-- versus -->\nnew\n<!-- /versus -->\nafter\n"
    page.write_text("no markers\n")
    with pytest.raises(SystemExit):
        table.put(page, "new")
