"""Make the GPU traces of the tests from the raw ones: `python tools/make_gpu_traces.py [RAW_DIR]`.

Reads RAW_DIR/gpu_traces (default ../shared/data): what an external meter saw at 4.9 kHz, and what NVML answered to a
poll every 7 ms, both on one time axis. Writes tests/fixtures/gpu/*.csv: the meter as means over 2 ms, stamped at their
middle, which keeps its energy; every poll; and the instants at which the load changed. The same input gives the same
bytes. Source and licence stand in the head of each file and in the README beside them.
"""

from __future__ import annotations

import csv
import gzip
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
OUT = REPO / "tests" / "fixtures" / "gpu"

# Mean of so many milliseconds of the external meter in one row: a fiftieth of the NVML meter's period.
BIN_MS = 2.0
# Traces by name: the raw file's prefix, and the columns of its polls with the names they have here.
TRACES = {
    "rtx3090_square": ("rtx3090_square_50ms", {"draw_instant_w": "instant_w", "draw_average_w": "average_w"}),
    "rtx3090_step": ("rtx3090_step", {"draw_instant_w": "instant_w", "draw_average_w": "average_w"}),
    "a100_square": ("a100_square_50ms", {"draw_instant_w": "instant_w"}),
}
HEAD = (
    "# {what}, converted by tools/make_gpu_traces.py from measurements of Z. Yang, K. Adamek and W. Armour\n"
    "# (github.com/JimZeyuYang/GPU_Power_Benchmark at 4b5c944, arXiv 2312.02741), MIT licence: see README.md\n"
)


def raw_rows(path: Path) -> list[dict[str, str]]:
    """Rows of a raw CSV file, packed or not."""
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        return list(csv.DictReader(file))


def binned(rows: list[dict[str, str]]) -> list[tuple[float, float]]:
    """Mean power in watts by the middle of each bin in milliseconds; bins without a sample are left out."""
    sums: dict[int, list[float]] = {}
    for row in rows:
        sums.setdefault(int(float(row["t_ms"]) // BIN_MS), []).append(float(row["power_w"]))
    return [((index + 0.5) * BIN_MS, sum(powers) / len(powers)) for index, powers in sorted(sums.items())]


def write(name: str, what: str, header: list[str], rows: list[list[str]]) -> None:
    """One fixture."""
    lines = [",".join(header)] + [",".join(row) for row in rows]
    (OUT / f"{name}.csv").write_text(HEAD.format(what=what) + "\n".join(lines) + "\n")


def convert(raw: Path, name: str) -> None:
    """The three files of one trace."""
    prefix, columns = TRACES[name]
    meter = binned(raw_rows(raw / f"{prefix}_meter.csv.gz"))
    rows = [[f"{t_ms:.0f}", f"{power_w:.1f}"] for t_ms, power_w in meter]
    write(f"{name}_meter", "Power at an external meter", ["t_ms", "power_w"], rows)
    polls = raw_rows(raw / f"{prefix}_nvml.csv.gz")
    rows = [[row["t_ms"], *(row[column] for column in columns)] for row in polls]
    write(f"{name}_nvml", "Answers of NVML to a poll", ["t_ms", *columns.values()], rows)
    edges = sorted({float(row["t_ms"]) for row in raw_rows(raw / f"{prefix}_load_edges.csv")})
    write(f"{name}_load", "Instants at which the load changed", ["t_ms"], [[f"{t_ms:.3f}"] for t_ms in edges])


def main() -> None:
    """Convert every trace."""
    raw = Path(sys.argv[1] if len(sys.argv) > 1 else REPO.parent / "shared" / "data") / "gpu_traces"
    OUT.mkdir(parents=True, exist_ok=True)
    for name in TRACES:
        convert(raw, name)
    total = sum(path.stat().st_size for path in OUT.glob("*.csv"))
    print(f"{len(list(OUT.glob('*.csv')))} files, {total} bytes")


if __name__ == "__main__":
    main()
