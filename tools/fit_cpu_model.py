"""Fits the power model of processors that have no meter, and writes what the core and the tests need of it.

    python tools/fit_cpu_model.py [RAW_DIR]

Writes rust/core/data/cpu_model.tsv (the model), and what it is judged by: tests/fixtures/cpu_load.tsv (load recordings)
and tests/fixtures/server_levels.tsv (servers at rest and at full load).

Levels come from SPECpower, which knows the wall power of idle and fully loaded servers: wall = rest + memory x GB +
slope x TDP. `wall per package watt` turns the slope into the package's own. The recordings add the bend between the
ends. Both are fitted without the recordings of the machine that is judged: `curve()` is what the test calls for that.
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Sequence
from math import hypot
from pathlib import Path
from statistics import median

import numpy as np
from make_cpu_table import HERE, normalise

MODEL = HERE / "rust/core/data/cpu_model.tsv"
RECORDINGS = HERE / "tests/fixtures/cpu_load.tsv"
LEVELS = HERE / "tests/fixtures/server_levels.tsv"
TABLE = HERE / "rust/core/data/cpu_tdp.tsv"
# Servers before 2014 idle at a third to a half of their full power; those in use now at a fifth.
FIRST_YEAR = 2014
# Where no recording tells: a power supply at half load (80 PLUS Platinum, 0.94) and voltage regulators (0.9), both from
# general knowledge.
WALL_PER_PACKAGE = 1 / (0.94 * 0.9)
LOADS = [tenth / 10 for tenth in range(11)]
Z_95 = 1.96
# Name of a family, and what of SPECpower's normalised processor names belongs to it.
FAMILIES = {
    "Haswell": r"e[57]-\d{4}\w* v3",
    "Broadwell": r"(e[57]-\d{4}\w* v4|xeon d-15\d\d)",
    "Skylake": r"(platinum|gold|silver|bronze) [3-8]1\d\d",
    "Cascade Lake": r"(platinum|gold|silver|bronze) ([3-9]2\d\d)",
    "Ice Lake": r"(platinum|gold|silver) [3-8]3\d\d(?!h)",
    "Sapphire Rapids": r"(platinum|gold|silver|bronze|xeon) [3-8]4\d\d",
    "Emerald Rapids": r"(platinum|gold|silver|bronze|xeon) [3-8]5\d\d",
    "Granite Rapids": r"xeon 6[5-9]\d\dp",
    "Sierra Forest": r"xeon (gold )?6[5-9]\d\de",
    "EPYC Naples": r"epyc 7\d\d1",
    "EPYC Rome": r"epyc 7\w\d2",
    "EPYC Milan": r"epyc 7\w{2}3",
    "EPYC Genoa": r"epyc [98]\w{2}4",
    "EPYC Turin": r"epyc 9\w{2}5",
    "Neoverse N1": r"ampere altra",
}
HEADER = """\
# Power of processors without a meter, in watts: of a package per watt of its TDP, of a family per logical CPU.
# made by tools/fit_cpu_model.py from SPECpower_ssj2008 results (spec.org) as collected by Cloud Carbon Footprint
# (Apache-2.0), and from load recordings of CodeCarbon (MIT)
# kind, name, idle, full, error (one sigma), machines behind it; `wall` and `levels` are steps on the way
"""
RECORDINGS_HEADER = """\
# Load of all logical CPUs (0 to 1) against RAPL package power, summed over packages, and wall power where a plug meter
# was read. tdp_w is that of all packages. Each row is the mean of about half a minute.
# Facts of CodeCarbon's cpu_load_profiling recordings (MIT, 2025), written by tools/fit_cpu_model.py
"""
LEVELS_HEADER = """\
# Wall power of servers since 2014 at rest and at full load, where the TDP of the processors is known (of all packages).
# Facts of SPECpower_ssj2008 results (spec.org), as collected by Cloud Carbon Footprint (Apache-2.0), written by
# tools/fit_cpu_model.py
"""


# Name and TDP of all packages of the recorded machines.
MACHINES = {
    "threadripper-1950x": ("AMD Ryzen Threadripper 1950X", 180),
    "xeon-e5-2620v3-2s": ("2x Intel Xeon E5-2620 v3", 170),
}


class Server:
    """A server: `wall_w` idle and full, `tdp_w` of all packages, None where no table knows it."""

    def __init__(self, vendor: str, year: int, tdp_w: float | None, memory_gb: float, wall_w: tuple[float, float]):
        self.vendor = vendor
        self.year = year
        self.tdp_w = tdp_w
        self.memory_gb = memory_gb
        self.wall_w = wall_w


class SpecResult(Server):
    """One SPECpower result."""

    def __init__(self, row: dict[str, str], tdp_w: float | None) -> None:
        super().__init__(
            row["Hardware Vendor"].split()[0].lower(),
            int(row["Published"][-4:]),
            None if tdp_w is None else tdp_w * int(row["Chips"]),
            float(row["Total Memory (GB)"]),
            (float(row["avg. watts @ active idle"]), float(row["avg. watts @ 100%"])),
        )
        self.name = plain(row["CPU Description"])
        self.cpus = int(row["Total Threads"])


class Recording:
    """One step of a load recording."""

    def __init__(self, row: dict[str, str]) -> None:
        self.file = row["recording"]
        self.machine = row["machine"]
        self.tdp_w = float(row["tdp_w"])
        self.load = float(row["load"])
        self.package_w = float(row["package_w"])
        self.wall_w = float(row["wall_w"]) if row["wall_w"] else None


def plain(description: str) -> str:
    """SPECpower's processor descriptions hold clock rates and marks in many ways; the name that is left of them."""
    text = re.sub(r"\(.*?hz.*?\)|,?\s*\d+(\.\d+)?\s*ghz.*", "", description.lower())
    words = normalise(re.sub("[,®™]", " ", text)).split()
    return " ".join(word for word in words if not re.fullmatch(r"\d+-?cores?", word))


