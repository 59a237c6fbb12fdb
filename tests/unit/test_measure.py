"""measure() and Measurement on scripted meters: what a user reads, and what happens when things go wrong."""

from __future__ import annotations

import asyncio
import math
import threading

import pytest

import eco2ai_fast as eco
from eco2ai_fast.testing import ManualClock, ScriptedDomain, meter

S = 1_000_000_000


def steady(kind: str, power_w: int, seconds: int = 100, **options: object) -> ScriptedDomain:
    """A counter that moves every 10 ms at a constant power."""
    readings = [(step * S // 100, step * power_w * 10_000) for step in range(seconds * 100)]
    return ScriptedDomain(kind, readings, tick_s=0.01, **options)  # type: ignore[arg-type]


def test_energy_is_the_difference_of_the_counter() -> None:
    clock = ManualClock()
    with eco.measure(meter=meter([steady("package", 65)], clock)) as m:
        clock.advance(8.0)
    assert m.energy_j == 65 * 8
    assert (m.measured_j, m.modelled_j, m.duration_s, m.coverage) == (520, 0, 8, 1.0)
    assert m.domains["package-0"].provenance == "measured"


def test_sub_domains_and_platform_totals_are_shown_and_never_added() -> None:
    clock = ManualClock()
    kinds = {"psys": 95, "package": 65, "core": 40, "uncore": 5, "dram": 8}
    machine = meter([steady(kind, power) for kind, power in kinds.items()], clock)
    with eco.measure(meter=machine) as m:
        clock.advance(2.0)
    assert m.energy_j == 2 * (65 + 8)
    assert {name: domain.energy_j for name, domain in m.domains.items()} == {
        f"{kind}-0": 2.0 * power for kind, power in kinds.items()
    }
    assert m.domains["core-0"].parent == "package-0"


def test_a_window_over_a_sleep_of_the_machine_says_so() -> None:
    clock = ManualClock()
    machine = meter([steady("package", 65)], clock)
    with eco.measure(meter=machine) as m:
        clock.advance(1.0)
        clock.suspend(3600.0)
    assert (m.energy_j, m.duration_s, m.suspended_s) == (65, 1, 3600)
    assert "slept for 3.6e+03 s" in m.notes[0]
    with eco.measure(meter=machine) as after:
        clock.advance(1.0)
    assert (after.suspended_s, after.notes, (m + after).suspended_s) == (0, (), 3600)


def test_an_hour_on_a_counter_that_wraps_every_65_seconds_is_exact() -> None:
    range_uj, power_w = 65_536_000_000, 1000
    readings = [(t * S, t * power_w * 1_000_000 % range_uj) for t in range(3700)]
    clock = ManualClock()
    machine = meter([ScriptedDomain("package", readings, range_uj=range_uj)], clock)
    with eco.measure(meter=machine) as m:
        assert machine.keep_alive_period_s == 1
        period_s = 8  # R / (4 x 2 kW): seven readings in eight may fail to come
        for _ in range(3600 // period_s):
            clock.advance(period_s)
            machine.tick()  # what the background thread does in real time
    assert m.energy_j == 3600 * power_w
    assert not m.notes


def test_a_counter_that_cannot_be_read_is_missing_and_not_zero() -> None:
    clock = ManualClock()
    broken = ScriptedDomain("dram", [(0, "not permitted")])
    with eco.measure(meter=meter([steady("package", 50), broken], clock)) as m:
        clock.advance(1.0)
    assert m.energy_j == 50
    assert m.missing == (("dram-0", "not permitted"),)
    assert m.domains["dram-0"].energy_j is None
    assert "missing dram-0 (not permitted)" in repr(m)


def test_where_nothing_can_be_read_the_energy_is_unknown() -> None:
    clock = ManualClock()
    with eco.measure(meter=meter([ScriptedDomain("package", [(0, "unreadable text")])], clock)) as m:
        clock.advance(1.0)
    assert math.isnan(m.energy_j) and math.isnan(m.co2e_g)
    assert "energy unknown" in repr(m)


def test_a_zone_that_vanishes_goes_on_as_an_estimate_with_a_flag() -> None:
    clock = ManualClock()
    readings: list[tuple[int, int | str]] = [(t * S // 10, t * 5_000_000) for t in range(40)]
    machine = meter([ScriptedDomain("package", [*readings, (4 * S, "vanished")])], clock)
    with eco.measure(meter=machine) as m:
        for _ in range(30):
            clock.advance(0.1)
            machine.tick()
        clock.advance(3.0)
    package = m.domains["package-0"]
    assert package.provenance == "mixed"
    assert m.measured_j == pytest.approx(150) and m.modelled_j == pytest.approx(150)
    assert m.coverage == pytest.approx(0.5) and m.uncertainty_j >= 150
    assert any("vanished" in note for note in m.notes)


def test_a_reset_is_flagged_and_never_a_full_range_of_phantom_energy() -> None:
    readings = [(t * S // 10, 900_000_000 + t * 5_000_000) for t in range(30)]
    readings += [(t * S // 10, 1 + (t - 30) * 5_000_000) for t in range(30, 100)]
    clock = ManualClock()
    machine = meter([ScriptedDomain("package", readings, range_uj=262_143_328_850)], clock)
    with eco.measure(meter=machine) as m:
        for _ in range(80):
            clock.advance(0.1)
            machine.tick()
    assert m.energy_j == pytest.approx(400, abs=m.domains["package-0"].sampling_j)
    assert m.coverage == pytest.approx(79 / 80)
    assert any("set anew" in note for note in m.notes)


def test_a_window_of_no_length_has_a_bound_and_no_error() -> None:
    clock = ManualClock(5 * S)
    with eco.measure(meter=meter([steady("package", 65)], clock)) as m:
        pass
    assert (m.energy_j, m.duration_s) == (0, 0)
    assert m.uncertainty_j > 0
    assert repr(m)


def test_adjacent_windows_add_up_to_the_whole() -> None:
    clock = ManualClock()
    machine = meter([steady("package", 65), steady("dram", 8)], clock)
    with eco.measure(meter=machine) as whole:
        with eco.measure(meter=machine) as first:
            clock.advance(1.23)
        with eco.measure(meter=machine) as second:
            clock.advance(4.56)
    both = first + second
    assert both.energy_j == whole.energy_j
    assert both.duration_s == pytest.approx(whole.duration_s)


def test_an_open_window_has_no_number_yet() -> None:
    with eco.measure("step", meter=meter([steady("package", 1)], ManualClock())) as m:
        assert m.is_open and math.isnan(m.energy_j)
        assert repr(m) == "<Measurement 'step': open>"


def test_a_window_closed_twice_is_a_clear_error() -> None:
    window = eco.measure(meter=meter([steady("package", 1)], ManualClock()))
    with window:
        pass
    with pytest.raises(eco.WindowError, match="not open"):
        window.__exit__(None, None, None)


def test_a_window_that_is_never_closed_harms_nobody() -> None:
    machine = meter([steady("package", 1, range_uj=10_000_000)], ManualClock())
    eco.measure(meter=machine).__enter__()
    with eco.measure(meter=machine) as m:
        pass
    assert m.energy_j == 0


def test_one_object_measures_nested_blocks_and_threads_apart() -> None:
    clock = ManualClock()
    window = eco.measure(meter=meter([steady("package", 10)], clock))
    inside = threading.Event()
    leave = threading.Event()

    def other() -> None:
        with window:
            inside.set()
            leave.wait(5)

    thread = threading.Thread(target=other)
    with window as outer:
        clock.advance(1.0)
        thread.start()
        inside.wait(5)
        with window as inner:
            clock.advance(1.0)
    leave.set()
    thread.join()
    assert (outer.energy_j, inner.energy_j) == (20, 10)


def test_the_exception_of_the_block_passes_and_the_energy_stays() -> None:
    clock = ManualClock()
    with pytest.raises(KeyError, match="mine"), eco.measure(meter=meter([steady("package", 10)], clock)) as m:
        clock.advance(1.0)
        raise KeyError("mine")
    assert m.energy_j == 10


def test_a_decorated_function_keeps_its_measurements_and_its_name() -> None:
    clock = ManualClock()

    @eco.measure("add", meter=meter([steady("package", 10)], clock))
    def add(a: int, b: int) -> int:
        """Adds."""
        clock.advance(0.5)
        return a + b

    assert add(1, b=2) == 3 and add(3, 4) == 7
    assert add.__name__ == "add" and add.__doc__ == "Adds."
    assert [m.energy_j for m in add.measurements] == [5, 5]  # type: ignore[attr-defined]


def test_async_functions_and_generators_are_measured_to_their_end() -> None:
    clock = ManualClock()
    stopwatch = eco.measure(meter=meter([steady("package", 10)], clock))

    @stopwatch
    async def request() -> str:
        clock.advance(1.0)
        await asyncio.sleep(0)
        clock.advance(1.0)
        return "answer"

    @stopwatch
    def tokens():  # type: ignore[no-untyped-def]
        for token in "ab":
            clock.advance(0.5)
            yield token
        return "end"

    @stopwatch
    async def stream():  # type: ignore[no-untyped-def]
        for token in "ab":
            clock.advance(0.5)
            yield token

    async def collect() -> list[str]:
        return [token async for token in stream()]

    assert asyncio.run(request()) == "answer"
    assert list(tokens()) == ["a", "b"]
    assert asyncio.run(collect()) == ["a", "b"]
    assert [f.measurements[-1].energy_j for f in (request, tokens, stream)] == [20, 10, 10]  # type: ignore[attr-defined]


def test_carbon_needs_a_zone_that_exists_and_a_pue_of_one_or_more() -> None:
    with pytest.raises(ValueError, match="Atlantis"):
        eco.measure(zone="Atlantis")
    with pytest.raises(eco.SettingsError, match="-1"):
        eco.measure(pue=-1)


def test_grams_are_energy_times_pue_times_intensity() -> None:
    clock = ManualClock()
    with eco.measure(zone="FR", pue=1.5, meter=meter([steady("package", 36)], clock)) as m:
        clock.advance(100.0 - 0.01)
    kwh = m.energy_j / 3.6e6
    assert m.co2e_g == pytest.approx(kwh * 1.5 * m.intensity.g_per_kwh)
    assert m.intensity.zone == "FR"


def test_energy_per_unit_of_work() -> None:
    clock = ManualClock()
    with eco.measure(meter=meter([steady("package", 10)], clock)) as m:
        clock.advance(4.0)
    per = m.per("token", 8)
    assert (per.energy_j, per.unit) == (5, "token")
    with pytest.raises(ValueError, match="above 0"):
        m.per("token", 0)


def test_html_shows_every_domain_and_escapes_the_name() -> None:
    clock = ManualClock()
    with eco.measure("<script>", meter=meter([steady("package", 10), steady("core", 5)], clock)) as m:
        clock.advance(1.0)
    page = m._repr_html_()
    assert "<script>" not in page and "&lt;script&gt;" in page
    assert "core-0 (not counted)" in page


def test_switched_off_everything_keeps_its_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECO2AI_FAST_DISABLE", "1")
    with eco.measure("step") as m:
        pass
    assert math.isnan(m.energy_j) and m.domains == {}
    assert "ECO2AI_FAST_DISABLE" in repr(m)


def test_a_short_modelled_window_says_that_the_model_cannot_resolve_it() -> None:
    with eco.measure(meter=eco._core.Meter(sources="estimate")) as m:
        pass
    assert any("below the model's resolution" in note for note in m.notes)
    assert m.modelled_j == m.energy_j


def test_the_users_own_figures_replace_the_table() -> None:
    machine = eco._core.Meter(sources="estimate", cpu_idle_w=36_000.0, cpu_max_w=36_000.0, ram_w=0.0)
    with eco.measure(meter=machine) as m:
        pass
    assert m.energy_j == pytest.approx(36_000 * m.duration_s, rel=1e-3, abs=1e-4)
    assert "set by the user" in m.domains["package-0"].detail
