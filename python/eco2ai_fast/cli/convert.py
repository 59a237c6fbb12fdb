"""`eco2ai-fast convert 300W 10h`: E = P x t, CO2 = E x PUE x intensity, cost = E x PUE x price."""

from __future__ import annotations

import re

import click

from .. import carbon, settings
from ..quantity import plain, si
from . import output
from .table import aligned, intensity_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

# Each unit in the unit of its quantity: watts, seconds, joules. All are exact.
POWER = {"mW": 1e-3, "W": 1.0, "kW": 1e3, "MW": 1e6, "GW": 1e9}
TIME = {"ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
ENERGY = {"mJ": 1e-3, "J": 1.0, "kJ": 1e3, "MJ": 1e6, "GJ": 1e9,
          "mWh": 3.6, "Wh": 3600.0, "kWh": 3.6e6, "MWh": 3.6e9, "GWh": 3.6e12}  # fmt: skip
UNITS = POWER | TIME | ENERGY
_QUANTITY = re.compile(r"([0-9.]+(?:[eE][+-]?[0-9]+)?)\s*([A-Za-z]+)\s*")


class Terms:
    """What was typed: a power and a time, or an energy."""

    __slots__ = ("energy_j", "power_w", "time_s")

    def __init__(self, energy_j: float, power_w: float | None = None, time_s: float | None = None) -> None:
        self.energy_j = energy_j
        self.power_w = power_w
        self.time_s = time_s


@click.command("convert")
@click.argument("quantities", nargs=-1, required=True, metavar="QUANTITY...")
@click.option("--zone", metavar="ZONE", help="Grid zone: FR, FRA, France.")
@click.option("--intensity", "g_per_kwh", type=float, metavar="G", help="Your own intensity in gCO2e/kWh.")
@click.option("--pue", type=float, metavar="PUE", help="Energy of the data centre over that of its computers, from 1.")
@click.option("--price", type=float, metavar="PRICE", help="Price of a kWh.")
@click.option("--json", "as_json", is_flag=True, help="The answer as JSON.")
def command(
    quantities: tuple[str, ...],
    *,
    zone: str | None,
    g_per_kwh: float | None,
    pue: float | None,
    price: float | None,
    as_json: bool,
) -> None:
    """Compute energy, CO2 and cost by hand.

    \b
    eco2ai-fast convert 300W 10h --zone FR          a power over a time
    eco2ai-fast convert 45kWh --intensity 489       an energy
    eco2ai-fast convert 2.5kW 1d 6h --pue 1.3       times add up

    Units: mW W kW MW GW, ms s min h d, and J or Wh with m, k, M or G.
    """
    try:
        result = answer(terms(quantities), zone=zone, g_per_kwh=g_per_kwh, pue=pue, price=price)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    click.echo(output.as_json(result, indent=2) if as_json else text(result), nl=False)


def terms(words: Sequence[str]) -> Terms:
    """What the words say: one power with times, or energies, which add up. ValueError for anything else."""
    found: dict[str, list[float]] = {"power": [], "time": [], "energy": []}
    for value, unit in parse(" ".join(words)):
        kind = "power" if unit in POWER else "time" if unit in TIME else "energy"
        found[kind].append(value * UNITS[unit])
    powers, times, energies = found.values()
    if len(powers) == 1 and times and not energies:
        return Terms(powers[0] * sum(times), powers[0], sum(times))
    if energies and not powers and not times:
        return Terms(sum(energies))
    raise ValueError(f"{' '.join(words)!r}: give one power with a time (300W 10h), or an energy (45kWh)")


def parse(typed: str) -> list[tuple[float, str]]:
    """Numbers with their units, the latter as in UNITS. ValueError says what cannot be read."""
    quantities = []
    position = 0
    while position < len(typed):
        match = _QUANTITY.match(typed, position)
        if match is None:
            raise ValueError(f"cannot read {typed[position:].strip()!r}: write a number and a unit, as in 1.5kWh")
        quantities.append((_number(match[1]), _unit(match[2])))
        position = match.end()
    return quantities


def _number(digits: str) -> float:
    try:
        number = float(digits)
    except ValueError:
        number = float("inf")  # refused below, with the same words
    if number == float("inf"):
        raise ValueError(f"{digits!r} is not a number that can be computed with")
    return number


def _unit(typed: str) -> str:
    """The unit as it is spelled right. Case is forgiven where it cannot be a thousand millions wrong."""
    if typed in UNITS:
        return typed
    same = [unit for unit in UNITS if unit.lower() == typed.lower()]
    if len(same) == 1:
        return same[0]
    if same:
        raise ValueError(f"{typed!r} may be {' or '.join(same)}")
    raise ValueError(f"unknown unit {typed!r}: there are {', '.join(UNITS)}")


def answer(
    given: Terms, *, zone: str | None, g_per_kwh: float | None, pue: float | None, price: float | None
) -> dict[str, Any]:
    """Energy, emissions and cost, with all they were computed from. ValueError for a factor that cannot be used."""
    factor = settings.resolve("pue", pue)[0]
    per_kwh = settings.resolve("price_per_kwh", price)[0]
    intensity = carbon.here(zone, intensity_g_per_kwh=g_per_kwh)
    return {
        "power_w": given.power_w,
        "time_s": given.time_s,
        "energy_j": given.energy_j,
        "energy_kwh": carbon.kwh(given.energy_j),
        "pue": factor,
        "intensity": intensity.as_dict(),
        "co2e_g": carbon.co2e_g(given.energy_j, intensity.g_per_kwh, factor),
        "price_per_kwh": per_kwh,
        "cost": None if per_kwh is None else carbon.cost(given.energy_j, per_kwh, factor),
        "currency": settings.resolve("currency")[0],
    }


def text(result: dict[str, Any]) -> str:
    """The answer with the formulas that led to it."""
    energy = si(result["energy_kwh"] * 1000, "Wh")
    by_factor = "" if result["pue"] == 1 else f" x PUE {result['pue']:g}"
    how = f" = {si(result['power_w'], 'W')} x {_time(result['time_s'])}" if result["power_w"] is not None else ""
    g_per_kwh = plain(result["intensity"]["g_per_kwh"])
    rows = [
        ("energy", f"{energy} ({si(result['energy_j'], 'J')}){how}"),
        ("CO2e", f"{si(result['co2e_g'], 'g')} = {energy}{by_factor} x {g_per_kwh} g/kWh"),
        *(("", line) for line in intensity_lines(result["intensity"])),
    ]
    if result["cost"] is not None:
        currency = f" {result['currency']}" if result["currency"] else ""
        price = f"{result['price_per_kwh']:g}{currency} per kWh"
        rows.append(("cost", f"{result['cost']:.2f}{currency} = {energy}{by_factor} x {price}"))
    return "\n".join(aligned(rows)) + "\n"


def _time(seconds: float) -> str:
    unit = next((unit for unit in ("d", "h", "min", "s") if seconds >= TIME[unit]), "ms")
    return f"{seconds / TIME[unit]:g} {unit}"
