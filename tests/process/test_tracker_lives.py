"""Trackers in real processes: ends without stop(), kills, forks, threads, and what they touch."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import eco2ai_fast

BEGIN = """
import os, sys, time
import eco2ai_fast
t = eco2ai_fast.Tracker("p", "d", "e.csv", alpha_2_code="RU", measure_period={period}, ignore_warnings={quiet})
"""


def script(body: str, period: float = 10, quiet: bool = True) -> list[str]:
    return [sys.executable, "-c", BEGIN.format(period=period, quiet=quiet) + body]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def journals(folder: Path) -> list[Path]:
    return list(folder.glob(".*.journal*"))


def run(body: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(script(body, **options), capture_output=True, text=True, timeout=60)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("end", "code"), [("", 0), ("sys.exit(3)", 3), ("raise KeyError('mine')", 1), ("os.chdir('/')", 0)]
)
def test_run_that_is_never_stopped_has_its_row_at_exit(folder: Path, end: str, code: int) -> None:
    done = run(f"t.start()\nsum(range(10**6))\n{end}")
    assert done.returncode == code
    assert ("KeyError: 'mine'" in done.stderr) == (code == 1)
    (row,) = rows(folder / "e.csv")
    assert float(row["power_consumption(kWh)"]) > 0
    assert not journals(folder)


@pytest.mark.parametrize("use", ["eco2ai_fast.track(f)()", "with t: f()"])
def test_exception_of_the_user_comes_through_where_warnings_are_errors(folder: Path, use: str) -> None:
    (folder / "e.csv").mkdir()
    done = run(f"""
import warnings
eco2ai_fast.set_params(file_name="e.csv")
os.environ["ECO2AI_FAST_ZONE"] = "FR"
def f():
    warnings.simplefilter("error")
    raise KeyError("mine")
try:
    {use}
except KeyError as error:
    print("through", error.__context__)
""")
    assert done.stdout == "through None\n", done.stderr


def test_warning_that_is_an_error_ends_every_run_at_exit(folder: Path) -> None:
    done = run("""
import warnings
(a := eco2ai_fast.Tracker("a", file_name="gone/e.csv", emission_level=1, ignore_warnings=True)).start()
t.start()
warnings.simplefilter("error")
""")
    assert "is not in" in done.stderr
    assert [row["project_name"] for row in rows(folder / "e.csv")] == ["p"]


def test_run_that_is_killed_has_its_row_at_the_next_start(folder: Path) -> None:
    body = "t.start()\nprint(t.id(), flush=True)\nwhile True: sum(range(10**5))"
    with subprocess.Popen(script(body, period=0.1), stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout
        run_id = killed.stdout.readline().strip()
        time.sleep(1.5)
        killed.kill()
    assert not (folder / "e.csv").exists() and len(journals(folder)) == 1
    done = run("t.start()\nt.stop()", quiet=False)
    assert f"added the row of run {run_id}, which was killed" in done.stderr
    first, second = rows(folder / "e.csv")
    assert first["id"] == run_id and second["id"] != run_id
    assert float(first["duration(s)"]) > 0.5 and float(first["power_consumption(kWh)"]) > 0
    assert not journals(folder)


def test_forked_child_leaves_the_run_to_its_parent(folder: Path) -> None:
    done = run("""
t.start()
child = os.fork()
if child == 0:
    assert t.stop() is None and t.new_epoch({}) is None
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
record = t.stop()
print(record.cells[0])
""")
    assert done.returncode == 0, done.stderr
    assert [row["id"] for row in rows(folder / "e.csv")] == done.stdout.split()
    assert not journals(folder)


def test_forked_child_that_outlives_its_killed_parent_does_not_hold_the_row_back(folder: Path) -> None:
    body = """
t.start()
if os.fork() == 0:
    time.sleep(60)
