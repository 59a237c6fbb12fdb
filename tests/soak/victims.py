"""Programs that are killed at random points, and a look at the files they leave."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

# What is said on stdout is said after stop() has returned. Long rows cross pages.
TRACKING = """
import random, sys
import eco2ai_fast
while True:
    text = "x, y\\n" * random.choice((1, 400, 3000))
    t = eco2ai_fast.Tracker("p", text, "e.csv", alpha_2_code="RU", measure_period=0.1, ignore_warnings=True)
    t.start()
    record = t.stop()
    sys.stdout.write(record.cells[0] + "\\n")
    sys.stdout.flush()
"""
RUNNING = ["-m", "eco2ai_fast.cli", "run", "-o", "run.json", "--", sys.executable, "-c", "pass"]
# Kills come while a program starts, runs and writes.
LONGEST_LIFE_S = 0.6


class Victims:
    """Starts programs in `folder` and kills each at a random point of its life.

    Attributes:
        kills: how many were killed alive. survivors: how many had ended before.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.chance = random.Random(seed)
        self.kills = self.survivors = 0
        # A home of its own, and no setting of the user's.
        self._environment = {name: text for name, text in os.environ.items() if not name.startswith("ECO2AI_FAST_")}
        self._environment["XDG_CONFIG_HOME"] = str(folder / "victims")

    def kill_one(self) -> None:
        """Starts one of the programs and kills it; then whatever it left is looked at."""
        tracking = self.chance.random() < 0.5
        command = [sys.executable, "-c", TRACKING] if tracking else [sys.executable, *RUNNING]
        life_s = self.chance.uniform(0, LONGEST_LIFE_S)
        with (self.folder / "stopped").open("ab") as said:
            out = said if tracking else subprocess.DEVNULL
            options: dict[str, Any] = {"cwd": self.folder, "env": self._environment, "start_new_session": True}
            # `run` tells its summary there.
            victim = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL, **options)
            time.sleep(life_s)
            alive = victim.poll() is None
            if alive:
                os.killpg(victim.pid, signal.SIGKILL)
            victim.wait()
        self.kills += alive
        self.survivors += not alive
        assert alive or victim.returncode == 0, f"a program failed by itself: {victim.returncode}"
        self._look_at_record()

    def _look_at_record(self) -> None:
        """The record is whole or not there."""
        path = self.folder / "run.json"
        if path.exists():
            assert json.loads(path.read_text())["kind"] == "run"
            path.unlink()

    def judge(self) -> str:
        """Lets one run end in peace, which mends what the killed ones left, and looks at every row."""
        last = TRACKING.replace("while True:", "for _ in (1,):")
        said = self.folder / "stopped"
        options: dict[str, Any] = {"cwd": self.folder, "env": self._environment}
        with said.open("ab") as out:
            subprocess.run([sys.executable, "-c", last], stdout=out, check=True, **options)
        with (self.folder / "e.csv").open(newline="") as file:
            rows = list(csv.reader(file))
        ids = [row[0] for row in rows[1:]]
        stopped = {one for one in said.read_text().splitlines() if len(one) == 36}
        torn = [row for row in rows if len(row) != 13]
        assert not torn, f"{len(torn)} rows are torn"
        assert len(set(ids)) == len(ids), "rows stand there twice"
        assert not stopped - set(ids), f"{len(stopped - set(ids))} rows of runs that were stopped are missing"
        left = list(self.folder.glob(".e.csv.*.journal"))
        assert not left, f"{len(left)} journals are left"
        return f"{len(ids)} rows, {len(stopped)} of them known to be stopped, all whole and once"


def main() -> None:
    """Kills programs for so many seconds: python -m soak.victims SECONDS SEED."""
    seconds, seed = float(sys.argv[1]), int(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        victims, end = Victims(Path(folder), seed), time.monotonic() + seconds
        while time.monotonic() < end:
            victims.kill_one()
        print(f"{victims.kills} killed, {victims.survivors} had ended; {victims.judge()}")


if __name__ == "__main__":
    main()
