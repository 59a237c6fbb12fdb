"""A machine's own figures: measured or given, kept, and said wherever they are used."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import eco2ai_fast as eco
from eco2ai_fast import calibration, process_tree
from eco2ai_fast.calibration import Calibration, CalibrationError
from eco2ai_fast.testing import ManualClock, ScriptedDomain, meter

S = 1_000_000_000
FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"

pytestmark = pytest.mark.usefixtures("own_config")


def calibrate(*arguments: str) -> Result:
    from eco2ai_fast.cli.calibrate import command

    return CliRunner().invoke(command, arguments)


def estimate() -> eco.Meter:
    return eco.Meter(sources="estimate")


def test_two_figures_of_a_wattmeter_are_kept_and_every_later_estimate_says_so() -> None:
    answer = calibrate("--idle", "52", "--full", "210")
    assert answer.exit_code == 0, answer.output
    details = [domain.detail for domain in estimate().domains if domain.kind == "package"]
    today = time.strftime("%Y-%m-%d")
    assert all(f"calibrated on {today} by wattmeter (wall power)" in detail for detail in details) and details


def test_the_wall_power_is_that_of_all_models_together() -> None:
    calibrate("--idle", "100000", "--full", "100000.001")
    with eco.measure(meter=estimate()) as m:
        pass
    assert m.energy_j / m.duration_s == pytest.approx(100_000, rel=0.01)


def test_a_setting_outranks_the_calibration_and_another_machine_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    calibrate("--idle", "52", "--full", "210")
    assert "calibrated" not in eco.Meter(sources="estimate", sysroot=FIXTURES / "vm-nothing").domains[0].detail
    monkeypatch.setenv("ECO2AI_FAST_CPU_IDLE_W", "5")
    assert "calibrated" not in estimate().domains[0].detail


def test_shown_forgotten_and_gone() -> None:
    assert "not calibrated" in calibrate("--show").output
    calibrate("--idle", "52", "--full", "210")
    shown = json.loads(calibrate("--show", "--json").output)
    assert (shown["idle_w"], shown["full_w"], shown["scope"], shown["method"]) == (52, 210, "wall", "wattmeter")
    assert json.loads(calibrate("--forget", "--json").output) == {"forgotten": True}
    assert "nothing to forget" in calibrate("--forget").output
    assert json.loads(calibrate("--show", "--json").output) is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--idle", "52"), "give both"),
        (("--idle", "210", "--full", "52"), "must be below"),
        (("--idle", "-1", "--full", "52"), "must be below"),
        (("--idle", "nan", "--full", "52"), "must be below"),
    ],
)
def test_figures_that_cannot_be_are_refused_and_nothing_is_kept(arguments: tuple[str, ...], words: str) -> None:
    answer = calibrate(*arguments)
    assert answer.exit_code != 0 and words in answer.output
    assert calibration.load() is None


def test_a_file_that_is_no_calibration_is_a_warning_and_not_the_end_of_the_program() -> None:
    calibrate("--idle", "52", "--full", "210")
    Path(calibration.path()).write_text("idle_w = many\n")
    with pytest.warns(RuntimeWarning, match="is no calibration.*--forget"):
        assert "calibrated" not in estimate().domains[0].detail
    assert calibrate("--show").exit_code == 1


class World:
    """A machine of 40 W at rest and 160 W under load, whose time passes by sleeping."""

    def __init__(self, *, modelled: bool = False, busy_at_rest: float = 0.0) -> None:
        self.clock = ManualClock()
        self.busy_s = 0.0
        self.load = busy_at_rest
        readings, joules = [], 0.0
        for hundredth in range(4000):
            readings.append((hundredth * S // 100, int(joules * 1e6)))
            joules += (40 if hundredth < 1250 else 160) / 100
        package = ScriptedDomain("package", readings, tick_s=0.01, modelled=modelled)
        self.meter = meter([package], self.clock)

    def sleep(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.busy_s += seconds * self.load * (os.cpu_count() or 1)

    @contextmanager
    def full(self) -> Iterator[None]:
        self.load = 1.0
        yield
        self.load = 0.0


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Callable[..., World]:
    def make(**options: bool | float) -> World:
        made = World(**options)  # type: ignore[arg-type]
        monkeypatch.setattr(process_tree, "busy_s", lambda: made.busy_s)
        return made

    return make


def test_where_a_processor_has_a_meter_both_ends_are_measured(world: Callable[..., World]) -> None:
    one = world()
    found = calibration.measure(one.meter, one.full, 10.0, sleep=one.sleep)
    assert (found.idle_w, found.full_w) == pytest.approx((40, 160), rel=0.01)
    assert (found.scope, found.method) == ("package", "replay")
    assert found.figures()["is_wall_power"] is False


def test_a_machine_that_does_not_rest_is_not_calibrated(world: Callable[..., World]) -> None:
    one = world(busy_at_rest=0.5)
    with pytest.raises(CalibrationError, match="50 % busy and should rest"):
        calibration.measure(one.meter, one.full, 10.0, sleep=one.sleep)


def test_a_model_is_never_calibrated_by_itself(world: Callable[..., World]) -> None:
    one = world(modelled=True)
    with pytest.raises(CalibrationError, match="--idle 52 --full 210"):
        calibration.measure(one.meter, one.full, 10.0, sleep=one.sleep)
    assert calibrate("--seconds", "1").exit_code == 1 or _has_meter()


@pytest.mark.parametrize("seconds", [0.5, float("nan"), float("inf")])
def test_a_time_that_is_none_is_refused(world: Callable[..., World], seconds: float) -> None:
    one = world()
    with pytest.raises(CalibrationError, match="is no time to calibrate"):
        calibration.measure(one.meter, one.full, seconds, sleep=one.sleep)


def test_rest_above_full_load_is_refused_as_a_setting_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECO2AI_FAST_CPU_IDLE_W", "10")
    monkeypatch.setenv("ECO2AI_FAST_CPU_MAX_W", "5")
    with pytest.raises(eco.SettingsError, match="cpu_idle_w = 10 must be below cpu_max_w = 5"):
        estimate()


def _has_meter() -> bool:
    return any(domain.provenance == "measured" for domain in eco.Meter().domains)


def test_the_load_keeps_every_cpu_busy_and_leaves_nothing_behind() -> None:
    before = process_tree.descendants(os.getpid())
    with calibration.full_load():
        workers = process_tree.descendants(os.getpid()) - before
        assert len(workers) == len(os.sched_getaffinity(0))
        begin_s = process_tree.own_s()
        while process_tree.own_s() - begin_s < 0.5:
            time.sleep(0.05)
    assert process_tree.descendants(os.getpid()) - before == set()


def test_the_calibration_of_one_name_is_not_anothers() -> None:
    calibration.save(Calibration(1, 2, "package", "perf", "2026-08-20"))
    assert os.uname().nodename in calibration.path()
    loaded = calibration.load()
    assert loaded is not None and loaded.describe() == "calibrated on 2026-08-20 by perf (package power)"