print(os.getpid(), flush=True)
time.sleep(60)
"""
    with subprocess.Popen(script(body), stdout=subprocess.PIPE, text=True, start_new_session=True) as parent:
        assert parent.stdout and parent.stdout.readline()
        parent.kill()
        parent.wait()
        run("t.start()\nt.stop()")
        os.killpg(parent.pid, signal.SIGKILL)
    assert len(rows(folder / "e.csv")) == 2


def test_child_may_track_a_run_of_its_own(folder: Path) -> None:
    done = run("""
t.start()
child = os.fork()
if child == 0:
    t.start()
    t.stop()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
t.stop()
""")
    assert done.returncode == 0, done.stderr
    assert len({row["id"] for row in rows(folder / "e.csv")}) == 2


def test_time_of_children_that_ended_and_that_live_counts(folder: Path) -> None:
    done = run("""
import json, subprocess
from eco2ai_fast.tracking.tree import cpu_times
burn = [sys.executable, "-c", "import time\\nwhile time.process_time() < 0.4: pass\\nprint(flush=True); time.sleep(30)"]
before = cpu_times().tree_s
with subprocess.Popen(burn, stdout=subprocess.PIPE) as child:
    child.stdout.readline()
    living = cpu_times().tree_s - before
    child.kill()
ended = cpu_times().tree_s - before
print(json.dumps([living, ended]))
""")
    living, ended = json.loads(done.stdout)
    assert 0.35 < living < 0.9
    assert ended >= living - 0.03


def test_signal_handler_may_stop_the_tracker(folder: Path) -> None:
    done = run("""
import signal
signal.signal(signal.SIGALRM, lambda *_: (t.stop(), sys.exit(5)))
signal.setitimer(signal.ITIMER_REAL, 0.2)
t.start()
while True:
    t.consumption()
""")
    assert done.returncode == 5, done.stderr
    assert len(rows(folder / "e.csv")) == 1


def test_trackers_in_many_threads_write_their_rows(folder: Path) -> None:
    done = run("""
from threading import Thread
def work():
    for _ in range(20):
        own = eco2ai_fast.Tracker("p", "d", "e.csv", alpha_2_code="RU", ignore_warnings=True)
        own.start(); own.stop()
threads = [Thread(target=work) for _ in range(8)]
[one.start() for one in threads]
[one.join() for one in threads]
""")
    assert done.returncode == 0, done.stderr
    found = rows(folder / "e.csv")
    assert len({row["id"] for row in found}) == len(found) == 160


def test_run_starts_no_process_and_opens_no_socket(folder: Path) -> None:
    done = run("""
seen = []
sys.addaudithook(lambda event, _: seen.append(event))
t.start()
sum(range(10**6))
t.stop()
print([one for one in seen if one.split(".")[0] in ("socket", "subprocess") or "fork" in one or "spawn" in one])
""")
    assert done.stdout == "[]\n", done.stderr


def test_share_is_ours_alone(folder: Path) -> None:
    """A busy neighbour is not ours: its time makes the share smaller, its energy stays with it."""
    burn = "import time\nprint(flush=True)\nend = time.monotonic() + 30\nwhile time.monotonic() < end: pass"
    command = [sys.executable, "-c", burn]
    neighbours = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2 * (os.cpu_count() or 1))]
    try:
        for one in neighbours:
            assert one.stdout and one.stdout.readline()
        done = run("t.start()\nend = time.monotonic() + 1\nwhile time.monotonic() < end: pass\nprint(t.stop().share)")
    finally:
        for one in neighbours:
            one.kill()
            one.communicate()
    assert 0 < float(done.stdout) < 0.9, done.stderr


def test_meter_of_this_package_is_the_one_that_is_read() -> None:
    """The tracker's figure and measure()'s over the same time agree."""
    with eco2ai_fast.measure() as outer:
        t = eco2ai_fast.Tracker(file_name="unused.csv", alpha_2_code="RU", cpu_processes="all", ignore_warnings=True)
        t._output = None
        t.start()
        with eco2ai_fast.measure() as inner:
            time.sleep(0.3)
        record = t.stop()
    assert record is not None
    assert inner.energy_j <= record.energy_j <= outer.energy_j
    Path("unused.csv").unlink()