def servers(path: Path) -> list[SpecResult]:
    lines = (line.split("\t") for line in TABLE.read_text().splitlines() if not line.startswith("#"))
    tdp_w = {name: float(watts) for name, watts in lines}
    found = []
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            name = plain(row["CPU Description"])
            if int(row["Published"][-4:]) >= FIRST_YEAR and row["avg. watts @ active idle"]:
                found.append(SpecResult(row, tdp_w.get(name, tdp_w.get(f"intel {name}"))))
    return found


def recordings(path: Path = RECORDINGS) -> list[Recording]:
    lines = (line for line in path.read_text().splitlines() if not line.startswith("#"))
    return [Recording(row) for row in csv.DictReader(lines, delimiter="\t")]


def known_servers(path: Path = LEVELS) -> list[Server]:
    """The servers of known TDP, from the committed table."""
    lines = [line.split("\t") for line in path.read_text().splitlines() if not line.startswith("#")]
    return [
        Server(vendor, int(year), float(tdp_w), float(gb), (float(idle_w), float(full_w)))
        for vendor, year, tdp_w, gb, idle_w, full_w in lines[1:]
    ]


def level(known: Sequence[Server], end: int) -> tuple[float, np.ndarray]:
    """Wall watts per watt of TDP at one end of the load, and the rest: watts, and watts per GB.

    The rest by least relative squares, none of it below 0; the slope as the median server's, since squares of relative
    errors favour estimates that are too low.
    """
    wall_w = np.array([server.wall_w[end] for server in known])
    columns = np.array([[1.0, server.memory_gb, server.tdp_w] for server in known])
    used = [0, 1, 2]
    while True:
        fitted = np.linalg.lstsq(columns[:, used] / wall_w[:, None], np.ones(len(known)), rcond=None)[0]
        if min(fitted) >= 0:
            break
        used.pop(int(np.argmin(fitted)))
    rest = np.zeros(3)
    rest[used] = fitted
    slope = np.median((wall_w - columns[:, :2] @ rest[:2]) / columns[:, 2])
    return float(slope), rest[:2]


