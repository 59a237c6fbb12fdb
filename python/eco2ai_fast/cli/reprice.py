"""`eco2ai-fast reprice RECORD --zones FR,DE`: what the same joules would have emitted on other grids."""

from __future__ import annotations

import click

from .. import carbon
from ..carbon.lookup import BASES
from ..footprint import priced
from ..quantity import plain
from ..report.total import Total
from ..report.wording import energy, grams, line, share
from . import output, records
from .table import aligned

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

HEAD = ("zone", "", "CO2e", "between", "direct", "g/kWh", "basis, year", "carbon-free")


@click.command("reprice")
@click.argument("paths", nargs=-1, required=True, metavar="RECORD...")
@click.option("--zones", required=True, metavar="A,B,...", help="Grid zones: FR,DE,US-CAL-CISO,aws:us-east-1.")
@click.option("--basis", type=click.Choice(BASES), help="Factors of this basis alone.")
@click.option("--json", "as_json", is_flag=True, help="The answer as JSON.")
def command(paths: tuple[str, ...], *, zones: str, basis: str | None, as_json: bool) -> None:
    """Put the energy of a run on other grids, the least grams first. The energy stays as it was recorded.

    `between` is the interval of the energy on the least and the greatest of the shipped data sets. Zones that have a
    direct factor alone stand last: they do not compare with life-cycle ones.
    """
    try:
        found = records.read(paths)
        rows = [_row(found, name, basis) for name in zones.split(",") if name.strip()]
    except (KeyError, TypeError, AttributeError) as error:
        raise click.ClickException(f"a record is not as docs/record.md says: {error!r}") from None
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    rows.sort(key=lambda row: (row["basis"] != "life-cycle", row["co2e_g"] is None, row["co2e_g"] or 0.0))
    total = Total(found)
    if as_json:
        document = {"energy_j": total.energy_j, "zones": rows, "attribution": _attribution(rows)}
        click.echo(output.as_json(document, indent=2), nl=False)
    else:
        click.echo(_text(total, rows), nl=False)


def _row(found: Sequence[Any], zone: str, basis: str | None) -> dict[str, Any]:
    intensity = carbon.intensity(zone, basis)
    moved = [priced({**record, "pue": record["pue"] or 1.0}, intensity) for record in found]
    total, mix = Total(moved), moved[0]["grid_mix"] if moved else None
    return {
        "asked": zone.strip(),
        "zone": intensity.zone,
        "zone_name": intensity.zone_name,
        "co2e_g": total.co2e_g,
        "low_g": total.low_g,
        "high_g": total.high_g,
        "direct_g": total.direct_g,
        "g_per_kwh": intensity.g_per_kwh,
        "basis": intensity.basis,
        "year": intensity.year,
        "carbon_free_share": mix["carbon_free_share"] if mix else None,
        "attribution": total.attribution,
    }


def _attribution(rows: Sequence[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(text for row in rows for text in row["attribution"]))


def _text(total: Total, rows: Sequence[dict[str, Any]]) -> str:
    cells = [HEAD, *map(_cells, rows)]
    texts = [f"  {text}" for text in _attribution(rows)]
    return "\n".join([f"{energy(total.energy_j)}, the same on every grid", *aligned(cells), "", *texts]) + "\n"


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    known = row["low_g"] is not None and row["high_g"] is not None
    return (
        line(row["asked"]),
        line(row["zone_name"]),
        grams(row["co2e_g"]),
        f"{grams(row['low_g'])} .. {grams(row['high_g'])}" if known else "",
        grams(row["direct_g"]),
        plain(row["g_per_kwh"]),
        f"{row['basis']} {row['year']}",
        share(row["carbon_free_share"]),
    )
