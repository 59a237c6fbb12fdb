"""`eco2ai-fast report RECORD...`: what runs cost, in the form that somebody asks for."""

from __future__ import annotations

from importlib import import_module

import click

from .. import carbon
from ..carbon.scope2 import Instrument
from ..footprint import Terms, with_terms
from ..report.overlap import host
from ..report.wording import line
from . import output, records

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    Record = dict[str, Any]

# The form, and the module that writes it.
FORMATS = {
    "text": "report.text",
    "json": "report.as_json",
    "md": "report.markdown",
    "hf": "export.huggingface",
    "boamps": "export.boamps",
    "eu-gpai": "export.eu_gpai",
    "esrs": "export.esrs",
    "sci": "export.sci",
}
GROUPED = ("text", "json", "md")
S_PER_YEAR = 365 * 86_400.0


@click.command("report")
@click.argument("paths", nargs=-1, required=True, metavar="RECORD...")
@click.option("-f", "--format", "form", type=click.Choice(tuple(FORMATS)), default="text", help="Default: text.")
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--by", type=click.Choice(("project", "stage", "host", "month")), help="Add many records up by this.")
@click.option("--unit", metavar="NAME=COUNT", help="What the runs served together: token=128000.")
@click.option("--instrument", "instruments", multiple=True, metavar="NAME=KWH@G", help="A contract's kWh at G g/kWh.")
@click.option("--residual", type=float, metavar="G", help="g/kWh of the residual mix, for what no contract covers.")
@click.option("--embodied-kg", type=float, metavar="KG", help="kgCO2e of making the hardware; with --lifetime-years.")
@click.option("--lifetime-years", type=float, metavar="YEARS", help="How long the hardware is used.")
@click.option("--embodied-share", type=float, default=1.0, metavar="SHARE", help="Part of the hardware in use, 0 to 1.")
@click.option(
    "--idle", "idle_path", metavar="RECORD", help="A run with the machine at rest: `run -o RECORD -- sleep 60`."
)
@click.option("-o", "--output", "path", metavar="FILE", help="Write there instead of to standard output.")
def command(
    paths: tuple[str, ...],
    *,
    form: str,
    as_json: bool,
    by: str | None,
    unit: str | None,
    instruments: tuple[str, ...],
    residual: float | None,
    embodied_kg: float | None,
    lifetime_years: float | None,
    embodied_share: float,
    idle_path: str | None,
    path: str | None,
) -> None:
    """Report what runs cost, from the records that `run -o FILE` or `to_record()` made.

    Runs that were on one host at one time have read the same meters: what both hold counts once, and the report says
    so. Options that only you can know make new figures; energies stay as they were recorded.

    \b
    eco2ai-fast report run.json                                 one run, in full
    eco2ai-fast report runs/*.json --by month                   many, added up
    eco2ai-fast report run.json --format sci --unit token=5e6   per functional unit
    """
    form = "json" if as_json else form
    if by and form not in GROUPED:
        raise click.UsageError(f"--by goes with --format {', '.join(GROUPED)}")
    try:
        found = records.read(paths)
        terms = {
            "embodied_kg": embodied_kg,
            "lifetime_s": None if lifetime_years is None else lifetime_years * S_PER_YEAR,
            "embodied_share": embodied_share,
        }
        found = _above_rest(found, records.read([idle_path])) if idle_path else found
        found = _with_terms(found, [_instrument(one) for one in instruments], residual, terms)
        text = _text(found, form, by, _unit(unit) if unit else None)
    except (KeyError, TypeError, AttributeError) as error:
        raise click.ClickException(f"a record is not as docs/record.md says: {error!r}") from None
    except ValueError as error:  # RecordError, FactorError
        raise click.ClickException(str(error)) from None
    if path:
        output.write(path, text)
    else:
        click.echo(text.encode("utf-8", "backslashreplace"), nl=False)
    if form == "boamps":
        _tell_beside(found)


def _tell_beside(found: Sequence[Record]) -> None:
    """What the form has no field for, or asks for and no tracker knows."""
    output.warn("to be filled in: taskFamily, algorithms, dataset; check confidentialityLevel and infraType")
    for text in dict.fromkeys(text for record in found for text in record["attribution"]):
        output.warn(f"goes with the intensity: {line(text, 500)}")


def _text(found: Sequence[Record], form: str, by: str | None, unit: tuple[str, float] | None) -> str:
    if not found:
        raise records.RecordError("there is no run in these files")
    if unit and len(found) == 1:
        found = [with_terms(found[0], Terms(functional_unit=unit))]
    write = import_module(f"eco2ai_fast.{FORMATS[form]}").text
    text: str = write(found, by) if form in GROUPED else write(found, unit) if form == "sci" else write(found)
    return text


def _with_terms(
    found: Sequence[Record], instruments: Sequence[Instrument], residual: float | None, terms: dict[str, Any]
) -> list[Record]:
    """Each record by the user's terms; what one run leaves of a contract is for the next."""
    made = []
    for record in found:
        new = with_terms(record, Terms(instruments=instruments, residual_g_per_kwh=residual, **terms))
        market = new["emissions"]["market_based"]
        if market:
            instruments = _left(instruments, market["covered_kwh"])
        made.append(new)
    return made


def _above_rest(found: Sequence[Record], rest: Sequence[Record]) -> list[Record]:
    """The records with the power at rest of their host; records of other hosts as they are."""
    by_host = {host(one): one for one in rest if one["energy_j"] is not None and one["duration_s"]}
    if not any(host(record) in by_host for record in found):
        raise records.RecordError("--idle: that run is of another host, or holds no energy")
    return [_with_rest(record, by_host.get(host(record))) for record in found]


def _with_rest(record: Record, rest: Record | None) -> Record:
    if rest is None:
        return record
    source = f"record {rest['id']}"
    terms = Terms(idle_energy_j=rest["energy_j"], idle_duration_s=rest["duration_s"], idle_source=source)
    return with_terms(record, terms)


def _left(instruments: Sequence[Instrument], used_kwh: float) -> list[Instrument]:
    left = []
    for one in instruments:
        taken_kwh = min(used_kwh, one.energy_kwh)
        used_kwh -= taken_kwh
        left.append(Instrument(one.name, one.energy_kwh - taken_kwh, one.g_per_kwh))
    return left


def _unit(text: str) -> tuple[str, float]:
    name, _, count = text.rpartition("=")
    if not name:
        raise ValueError(f"--unit {text}: write NAME=COUNT, token=128000")
    return name, _number(count, f"--unit {text}")


def _instrument(text: str) -> Instrument:
    """`wind=500@0`: 500 kWh of 0 g/kWh."""
    name, _, rest = text.rpartition("=")
    kwh, at, grams = rest.partition("@")
    if not name or not at:
        raise carbon.FactorError(f"--instrument {text}: write NAME=KWH@G, wind=500@0")
    return Instrument(name, _number(kwh, f"--instrument {text}"), _number(grams, f"--instrument {text}"))


def _number(text: str, where: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{where}: {text!r} is no number") from None
