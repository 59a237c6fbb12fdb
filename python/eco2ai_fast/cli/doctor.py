"""`eco2ai-fast doctor`: what can be measured here, what is modelled instead, and what helps."""

from __future__ import annotations

import os

import click

from .. import carbon, settings
from .._core import EnergyError, cross_check, findings
from ..quantity import percent, si
from ..stopwatch import implicit_meter
from . import gpu_findings, gpu_referee, host, output, rights
from .table import aligned, intensity_lines, labelled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .._core import Domain, Finding

Z_95 = 1.96
OWN_FIGURES = "Your own figures make the model better: eco2ai-fast config set cpu_idle_w W, cpu_max_w, ram_w"
_FINDING_KEYS = ("source", "domain", "availability", "detail")
_DOMAIN_KEYS = ("id", "kind", "source", "provenance", "counted", "parent", "reason", "detail", "sensor_rel")


@click.command("doctor")
@click.option("--cross-check", "compare", is_flag=True, help="Read every route to each domain and compare them.")
@click.option("--json", "as_json", is_flag=True, help="The answer as JSON.")
def command(compare: bool, as_json: bool) -> None:
    """Say what can be measured on this machine, and why not the rest.

    Prints what would help and never does it. The exit code is 1 if nothing can be measured or modelled.
    """
    try:
        report = examine(compare=compare)
    except settings.SettingsError as error:
        raise click.ClickException(str(error)) from None
    click.echo(output.as_json(report, indent=2) if as_json else text(report), nl=False)
    raise SystemExit(0 if report["domains"] else 1)


def examine(*, compare: bool = False) -> dict[str, Any]:
    """Everything that doctor says. Raises SettingsError for a setting that cannot be used."""
    found, domains, error = _meters()
    measured = [domain.id for domain in domains if domain.provenance == "measured"]
    sysroot = settings.resolve("sysroot")[0]
    gpu_sources, gpu_domains = gpu_findings.examine()
    return {
        "error": error,
        "sources": [*(_plain(finding, _FINDING_KEYS) for finding in found), *gpu_sources],
        "domains": [*(_plain(domain, _DOMAIN_KEYS) for domain in domains), *gpu_domains],
        "modelled": [domain.id for domain in domains if domain.provenance == "modelled"],
        "remedies": _remedies(found, measured, sysroot or ""),
        "cross_check": [*_compared(sysroot), *gpu_referee.compare()] if compare else None,
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
    if report["cross_check"] is not None:
        lines += ["", "Routes beside each other", *_cross_check_lines(report["cross_check"])]
    for remedy in report["remedies"]:
        lines += ["", remedy]
    if report["modelled"]:
        lines += ["", OWN_FIGURES]
    return "\n".join(lines) + "\n"


def _meters() -> tuple[list[Finding], list[Domain], str | None]:
    """What the process's own meter found; where there is none, what was looked for all the same."""
    try:
        meter = implicit_meter()
    except EnergyError as error:
        return findings(sysroot=settings.resolve("sysroot")[0]), [], str(error)
    return meter.findings, meter.domains, None


def _remedies(found: list[Finding], measured: list[str], prefix: str) -> list[str]:
    machine = host.look(prefix)
    return rights.advice(
        found,
        uid=os.geteuid(),
        paranoid=machine.paranoid,
        capabilities=rights.capabilities(machine.status),
        in_container=machine.in_container,
        is_virtual=machine.is_virtual,
        measured=measured,
    )


def _compared(sysroot: str | None) -> list[dict[str, Any]]:
    """Every domain that more than one route reads: what each shows, and whether they agree."""
    return [
        {
            "id": one.id,
            "agrees": one.agrees,
            "routes": [_plain(route, ("source", "power_w", "bound_w", "detail")) for route in one.routes],
        }
        for one in cross_check(sysroot=sysroot)
    ]


def _cross_check_lines(compared: list[dict[str, Any]]) -> list[str]:
    if not compared:
        return ["  no domain has more than one route here"]
    rows = []
    for one in compared:
        verdict = "agree" if one["agrees"] else "DISAGREE"
        shown = [f"{route['source']} {_watts(route)}" for route in one["routes"]]
        rows.append((one["id"], verdict, ", ".join(shown)))
    return aligned(rows)


def _watts(route: dict[str, Any]) -> str:
    if route["power_w"] is None:
        return "unreadable"
    return f"{si(route['power_w'], 'W')} +- {si(route['bound_w'], 'W', 2)}"


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
        remarks.append(domain["detail"])
    return domain["id"], domain["provenance"], domain["source"], error, "; ".join(remarks)


def _settings_lines(report: dict[str, Any]) -> list[str]:
    if report["intensity"] is None:
        rows = [("zone", report["intensity_error"])]
    else:
        found = report["intensity"]
        rows = labelled("zone", [*intensity_lines(found), f"found by: {found['found_by']}"])
    chosen = ((name, one) for name, one in report["settings"].items() if one["origin"] != "default")
    return aligned(rows + [(name, f"{one['value']} (from {one['origin']})") for name, one in chosen])
