"""What joining 100,000 requests costs, and a day's trace at 100 Hz.

    python benches/bench_join.py

A vLLM result of 100,000 overlapping requests with 100 tokens each, and a trace of an hour at 100 Hz over two domains:
time to read each, to join, and the peak of memory, beside json.loads() of the same result, which is what reading it by
the standard library costs at least. Then the memory of a recorder whose changes keep coming, and of loading and joining
traces of an hour, six hours and a day: by how many bytes the peak grows for each byte of trace.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from fixtures.traces import START_NS, rows, write

REQUESTS, TOKENS, SECONDS = 100_000, 100, 3600
REPEATS = 3
HOURS = (1, 6, 24)


def write_result(path: Path, requests: int) -> None:
    """Piece by piece: the bench shall not need the memory that it measures. Times have the digits of real ones."""
    chance = random.Random(1)
    begins = sorted(START_NS / 1e9 + chance.uniform(1, SECONDS - 10) for _ in range(requests))
    itls = json.dumps([chance.uniform(0.005, 0.05) for _ in range(TOKENS - 1)])
    with path.open("w") as file:
        file.write('{"backend": "vllm", "input_lens": ' + json.dumps([200] * requests))
        file.write(', "output_lens": ' + json.dumps([TOKENS] * requests))
        file.write(', "ttfts": ' + json.dumps([0.05] * requests) + ', "itls": [')
        for number in range(requests):
            file.write((", " if number else "") + itls)
        file.write('], "start_times": ' + json.dumps(begins))
        file.write(', "generated_texts": ' + json.dumps(["word " * TOKENS] * requests))
        file.write(', "errors": ' + json.dumps([""] * requests) + "}")


# Peak memory of a process itself; ru_maxrss of a child begins at what its parent had.
PEAK = """
def peak_mb():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) / 1024
"""
JOIN = (
    PEAK
    + """
import sys, time
import eco2ai_fast as eco
from eco2ai_fast.requestlogs import read_log
cpu, begin = time.process_time(), time.perf_counter()
log = read_log(sys.argv[1]); read = time.perf_counter()
trace = eco.load_trace(sys.argv[2]); loaded = time.perf_counter()
joined = eco.join(log, trace, split="tokens", idle=30.0, zone="FR"); end = time.perf_counter()
cpu = time.process_time() - cpu
parts_uj = round(joined.rows["energy_j"].sum() * 1e6) + round(joined.report.rest_j * 1e6)
assert abs(parts_uj - round(joined.report.whole_j * 1e6)) <= 1, parts_uj
print(read - begin, loaded - read, end - loaded, cpu, peak_mb())
"""
)
FLOOR = (
    PEAK
    + """
import json, sys, time
cpu, begin = time.process_time(), time.perf_counter()
with open(sys.argv[1]) as file:
    json.load(file)
print(time.perf_counter() - begin, time.process_time() - cpu, peak_mb())
"""
)
LONG = (
    PEAK
    + """
import sys, time
import numpy as np
import eco2ai_fast as eco
from eco2ai_fast.requestlogs import Log
cpu = time.process_time()
trace = eco.load_trace(sys.argv[1]); loaded = time.process_time()
begins = np.linspace(trace.start_ns, trace.end_ns - 10**9, 10_000).astype("i8")
joined = eco.join(Log(begins, np.zeros(len(begins), "i8"), begins + 10**9, "monotonic_ns", "row"), trace)
print(loaded - cpu, time.process_time() - loaded, peak_mb())
"""
)


def ran(code: str, *arguments: Path) -> list[float]:
    """The numbers that the code prints in a process of its own."""
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return [float(word) for word in done.stdout.split()]


def bench_join(folder: Path) -> None:
    trace = write(folder / "trace", seconds=SECONDS)
    for requests in (REQUESTS // 10, REQUESTS):
        result = folder / f"{requests}.json"
        write_result(result, requests)
        pairs = [(ran(JOIN, result, trace), ran(FLOOR, result)) for _ in range(REPEATS)]
        runs, floors = sorted((one for one, _ in pairs), key=lambda run: run[3]), sorted(one for _, one in pairs)
        read_s, load_s, join_s, cpu_s, peak_mb = runs[len(runs) // 2]
        floor_s, floor_cpu_s, floor_mb = floors[len(floors) // 2]
        print(
            f"{requests} requests, {result.stat().st_size / 1e6:.0f} MB: log {read_s:.2f} s + trace {load_s:.2f} s"
            f" + join {join_s:.2f} s = {read_s + load_s + join_s:.2f} s, CPU {cpu_s:.2f} s"
            f" ({runs[0][3]:.2f} to {runs[-1][3]:.2f}), peak {peak_mb:.0f} MB;"
            f" json.load() alone {floor_s:.2f} s, CPU {floor_cpu_s:.2f} s, peak {floor_mb:.0f} MB:"
            f" ratio {cpu_s / floor_cpu_s:.2f} of CPU time"
        )


def bench_writer(folder: Path, hours: int) -> Path:
    """The chunks of so many hours, as fast as they go: memory early and late, and the share of a core in real time."""
    import numpy as np

    from eco2ai_fast.tracefile import Writer
    from fixtures.traces import anchor, head

    path, seconds = folder / f"{hours}h", hours * 3600
    writer = Writer(path, head("package-0", "dram"))
    begin_s, cpu_s, early_mb = time.perf_counter(), time.process_time(), 0.0
    for second in range(seconds):
        t_ns = START_NS + second * 10**9 + np.arange(100, dtype="u8") * 10_000_000
        table = rows(t_ns, 100.0)
        writer.data(anchor(int(t_ns[-1])), [(0, table), (0, table)])
        if second == 1000:
            early_mb = own_peak_mb()
    writer.done(anchor(START_NS + seconds * 10**9))
    print(
        f"{hours} h at 100 Hz, two domains: {path.stat().st_size / 1e6:.0f} MB, written in"
        f" {time.perf_counter() - begin_s:.1f} s ({(time.process_time() - cpu_s) / seconds * 100:.4f} % of a core in"
        f" real time), {own_peak_mb() - early_mb:+.1f} MB of memory"
    )
    return path


def own_peak_mb() -> float:
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024


def bench_length(folder: Path) -> None:
    found = []
    for hours in HOURS:
        path = bench_writer(folder, hours)
        load_s, join_s, peak_mb = ran(LONG, path)
        found.append((path.stat().st_size / 1e6, peak_mb))
        print(f"  CPU to load {load_s:.2f} s, to join with 10,000 requests {join_s:.2f} s, peak {peak_mb:.0f} MB")
        path.unlink()
    (size_mb, peak_mb), (last_mb, last_peak_mb) = found[0], found[-1]
    slope = (last_peak_mb - peak_mb) / (last_mb - size_mb)
    print(f"  from {HOURS[0]} to {HOURS[-1]} h the peak grows by {slope:.4f} bytes for each byte of trace")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        bench_join(Path(name))
        bench_length(Path(name))
