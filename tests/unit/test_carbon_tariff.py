"""Time-of-use prices: which intervals make a day, and what energy over them costs."""

from __future__ import annotations

import pytest

from eco2ai_fast.carbon.errors import FactorError
from eco2ai_fast.carbon.tariff import Tariff, TariffError

KWH_J = 3.6e6
H = 3600


@pytest.mark.parametrize(
    "prices",
    [
        {"0:00-24:00": 1.0},
        {"0:00-0:00": 1.0},
        {"00:00-12:00": 1.0, "12:00-0:00": 2.0},
        {"8:30-19:00": 1.0, "19:00-6:00": 2.0, "6:00-8:30": 3.0},
        {"6:00-8:30": 3.0, "19:00-6:00": 2.0, "8:30-19:00": 1.0},
        {"22:30-22:00": 1.0, "22:00-22:30": 2.0},
    ],
)
def test_intervals_that_make_a_day_are_accepted(prices: dict[str, float]) -> None:
    first = next(iter(prices))
    hour, minute = first.split("-")[0].split(":")
    assert Tariff(prices).price_at(int(hour) * H + int(minute) * 60) == prices[first]


def test_interval_that_ends_just_before_it_starts_lasts_nearly_a_day() -> None:
    tariff = Tariff({"22:30-22:00": 1.0, "22:00-22:30": 49.0})
    assert tariff.cost(24 * KWH_J, 0, 24 * H) == pytest.approx(23.5 * 1 + 0.5 * 49)


@pytest.mark.parametrize(
    ("prices", "complaint"),
    [
        ({}, "no interval holds at 0:00"),
        (
            {"8:30-20:00": 1, "18:00-3:00": 1, "6:00-12:30": 1},
            "'8:30-20:00' and '18:00-3:00' overlap at 18:00",
        ),
        ({"0:00-8:00": 1, "9:00-24:00": 1}, "no interval holds at 8:00"),
        ({"0:00-24:01": 1}, "24:00 at the end"),
        ({"24:00-8:00": 1, "8:00-24:00": 1}, "only an end may be 24:00"),
        ({"25:00-26:00": 1}, "hours must be in 0..23"),
        ({"0:60-24:00": 1}, "minutes must be in 0..59"),
        ({"all day": 1}, "must look like"),
        ({"0-24": 1}, "no time of day"),
        ({"-1:00-24:00": 1}, "must look like"),
        ({"0:00-24:00": "dear"}, "must be a finite number"),
        ({"0:00-24:00": float("nan")}, "must be a finite number"),
    ],
)
def test_intervals_that_make_no_day_are_refused(prices: dict[str, float], complaint: str) -> None:
    with pytest.raises(TariffError, match=complaint):
        Tariff(prices)


def test_energy_over_an_edge_is_split_there() -> None:
    tariff = Tariff({"8:00-20:00": 0.30, "20:00-8:00": 0.10})
    assert tariff.cost(4 * KWH_J, 18 * H, 22 * H) == pytest.approx(2 * 0.30 + 2 * 0.10)


def test_energy_over_several_days_and_midnights_pays_each_day() -> None:
    tariff = Tariff({"8:00-20:00": 0.30, "20:00-8:00": 0.10})
    assert tariff.cost(72 * KWH_J, 5 * 24 * H, 8 * 24 * H) == pytest.approx(36 * 0.30 + 36 * 0.10)


def test_energy_of_an_instant_pays_the_price_of_that_instant() -> None:
    tariff = Tariff({"8:00-20:00": 0.30, "20:00-8:00": 0.10})
    assert tariff.cost(KWH_J, 8 * H, 8 * H) == pytest.approx(0.30)
    assert tariff.cost(KWH_J, 8 * H - 1, 8 * H - 1) == pytest.approx(0.10)


@pytest.mark.parametrize(("start_s", "end_s"), [(1, 0), (float("nan"), 1), (0, float("inf"))])
def test_time_that_runs_backwards_is_refused(start_s: float, end_s: float) -> None:
    with pytest.raises(FactorError, match="in order"):
        Tariff({"0:00-24:00": 1.0}).cost(1.0, start_s, end_s)
