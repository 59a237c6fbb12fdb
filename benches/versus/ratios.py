"""Do all the figures that this project has stated still hold? Runs its benches and the tests that print, in one go.

    make ratios        # or: PYTHONPATH=benches python -m versus.ratios [--only WORD] [-o FILE]

For each claim: what was aimed at, and what was printed today. It judges nothing: the tests do that, and a busy machine
is no regression. Needs cargo, root and /dev/fuse; about 20 minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from .environments import HOME, REPO
from .runs import Failed, run

RESULT = REPO / "benches" / "results" / "ratios.json"
TIMEOUT_S = 1200
RUST_TEST = ("cargo", "test", "--quiet", "--package", "eco2ai-fast-core", "--test")


@dataclass(frozen=True)
class Claim:
    """What was stated, what was aimed at, and the lines that say how it stands."""

    what: str
    aim: str
    lines: str  # a regular expression


@dataclass(frozen=True)
class Source:
    """A command that prints figures; those that begin with "python" run under this interpreter."""

    command: tuple[str, ...]
    claims: tuple[Claim, ...]


def rust(test: str) -> tuple[str, ...]:
    """A test binary of the core with its output."""
    return (*RUST_TEST, test, "--", "--nocapture", "--test-threads=1")


def pytest(*path: str) -> tuple[str, ...]:
    """Tests with what they print."""
    return ("python", "-m", "pytest", "-q", "-s", *path)


SOURCES = (
    Source(
        pytest("tests/process/test_import.py"),
        (
            Claim("import over bare Python", "about 10 ms, 4 MB", r"^(import eco2ai_fast|pass).*ms"),
            Claim("import and the first measure()", "at most 25 ms", r"measure.*: .*ms"),
        ),
    ),
    Source(
        pytest("tests/process/test_run_cost.py"),
        (Claim("`run -- true` beyond `true`", "at most 150 ms", r"^run -- true"),),
    ),
    Source(
        ("python", "benches/bench_surface.py"),
        (
            Claim(
                "an empty measure(), reused, beyond its reads; read() of 8 domains to perf_counter_ns()",
                "at most 5 us; at most 2.5 times",
                r"^meter\.read|^an empty measure beyond",
            ),
        ),
    ),
    Source(
        ("cargo", "bench", "--package", "eco2ai-fast-core", "--bench", "sampler"),
        (Claim("CPU of sampling to a bare loop", "1.2 times at 10, 100, 1000 Hz; 1.3 with edges", r"Hz, edges"),),
    ),
    Source(
        ("cargo", "bench", "--package", "eco2ai-fast-core", "--bench", "read"),
        (Claim("a read of five domains to a bare loop", "at most 1.3 times", r"times a bare one|refused here"),),
    ),
    Source(
        ("python", "benches/bench_accuracy.py"),
        (
            Claim(
                "rms of windows in real time",
                "telegraph 3.5 % at 10 ms, 0.7 % at 50 ms; constant 0.02 % at 5 s",
                r"^(telegraph|square|constant).*rms|ms: .*%",
            ),
        ),
    ),
    Source(
        rust("accuracy"),
        (
            Claim("rms of windows, simulated", "2.5 % at 10 ms, 0.5 % at 50 ms", r"^telegraph"),
            Claim("constant load over 5 s", "0.02 %", r"^constant 65 W"),
            Claim("windows inside their bound", "93 to 97 %", r"^all: "),
        ),
    ),
    Source(
        ("python", "benches/bench_busy.py"),
        (Claim("60 s at 1 kHz on busy cores", "exact, missed ticks counted", r" J of |^half|^notes"),),
    ),
    Source(
        rust("faults"),
        (Claim("each fault of a counter", "within its bound, coverage within 0.02", r"^\S+ +-?\d+\.\d+ +\d"),),
    ),
    Source(
        rust("wraps"),
        (Claim("hours of wraps and resets", "every wrap counted, each reset told or flagged", r"^2\^-"),),
    ),
    Source(
        rust("gpu_windows"),
        (
            Claim(
                "GPU windows against a counter of 100 ms",
                "bursts of 150 ms 2.5 %, 30 ms 4 %, 500 ms 1 %; constant, square, ramp 0.5 %; back to back 5 %",
                r": rms ",
            ),
            Claim("looks at a GPU", "at most 60 a second", r"looks"),
            Claim("64 overlapping requests", "0.5 %", r"64 requests"),
        ),
    ),
    Source(
        rust("gpu_replay"),
        (Claim("first second of load of a real card", "within 1 %", r"^first second|^by the 1 s average"),),
    ),
    Source(rust("gpu_live"), (Claim("four GPUs at 300 W", "1200 W", r"four GPUs"),)),
    Source(
        ("python", "benches/bench_span.py"),
        (
            Claim(
                "a span",
                "less than a Python context manager of two clocks; 220 ns, 300 with an integer",
                r" ns |^\d+ domains",
            ),
            Claim("a million spans of 8 threads", "none lost, a million a second resolved", r"spans of 8|written in"),
        ),
    ),
    Source(
        rust("spans"),
        (Claim("spans on the halves of a square of 20/180 W", "within 1.6 W", r"spans at "),),
    ),
    Source(
        ("python", "benches/bench_join.py"),
        (Claim("100,000 requests joined", "under 5 s, flat memory", r"requests|MB"),),
    ),
    Source(
        ("python", "benches/bench_tracker.py"),
        (
            Claim(
                "Tracker: construct, start, stop",
                "5 ms warm, 30 ms cold, no child and no socket; the original 1.38 s and 15 children",
                r"^(eco2ai_fast|eco2AI|ratio|milliseconds)",
            ),
        ),
    ),
    Source(
        pytest("tests/compat/test_tracker_emulated.py"),
        (Claim("Tracker on a known power", "within 1 %, the same at any period", r"measure_period"),),
    ),
    Source(
        ("python", "tools/judge_cpu_model.py"),
        (
            Claim(
                "the estimate on recorded machines",
                "default 35 % median, 60 % worst; two points 15 % and 30 %; 90 % within the band",
                r"^\||within the stated band|^calibrated",
            ),
        ),
    ),
    Source(
        pytest("tests/unit/test_carbon_tables.py"),
        (Claim("carbon tables loaded", "under 1 ms", r"carbon tables"),),
    ),
)


def main() -> None:
    """Runs what is asked for and prints one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="commands that contain this")
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    options = parser.parse_args()
    found = [row for source in SOURCES if options.only in " ".join(source.command) for row in rows(source)]
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    print("\n".join(table(found)))


