"""`eco2ai-fast doctor`: what can be measured here, what is modelled instead, and what helps."""

from __future__ import annotations

import click

from .. import carbon, settings
from .._core import EnergyError, Meter
from ..quantity import percent
from ..stopwatch import implicit_meter
from . import advice, host, output
from .table import aligned, intensity_lines, labelled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .._core import Domain, Finding

Z_95 = 1.96
_FINDING_KEYS = ("source", "domain", "availability", "detail")
_DOMAIN_KEYS = ("id", "kind", "source", "provenance", "counted", "parent", "reason", "detail", "sensor_rel")


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="The answer as JSON.")
def command(as_json: bool) -> None:
    """Say what can be measured on this machine, and why not the rest.

    Prints what would help and never does it. The exit code is 1 if nothing can be measured or modelled.
    """
    try:
        report = examine()
    except settings.SettingsError as error:
        raise click.ClickException(str(error)) from None
    click.echo(output.as_json(report, indent=2) if as_json else text(report), nl=False)
    raise SystemExit(0 if report["domains"] else 1)


def examine() -> dict[str, Any]:
    """Everything that doctor says. Raises SettingsError for a setting that cannot be used."""
    findings, domains, error = _meters()
    measured = [domain.id for domain in domains if domain.provenance == "measured"]
    machine = host.look(settings.resolve("sysroot")[0] or "")
    remedies = advice.remedies(findings, measured, machine)
    return {
        "error": error,
        "sources": [_plain(finding, _FINDING_KEYS) for finding in findings],
        "domains": [_plain(domain, _DOMAIN_KEYS) for domain in domains],
        "modelled": [domain.id for domain in domains if domain.provenance == "modelled"],
        "remedies": [_plain(remedy, ("title", "lines", "risk")) for remedy in remedies],
        "settings": {one.name: {"value": value, "origin": origin} for one, value, origin in settings.all_settings()},
        **_intensity(),
    }


def text(report: dict[str, Any]) -> str:
    """The report for a person."""
    lines = ["Sources"]
    lines += aligned([(one["source"], one["availability"], _place(one)) for one in report["sources"]])
    lines += ["", "Read here"]
    if report["domains"]:
        modelled = ", ".join(report["modelled"])
        lines += aligned([_domain_row(domain) for domain in report["domains"]])
        lines.append(f"  therefore modelled: {modelled}" if modelled else "  nothing is modelled")
    else:
        lines.append(f"  {report['error']}")
    lines += ["", "Grid and settings", *_settings_lines(report)]
    for remedy in report["remedies"]:
        lines += ["", remedy["title"], *(f"  {line}" for line in remedy["lines"]), *filter(None, [remedy["risk"]])]
    return "\n".join(lines) + "\n"


def _meters() -> tuple[list[Finding], list[Domain], str | None]:
    """What the process's own meter found; where the settings ask for a source that is not there, what else is."""
    try:
        meter = implicit_meter()
    except EnergyError as error:
        try:
            return Meter(sysroot=settings.resolve("sysroot")[0]).findings, [], str(error)
        except EnergyError:
            return [], [], str(error)
    return meter.findings, meter.domains, None


def _intensity() -> dict[str, Any]:
    try:
        return {"intensity": carbon.here().as_dict(), "intensity_error": None}
    except ValueError as error:  # SettingsError and FactorError
        return {"intensity": None, "intensity_error": str(error)}


def _plain(thing: object, keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: getattr(thing, key) for key in keys}


def _place(finding: dict[str, Any]) -> str:
    return f"{finding['domain']}: {finding['detail']}" if finding["domain"] else str(finding["detail"])


def _domain_row(domain: dict[str, Any]) -> tuple[str, ...]:
    error = f"+- {percent(Z_95 * domain['sensor_rel'])} (95 %)"
    remarks = [] if domain["counted"] else [f"in {domain['parent']}, not added" if domain["parent"] else "not added"]
    if domain["provenance"] == "modelled":
        remarks.append(domain["reason"])
    return domain["id"], domain["provenance"], domain["source"], error, "; ".join(remarks)


def _settings_lines(report: dict[str, Any]) -> list[str]:
    if report["intensity"] is None:
        rows = [("zone", report["intensity_error"])]
    else:
        found = report["intensity"]
        rows = labelled("zone", [*intensity_lines(found), f"found by: {found['found_by']}"])
    chosen = ((name, one) for name, one in report["settings"].items() if one["origin"] != "default")
    return aligned(rows + [(name, f"{one['value']} (from {one['origin']})") for name, one in chosen])
