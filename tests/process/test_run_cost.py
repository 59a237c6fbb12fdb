"""What `run` costs a program: what it imports, and how much later the program ends. The figures are printed."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

HEAVY = ("click", "hashlib", "json", "ctypes", "pathlib", "numpy", "rich", "asyncio", "sqlite3", "socket")


def test_run_imports_nothing_heavy(cli) -> None:
    script = (
        "import sys; from eco2ai_fast.cli.start import main\n"
        "sys.argv[1:] = ['run', '--repeat', '2', '--', 'true']\n"
        "try: main()\n"
        f"except SystemExit: print([name for name in {HEAVY} if name in sys.modules])"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=cli.environment, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_run_of_a_command_that_does_nothing(cli, capsys) -> None:
    def median_ms(*command: str) -> float:
        durations = []
        for _ in range(11):
            start = time.perf_counter()
            subprocess.run(command, env=cli.environment, capture_output=True, check=True)
            durations.append(1000 * (time.perf_counter() - start))
        return statistics.median(durations)

    run = median_ms(sys.executable, "-m", "eco2ai_fast.cli", "run", "--", "true")
    python, plain = median_ms(sys.executable, "-c", "pass"), median_ms("true")
    with capsys.disabled():
        print(f"\nrun -- true: {run:.1f} ms, python -c pass: {python:.1f} ms, true: {plain:.1f} ms (medians of 11)")