def wall_per_package(rows: list[Recording]) -> float:
    """Slope of wall over package power, where a plug meter was read; else what is generally known."""
    pairs = [(row.package_w, row.wall_w) for row in rows if row.wall_w is not None]
    return float(np.polyfit(*zip(*pairs, strict=True), 1)[0]) if pairs else WALL_PER_PACKAGE


def bend(rows: list[Recording]) -> np.ndarray:
    """Offset and slope of the line that lies closest to the recorded shapes, 0 at the least load and 1 at full.

    Recordings bend upwards in the middle, SPECpower's servers (median wall power of 121 servers at eleven loads) a
    little downwards: the straight line between the ends has the weight of one machine.
    """
    lines = [np.array([0.0, 1.0])]
    for machine in sorted({row.machine for row in rows}):
        own = [row for row in rows if row.machine == machine]
        x, y, weight = [], [], []
        for file in {row.file for row in own}:
            steps = sorted((row.load, row.package_w) for row in own if row.file == file)
            (_, idle_w), (_, full_w) = steps[0], steps[-1]
            for load, package_w in steps:
                weight.append((full_w - idle_w) / package_w)
                x.append([weight[-1], weight[-1] * load])
                y.append(weight[-1] * (package_w - idle_w) / (full_w - idle_w))
        lines.append(np.linalg.lstsq(np.array(x), np.array(y), rcond=None)[0])
    return np.mean(lines, axis=0)


def ends(slopes: tuple[float, float], rows: list[Recording]) -> tuple[float, float]:
    """Idle and full power of a package per watt of TDP, from SPECpower's wall slopes."""
    ratio = wall_per_package(rows)
    return slopes[0] / ratio, slopes[1] / ratio


def curve(slopes: tuple[float, float], rows: list[Recording]) -> tuple[float, float]:
    """The straight line that lies closest to what is between the ends: its idle and full power per watt of TDP."""
    return bent(*ends(slopes, rows), bend(rows))


def bent(idle: float, full: float, line: np.ndarray) -> tuple[float, float]:
    offset, rise = line
    return float(idle + (full - idle) * offset), float(idle + (full - idle) * (offset + rise))


def package_w(server: Server, rests: list[np.ndarray], ratio: float) -> tuple[float, float]:
    """What of a server's wall power its packages take, idle and full."""
    pairs = zip(server.wall_w, rests, strict=True)
    idle, full = (max(wall - rest[0] - rest[1] * server.memory_gb, 0.0) / ratio for wall, rest in pairs)
    return idle, full


def off(truth: tuple[float, float], model: tuple[float, float]) -> list[float]:
    """How far a straight truth is off a straight model, in parts of the model, at eleven loads."""
    pairs = [[idle + (full - idle) * load for idle, full in (truth, model)] for load in LOADS]
    return [abs(true_w / model_w - 1) for true_w, model_w in pairs]


def sigma(errors: list[float]) -> float:
    """Sigma whose 95 % bounds hold 95 % of the errors."""
    return float(np.quantile(errors, 0.95)) / Z_95


class Levels:
    """Idle and full power per watt of TDP as servers have it, its error, and what led there."""

    def __init__(self, known: Sequence[Server], rows: list[Recording]) -> None:
        (idle, idle_rest), (full, full_rest) = level(known, 0), level(known, 1)
        self.slopes = idle, full
        self.rests, self.ratio = [idle_rest, full_rest], wall_per_package(rows)
        self.model = curve(self.slopes, rows)
        self.sigma = sigma(self.errors(known))

    def errors(self, judged: Sequence[Server]) -> list[float]:
        """How far servers are off, each at eleven loads."""
        pairs = [(server.tdp_w, package_w(server, self.rests, self.ratio)) for server in judged if server.tdp_w]
        return [error for tdp_w, (idle, full) in pairs for error in off((idle / tdp_w, full / tdp_w), self.model)]


