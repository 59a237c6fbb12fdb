"""What does each tool cost: import, size, start and stop, threads, children, background, a window?

All of it on one machine of plain counter files (ticking.py), so that each tool finds meters to read and reading costs
what a small file costs. Rounds go through all tools in turn, so that a busy machine is busy for all.
"""

from __future__ import annotations

import os
import random
import re
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from .environments import OURS, Environment
from .runs import Failed, Figures, cell, cells, environment, marked, run
from .ticking import Ticking

PROBE = Path(__file__).parent / "probe.py"
TIMEOUT_S = 90
PERIODS_S = (1.0, 0.1, 0.01, 0.001)
TRACKER = f"{OURS}-tracker"

# What is asked of the probe, and in whose environment.
WHOLE = (OURS, TRACKER, "eco2ai", "codecarbon", "carbontracker", "zeus", "pyjoules", "perun")
WINDOWS = (
    "bare",
    "bare-clocks",
    OURS,
    f"{OURS}-span",
    "eco2ai-epochs",
    "codecarbon-tasks",
    "carbontracker",
    "zeus",
    "pyjoules",
)
ASKED_A_PERIOD = ("bare", OURS, "eco2ai", "codecarbon", "carbontracker", "perun")
WITHOUT_PERIOD = ("zeus", "pyjoules")
HOUSE = ("pip", "setuptools", "pkg_resources", "_distutils_hack", "distutils-precedence.pth", "wheel", "__pycache__")


@dataclass(frozen=True)
class Effort:
    """How much is measured."""

    repeats: int
    background_s: float
    window_s: float
    jobs: int = 2


QUICK = Effort(repeats=3, background_s=2, window_s=0.5)
FULL = Effort(repeats=5, background_s=5, window_s=2)


