"""What a report says of one run, and of many: titles, labels and values, for any form of text."""

from __future__ import annotations

from ..quantity import plain
from . import wording
from .overlap import host
from .total import grouped
from .wording import UNKNOWN, decimal, energy, grams, line, share

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .total import Total

    Record = Mapping[str, Any]
    Rows = list[tuple[str, str]]

GROUP_COLUMNS = ("", "runs", "time", "energy", "kWh with PUE", "CO2e", "life-cycle", "direct")


def of_record(record: Record) -> list[tuple[str, Rows]]:
    """The sections of one run."""
    made = [
        ("Run", _identity(record)),
        ("Energy", _energy(record)),
        ("Boundary", _boundary(record)),
        ("Emissions", _emissions(record)),
        ("How good it is", _trust(record)),
        ("Attribution", [("", line(text, 500)) for text in record["attribution"]]),
    ]
    return [(title, rows) for title, rows in made if rows]


def of_total(total: Total) -> list[tuple[str, Rows]]:
    """The sections under the table of groups."""
    rows = [
        ("energy", energy(total.energy_j)),
        ("of it", f"measured {energy(total.measured_j)}, modelled {energy(total.modelled_j)}"),
        ("kWh with PUE", UNKNOWN if total.energy_kwh is None else decimal(total.energy_kwh)),
        ("CO2e", _with_band(total.co2e_g, total.low_g, total.high_g)),
        ("life-cycle, direct", f"{grams(total.life_cycle_g)}, {grams(total.direct_g)}"),
        *([("market-based", grams(total.market_g))] if total.market_g is not None else []),
        *([("embodied, not added", grams(total.embodied_g))] if total.embodied_g is not None else []),
    ]
    notes = [("", text) for text in _sum_notes(total)]
    texts = [("", line(text, 500)) for text in total.attribution]
    sections = [("Total", rows), ("Notes", notes), ("Attribution", texts)]
    return [(title, found) for title, found in sections if found]


def group_rows(total: Total, by: str) -> list[tuple[str, ...]]:
    """The table of groups, its head first."""
    rows: list[tuple[str, ...]] = [(by, *GROUP_COLUMNS[1:])]
    rows += [_group_row(line(name, 60), one) for name, one in grouped(total.records, by).items()]
    return [*rows, _group_row("all", total)]


def _group_row(name: str, one: Total) -> tuple[str, ...]:
    kwh = UNKNOWN if one.energy_kwh is None else plain(one.energy_kwh)
    figures = (grams(value) for value in (one.co2e_g, one.life_cycle_g, one.direct_g))
    joules = energy(one.energy_j).partition(" (")[0]
    return name, str(len(one.records)), wording.time(one.duration_s), joules, kwh, *figures


def _sum_notes(total: Total) -> list[str]:
    notes = []
    if total.overlapping:
        notes.append(
            f"{total.overlapping} of {len(total.records)} runs share time with another one on their host: "
            f"what both read, {energy(total.overlap_j)}, is counted once. Groups whose runs overlap add up to more."
        )
    if total.unknown:
        notes.append(f"{total.unknown} of {len(total.records)} runs hold no energy and are not in the sums")
    if any(host(record).startswith("record") for record in total.records):
        notes.append("some records do not name their host: whether their runs overlapped cannot be seen")
    return notes


def _identity(record: Record) -> Rows:
    command = record.get("command")
    values = {
        "name": record["name"],
        "project": record["project"],
        "stage": record["stage"],
        "command": " ".join(command["argv"]) if command else None,
        "begin, end": f"{record['t0_utc'] or UNKNOWN}, {record['t1_utc'] or UNKNOWN}",
        "duration": wording.time(record["duration_s"]),
        "host": host(record).removeprefix("host "),
        "hardware": record["hardware"]["cpu"],
        "GPUs": ", ".join(record["hardware"]["gpus"]) or None,
        "tool": wording.tool(record),
        "commit": record["code_commit"],
        "settings": f"sha256 {record['config_hash']}" if record["config_hash"] else None,
        "record": record["id"],
    }
    return [(label, line(value)) for label, value in values.items() if value is not None]


