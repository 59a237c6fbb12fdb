"""`eco2ai-fast record` and `join` as processes: exit codes, signals, SIGKILL, and one after the other."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import eco2ai_fast as eco

if TYPE_CHECKING:
    from conftest import CommandLine


def wait_for(path: Path, size: int) -> None:
    while not path.exists() or path.stat().st_size < size:
        time.sleep(0.02)


def test_the_exit_code_is_the_commands_own_and_the_trace_is_whole(cli: CommandLine, tmp_path: Path) -> None:
    out = tmp_path / "t"
    done = cli.run("record", "--out", str(out), "--", "sh", "-c", "echo hello; sleep 0.5; exit 7")
    assert (done.returncode, done.stdout) == (7, "hello\n")
    trace = eco.load_trace(out)
    assert trace.is_complete and trace.end_ns - trace.start_ns > 0.4e9
    assert all(one.provenance in ("measured", "modelled") for one in trace.domains)


@pytest.mark.parametrize(("argv", "code"), [(["/no/such/program"], 127), (["/etc/passwd"], 126)])
def test_a_command_that_cannot_run_ends_as_in_a_shell(
    cli: CommandLine, tmp_path: Path, argv: list[str], code: int
) -> None:
    assert cli.run("record", "--out", str(tmp_path / "t"), "--", *argv).returncode == code


def test_a_recorder_that_is_killed_leaves_a_trace_up_to_its_last_second(cli: CommandLine, tmp_path: Path) -> None:
    out = tmp_path / "t"
    process = cli.start("record", "--out", str(out), "--seconds", "60")
    wait_for(out, 20_000)
    killed_ns = time.monotonic_ns()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    trace = eco.load_trace(out)
    assert not trace.is_complete and "the recorder was stopped" in trace.notes[0]
    assert killed_ns - trace.end_ns < 2.5e9
    assert trace.energy_between([trace.start_ns], [trace.end_ns])["energy_j"][0] > 0


@pytest.mark.parametrize("signo", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_recorder_alone_with_a_whole_trace(cli: CommandLine, tmp_path: Path, signo: int) -> None:
    out = tmp_path / "t"
    process = cli.start("record", "--out", str(out))
    wait_for(out, 5_000)
    os.kill(process.pid, signo)
    assert process.wait() == 0
    assert eco.load_trace(out).is_complete


def test_it_records_until_a_process_ends(cli: CommandLine, tmp_path: Path) -> None:
    watched = subprocess.Popen(["sleep", "60"])
    process = cli.start("record", "--out", str(tmp_path / "t"), "--pid", str(watched.pid))
    wait_for(tmp_path / "t", 5_000)
    watched.kill()
    watched.wait()
    assert process.wait() == 0
    assert eco.load_trace(tmp_path / "t").is_complete


@pytest.mark.parametrize(
    ("args", "word"),
    [
        (["--out", "/no/such/folder/t", "--seconds", "1"], "there is no directory"),
        (["--out", "t", "--seconds", "1", "--pid", "1"], "one of them"),
        (["--out", "t", "--seconds", "1", "--rate", "0"], "above 0"),
        (["--out", "t", "--seconds", "-1"], "--seconds must be above 0"),
        (["--out", "t", "--seconds", "nan"], "--seconds must be above 0"),
        (["--out", "t", "--pid", "4194305"], "process 4194305"),
        (["--seconds", "1"], "--out"),
    ],
)
def test_a_wrong_command_line_is_told_before_anything_runs(
    cli: CommandLine, tmp_path: Path, args: list[str], word: str
) -> None:
    done = cli.run("record", *args, cwd=tmp_path)
    assert done.returncode == 2 and word in done.stderr


def test_a_full_disk_is_told_and_the_command_not_disturbed(cli: CommandLine, tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    done = cli.run("record", "--out", "/dev/full", "--", "sh", "-c", "exit 0")
    assert done.returncode == 2 and "space" in done.stderr


CLIENT = """
import json, sys, time
starts = []
for _ in range(5):
    starts.append(time.perf_counter())
    end = starts[-1] + 0.15
    while time.perf_counter() < end: pass
columns = {"start_times": starts, "ttfts": [0.05] * 5, "itls": [[0.05, 0.05]] * 5, "output_lens": [3] * 5}
json.dump(columns | {"input_lens": [8] * 5, "errors": [""] * 5}, open(sys.argv[1], "w"))
"""


def test_two_commands_tell_the_joules_of_each_request(cli: CommandLine, tmp_path: Path) -> None:
    out, result, rows = (str(tmp_path / name) for name in ("t", "r.json", "rows.csv"))
    assert cli.run("record", "--out", out, "--", sys.executable, "-c", CLIENT, result).returncode == 0
    done = cli.run("join", result, "--trace", out, "--split", "tokens", "--zone", "FR", "--json", "--requests", rows)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["requests"] == 5 and answer["units"] == 15 and answer["flags"] == {}
    assert answer["energy_j"]["p50"] > 0 and answer["prefill_j"]["mean"] > 0 and answer["co2e_g_per_1000"] > 0
    assert len(Path(rows).read_text().splitlines()) == 6
    shown = cli.run("join", result, "--trace", out)
    assert "per request" in shown.stdout and "tokens per joule" in shown.stdout


def test_a_join_that_cannot_be_says_why_on_one_line(cli: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text("{}")
    (tmp_path / "t").write_text("no trace")
    for result, trace, word in (("r.json", "t", "is no trace"), ("none.json", "none", "No such file")):
        done = cli.run("join", result, "--trace", trace, cwd=tmp_path)
        assert done.returncode == 1 and word in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("option", [("--idle", "much"), ("--split", "a:b")])
def test_an_option_that_is_no_number_is_told(cli: CommandLine, tmp_path: Path, option: tuple[str, str]) -> None:
    done = cli.run("join", "r.json", "--trace", "t", *option, cwd=tmp_path)
    assert done.returncode == 2 and "is no number" in done.stderr


def test_disabled_the_command_runs_and_nothing_is_written(cli: CommandLine, tmp_path: Path) -> None:
    cli.environment["ECO2AI_FAST_DISABLE"] = "1"
    assert cli.run("record", "--out", str(tmp_path / "t"), "--", "sh", "-c", "exit 3").returncode == 3
    assert not (tmp_path / "t").exists()
