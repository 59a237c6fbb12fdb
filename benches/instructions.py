"""How many instructions the core's hot paths take, beside the committed figures: fails where one grew by more than 3 %.

    python benches/instructions.py [--write] [--program FILE]

Callgrind counts; of what it counts, the core's own code is compared, without libc and the kernel, so that the figure
depends on the source, the compiler and the target alone. Another compiler makes other code: where there is no figure
for this one, the answer is "refused" (exit code 2), not a failure. `--write` commits what is counted now.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FIGURES = ROOT / "benches" / "results" / "instructions.json"
PATHS = {
    "span": "both marks of a span",
    "span-integer": "both marks of a span with one integer",
    "read": "Meter::read, eight domains",
    "window": "both ends of a direct window, eight domains",
    "tick": "Meter::tick, eight domains, recorded",
}
TIMES = 20_000
MOST_GROWTH = 0.03
FAILED, REFUSED = 1, 2


class RefusedError(Exception):
    """Nothing can be compared here; the text says what is missing."""


def run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode:
        raise RefusedError(f"{command[0]} failed: {done.stderr.strip()[-800:]}")
    return done.stdout


def compiler() -> str:
    """The compiler and the target, as the figures are filed: "rustc 1.95.0 (59807616e 2026-04-14), x86_64-..."."""
    told = run("rustc", "--version", "--verbose")
    host = re.search(r"^host: (.*)$", told, re.MULTILINE)
    return f"{told.splitlines()[0]}, {host[1] if host else 'unknown target'}"


def build() -> Path:
    command = "cargo bench --quiet --package eco2ai-fast-core --bench instructions --no-run --message-format=json"
    for line in run(*command.split()).splitlines():
        told = json.loads(line)
        if told.get("reason") == "compiler-artifact" and told["target"]["name"] == "instructions":
            return Path(told["executable"])
    raise RefusedError("cargo built no bench called instructions")


def own_cost(profile: str, program: Path) -> int:
    """Instructions that ran in the program itself, of a callgrind profile: what it called in libraries is left out."""
    total, counts, is_call, names = 0, False, False, {}
    for line in profile.splitlines():
        if line.startswith("ob="):
            number, _, name = line[3:].partition(" ")
            names[number] = name or names.get(number, "")
            counts = names[number] == str(program)
        elif line.startswith("cob="):
            number, _, name = line[4:].partition(" ")
            names[number] = name or names.get(number, "")
        elif line.startswith("calls="):
            is_call = True
        elif line[:1] in "0123456789+-*" and line:
            # The line after `calls=` is what the callee took, which stands at the callee as well.
            total += int(line.split()[1]) if counts and not is_call else 0
            is_call = False
    return total


def counted(program: Path, path: str, times: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "callgrind.out"
        run("valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", program, path, str(times))
        return own_cost(out.read_text(), program)


def count(program: Path, path: str) -> float:
    """Instructions of one more pass: the beginning and the end of the process cancel between two runs."""
    return (counted(program, path, 2 * TIMES) - counted(program, path, TIMES)) / TIMES


def compare(now: dict[str, float], committed: dict[str, float]) -> bool:
    """Prints each path beside its figure; whether none grew too much."""
    good = True
    for path, instructions in now.items():
        before = committed.get(path)
        growth = instructions / before - 1 if before else float("inf")
        good &= growth <= MOST_GROWTH
        verdict = "" if growth <= MOST_GROWTH else f"  GREW by more than {MOST_GROWTH:.0%}"
        print(f"{PATHS[path]:46} {instructions:9.1f}, committed {before or 0:9.1f}, {growth:+.2%}{verdict}")
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--write", action="store_true", help="commit what is counted now as this compiler's figures")
    parser.add_argument("--program", type=Path, help="a built program to count, in place of this tree's")
    arguments = parser.parse_args()
    if shutil.which("valgrind") is None:
        raise RefusedError("valgrind is not installed (Debian: apt-get install valgrind)")
    figures = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    here = compiler()
    if here not in figures and not arguments.write:
        known = "; ".join(sorted(figures)) or "none"
        raise RefusedError(
            f"no figures for {here}, which makes other code than the compilers that there are figures for ({known}). "
            "Count with one of those, or commit figures for this one: python benches/instructions.py --write"
        )
    program = (arguments.program or build()).resolve()
    now = {path: count(program, path) for path in PATHS}
    print(f"instructions by {here}")
    if arguments.write:
        FIGURES.write_text(json.dumps(figures | {here: now}, indent=2) + "\n")
        print(f"written to {FIGURES.relative_to(ROOT)}: " + json.dumps(now))
        return 0
    return 0 if compare(now, figures[here]) else FAILED


if __name__ == "__main__":
    try:
        sys.exit(main())
    except RefusedError as why:
        print(f"refused: {why}", file=sys.stderr)
        sys.exit(REFUSED)
