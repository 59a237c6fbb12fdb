"""`eco2ai-fast zones [QUERY]`: every place that has a factor, by id or name."""

from __future__ import annotations

import click

from .. import carbon
from ..carbon.listing import Zone, zones
from ..quantity import plain
from . import output
from .table import aligned

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

HEAD = ("zone", "name", "kind", "life-cycle", "direct", "g/kWh of")


@click.command("zones")
@click.argument("query", required=False)
@click.option("--json", "as_json", is_flag=True, help="The answer as JSON.")
def command(query: str | None, *, as_json: bool) -> None:
    """List grid zones and cloud regions whose id or name contains QUERY, with their newest factors."""
    found = [_row(zone) for zone in zones(query)]
    if as_json:
        click.echo(output.as_json(found, indent=2), nl=False)
    elif found:
        click.echo("\n".join(aligned([HEAD, *map(_cells, found)])))
    else:
        raise click.ClickException(f"no zone or cloud region contains {query!r}")


def _row(zone: Zone) -> dict[str, Any]:
    factors = {basis: carbon.intensity(zone.id, basis) for basis in zone.bases}
    return {
        "id": zone.id,
        "name": zone.name,
        "kind": zone.kind,
        "factors": {
            basis: {"g_per_kwh": one.g_per_kwh, "year": one.year, "source": one.source}
            for basis, one in factors.items()
        },
    }


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    factors = row["factors"]
    values = (plain(factors[basis]["g_per_kwh"]) if basis in factors else "" for basis in ("life-cycle", "direct"))
    years = ", ".join(f"{one['year']}" for one in factors.values())
    return row["id"], row["name"], row["kind"], *values, years
