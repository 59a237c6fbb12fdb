"""python -m eco2ai_fast_conformance TOOL ...: which of the scenarios does a tool get right?"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from . import scoreboard, staging, tools
from .emulated import build
from .emulated.build import EmulatorError
from .runner import Result, run, scenarios
from .scenarios import Scenario
from .verdict import CRASH, FAIL


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    chosen = scenarios(options.quick, options.only)
    if options.list:
        print("\n".join(f"{s.name}: {s.story}" for s in chosen))
        return 0
    if why := staging.missing():
        print(f"eco2ai_fast_conformance {why}", file=sys.stderr)
        return 2
    try:
        asked = [tools.find(name, options.environments, options.python) for name in options.tools or tools.names()]
        _build(chosen)
    except (LookupError, EmulatorError) as error:
        print(error, file=sys.stderr)
        return 2
    board = _played(asked, chosen, options)
    _write(board, options)
    wrong = sum(tool["counts"][FAIL] + tool["counts"][CRASH] for tool in board["tools"])
    return 1 if wrong and options.strict else 0


def _build(chosen: Sequence[Scenario]) -> None:
    """Before the first play, so that plays side by side find what they need."""
    build.emulator()
    if any(scenario.route == "nvml" for scenario in chosen):
        build.fake_nvml()


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m eco2ai_fast_conformance", description=__doc__)
    parser.add_argument(
        "tools", nargs="*", metavar="TOOL", help="NAME[:MODE] or the path of an adapter; all without it"
    )
    parser.add_argument("--python", help="the interpreter of the tool's environment")
    parser.add_argument(
        "--environments", type=Path, default=Path(".venv-versus"), help="folder of environments called as the tools are"
    )
    parser.add_argument("--quick", action="store_true", help="one or two scenarios of each kind")
    parser.add_argument(
        "--only", action="append", default=[], metavar="TEXT", help="scenarios whose name contains this"
    )
    parser.add_argument("--list", action="store_true", help="name the scenarios and stop")
    parser.add_argument("--jobs", type=int, default=3 * (os.cpu_count() or 1), help="plays at a time")
    parser.add_argument("--seed", type=int, default=1, help="of the instants at which meters move")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if anything fails")
    parser.add_argument("--json", action="store_true", help="print the record in place of the summary")
    parser.add_argument("-o", "--output", type=Path, help="write the record (JSON) there")
    parser.add_argument("--markdown", type=Path, help="write the scoreboard there")
    return parser.parse_args(arguments)


def _played(asked: list[tools.Tool], chosen: list[Scenario], options: argparse.Namespace) -> scoreboard.Board:
    print(
        f"seed {options.seed}, {len(chosen)} scenarios, {len(asked)} tools, {options.jobs} at a time", file=sys.stderr
    )
    begun_s = time.monotonic()
    results = run(asked, chosen, options.jobs, options.seed, _tell)
    return scoreboard.record(asked, results, options.seed, options.jobs, time.monotonic() - begun_s)


def _tell(tool: tools.Tool, result: Result) -> None:
    print(
        f"{result.verdict.result:<6} {tool.name}: {result.scenario.name}: {result.verdict.reason}",
        file=sys.stderr,
        flush=True,
    )


def _write(board: scoreboard.Board, options: argparse.Namespace) -> None:
    if options.output:
        options.output.write_text(json.dumps(board, indent=1) + "\n")
    if options.markdown:
        options.markdown.write_text(scoreboard.markdown(board))
    print(json.dumps(board, indent=1) if options.json else scoreboard.text(board))


if __name__ == "__main__":
    sys.exit(main())
