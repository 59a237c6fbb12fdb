"""The scoreboard: text for a terminal, Markdown for a file, JSON for a machine, all of the same record."""

from __future__ import annotations

import os
import platform
import re
import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from .runner import Result
from .tools import Tool
from .verdict import CRASH, FAIL, tally

SCHEMA_VERSION = 1
# The exception stands at the end of a traceback.
LAST_WORDS = 8
# Where on this machine an installation lies is nobody's business.
_PLACES = re.compile(r"/[^\s\"']*/(?=lib/python|site-packages/|eco2ai_fast_conformance/)")
COMMAND = ("python", "-m", "eco2ai_fast_conformance")
MARKS = {"pass": "pass", "fail": "FAIL", "crash": "CRASH", "n/a": "-"}
Board = dict[str, Any]


def record(
    tools: Sequence[Tool], results: Mapping[str, Sequence[Result]], seed: int, jobs: int, wall_s: float
) -> Board:
    """Everything that was played and what came of it."""
    first = results[tools[0].name]
    return {
        "schema_version": SCHEMA_VERSION,
        "utc": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "host": {"kernel": platform.release(), "machine": platform.machine(), "cpus": os.cpu_count()},
        "seed": seed,
        "jobs": jobs,
        "wall_s": round(wall_s, 1),
        "scenarios": [_described(result) for result in first],
        "tools": [_scored(tool, results[tool.name]) for tool in tools],
    }


def _described(result: Result) -> Board:
    s = result.scenario
    fields = ("name", "story", "why", "meter", "route", "window_s", "tolerance", "must_say")
    return {name: getattr(s, name) for name in fields}


def _scored(tool: Tool, results: Sequence[Result]) -> Board:
    versions = [result.outcome.version for result in results if result.outcome.version]
    return {
        "tool": tool.name,
        "version": versions[0] if versions else None,
        "counts": tally(result.verdict.result for result in results),
        "results": [_row(tool, result) for result in results],
    }


def _row(tool: Tool, result: Result) -> Board:
    o, v = result.outcome, result.verdict
    error = None if o.joules is None or not o.true_j else o.joules / o.true_j - 1
    return {
        "scenario": result.scenario.name,
        "result": v.result,
        "reason": v.reason,
        "joules": o.joules,
        "true_j": o.true_j,
        "error": error,
        "window_s": round(o.window_s, 4),
        "setup_s": round(o.setup_s, 3),
        "reads": o.reads,
        "words": [without_paths(line) for line in v.words[-LAST_WORDS:]],
        "tries": result.tries,
        "late": o.is_late,
        "command": shlex.join([*COMMAND, tool.name, "--only", result.scenario.name]),
    }


def without_paths(line: str) -> str:
    """A line that a tool printed, without the folders above its own installation."""
    return _PLACES.sub(".../", line)


def text(board: Board) -> str:
    """The counts, and each tool's failures in one line each."""
    lines = [f"{len(board['scenarios'])} scenarios, seed {board['seed']}, {board['wall_s']:.0f} s"]
    for tool in board["tools"]:
        lines.append(f"{_title(tool):<32} {_counts(tool)}")
    for tool in board["tools"]:
        lines += [
            "",
            _title(tool),
            *(f"  {MARKS[row['result']]:<5} {row['scenario']}: {finding(row)}" for row in _bad(tool)),
        ]
    return "\n".join(lines)


def finding(row: Board) -> str:
    """What came out, in figures, and why that is not right."""
    if row["joules"] is None or row["true_j"] is None:
        return str(row["reason"])
    error = "" if row["error"] is None else f" ({row['error']:+.1%})"
    return f"{row['joules']:.2f} J for {row['true_j']:.2f} J{error}: {row['reason']}"


def markdown(board: Board) -> str:
    """The matrix of all tools, and behind it each failure with what is needed to report it."""
    return "\n".join([*_heading(board), *_summary(board), *_matrix(board), *_failures(board)]) + "\n"


def _heading(board: Board) -> list[str]:
    host = board["host"]
    return [
        "# Scoreboard",
        "",
        f"{len(board['scenarios'])} scenarios, seed {board['seed']}, {board['jobs']} at a time, {board['utc'][:10]}, "
        f"{host['cpus']} CPUs, Linux {host['kernel']} ({host['machine']}). Written by `make conformance`; "
        "README.md says what is asked and how it is judged.",
        *_again(board),
        "",
    ]


def _again(board: Board) -> list[str]:
    """Which rows are of a later run, where a record says so."""
    if "played_again" not in board:
        return []
    again = board["played_again"]
    names = ", ".join(f'"{name}"' for name in again["scenarios"])
    return ["", f"Of a second run with the same seed, since {again['why']}: {names}."]


def _summary(board: Board) -> list[str]:
    rows = [
        f"| {tool['tool']} | {tool['version'] or '?'} | " + " | ".join(str(n) for n in tool["counts"].values()) + " |"
        for tool in board["tools"]
    ]
    return ["| tool | version | pass | fail | crash | not applicable |", "|---|---|---:|---:|---:|---:|", *rows, ""]


def _matrix(board: Board) -> list[str]:
    tools = board["tools"]
    lines = ["| scenario | " + " | ".join(tool["tool"] for tool in tools) + " |", "|---|" + "---|" * len(tools)]
    for place, scenario in enumerate(board["scenarios"]):
        cells = (_cell(tool["results"][place]) for tool in tools)
        lines.append(f"| {scenario['name']} | " + " | ".join(cells) + " |")
    return [*lines, ""]


def _cell(row: Board) -> str:
    error = "" if row["error"] is None else f" {row['error']:+.1%}"
    return MARKS[row["result"]] + (error if row["result"] != "n/a" else "")


def _failures(board: Board) -> list[str]:
    stories = {scenario["name"]: scenario for scenario in board["scenarios"]}
    lines: list[str] = []
    for tool in board["tools"]:
        lines += [f"## {_title(tool)}", "", f"{_counts(tool)}.", ""]
        for row in _bad(tool):
            lines += [*_report(row, stories[row["scenario"]]), ""]
    return lines


def _report(row: Board, scenario: Board) -> list[str]:
    reads = ", ".join(f"{name} {count}" for name, count in row["reads"].items()) or "none"
    allowed = scenario["tolerance"]
    expected = (
        "no number, or any number that says what it is"
        if allowed is None
        else f"{allowed[0]:+.1%} to {allowed[1]:+.1%}"
    )
    return [
        f"**{row['scenario']}** ({row['result']}). {scenario['story']}. {finding(row)}.",
        "",
        f"- at stake: {scenario['why']}",
        f"- right is: {expected}" + (", with a word" if scenario["must_say"] else ""),
        f"- read: {reads}; window {row['window_s']:.2f} s",
        f"- said: {_code(row['words'][-1]) if row['words'] else 'nothing that it does not say when all is well'}",
        f"- again: `{row['command']}`",
    ]


def _code(words: str) -> str:
    return "`" + words.replace("`", "'") + "`"


def _bad(tool: Board) -> list[Board]:
    return [row for row in tool["results"] if row["result"] in {FAIL, CRASH}]


def _title(tool: Board) -> str:
    return f"{tool['tool']} {tool['version'] or ''}".strip()


def _counts(tool: Board) -> str:
    return ", ".join(f"{number} {name}" for name, number in tool["counts"].items())
