"""Laws of spans: whatever nests and overlaps, nothing is lost, nothing counted twice, nothing negative."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eco2ai_fast as eco
from eco2ai_fast.shares import Curve, divide
from eco2ai_fast.testing import ManualClock, ScriptedDomain

US = 1_000


class Plan(NamedTuple):
    """One span: begin and end in microseconds, lane, tokens."""

    t0_us: int
    length_us: int
    lane: int
    tokens: int | None


plans = st.lists(
    st.builds(Plan, st.integers(0, 40_000), st.integers(0, 20_000), st.integers(0, 3), st.none() | st.integers(0, 99)),
    min_size=1,
    max_size=40,
)
# Energy of each millisecond in uJ, for two meters, of which one is a model.
energies = st.lists(st.tuples(st.integers(0, 200_000), st.integers(0, 50_000)), min_size=70, max_size=70)


def recorded(spans: list[Plan], energy_uj: list[tuple[int, int]]) -> eco.Meter:
    """A meter that recorded these spans while its counters rose so."""
    totals = np.cumsum(energy_uj, axis=0)
    scripts = [
        ScriptedDomain(
            "package",
            [(0, 0), *((1_000 * US * (k + 1), int(total)) for k, total in enumerate(column))],
            package=number,
            modelled=number == 1,
            tick_s=1e-3,
        )
        for number, column in enumerate(totals.T)
    ]
    clock = ManualClock()
    meter = eco.testing.meter(scripts, clock).start()
    marks = sorted(
        [(plan.t0_us, 0, number) for number, plan in enumerate(spans)]
        + [(plan.t0_us + plan.length_us, 1, number) for number, plan in enumerate(spans)]
        + [(1_000 * k, 2, 0) for k in range(70)]
    )
    opened: dict[int, object] = {}
    for t_us, what, number in marks:
        clock.set(t_us * US)
        if what == 0:
            opened[number] = meter.begin("x", lane=spans[number].lane, tokens=spans[number].tokens)
        elif what == 1:
            meter.end(opened[number])
        else:
            meter.tick()
    return meter


def microjoules(column: np.ndarray) -> int:
    whole = np.rint(np.asarray(column) * 1e6)
    assert np.allclose(column * 1e6, whole, atol=1e-3)
    return int(whole.sum())


@settings(max_examples=150, deadline=None)
@given(
    spans=plans,
    energy_uj=energies,
    split=st.sampled_from(["share", "self"]),
    weights=st.sampled_from([None, "tokens"]),
    idle_w=st.none() | st.floats(0, 300),
)
def test_parts_and_rest_are_the_whole_to_the_microjoule(
    spans: list[Plan], energy_uj: list[tuple[int, int]], split: str, weights: str | None, idle_w: float | None
) -> None:
    meter = recorded(spans, energy_uj)
    if weights is not None and all(plan.tokens is None for plan in spans):
        weights = None
    rows = meter.spans(split, weights=weights, idle=idle_w)
    assert len(rows) == len(spans)
    whole_uj = round(rows.whole_j * 1e6)
    assert microjoules(rows["energy_j"]) + round((rows.rest_j + rows.open_j) * 1e6) == whole_uj
    assert (rows["energy_j"] >= 0).all() and rows.rest_j >= 0
    assert np.allclose(rows["measured_j"] + rows["modelled_j"], rows["energy_j"])
    assert (rows["measured_j"] >= 0).all() and (rows["modelled_j"] >= 0).all()
    if idle_w is not None:
        beyond_uj = microjoules(rows["net_j"]) + round((rows.net_rest_j + rows.open_net_j) * 1e6)
        assert beyond_uj + round(rows.idle_j * 1e6) == whole_uj
        assert min(rows.idle_j, rows.net_rest_j, rows["net_j"].min()) >= 0


@settings(max_examples=60, deadline=None)
@given(spans=plans, energy_uj=energies)
def test_the_whole_of_a_span_is_what_the_meter_says_of_its_time(
    spans: list[Plan], energy_uj: list[tuple[int, int]]
) -> None:
    meter = recorded(spans, energy_uj)
    rows = meter.spans()
    told = meter.energy_between(rows["t0_ns"], rows["t1_ns"])
    assert rows["energy_j"] == pytest.approx(told["energy_j"], abs=3e-6)


@settings(max_examples=60, deadline=None)
@given(spans=plans, energy_uj=energies)
def test_on_one_lane_self_times_are_the_whole_less_that_of_children(
    spans: list[Plan], energy_uj: list[tuple[int, int]]
) -> None:
    nested = [plan._replace(lane=0) for plan in spans]
    rows = recorded(nested, energy_uj).spans("self")
    # One lane: at every instant at most one span is its own, so a part is never more than the whole of its time.
    whole = recorded(nested, energy_uj).spans("whole")
    assert (rows["energy_j"] <= whole["energy_j"] + 2e-6).all()
    assert rows.rest_j == pytest.approx(whole.rest_j, abs=1e-6)


@settings(max_examples=100, deadline=None)
@given(
    spans=plans,
    energy_uj=st.lists(st.integers(0, 10**9), min_size=1, max_size=1),
    factor=st.floats(1e-3, 1e3),
)
def test_only_the_ratio_of_weights_matters(spans: list[Plan], energy_uj: list[int], factor: float) -> None:
    t0 = np.array([plan.t0_us for plan in spans], "u8")
    t1 = t0 + np.array([plan.length_us for plan in spans], "u8")
    instants = np.concatenate([t0, t1])
    zero = np.zeros(len(instants))
    curve = Curve(instants, instants * np.uint64(energy_uj[0] % 977), zero, zero)
    weights = np.array([plan.tokens or 0 for plan in spans], "f8")
    one, other = (divide(curve, t0, t1, scaled) for scaled in (weights, weights * factor))
    assert np.abs(one.energy_uj.astype("i8") - other.energy_uj.astype("i8")).max() <= 2 + 1e-6 * curve.whole_uj
