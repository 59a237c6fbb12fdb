"""How far is each tool's answer from the truth? Plays scenarios of the conformance package to tools, several at a time.

Each play is a fresh process of the tool on a machine of its own, without a network; error is that of the energy between
the return of start() and the call of stop(), so that what a tool's own ends take counts as its error.
"""

from __future__ import annotations

import os
import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from .environments import HOME, OURS, REPO, Environment
from .runs import Failed, Figures, cell, last_line

sys.path.insert(0, str(REPO / "conformance"))

from eco2ai_fast_conformance import tools as adapters
from eco2ai_fast_conformance.scenarios import Scenario
from eco2ai_fast_conformance.session import Outcome, play
from eco2ai_fast_conformance.staging import missing
from eco2ai_fast_conformance.verdict import said, words

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
MOST_TRIES = 3  # to have started before a fault or a ramp begins
LEAD_FACTOR, LEAD_REST_S, FIRST_LEAD_S = 1.5, 1.0, 10.0

# A program and no Python package: its adapter runs under any Python.
JOULE_PROFILER = Path(__file__).parent / "adapters" / "joule_profiler.py"

Table = dict[str, dict[str, Figures]]


@dataclass
class Company:
    """The tools that are there, and how long each has taken to start."""

    tools: list[adapters.Tool]
    repeats: int
    jobs: int
    seed: int
    tell: Callable[[str], None]
    setups_s: dict[str, float] = field(default_factory=dict)
    late: int = 0
    clean: dict[str, set[str]] = field(default_factory=dict)
    spoken: Counter[tuple[str, str]] = field(default_factory=Counter)

    def errors(self, scenarios: Mapping[str, Scenario], waits: bool = False, jobs: int | None = None) -> Table:
        """Scenario to tool to the error in percent; `waits`: whether the play begins at an instant set before."""
        asked = [(name, tool, turn) for turn in range(self.repeats) for name in scenarios for tool in self.tools]
        asked = [one for one in asked if scenarios[one[0]].route in one[1].routes]
        random.Random(self.seed).shuffle(asked)
        found: dict[tuple[str, str], list[float | Failed]] = {}
        with ThreadPoolExecutor(jobs or self.jobs) as pool:
            answers = pool.map(lambda one: self.error(scenarios[one[0]], one[1], one[2], waits), asked)
            for (name, tool, _), answer in zip(asked, answers, strict=True):
                found.setdefault((name, tool.name), []).append(answer)
        return {
            name: {
                tool.name: cell(found[name, tool.name]) | self.words(name, tool)
                for tool in self.tools
                if (name, tool.name) in found
            }
            for name in scenarios
        }

    def listen(self, scenario: Scenario) -> None:
        """Learns what each tool says where nothing is wrong, so that later words can be told from that."""
        with ThreadPoolExecutor(self.jobs) as pool:
            outcomes = pool.map(lambda tool: play(scenario, tool.python, tool.arguments, 0.0, self.seed), self.tools)
            self.clean = {tool.name: said(outcome) for tool, outcome in zip(self.tools, outcomes, strict=True)}

    def words(self, name: str, tool: adapters.Tool) -> Figures:
        """In how many tries the tool said more than where nothing is wrong."""
        return {"spoke": self.spoken[name, tool.name]} if tool.name in self.clean else {}

    def error(self, scenario: Scenario, tool: adapters.Tool, turn: int, waits: bool) -> float | Failed:
        """One play; again only if the tool started too late for it, which is counted."""
        outcome = Outcome()
        for _ in range(MOST_TRIES):
            lead_s = self.lead_s(tool) if waits else 0.0
            try:
                outcome = play(scenario, tool.python, tool.arguments, lead_s, self.seed + turn)
            except Exception as error:  # the stage, not the tool; the run goes on and shows it
                return Failed(f"{type(error).__name__}: {error}")
            self.setups_s[tool.name] = max(outcome.setup_s, self.setups_s.get(tool.name, 0.0))
            if not (waits and outcome.is_late):
                break
            self.late += 1
        if tool.name in self.clean and words(outcome, self.clean[tool.name]):
            self.spoken[scenario.name, tool.name] += 1
        answer = judged(outcome)
        if isinstance(answer, Failed):
            self.tell(f"{scenario.name}, {tool.name}: {answer}")
        return answer

    def lead_s(self, tool: adapters.Tool) -> float:
        known_s = self.setups_s.get(tool.name)
        return FIRST_LEAD_S if known_s is None else known_s * LEAD_FACTOR + LEAD_REST_S


def company(
    environments: Iterable[Environment], repeats: int, jobs: int, seed: int, tell: Callable[[str], None]
) -> Company:
    """All adapters whose tool is installed; ours in each of its modes."""
    if why := missing():
        raise Failed(why)
    known = {environment.name: environment for environment in environments}
    names = [name for name in adapters.names() if _is_there(name.partition(":")[0], known)]
    found = [adapters.find(name, HOME) for name in sorted(names, key=lambda name: not name.startswith(OURS))]
    profiler = known.get("joule-profiler")
    if profiler is not None and profiler.failure is None and profiler.program is not None:
        os.environ["ECO2AI_FAST_VERSUS_JOULE_PROFILER"] = str(profiler.program)
        found.append(adapters.find(str(JOULE_PROFILER), HOME))
    return Company(found, repeats, jobs, seed, tell)


def judged(outcome: Outcome) -> float | Failed:
    """The error in percent, or why there is no figure."""
    if outcome.died is not None:
        return Failed(f"{outcome.died}; {last_line(chr(10).join(outcome.printed))}")
    if outcome.raised is not None:
        return Failed(f"raised at {outcome.raised}")
    if outcome.joules is None or not outcome.true_j:
        return Failed("no figure; " + (_COLOURS.sub("", last_line("\n".join(outcome.printed))) or "and no word"))
    return 100 * (outcome.joules / outcome.true_j - 1)


def _is_there(name: str, known: Mapping[str, Environment]) -> bool:
    return name in known and known[name].failure is None