class Bench:
    """One run over the tools that are there."""

    def __init__(self, environments: Iterable[Environment], effort: Effort, seed: int, tell: Callable[[str], None]):
        self.environments = {environment.name: environment for environment in environments}
        self.effort = effort
        self.dice = random.Random(seed)
        self.tell = tell

    def all(self) -> dict[str, dict[str, Figures]]:
        """Figure to tool to cell."""
        with Ticking() as machine, tempfile.TemporaryDirectory() as folder:
            self.machine, self.folder = machine, Path(folder)
            found = self.whole()
            found["window_us"] = self.windows()
            found["background_percent"] = self.background()
            found["children_started"] = self.spawned()
        found["installed_mb"] = {name: cell([installed_mb(e)]) for name, e in self.installed().items()}
        return found

    def whole(self) -> dict[str, dict[str, Figures]]:
        """Import, construct, start and stop in fresh processes."""
        tools = self.present(WHOLE)
        tries: dict[str, list[dict[str, float] | Failed]] = {tool: [] for tool in tools}
        for tool in tools:
            self.probe(tool, "once")  # compiles, fills the page cache
        for _ in range(self.effort.repeats):
            for tool in self.shuffled(tools):
                tries[tool].append(self.probe(tool, "once"))
        table = {tool: cells(records) for tool, records in tries.items()}
        names = {name: None for row in table.values() for name in row if name != "all"}
        return {name: {tool: row.get(name) or row["all"] for tool, row in table.items()} for name in names}

    def windows(self) -> dict[str, Figures]:
        """A begun and ended window of a running tool."""
        seconds = self.effort.window_s
        return self.rounds(self.present(WINDOWS), lambda tool: self.figure("window_us", tool, "windows", seconds))

    def background(self) -> dict[str, Figures]:
        """CPU of the process and its descendants while the program sleeps, in percent of a core; "TOOL PERIOD"."""
        keys = [f"{tool} {period:g}" for tool in self.present(ASKED_A_PERIOD) for period in PERIODS_S]
        # From 500 Hz on we hunt the instants of change by default; this is what sampling alone takes.
        keys += [f"{OURS}-sampled 0.001"]
        keys += [f"{tool} default" for tool in self.present((OURS, TRACKER, *WITHOUT_PERIOD))]
        if self.perf() is not None:
            keys += [f"perf {period:g}" for period in PERIODS_S]
        return self.rounds(keys, self.background_percent, jobs=self.effort.jobs)

    def spawned(self) -> dict[str, Figures]:
        """Processes that one run starts, by strace; untimed."""
        if shutil.which("strace") is None:
            return {tool: cell([Failed("no strace")]) for tool in self.present(WHOLE)}
        return {tool: cell([self.count_spawned(tool)]) for tool in self.present(WHOLE)}

    def rounds(self, keys: list[str], ask: Callable[[str], float | Failed], jobs: int = 1) -> dict[str, Figures]:
        tries: dict[str, list[float | Failed]] = {key: [] for key in keys}
        with ThreadPoolExecutor(jobs) as pool:
            for _ in range(self.effort.repeats):
                order = self.shuffled(keys)
                for key, found in zip(order, pool.map(ask, order), strict=True):
                    tries[key].append(found)
        return {key: cell(found) for key, found in tries.items()}

    def background_percent(self, key: str) -> float | Failed:
        tool, period = key.split()
        if tool == "perf":
            return self.perf_percent(float(period))
        return self.figure("core_percent", tool, "background", period, self.effort.background_s)

    def perf_percent(self, period_s: float) -> float | Failed:
        """`perf stat -I`, beyond what it takes to start and end; it reads a clock, for want of a power PMU."""
        asked = ["-I", str(round(period_s * 1e3))]
        used = [self.perf_cpu_s(asked), self.perf_cpu_s([])]
        failed = [one for one in used if isinstance(one, Failed)]
        return failed[0] if failed else 100 * (used[0] - used[1]) / self.effort.background_s  # type: ignore[operator]

    def perf_cpu_s(self, options: list[str]) -> float | Failed:
        sleep = ["sleep", str(self.effort.background_s)]
        command = [str(self.perf()), "stat", "-a", "-e", "cpu-clock", "-o", "/dev/null", *options, *sleep]
        process = subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        return _cpu_s(used) if process.returncode == 0 else Failed(f"exit code {process.returncode}")

    def perf(self) -> Path | None:
        found = self.environments.get("perf")
        return found.program if found is not None and found.failure is None else None

    def count_spawned(self, tool: str) -> float | Failed:
        log = self.folder / "strace"
        strace = ["strace", "-f", "-qq", "-o", str(log), "-e", "trace=clone,clone3,fork,vfork"]
        found = self.probe(tool, "once", before=strace)
        if isinstance(found, Failed):
            return found
        calls = [line for line in log.read_text().splitlines() if re.search(r"= \d+$", line)]
        return float(sum("CLONE_THREAD" not in call for call in calls))

    def figure(self, name: str, tool: str, *arguments: object) -> float | Failed:
        found = self.probe(tool, *arguments)
        return found if isinstance(found, Failed) else found[name]

    def probe(self, tool: str, *arguments: object, before: Iterable[str] = ()) -> dict[str, float] | Failed:
        """One process of the tool's environment, in a folder of its own."""
        command = [*before, str(self.owner(tool).python), str(PROBE), tool, *map(str, arguments)]
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            try:
                out = run(self.machine.namespace(command), TIMEOUT_S, Path(folder), {"HOME": folder})
                found: dict[str, float] = marked(out, "PROBE")
            except Failed as failed:
                self.tell(f"{tool} {' '.join(map(str, arguments))}: {failed}")
                return failed
        return found

    def owner(self, tool: str) -> Environment:
        """The environment that a subject of the probe lives in."""
        name = OURS if tool.startswith("bare") else tool.partition("-")[0]
        return self.environments[name]

    def present(self, tools: Iterable[str]) -> list[str]:
        installed = self.installed()
        names = {tool: OURS if tool.startswith("bare") else tool.partition("-")[0] for tool in tools}
        return [tool for tool, name in names.items() if name in installed]

    def installed(self) -> dict[str, Environment]:
        return {name: e for name, e in self.environments.items() if e.failure is None and e.rival.pins}

    def shuffled(self, keys: Iterable[str]) -> list[str]:
        order = list(keys)
        self.dice.shuffle(order)
        return order


def installed_mb(environment: Environment) -> float:
    """What installing it put into an environment, its dependencies and compiled files with it."""
    (packages,) = environment.folder.glob("lib/python*/site-packages")
    own = [path for path in packages.iterdir() if not path.name.startswith(HOUSE)]
    files = [file for path in own for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file()]
    return sum(file.stat().st_size for file in files) / 1e6


def _cpu_s(used: resource.struct_rusage) -> float:
    return used.ru_utime + used.ru_stime


def main() -> None:
    """A look at the cost alone."""
    from .environments import make

    begin = time.monotonic()
    found = Bench(make(), QUICK, 1, print).all()
    for name, row in found.items():
        print(name, {tool: round(one["median"], 3) if "median" in one else one for tool, one in row.items()})
    print(f"{time.monotonic() - begin:.0f} s")


if __name__ == "__main__":
    main()
