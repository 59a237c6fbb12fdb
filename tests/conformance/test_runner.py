"""Can the runner fail a tool, and does it let a right one pass? Toy adapters, through the whole of it."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import pytest

from eco2ai_fast_conformance import runner, scenarios, staging, tools, vectors
from eco2ai_fast_conformance.runner import run
from eco2ai_fast_conformance.scenarios import BASELINE, FAULTS, GPUS, LAYOUTS, SHAPES, Scenario
from eco2ai_fast_conformance.session import Outcome
from eco2ai_fast_conformance.verdict import CRASH, FAIL, NOT_APPLICABLE, PASS, judge

ROUTE = "/sys/class/powercap/intel-rapl:0/energy_uj"
# What an adapter is: a right one for a machine of one socket that nothing happens to, in ten lines.
RIGHT = f"""
    NAME = "toy"
    def read_j():
        with open("{ROUTE}") as counter:
            return int(counter.read()) / 1e6
    def start(meter):
        global begin_j
        begin_j = read_j()
    def stop(meter):
        return read_j() - begin_j
"""
TWICE = RIGHT.replace("return read_j() - begin_j", "return 2 * (read_j() - begin_j)")
ZERO = 'NAME = "zero"\ndef start(meter): pass\ndef stop(meter): return 0.0\n'
SPOKEN_ZERO = ZERO + 'def doubts(): return ["no counter can be read"]\n'
ENDS_THE_PROCESS = 'import os\nNAME = "rude"\ndef start(meter): pass\ndef stop(meter): os._exit(70)\n'
NOT_INSTALLED = "import no_such_tool\nNAME = 'absent'\n"

EVERY = [*BASELINE.values(), *SHAPES, *FAULTS, *LAYOUTS, *GPUS]


def named(name: str) -> Scenario:
    return next(scenario for scenario in EVERY if scenario.name == name)


@pytest.fixture
def played(tmp_path: Path, emulator_binary: str):
    """Plays scenarios to an adapter's text; the verdicts by the scenarios' names."""
    if why := staging.missing():
        pytest.skip(f"the runner {why}")

    def play(adapter: str, *names: str) -> dict[str, str]:
        path = tmp_path / "toy.py"
        path.write_text(textwrap.dedent(adapter))
        tool = tools.Tool(path, None, sys.executable)
        results = run([tool], [named(name) for name in names], len(names) + 1, 1, lambda *_: None)
        return {result.scenario.name: result.verdict.result for result in results[tool.name]}

    return play


@pytest.mark.root
@pytest.mark.fuse
def test_a_right_adapter_of_ten_lines_passes_what_two_readings_can_tell(played) -> None:
    assert played(RIGHT, "constant", "square", "zero for a while", "core inside package", "nothing there") == {
        "constant": PASS,
        "square": PASS,
        "zero for a while": PASS,
        "core inside package": PASS,
        "nothing there": PASS,  # it raises
    }


@pytest.mark.root
@pytest.mark.fuse
def test_what_two_readings_cannot_tell_fails_for_an_adapter_that_says_nothing(played) -> None:
    assert played(RIGHT, "one wrap", "stuck for good", "two sockets") == dict.fromkeys(
        ("one wrap", "stuck for good", "two sockets"), FAIL
    )


@pytest.mark.root
@pytest.mark.fuse
def test_a_number_that_is_twice_the_truth_is_caught(played) -> None:
    assert played(TWICE, "constant") == {"constant": FAIL}


@pytest.mark.root
@pytest.mark.fuse
def test_a_zero_without_a_word_fails_where_nothing_can_be_read_and_one_with_a_word_does_not(played) -> None:
    assert played(ZERO, "no permission", "nothing there") == {"no permission": FAIL, "nothing there": FAIL}


@pytest.mark.root
@pytest.mark.fuse
def test_a_tool_that_ends_the_process_or_is_not_there_has_crashed(played) -> None:
    assert played(ENDS_THE_PROCESS, "constant") == {"constant": CRASH}
    assert played(NOT_INSTALLED, "constant") == {"constant": CRASH}


@pytest.mark.root
@pytest.mark.fuse
def test_what_a_tool_cannot_read_is_not_held_against_it(played) -> None:
    assert played(RIGHT, "constant", "perf events alone")["perf events alone"] == NOT_APPLICABLE


def test_a_word_is_what_is_not_also_said_when_all_is_well() -> None:
    scenario = named("nothing there")
    outcome = Outcome(joules=0.0, true_j=300.0, printed=["[tool 12:30:01] energy 0.0 kWh"])
    assert judge(scenario, outcome, clean={"[tool #] energy # kWh"}).result == FAIL
    outcome.remarks = ["no counter can be read"]
    assert judge(scenario, outcome, clean={"[tool #] energy # kWh"}).result == PASS


def test_a_phantom_range_is_wrong_however_much_is_said() -> None:
    outcome = Outcome(joules=262_143.0, true_j=325.0, remarks=["the counter was set anew"])
    assert judge(named("falls back by 50 J"), outcome, clean=set()).result == FAIL


@pytest.mark.parametrize("vector", vectors.load(), ids=[vector["name"] for vector in vectors.load()])
def test_a_played_vector_draws_the_energy_that_the_vector_states(vector) -> None:
    scale = min(1.0, vectors.LONGEST_S / (vector["read_at_s"][-1] - vector["read_at_s"][0]))
    ends_s = [3 + vector["read_at_s"][place] * scale for place in (0, -1)]
    power = vectors.plays()[vectors.load().index(vector)].stage(3.0).powers[0]
    if vector["energy_j"] is not None:
        tolerance_j = vector.get("tolerance_j", 1e-6 * vector["energy_j"]) * scale
        assert vectors.energy_j(power, *ends_s) == pytest.approx(vector["energy_j"] * scale, abs=tolerance_j)


def test_every_scenario_has_a_name_of_its_own_and_says_what_is_at_stake() -> None:
    every = [*EVERY, *vectors.plays()]
    assert len({scenario.name for scenario in every}) == len(every)
    assert all(scenario.story and scenario.why for scenario in every)


def test_a_whole_name_asks_for_one_scenario_and_a_part_for_all_that_contain_it() -> None:
    assert [scenario.name for scenario in runner.scenarios(only=["ramp"])] == ["ramp"]
    assert len(runner.scenarios(only=["vector: "])) == len(vectors.load())


def test_nothing_but_our_own_adapter_imports_the_project() -> None:
    package = Path(scenarios.__file__).parent
    users = {path.name for path in package.rglob("*.py") if "import eco2ai_fast\n" in path.read_text()}
    assert users == {"eco2ai_fast.py"}
