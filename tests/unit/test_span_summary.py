"""Groups of spans: totals, spread, joules per unit, bounds; and the way to Arrow."""

from __future__ import annotations

import numpy as np
import pytest

import eco2ai_fast as eco
from eco2ai_fast.spans import Spans
from eco2ai_fast.testing import ManualClock, ScriptedDomain

MS = 1_000_000


@pytest.fixture
def spans() -> Spans:
    """At 100 W: ten requests of 10, 20 ... 100 ms with as many tokens, two batches of 50 ms without."""
    readings = [(k * MS, 100_000 * k) for k in range(1001)]
    clock = ManualClock()
    meter = eco.testing.meter([ScriptedDomain("package", readings, tick_s=1e-6)], clock).start()

    def run(milliseconds: int) -> None:
        for _ in range(milliseconds):
            clock.set(clock.now_ns + MS)
            meter.tick()

    run(5)
    for number in range(1, 11):
        with meter.span("request", tokens=10 * number, model="small" if number <= 5 else "large"):
            run(10 * number)
    for _ in range(2):
        with meter.span("batch"):
            run(50)
    run(5)
    return meter.spans()


def test_a_summary_has_totals_means_and_percentiles(spans: Spans) -> None:
    request = spans.summary()["request"]
    assert request["count"] == 10
    assert request["energy_j"] == pytest.approx(55, abs=0.01)
    assert request["mean_j"] == pytest.approx(5.5, abs=0.01) and request["mean_s"] == pytest.approx(0.055)
    joules = np.arange(1, 11)
    for percent in (50, 95, 99):
        assert request[f"p{percent}_j"] == pytest.approx(np.percentile(joules, percent), abs=0.01)
        assert request[f"p{percent}_bound_j"] > 0
    assert 0 < request["mean_bound_j"] < request["uncertainty_j"]


def test_joules_per_unit_are_over_the_spans_that_have_units(spans: Spans) -> None:
    summary = spans.summary(unit="tokens")
    assert summary["request"]["per_unit_j"] == pytest.approx(0.1, abs=1e-4)
    assert summary["request"]["units"] == 550 and summary["request"]["per_unit_bound_j"] > 0
    assert np.isnan(summary["batch"]["per_unit_j"])
    assert "100 mJ/tokens" in repr(summary) and "batch" in repr(summary)


def test_groups_may_be_by_lane_or_by_an_attribute(spans: Spans) -> None:
    summary = spans.summary(by="model")
    assert summary["large"]["energy_j"] == pytest.approx(40, abs=0.01)
    assert summary["small"]["count"] == 5 and summary[""]["count"] == 2
    assert len(spans.summary(by="lane")) == 1
    with pytest.raises(ValueError, match="no field 'colour'"):
        spans.summary(by="colour")
    with pytest.raises(KeyError, match="no group is called"):
        summary["huge"]


def test_a_selection_of_rows_can_be_summarised(spans: Spans) -> None:
    long = spans[spans["duration_s"] > 0.045]
    assert long.summary()["request"]["count"] == 6
    assert long.names == spans.names


def test_spans_become_an_arrow_table(spans: Spans) -> None:
    pytest.importorskip("pyarrow")
    table = spans.to_arrow()
    assert table.num_rows == 12
    assert table["name"].to_pylist()[-1] == "batch"
    assert table["energy_j"].to_pylist()[0] == pytest.approx(1, abs=0.01)
