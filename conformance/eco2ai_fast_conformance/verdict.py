"""Is an answer right? The one rule by which every tool is judged, ours among them.

Right is a number within the scenario's tolerance. Where the energy cannot be known, right is no number, or one within
what the scenario allows, together with a word: an exception, a remark of the tool's interface, or a line that it
prints and does not print when nothing is wrong. A wrong number without a word is the worst that a meter can do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from .scenarios import Scenario
from .session import Outcome

PASS, FAIL, CRASH, NOT_APPLICABLE = "pass", "fail", "crash", "n/a"
_FIGURES = re.compile(r"0x[0-9a-f]+|[-+]?\d[\d.,:/T_-]*(e[-+]?\d+)?", re.IGNORECASE)
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_LONGEST = 200


@dataclass(frozen=True)
class Verdict:
    """Result is one of pass, fail, crash and n/a; reason says in a clause why; words are what the tool said."""

    result: str
    reason: str
    words: tuple[str, ...] = ()


def said(outcome: Outcome) -> set[str]:
    """What a tool says in a run, without figures."""
    return {plain(line) for line in _lines(outcome)} - {""}


def words(outcome: Outcome, clean: set[str]) -> tuple[str, ...]:
    """What it says that it does not say when nothing is wrong, in order."""
    found: dict[str, None] = {}
    for line in _lines(outcome):
        if plain(line) and plain(line) not in clean:
            found[line.strip()[:_LONGEST]] = None
    return tuple(found)


def plain(line: str) -> str:
    """Its words alone: figures, instants and addresses differ from run to run."""
    return " ".join(_FIGURES.sub("#", line).split())


def _lines(outcome: Outcome) -> list[str]:
    return [_COLOURS.sub("", line) for line in [*outcome.remarks, *outcome.printed]]


def judge(scenario: Scenario, outcome: Outcome, clean: set[str]) -> Verdict:
    """The verdict on one play; `clean` is what the tool says when nothing is wrong."""
    spoken = words(outcome, clean)
    if outcome.died is not None:
        return Verdict(CRASH, outcome.died, spoken)
    if outcome.raised is not None:
        # To refuse aloud is right where nothing can be known.
        return Verdict(PASS if scenario.must_say else CRASH, f"raised at {outcome.raised}", spoken)
    if outcome.joules is None:
        if scenario.must_say and spoken:
            return Verdict(PASS, "no number, and said so", spoken)
        return Verdict(FAIL, "no number" + ("" if spoken else " and no word"), spoken)
    return _judge_number(scenario, outcome, spoken)


def _judge_number(scenario: Scenario, outcome: Outcome, spoken: tuple[str, ...]) -> Verdict:
    is_right = scenario.tolerance is None or _is_within(scenario.tolerance, outcome)
    if is_right and (spoken or not scenario.must_say):
        return Verdict(PASS, "within the tolerance" if scenario.tolerance else "a number, and said what it is", spoken)
    if is_right:
        return Verdict(FAIL, "a number without a word of doubt", spoken)
    return Verdict(FAIL, "wrong, though it spoke" if spoken and scenario.must_say else "wrong", spoken)


def _is_within(tolerance: tuple[float, float], outcome: Outcome) -> bool:
    assert outcome.joules is not None and outcome.true_j is not None
    low, high = tolerance
    return outcome.true_j * (1 + low) <= outcome.joules <= outcome.true_j * (1 + high)


def tally(results: Iterable[str]) -> dict[str, int]:
    """How many of each."""
    counts = dict.fromkeys((PASS, FAIL, CRASH, NOT_APPLICABLE), 0)
    for result in results:
        counts[result] += 1
    return counts
