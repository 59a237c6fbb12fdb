"""A price of electricity that depends on the time of day."""

from __future__ import annotations

import bisect
import math
from itertools import accumulate, pairwise

from .accounting import cost
from .errors import FactorError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

DAY_MIN = 1440
DAY_S = 86_400.0


class TariffError(FactorError):
    """Intervals that do not make a day; the message names the one at fault."""


class Tariff:
    """Prices per kWh by interval of the local day: `Tariff({"8:30-19:00": 0.30, "19:00-8:30": 0.18})`.

    Together the intervals cover each minute of the day once, in any order. An interval whose end is not
    behind its start runs over midnight: "22:30-22:00" lasts 23.5 h; "24:00" may end one; "0:00-0:00" is
    the whole day.
    """

    __slots__ = ("_integrals", "_prices", "_starts_s")

    def __init__(self, prices: Mapping[str, float]) -> None:
        by_minute = _spread(prices)
        starts = [m for m in range(DAY_MIN) if m == 0 or by_minute[m] != by_minute[m - 1]]
        self._starts_s = [60.0 * minute for minute in starts]
        self._prices = [prices[by_minute[minute]] for minute in starts]
        # Price x time from midnight to each start and to the end of the day, in price x s.
        spans = pairwise([*self._starts_s, DAY_S])
        costs = (
            price * (end_s - start_s) for (start_s, end_s), price in zip(spans, self._prices, strict=True)
        )
        self._integrals = list(accumulate(costs, initial=0.0))

    def price_at(self, second_of_day: float) -> float:
        """The price per kWh at a time in seconds since a local midnight; every day is like the first."""
        return self._prices[self._index(second_of_day % DAY_S)]

    def cost(self, energy_j: float, start_s: float, end_s: float, pue: float = 1.0) -> float:
        """Money for energy drawn evenly from `start_s` to `end_s`, in seconds since a local midnight.

        cost = E x PUE x the mean price over that time, exact across the edges of intervals and any number of
        days. The caller turns UTC into local time; a day of 23 or 25 hours is cut at the change by him.
        """
        if not (math.isfinite(start_s) and math.isfinite(end_s) and end_s >= start_s):
            raise FactorError(f"start_s = {start_s!r}, end_s = {end_s!r}: must be finite and in order")
        midnight_s = math.floor(start_s / DAY_S) * DAY_S  # small numbers keep their digits
        span_s = end_s - start_s
        if span_s == 0:
            return cost(energy_j, self.price_at(start_s), pue)
        price = (self._integral(end_s - midnight_s) - self._integral(start_s - midnight_s)) / span_s
        return cost(energy_j, price, pue)

    def _integral(self, time_s: float) -> float:
        """Price x time from midnight on, in price x s."""
        days, second = divmod(time_s, DAY_S)
        index = self._index(second)
        within = self._integrals[index] + self._prices[index] * (second - self._starts_s[index])
        return days * self._integrals[-1] + within

    def _index(self, second: float) -> int:
        return bisect.bisect_right(self._starts_s, second) - 1


def _spread(prices: Mapping[str, float]) -> list[str]:
    """The interval that holds at each minute of the day."""
    by_minute = [""] * DAY_MIN
    for interval, price in prices.items():
        if isinstance(price, bool) or not isinstance(price, (int, float)) or not math.isfinite(price):
            raise TariffError(f"interval {interval!r}: the price {price!r} must be a finite number")
        start, end = _interval(interval)
        for minute in range(start, end):
            other = by_minute[minute % DAY_MIN]
            if other:
                raise TariffError(
                    f"intervals {other!r} and {interval!r} overlap at {_clock(minute % DAY_MIN)}"
                )
            by_minute[minute % DAY_MIN] = interval
    if "" in by_minute:
        raise TariffError(
            f"no interval holds at {_clock(by_minute.index(''))}: together they must make 24 hours"
        )
    return by_minute


def _interval(text: str) -> tuple[int, int]:
    """Start and end in minutes since midnight; the end is behind the start, at most a day."""
    parts = text.split("-") if isinstance(text, str) else []
    if len(parts) != 2:
        raise TariffError(f"interval {text!r}: must look like 8:30-19:00")
    start, end = (_minute(part, text) for part in parts)
    if start == DAY_MIN:
        raise TariffError(f"interval {text!r}: the hour must be in 0..23; only an end may be 24:00")
    return start, end if end > start else end + DAY_MIN


def _minute(clock: str, interval: str) -> int:
    hour, colon, minute = clock.strip().partition(":")
    if not (colon and hour.isdecimal() and minute.isdecimal()):
        raise TariffError(f"interval {interval!r}: {clock!r} is no time of day like 8:30")
    if int(minute) > 59:
        raise TariffError(f"interval {interval!r}: minutes must be in 0..59")
    if int(hour) > 24 or (int(hour) == 24 and int(minute) > 0):
        raise TariffError(f"interval {interval!r}: hours must be in 0..23, or 24:00 at the end")
    return 60 * int(hour) + int(minute)


def _clock(minute: int) -> str:
    return f"{minute // 60}:{minute % 60:02d}"
