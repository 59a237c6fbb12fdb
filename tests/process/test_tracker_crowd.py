"""Eight processes append to one CSV and are killed at random: no row is torn, none is lost or doubled."""

from __future__ import annotations

import csv
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from soak.victims import TRACKING

WORKERS = 8
SECONDS = 6.0


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def worker(folder: Path, number: int) -> subprocess.Popen[bytes]:
    # A home of its own, so that the workers do not share stored parameters.
    environment = {"XDG_CONFIG_HOME": str(folder / f"home-{number}"), "PATH": "/usr/bin:/bin"}
    with (folder / f"stopped-{number}").open("ab") as said:
        return subprocess.Popen([sys.executable, "-c", TRACKING], cwd=folder, env=environment, stdout=said)


def test_no_row_is_torn_lost_or_doubled_by_random_kills(folder: Path) -> None:
    chance = random.Random(3)
    workers = {number: worker(folder, number) for number in range(WORKERS)}
    end = time.monotonic() + SECONDS
    kills = 0
    while time.monotonic() < end:
        time.sleep(chance.uniform(0.01, 0.12))
        victim = chance.randrange(WORKERS)
        workers[victim].send_signal(signal.SIGKILL)
        workers[victim].wait()
        workers[victim] = worker(folder, victim)
        kills += 1
    for one in workers.values():
        one.kill()
        one.wait()
    last = TRACKING.replace("while True:", "for _ in (1,):")
    subprocess.run([sys.executable, "-c", last], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    with (folder / "e.csv").open(newline="") as file:
        found = list(csv.reader(file))
    ids = [row[0] for row in found[1:]]
    stopped = {line for path in folder.glob("stopped-*") for line in path.read_text().splitlines() if len(line) == 36}
    print(f"{kills} kills, {len(ids)} rows, {len(stopped)} of them known to be stopped")
    assert {len(row) for row in found} == {13}
    assert all(row[2].endswith("x, y\n") and float(row[5]) >= 0 for row in found[1:])
    assert stopped - set(ids) == set()
    assert len(set(ids)) == len(ids)
    assert not list(folder.glob(".*.journal"))