def families(
    all_servers: list[SpecResult], rests: list[np.ndarray], rows: list[Recording]
) -> list[tuple[str, float, float, float, int]]:
    """Watts per logical CPU of each family, and of any server: name, idle, full, sigma, servers."""
    ratio, line = wall_per_package(rows), bend(rows)
    table: list[tuple[str, float, float, float, int]] = []
    pooled: list[float] = []
    for name, pattern in [*FAMILIES.items(), ("any server", "")]:
        members = [server for server in all_servers if re.search(pattern, server.name)]
        truths = [(idle / s.cpus, full / s.cpus) for s in members for idle, full in [package_w(s, rests, ratio)]]
        model = bent(median(idle for idle, _ in truths), median(full for _, full in truths), line)
        errors = [error for truth in truths for error in off(truth, model)]
        pooled += errors if pattern else []
        table.append((name, *model, sigma(errors), len(members)))
    # One error for all families, some of which have few servers; and beside that of the levels, that of the shape.
    shape, family = calibrated_sigma(rows), sigma(pooled)
    rels = [hypot(shape, family)] * len(FAMILIES) + [hypot(shape, table[-1][3])]
    return [(*row[:3], rel, row[4]) for row, rel in zip(table, rels, strict=True)]


def shape_errors(rows: list[Recording]) -> list[float]:
    """How far each step is off the line through its recording's own ends."""
    errors = []
    for file in {row.file for row in rows}:
        steps = sorted((row.load, row.package_w) for row in rows if row.file == file)
        (_, idle_w), (_, full_w) = steps[0], steps[-1]
        errors += [abs(power_w / (idle_w + (full_w - idle_w) * load) - 1) for load, power_w in steps]
    return errors


def calibrated_sigma(rows: list[Recording]) -> float:
    """Error of the line through a recording's own ends: two machines are too few for a quantile, so the largest."""
    return max(shape_errors(rows)) / Z_95


def write_recordings(raw: Path) -> None:
    out = [RECORDINGS_HEADER + "recording\tmachine\ttdp_w\tload\tduration_s\tpackage_w\twall_w\n"]
    for path in sorted((raw / "cpu_load_recordings").glob("*.csv")):
        key = path.stem.partition("-")[2]
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                wall_w = f"{float(row['wall_w']):g}" if float(row["wall_w"]) else ""
                load = float(row["cpu_load_percent"]) / 100
                cells = (path.stem, *MACHINES[key], f"{load:.3f}", row["duration_s"], row["rapl_w"], wall_w)
                out.append("\t".join(map(str, cells)) + "\n")
    RECORDINGS.write_text("".join(out), encoding="utf-8")


def write_levels(known: Sequence[Server]) -> None:
    rows = sorted((s.vendor, s.year, s.tdp_w, s.memory_gb, *s.wall_w) for s in known)
    text = "".join("\t".join(f"{c:g}" if isinstance(c, float) else str(c) for c in row) + "\n" for row in rows)
    LEVELS.write_text(f"{LEVELS_HEADER}vendor\tyear\ttdp_w\tmemory_gb\tidle_w\tfull_w\n{text}", encoding="utf-8")


def main(raw: Path) -> None:
    write_recordings(raw)
    rows, all_servers = recordings(), servers(raw / "specpower_2026.csv")
    known = [server for server in all_servers if server.tdp_w]
    write_levels(known)
    levels = Levels(known, rows)
    lines = [
        ("wall", "per watt of TDP", *levels.slopes, 0.0, len(known)),
        ("levels", "of SPECpower's servers", *levels.model, levels.sigma, len(known)),
        ("tdp", "per watt of TDP", *levels.model, hypot(levels.sigma, calibrated_sigma(rows)), len(known)),
        ("calibrated", "line through two points", 0.0, 1.0, calibrated_sigma(rows), len(MACHINES)),
        *(("family", *row) for row in families(all_servers, levels.rests, rows)),
    ]
    text = "".join(f"{k}\t{n}\t{i:.3f}\t{f:.3f}\t{r:.2f}\t{c}\n" for k, n, i, f, r, c in lines)
    MODEL.write_text(HEADER + text, encoding="utf-8")
    print(text + f"wall per package watt {levels.ratio:.3f}, bend {bend(rows)}, rest {levels.rests} (W, W/GB)")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "shared/data")