def rows(source: Source) -> list[dict[str, object]]:
    """Each claim of a source with the lines of today."""
    begun_s = time.monotonic()
    shown = " ".join(source.command)
    print(f"{shown} ...", file=sys.stderr, flush=True)
    try:
        lines = output(source.command).splitlines()
        problem = "nothing printed"
    except Failed as failed:
        lines, problem = [], str(failed)
    print(f"  {time.monotonic() - begun_s:.0f} s", file=sys.stderr, flush=True)
    return [
        {
            "claim": claim.what,
            "aim": claim.aim,
            "today": [line.strip() for line in lines if re.search(claim.lines, line.strip())] or [f"FAILED: {problem}"],
            "command": shown,
        }
        for claim in source.claims
    ]


def output(command: tuple[str, ...]) -> str:
    words = [sys.executable if word == "python" else word for word in command]
    extra = {"PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    original = HOME / "eco2ai" / "bin" / "python"
    if original.exists():
        extra["ECO2AI_FAST_ORIGINAL_PYTHON"] = str(original)
    return run(words, TIMEOUT_S, REPO, extra)


def table(found: list[dict[str, object]]) -> list[str]:
    """Claims one under the other, each with its lines."""
    lines = []
    for row in found:
        lines += [f"{row['claim']}  (aim: {row['aim']};  {row['command']})"]
        lines += [f"    {line}" for line in row["today"]]  # type: ignore[attr-defined]
    return lines


if __name__ == "__main__":
    main()
