"""Do the emulator and truth.py, written apart in two languages, say the same?"""

import itertools
import json
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emulator.shapes import burst, constant, fault, ns, points, ramp, sine, square, telegraph
from emulator.truth import FJ_PER_J, Meter

HOUR_NS = 3_600 * 10**9

powers_w = st.floats(0, 1000)
durations_s = st.floats(0.001, 100)
exact_shapes = st.one_of(
    st.builds(constant, powers_w),
    st.builds(square, powers_w, powers_w, durations_s, st.floats(0, 1)),
    st.builds(ramp, powers_w, powers_w, durations_s),
    st.builds(burst, powers_w, powers_w, st.floats(0, 10), st.floats(0, 0.1), st.none() | st.floats(0.1, 10)),
    st.lists(st.tuples(st.floats(0, 100), powers_w), min_size=1).map(lambda at: points(*sorted(at))),
    st.builds(telegraph, powers_w, powers_w, st.floats(0.5, 5), st.integers(0, 2**64 - 1)),
)
counters = st.fixed_dictionaries(
    {
        "esu": st.integers(0, 18),
        "range_units": st.integers(10, 2**32),
        "start_units": st.integers(0, 9),
        "tick_ns": st.integers(1, 10**9),
        "phase_ns": st.integers(0, 10**9),
    }
)
times_ns = st.lists(st.integers(0, 10**9) | st.integers(0, HOUR_NS // 12), min_size=1, max_size=20)


@pytest.fixture
def answers(emulator_binary, tmp_path):
    """What the emulator says of one domain at given times: energies in femtojoules and readings."""

    def ask(domain, times, **machine):
        domain = {"id": "d"} | domain
        (tmp_path / "spec.json").write_text(json.dumps({"domains": [domain], **machine}))
        command = [emulator_binary, "--truth", "--spec", tmp_path / "spec.json"]
        lines = "".join(f"d {t_ns}\n" for t_ns in times)
        out = subprocess.run(command, input=lines, capture_output=True, text=True, check=True).stdout
        rows = [line.split() for line in out.splitlines()]
        assert len(rows) == len(times)
        return [(int(energy_fj), reading) for energy_fj, reading in rows]

    return ask


# The fixture only holds a path, so hypothesis may share it between examples.
shared = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@shared
@given(
    exact_shapes,
    counters,
    st.sampled_from(["none", "client", "icelake"]),
    st.integers(0, 2**64 - 1),
    times_ns,
)
def test_energies_and_counters_agree_to_the_last_unit(answers, power, counter, jitter, seed, times):
    domain = {"power": power, **counter}
    meter = Meter({"jitter": jitter, "seed": seed}, 0, domain)
    expected = [(meter.energy_fj(t), f"Units({meter.counter_units(t)})") for t in times]
    assert answers(domain, times, jitter=jitter, seed=seed) == expected


@shared
@given(powers_w, st.floats(0, 1), durations_s, times_ns)
def test_sines_agree_to_the_last_bits_of_a_float(answers, mean_w, part, period_s, times):
    power = sine(mean_w, mean_w * part, period_s)
    meter = Meter({}, 0, {"power": power})
    for t_ns, (energy_fj, _) in zip(times, answers({"power": power}, times), strict=True):
        assert (
            abs(meter.energy_fj(t_ns) - energy_fj) <= 1 + power["amplitude_uw"] * power["period_ns"] * 1e-15
        )


@pytest.mark.parametrize(
    "power, t_s, energy_j",
    [
        (constant(65), 2, 130),
        (square(20, 100, period_s=1, duty=0.25), 1.5, 40 + 25 + 5),
        (ramp(0, 100, 10), 5, 125),
        (ramp(0, 100, 10), 11, 600),
        (burst(10, 110, at_s=1, width_s=0.04), 2, 24),
        (burst(10, 110, at_s=1, width_s=0.04, every_s=0.5), 2, 28),
        (sine(50, 20, period_s=0.5), 3, 150),
        (telegraph(60, 60, 0.01, seed=1), 3, 180),
    ],
)
def test_closed_forms_give_the_energies_of_the_schoolbook(power, t_s, energy_j):
    assert Meter({}, 0, {"power": power}).energy_fj(ns(t_s)) == pytest.approx(energy_j * FJ_PER_J, rel=1e-12)


def test_a_telegraph_dwells_as_long_as_asked_and_spends_half_its_time_high():
    meter = Meter({}, 0, {"power": telegraph(0, 1, dwell_s=0.01, seed=5)})
    assert meter.energy_fj(ns(100)) / FJ_PER_J == pytest.approx(50, rel=0.05)
    switches = len(meter.energy_fj.__self__.switch_ns)
    assert switches == pytest.approx(10_000, rel=0.05)


def test_ice_lake_ticks_spread_as_measured():
    meter = Meter({"jitter": "icelake", "seed": 2}, 0, {"power": constant(1)})
    edges = sorted({meter.updated_ns(t) for t in range(0, 2 * 10**9, 50_000)})
    intervals_ms = sorted((b - a) / 1e6 for a, b in itertools.pairwise(edges))
    mean = sum(intervals_ms) / len(intervals_ms)
    sd = (sum((i - mean) ** 2 for i in intervals_ms) / len(intervals_ms)) ** 0.5
    assert mean == pytest.approx(1, abs=0.002)
    assert sd == pytest.approx(0.271, abs=0.03)
    assert intervals_ms[len(intervals_ms) // 2] == pytest.approx(0.884, abs=0.04)


# 16384 W at esu 14 and 0.25 s ticks: 2^28 counts a second, so readings are round numbers.
STEEP = {"power": constant(2**14), "tick_ns": 250_000_000}
SECOND = 2**28


@pytest.mark.parametrize(
    "kind, at_half, at_one_and_a_half, at_three",
    [
        ("eacces", SECOND // 2, "Denied", 3 * SECOND),
        ("eio", SECOND // 2, "Failed", 3 * SECOND),
        ("enoent", SECOND // 2, "Gone", 3 * SECOND),
        ("gone", SECOND // 2, "Gone", "Gone"),
        ("garbage", SECOND // 2, "Garbage", 3 * SECOND),
        ("empty", SECOND // 2, "Empty", 3 * SECOND),
        ("zero", SECOND // 2, 0, 3 * SECOND),
        ("stuck", SECOND // 2, SECOND, 3 * SECOND),
        ("stuckend", SECOND // 2, SECOND, SECOND),
        ("reset", SECOND // 2, SECOND // 2, 2 * SECOND),
        ("back50J", SECOND // 2, SECOND * 3 // 2 - 50 * 2**14, 3 * SECOND - 50 * 2**14),
        ("slow50", SECOND // 2, SECOND * 3 // 2, 3 * SECOND),
    ],
)
def test_each_fault_acts_from_its_start_to_its_end_and_not_longer(
    answers, kind, at_half, at_one_and_a_half, at_three
):
    lasts = kind in {"gone", "stuckend", "reset", "back50J"}
    domain = STEEP | {"faults": [fault(kind, 1, None if lasts else 2)]}
    readings = [reading for _, reading in answers(domain, [ns(0.5), ns(1.5), ns(3)])]
    expected = [at_half, at_one_and_a_half, at_three]
    assert readings == [f"Units({x})" if isinstance(x, int) else x for x in expected]


def test_faults_add_up(answers):
    faults = [fault("reset", 1), fault("back1J", 2), fault("back50J", 0.5), fault("eio", 3, 4)]
    readings = answers(STEEP | {"faults": faults}, [ns(2.5), ns(3.5), ns(5)])
    shown = [SECOND * 3 // 2 - 2**14, 4 * SECOND - 2**14]
    assert [reading for _, reading in readings] == [f"Units({shown[0]})", "Failed", f"Units({shown[1]})"]


def test_fault_time_counts_overlaps_once_and_clips_to_the_window():
    faults = [fault("eio", 1, 3), fault("empty", 2, 4), fault("gone", 9), fault("slow50", 0)]
    meter = Meter({}, 0, {"power": constant(1), "faults": faults})
    unreadable = {"eio", "empty", "gone"}
    assert meter.fault_ns(ns(0), ns(8), unreadable) == ns(3)
    assert meter.fault_ns(ns(2.5), ns(10), unreadable) == ns(2.5)


@pytest.mark.parametrize(
    "change, message",
    [
        (
            {"power": {"shape": "square", "low_uw": 1, "high_uw": 2, "period_ns": 0, "high_ns": 0}},
            "period_ns > 0",
        ),
        ({"start_units": 2**32}, "start_units < range_units"),
        ({"faults": [{"kind": "explode", "start_ns": 0}]}, "explode"),
        ({"faults": [fault("gone", 1, 2)]}, "has no end"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_spec_that_makes_no_sense_is_refused_with_its_reason(emulator_binary, tmp_path, change, message):
    spec = {"domains": [{"id": "d", "power": constant(1)} | change]}
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    command = [emulator_binary, "--truth", "--spec", tmp_path / "spec.json"]
    refused = subprocess.run(command, capture_output=True, text=True, input="")
    assert refused.returncode == 1
    assert message in refused.stderr
