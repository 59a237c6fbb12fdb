"""How cost grows with size: a tick with the domains, memory and resolving with the spans, a row with the CSV file.

    python benches/bench_scale.py [--repeats 5] [--full] [domains|spans|csv ...]

Each repeat walks through all sizes, so that what the machine does meanwhile falls on all of them. The slope of a line
by least squares is fitted to each repeat; printed are the median slope and the least and greatest of them. `--full`
goes to ten million spans, which takes some 3 GB and minutes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import eco2ai_fast as eco
from eco2ai_fast.tracking import csvfile
from eco2ai_fast.tracking.row import COLUMNS, HEADER, line
from soak.flat import slope

DOMAINS = (1, 2, 4, 8, 16, 32, 64)
SPANS = (1_000, 10_000, 100_000, 1_000_000)
MOST_SPANS = 10_000_000
ROWS = (1, 10, 100, 1_000, 10_000, 100_000, 1_000_000)
TICKS, APPENDS = 200, 200

# One process for each number of spans, so that none inherits another's memory.
SPAN_WORK = """
import json, sys, time
import eco2ai_fast as eco
from eco2ai_fast.testing import ScriptedDomain
from soak.flat import usage

count, start_ns = int(sys.argv[1]), time.perf_counter_ns()
package = ScriptedDomain("package", [(start_ns + tick * 1_000_000, tick * 50_000) for tick in range(60_000)])
eco.Meter.max_spans = count + 1000
meter = eco.Meter(sources=[package]).start()

def write(number):
    for _ in range(number):
        with meter.span("x"):
            pass

write(1000)
len(meter.spans())
meter.forget_spans()
before_kib = usage().rss_kib
begin = time.perf_counter()
write(count)
written = time.perf_counter()
# Resolves what is left; over no domain, so that hardly more than that is in the time.
meter.span_table([])
resolved = time.perf_counter()
kept_kib = usage().rss_kib - before_kib
spans = meter.spans()
told = time.perf_counter()
print(json.dumps({"write_s": written - begin, "resolve_s": resolved - written, "array_s": told - resolved,
                  "kept_b": kept_kib * 1024, "rows": len(spans), "dropped": spans.dropped}))
"""


class Series(NamedTuple):
    """What was measured at each size: one list of values for each repeat."""

    sizes: Sequence[int]
    repeats: list[list[float]]

    def report(self, title: str, unit: str, per: str) -> None:
        slopes = sorted(slope(self.sizes, values)[0] for values in self.repeats)
        middle = [median(column) for column in zip(*self.repeats, strict=True)]
        print(f"{title}: {median(slopes):.4g} {unit} per {per} ({slopes[0]:.4g} to {slopes[-1]:.4g})")
        print("   " + ", ".join(f"{size:,}: {value:.4g}" for size, value in zip(self.sizes, middle, strict=True)))


def timed_ns(call: Callable[[], object], times: int) -> float:
    """Median of single calls: one that was interrupted does not count."""
    taken = []
    for _ in range(times):
        begin_ns = time.perf_counter_ns()
        call()
        taken.append(time.perf_counter_ns() - begin_ns)
    return median(taken)


def domains(folder: Path, repeats: int, full: bool) -> None:
    meters = []
    for count in DOMAINS:
        root = folder / f"machine-{count}"
        (root / "proc").mkdir(parents=True)
        (root / "proc/cpuinfo").write_text("processor\t: 0\nvendor_id\t: GenuineIntel\n")
        for number in range(count):
            zone = root / f"sys/class/powercap/intel-rapl:{number:x}"
            zone.mkdir(parents=True)
            (zone / "name").write_text(f"package-{number}\n")
            (zone / "energy_uj").write_text("123456789012\n")
            (zone / "max_energy_range_uj").write_text("262143328850\n")
        meter = eco.Meter(sources="powercap", sysroot=root)
        assert len([one for one in meter.domains if one.source == "powercap"]) == count
        meter.record()
        meters.append(meter)
    ticks = [[timed_ns(meter.tick, TICKS) for meter in meters] for _ in range(repeats)]
    reads = [[timed_ns(meter.read, TICKS) for meter in meters] for _ in range(repeats)]
    Series(DOMAINS, ticks).report("a tick over powercap, ns by domains", "ns", "domain")
    Series(DOMAINS, reads).report("meter.read(), ns by domains", "ns", "domain")


def spans(folder: Path, repeats: int, full: bool) -> None:
    sizes = (*SPANS, MOST_SPANS) if full else SPANS
    told: list[list[dict[str, float]]] = []
    for _ in range(repeats):
        command = [sys.executable, "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{SPAN_WORK}"]
        done = [subprocess.run([*command, str(size)], check=True, capture_output=True, text=True) for size in sizes]
        told.append([json.loads(one.stdout) for one in done])
    for title, key, factor, unit in (
        ("memory of kept spans of one domain, bytes by spans", "kept_b", 1, "bytes"),
        ("written, ns by spans", "write_s", 1e9, "ns"),
        ("resolved after the last mark, ns by spans", "resolve_s", 1e9, "ns"),
        ("told as an array, ns by spans", "array_s", 1e9, "ns"),
    ):
        Series(sizes, [[one[key] * factor for one in repeat] for repeat in told]).report(title, unit, "span")
    lost = sum(size - one["rows"] for repeat in told for size, one in zip(sizes, repeat, strict=True))
    print(f"   spans that were dropped, and counted: {lost:,.0f}")


def csv(folder: Path, repeats: int, full: bool) -> None:
    cells = ["0" * 36, "project", "description", "N/A", "2026-01-01 00:00:00", *["0.123456"] * 3, "a CPU/1 device(s)"]
    cells += ["", "Linux", "RU", "0"]
    assert len(cells) == len(COLUMNS)
    paths = []
    for count in ROWS:
        path = folder / f"rows-{count}.csv"
        with path.open("w") as file:
            file.write(HEADER)
            row, left = line(cells), count
            while left:
                part = min(left, 10_000)
                file.write(row * part)
                left -= part
        paths.append(str(path))

    def track(path: str) -> None:
        tracker = eco.Tracker("p", "d", path, alpha_2_code="RU", ignore_warnings=True)
        tracker.start()
        tracker.stop()

    appended = [[timed_ns(lambda: csvfile.append(path, cells), APPENDS) for path in paths] for _ in range(repeats)]  # noqa: B023
    tracked = [[timed_ns(lambda: track(path), APPENDS // 4) for path in paths] for _ in range(repeats)]  # noqa: B023
    Series(ROWS, appended).report("a row appended to a CSV file, ns by rows", "ns", "row of the file")
    Series(ROWS, tracked).report("a tracker from constructor to row, ns by rows", "ns", "row of the file")


PARTS: dict[str, Callable[[Path, int, bool], None]] = {"domains": domains, "spans": spans, "csv": csv}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("parts", nargs="*", default=list(PARTS), help=", ".join(PARTS))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--full", action="store_true", help="up to ten million spans")
    arguments = parser.parse_args()
    for part in arguments.parts:
        with tempfile.TemporaryDirectory() as folder:
            PARTS[part](Path(folder), arguments.repeats, arguments.full)


if __name__ == "__main__":
    main()
