"""Whose CPU time `run` counts: the command's, all its descendants', and nobody waits for those that live on."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import pytest

BURN_S = 0.3
BURN = f"import time\nwhile time.process_time() < {BURN_S}: pass\n"
# /proc/PID/stat counts in ticks of 10 ms, for user and system each.
TICKS_S = 0.02


@pytest.fixture
def burner(tmp_path: Path) -> str:
    path = tmp_path / "burner.py"
    path.write_text(BURN)
    return f"{sys.executable} -S {path}"


def command_of(record: Path) -> dict:
    return json.loads(record.read_text())["command"]


def test_cpu_time_of_the_command_and_its_children_is_counted(cli, burner: str, tmp_path: Path) -> None:
    record = tmp_path / "record.json"
    cli.run("run", "-o", str(record), "--", "sh", "-c", f"{burner}; {burner}; exit 0")
    assert command_of(record)["cpu_s"] >= 2 * BURN_S


def test_cpu_time_of_a_double_forked_child_that_ended_is_counted(cli, burner: str, tmp_path: Path) -> None:
    # The orphan comes to us: if we did not wait for it, `kill -0` would find it for ever.
    script = f"child=$( {burner} > /dev/null 2>&1 & echo $! ); while kill -0 $child; do sleep 0.01; done"
    record = tmp_path / "record.json"
    cli.run("run", "-o", str(record), "--", "sh", "-c", f"{script} 2> /dev/null")
    command = command_of(record)
    assert command["cpu_s"] >= BURN_S
    assert command["left_running"] == 0


@pytest.fixture
def daemon(tmp_path: Path) -> str:
    """A script that leaves a process behind, which has burnt its time already and tells its id in `pid`."""
    path = tmp_path / "daemon.py"
    telling = f"import os, pathlib; pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid()))"
    path.write_text(f"{BURN}\n{telling}\ntime.sleep(1000)\n")
    waiting = f"while ! [ -s {tmp_path}/pid ]; do sleep 0.01; done"
    return f"( setsid {sys.executable} {path} < /dev/null > /dev/null 2>&1 & ); {waiting}"


def test_daemon_left_behind_is_counted_until_then_and_lives_on(cli, daemon: str, tmp_path: Path) -> None:
    record = tmp_path / "record.json"
    done = cli.run("run", "-o", str(record), "--", "sh", "-c", f"{daemon}; exit 8")
    daemon_id = int((tmp_path / "pid").read_text())
    try:
        command = command_of(record)
        assert done.returncode == 8
        assert command["cpu_s"] >= BURN_S - TICKS_S
        assert command["left_running"] == 1
        assert "1 of its processes still runs" in done.stderr
    finally:
        os.kill(daemon_id, signal.SIGKILL)  # an error if it did not live on


def test_what_a_daemon_did_in_one_run_is_not_counted_in_the_next(cli, daemon: str, tmp_path: Path) -> None:
    record = tmp_path / "record.json"
    cli.run("run", "--repeat", "2", "-o", str(record), "--", "sh", "-c", f"[ -e {tmp_path}/pid ] || {{ {daemon}; }}")
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    first, second = (run["command"] for run in json.loads(record.read_text())["runs"])
    assert first["cpu_s"] >= BURN_S - TICKS_S
    assert second["cpu_s"] < BURN_S / 2
    assert second["left_running"] == 1


def test_parts_of_the_energy_are_its_shares_and_leave_a_rest(cli, burner: str, tmp_path: Path) -> None:
    record = tmp_path / "record.json"
    cli.run("run", "-o", str(record), "--zone", "FR", "--", "sh", "-c", burner)
    run = json.loads(record.read_text())
    command, own = run["command"], run["own_cost"]
    shared = {one["id"]: one["energy_j"] for one in run["domains"] if one["counted"]}
    assert command["domains_j"] == {name: command["cpu_share"] * energy for name, energy in shared.items()}
    assert 0 < own["energy_j"] < command["energy_j"] <= run["energy_j"] - own["energy_j"] + 1e-9
    assert command["co2e_g"] == pytest.approx(run["co2e_g"] * command["energy_j"] / run["energy_j"])
    assert 0 < own["cpu_s"] < own["total_cpu_s"]


def test_run_too_short_for_a_share_says_so_and_gives_no_number(cli, tmp_path: Path) -> None:
    root = tmp_path / "machine"  # whose CPUs were never busy
    (root / "proc").mkdir(parents=True)
    (root / "proc" / "stat").write_text("cpu  5 0 5 5 5 5 5 0 0 0\ncpu0 5 0 5 5 5 5 5 0 0 0\n")
    record = tmp_path / "record.json"
    environment = cli.environment | {"ECO2AI_FAST_SYSROOT": str(root)}
    done = cli.run("run", "-o", str(record), "--", "true", env=environment)
    command = command_of(record)
    assert (command["cpu_share"], command["energy_j"], command["domains_j"]) == (None, None, None)
    assert "busy for less than 0.1 s" in command["share_error"]
    assert "its share is unknown" in done.stderr
