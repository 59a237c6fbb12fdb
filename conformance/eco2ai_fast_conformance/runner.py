"""Plays scenarios to tools, several at a time, and judges what came back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from . import vectors, verdict
from .scenarios import BASELINE, FAULTS, GPUS, LAYOUTS, SHAPES, Scenario
from .session import Outcome, play
from .tools import Tool

# A play begins when the tool has surely been started: what its start took before, and half of that, and a second.
LEAD_FACTOR, LEAD_REST_S = 1.5, 1.0
MOST_TRIES = 3


@dataclass(frozen=True)
class Result:
    """A tool in a scenario: what it did, what that is worth, and in which attempt it was started in time."""

    scenario: Scenario
    verdict: verdict.Verdict
    outcome: Outcome
    tries: int = 1


def scenarios(quick: bool = False, only: Sequence[str] = ()) -> list[Scenario]:
    """What is played, the baselines first; `only`: those with one of these names, or whose name contains one."""
    every = [*BASELINE.values(), *SHAPES, *FAULTS, *LAYOUTS, *GPUS, *vectors.plays()]
    names = {scenario.name for scenario in every}

    def is_asked(name: str) -> bool:
        return any(text == name or (text in name and text not in names) for text in only)

    return [s for s in every if (s.quick or not quick) and (not only or is_asked(s.name))]


def run(
    tools: Sequence[Tool], chosen: Sequence[Scenario], jobs: int, seed: int, tell: Callable[[Tool, Result], None]
) -> dict[str, list[Result]]:
    """All tools through all scenarios; `tell` hears of each result as it comes."""
    with ThreadPoolExecutor(jobs) as pool:
        # First in the queue, so that nobody waits for a baseline that waits for a place.
        baselines = {
            (tool.name, route): pool.submit(_baseline, tool, route, seed)
            for tool in tools
            for route in _routes(tool, chosen)
        }
        plays = [
            (tool, pool.submit(_result, tool, scenario, baselines.get((tool.name, scenario.route)), seed))
            for scenario in chosen
            for tool in tools
        ]
        results: dict[str, list[Result]] = {tool.name: [] for tool in tools}
        for tool, future in plays:
            results[tool.name].append(future.result())
            tell(tool, results[tool.name][-1])
    return results


def _routes(tool: Tool, chosen: Iterable[Scenario]) -> list[str]:
    wanted = {scenario.route for scenario in chosen}
    return [route for route in BASELINE if route in wanted and route in tool.routes]


def _baseline(tool: Tool, route: str, seed: int) -> Outcome:
    return play(BASELINE[route], tool.python, tool.arguments, 0.0, seed)


def _result(tool: Tool, scenario: Scenario, baseline: Future[Outcome] | None, seed: int) -> Result:
    if baseline is None:
        return Result(scenario, verdict.Verdict(verdict.NOT_APPLICABLE, f"does not read {scenario.route}"), Outcome())
    clean = baseline.result()
    outcome, tries = (
        (clean, 1) if scenario is BASELINE[scenario.route] else _in_time(tool, scenario, clean.setup_s, seed)
    )
    return Result(scenario, verdict.judge(scenario, outcome, verdict.said(clean)), outcome, tries)


def _in_time(tool: Tool, scenario: Scenario, setup_s: float, seed: int) -> tuple[Outcome, int]:
    """Plays until the tool was started before the play began, at most three times."""
    tries, outcome = 0, Outcome(is_late=True)
    while outcome.is_late and tries < MOST_TRIES:
        outcome = play(scenario, tool.python, tool.arguments, setup_s * LEAD_FACTOR + LEAD_REST_S, seed)
        setup_s = max(setup_s, outcome.setup_s)
        tries += 1
    return outcome, tries