def _energy(record: Record) -> Rows:
    half = "" if record["uncertainty_j"] is None else f" +- {energy(record['uncertainty_j']).partition(' (')[0]}"
    rows = [("machine", energy(record["energy_j"]) + half)]
    if record["measured_j"] is not None:
        rows.append(("of it", f"measured {energy(record['measured_j'])}, modelled {energy(record['modelled_j'])}"))
    command = record.get("command")
    if command and command["energy_j"] is not None:
        rows.append(("command", f"{energy(command['energy_j'])}: its share of the CPU time, power at rest included"))
    idle = record["idle"]
    if idle:
        rows.append(("at rest", f"{energy(idle['window_j'])} at {plain(idle['power_w'])} W ({line(idle['source'])})"))
        rows.append(("above rest", UNKNOWN if idle["net_j"] is None else energy(idle["net_j"])))
    if record["pue"] is not None:
        year = f", {record['pue_year']}" if record["pue_year"] else ""
        rows.append(("PUE", f"{plain(record['pue'])} ({line(record['pue_source'])}{year})"))
    kwh = record["emissions"]["energy_kwh"]
    return [*rows, ("kWh with PUE", UNKNOWN if kwh is None else decimal(kwh))]


def _boundary(record: Record) -> Rows:
    rows = [
        (one["domain"], f"{share(one['share'])} of the energy, {one['provenance']} ({line(one['method'])})")
        for one in record["boundary"]["included"]
    ]
    left_out = ", ".join(line(name) for name in record["boundary"]["excluded"])
    return [*rows, ("not in it", left_out or "not told")]


def _emissions(record: Record) -> Rows:
    found, emissions = record["intensity"], record["emissions"]
    if found is None:
        return [("CO2e", f"unknown: {line(record['carbon_error'], 500)}")]
    rows = [
        ("CO2e", _with_band(record["co2e_g"], emissions["low_g"], emissions["high_g"])),
        ("intensity", f"{wording.intensity(found)}; {line(found['source'])}, {line(found['licence'])}"),
        ("zone by", line(found["found_by"])),
        ("life-cycle", grams(emissions["life_cycle_g"])),
        ("direct", grams(emissions["direct_g"])),
        *(("other basis", f"{wording.intensity(one)}; {line(one['source'])}") for one in record["alternatives"]),
    ]
    return rows + _terms(record)


def _terms(record: Record) -> Rows:
    """What the user's own terms add."""
    market, embodied = record["emissions"]["market_based"], record["emissions"]["embodied"]
    rows = []
    if market:
        rest = f"{plain(market['rest_kwh'])} kWh by the {market['rest_factor']}"
        rows.append(("market-based", f"{grams(market['g'])}: {plain(market['covered_kwh'])} kWh by contract, {rest}"))
    if embodied:
        rows.append(("embodied, not added", grams(embodied["g"])))
    unit = record["functional_unit"]
    if unit:
        name, count = line(unit["unit"]), unit["count"]
        per_j = None if record["energy_j"] is None else record["energy_j"] / count
        per_g = None if record["co2e_g"] is None else record["co2e_g"] / count
        rows.append((f"per {name}", f"{energy(per_j)}, {grams(per_g)} ({plain(count)} of them)"))
    return rows


def _trust(record: Record) -> Rows:
    rows = [("coverage", share(record["coverage"]))]
    gaps = [one for one in record["domains"] if one["counted"] and one["gap_s"]]
    rows += [("gap", f"{line(one['id'])}: {wording.time(one['gap_s'])}") for one in gaps]
    rows += [("missing", f"{line(one['domain'])}: {line(one['reason'])}") for one in record["missing"]]
    rows += [("note", line(note, 500)) for note in record["notes"]]
    if record["data"]["tables_sha256"]:
        rows.append(("tables", f"sha256 {record['data']['tables_sha256']}"))
    return rows


def _with_band(value_g: float | None, low_g: float | None, high_g: float | None) -> str:
    band = "" if low_g is None or high_g is None else f", between {grams(low_g)} and {grams(high_g)}"
    return grams(value_g) + band
