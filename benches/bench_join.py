"""What joining 100,000 requests costs, and a day's trace at 100 Hz.

    python benches/bench_join.py

A vLLM result of 100,000 overlapping requests with 100 tokens each, and a trace of an hour at 100 Hz over two domains:
time to read each, to join, and the peak of memory; then the memory of a recorder whose changes keep coming.
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from fixtures.traces import START_NS, rows, write

REQUESTS, TOKENS, SECONDS = 100_000, 100, 3600
REPEATS = 3


def write_result(path: Path, requests: int) -> None:
    """Piece by piece: the bench shall not need the memory that it measures."""
    chance = random.Random(1)
    begins = sorted(START_NS / 1e9 + chance.uniform(1, SECONDS - 10) for _ in range(requests))
    itls = json.dumps([round(chance.uniform(0.005, 0.05), 9) for _ in range(TOKENS - 1)])
    with path.open("w") as file:
        file.write('{"backend": "vllm", "input_lens": ' + json.dumps([200] * requests))
        file.write(', "output_lens": ' + json.dumps([TOKENS] * requests))
        file.write(', "ttfts": ' + json.dumps([0.05] * requests) + ', "itls": [')
        for number in range(requests):
            file.write((", " if number else "") + itls)
        file.write('], "start_times": ' + json.dumps(begins))
        file.write(', "generated_texts": ' + json.dumps(["word " * TOKENS] * requests))
        file.write(', "errors": ' + json.dumps([""] * requests) + "}")


JOIN = """
import resource, sys, time
import eco2ai_fast as eco
from eco2ai_fast.requestlogs import read_log
begin = time.perf_counter()
log = read_log(sys.argv[1]); read = time.perf_counter()
trace = eco.load_trace(sys.argv[2]); loaded = time.perf_counter()
joined = eco.join(log, trace, split="tokens", idle=30.0, zone="FR"); end = time.perf_counter()
parts_uj = round(joined.rows["energy_j"].sum() * 1e6) + round(joined.report.rest_j * 1e6)
assert abs(parts_uj - round(joined.report.whole_j * 1e6)) <= 1, parts_uj
print(read - begin, loaded - read, end - loaded, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def join(result: Path, trace: Path) -> list[float]:
    done = subprocess.run([sys.executable, "-c", JOIN, result, trace], capture_output=True, text=True, check=True)
    return [float(word) for word in done.stdout.split()]


def bench_join(folder: Path) -> None:
    trace = write(folder / "trace", seconds=SECONDS)
    for requests in (REQUESTS // 10, REQUESTS):
        result = folder / f"{requests}.json"
        write_result(result, requests)
        runs = sorted((join(result, trace) for _ in range(REPEATS)), key=lambda run: sum(run[:3]))
        read_s, load_s, join_s, peak_mb = runs[len(runs) // 2]
        spread_s = sum(runs[-1][:3]) - sum(runs[0][:3])
        print(
            f"{requests} requests, {result.stat().st_size / 1e6:.0f} MB: log {read_s:.2f} s + trace {load_s:.2f} s"
            f" + join {join_s:.2f} s = {read_s + load_s + join_s:.2f} s (spread {spread_s:.2f}), peak {peak_mb:.0f} MB"
        )


def bench_writer(folder: Path) -> None:
    """A day's chunks, as fast as they go: resident memory early and late, and the share of a core in real time."""
    import numpy as np

    from eco2ai_fast.tracefile import Writer
    from fixtures.traces import anchor, head

    writer = Writer(folder / "day", head("package-0", "dram"))
    begin_s, cpu_s, early_mb = time.perf_counter(), time.process_time(), 0.0
    for second in range(86_400):
        t_ns = START_NS + second * 10**9 + np.arange(100, dtype="u8") * 10_000_000
        table = rows(t_ns, 100.0)
        writer.data(anchor(int(t_ns[-1])), [(0, table), (0, table)])
        if second == 1000:
            early_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    late_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    size_mb = (folder / "day").stat().st_size / 1e6
    print(
        f"a day at 100 Hz, two domains: {size_mb:.0f} MB, written in {time.perf_counter() - begin_s:.1f} s"
        f" ({(time.process_time() - cpu_s) / 864:.4f} % of a core in real time), {late_mb - early_mb:+.1f} MB of memory"
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        bench_join(Path(name))
        bench_writer(Path(name))
