"""A record as a person reads it: the table behind one run, and behind a series."""

from __future__ import annotations

from ..quantity import percent, si
from .table import aligned, command_line, duration, intensity_lines, joules, labelled, watt_hours

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    Record = Mapping[str, Any]

AT_REST, BEYOND_REST = "its share of the machine at rest", "its share of what the work added"
BY_CPU_TIME = "package and DRAM by CPU-time share, power at rest included"


def of_run(run: Record) -> str:
    """The table of one run."""
    lines = ["", f"eco2ai-fast: {command_line(run['command']['argv'])} ({_ending(run['command'])})"]
    lines += aligned([("duration", duration(run["duration_s"])), ("CPU time", _cpu_time(run["command"]))])
    lines += aligned(_energy_rows(run))
    lines += aligned([*_carbon_rows(run), *_trust_rows(run)])
    return "\n".join(lines) + "\n"


def of_series(series: Record) -> str:
    """The table of repeated runs: mean, interval, spread."""
    runs = series["runs"]
    warm = f" after {series['warmup']} to warm up" if series["warmup"] else ""
    short = f", {series['asked']} were asked for" if len(runs) < series["asked"] else ""
    lines = ["", f"eco2ai-fast: {command_line(series['argv'])} ({len(runs)} runs{warm}{short})"]
    rows: list[tuple[str, ...]] = [("", "mean", "+- (95 %)", "sd", "min .. max", "")]
    rows += [_spread_row(name, spread, runs) for name, spread in series["statistics"].items()]
    lines += aligned(rows)
    lines += aligned([*_carbon_rows(runs[0], grams=False), *_series_trust_rows(runs)])
    return "\n".join(lines) + "\n"


def _ending(command: Record) -> str:
    return f"exit code {command['exit_code']}" if command["signal"] is None else f"killed by signal {command['signal']}"


def _cpu_time(command: Record) -> str:
    text = f"{duration(command['cpu_s'])} of the command"
    if command["cpu_share"] is None:
        return f"{text}; its share is unknown: {command['share_error']}"
    text += f", {percent(command['cpu_share'])} of the {duration(command['busy_s'])} that the machine was busy"
    left = command["left_running"]
    return f"{text}; {left} of its processes still {'run' if left > 1 else 'runs'}" if left else text


def _energy_rows(run: Record) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("domain", "energy", "", "+- (95 %)", "provenance")]
    for domain in run["domains"]:
        origin = f"{domain['provenance']} ({domain['source']})"
        if not domain["counted"]:
            origin += f", in {domain['parent']}: not added" if domain["parent"] else ", not added"
        rows.append(_energy_row(domain["id"], domain, origin))
    rows.append(_energy_row("machine", run, _sum_origin(run)))
    command_j = run["command"]["energy_j"]
    if command_j is not None:
        rows.append(("command", joules(command_j), watt_hours(command_j), "", BY_CPU_TIME))
        rows += _static_rows(run["command"])
    return rows


def _static_rows(command: Record) -> list[tuple[str, ...]]:
    """The command's energy in its two parts, where the power at rest is known. Records of older versions have none."""
    static_j, dynamic_j = command.get("static_j"), command.get("dynamic_j")
    if static_j is None or dynamic_j is None:
        return []
    return [
        ("  static", joules(static_j), watt_hours(static_j), "", AT_REST),
        ("  dynamic", joules(dynamic_j), watt_hours(dynamic_j), "", BEYOND_REST),
    ]


def _energy_row(name: str, of: Record, origin: str) -> tuple[str, ...]:
    error = "" if of["uncertainty_j"] is None else si(of["uncertainty_j"], "J", 2)
    return name, joules(of["energy_j"]), watt_hours(of["energy_j"]), error, origin


def _sum_origin(run: Record) -> str:
    if run["energy_j"] is None:
        return "nothing could be read"
    return f"measured {joules(run['measured_j'])}, modelled {joules(run['modelled_j'])}"


def _carbon_rows(run: Record, *, grams: bool = True) -> list[tuple[str, str]]:
    if run["intensity"] is None:
        return [("CO2e", f"unknown: {run['carbon_error']}")]
    first, *others = intensity_lines(run["intensity"])
    lines = [f"{first}, PUE {run['pue']:g}", *others]
    return labelled("CO2e", [_grams(run), *lines]) if grams else labelled("CO2e by", lines)


def _grams(run: Record) -> str:
    if run["co2e_g"] is None:
        return "unknown"
    text = f"{si(run['co2e_g'], 'g')} of the machine"
    command_g = run["command"]["co2e_g"]
    return text if command_g is None else f"{text}, {si(command_g, 'g')} of the command"


def _trust_rows(run: Record) -> list[tuple[str, str]]:
    own = run["own_cost"]
    spent = "" if own["energy_j"] is None else f" ({si(own['energy_j'], 'J', 2)})"
    rows = [("coverage", "unknown" if run["coverage"] is None else percent(run["coverage"]))]
    meanwhile, in_all = si(own["cpu_s"], "s", 2), si(own["total_cpu_s"], "s", 2)
    return [*rows, ("own cost", f"{meanwhile} CPU{spent} meanwhile, {in_all} in all"), *_remarks(run)]


def _remarks(run: Record) -> list[tuple[str, str]]:
    missing = [("missing", f"{one['domain']}: {one['reason']}") for one in run["missing"]]
    return missing + [("note", note) for note in run["notes"]]


def _spread_row(name: str, spread: Record, runs: list[Record]) -> tuple[str, ...]:
    label, unit, remark = _column(name, runs[0])
    if spread["n"] < len(runs):
        remark = ", ".join(filter(None, [remark, f"known in {spread['n']} of {len(runs)} runs"]))
    error, sd = ("" if spread[key] is None else si(spread[key], unit, 2) for key in ("ci95", "sd"))
    return label, si(spread["mean"], unit), error, sd, f"{si(spread['min'], unit)} .. {si(spread['max'], unit)}", remark


def _column(name: str, run: Record) -> tuple[str, str, str]:
    """Label, unit and remark of a figure of a series."""
    domains = {f"domains.{domain['id']}.energy_j": domain for domain in run["domains"]}
    if name in domains:
        domain = domains[name]
        return domain["id"], "J", f"{domain['provenance']} ({domain['source']})"
    return {
        "duration_s": ("duration", "s", ""),
        "energy_j": ("machine", "J", "sum of the counted domains"),
        "co2e_g": ("CO2e", "g", "of the machine"),
        "command.cpu_s": ("CPU time", "s", "of the command"),
        "command.energy_j": ("command", "J", BY_CPU_TIME),
        "command.static_j": ("  static", "J", AT_REST),
        "command.dynamic_j": ("  dynamic", "J", BEYOND_REST),
    }[name]


def _series_trust_rows(runs: list[Record]) -> list[tuple[str, str]]:
    lines = ["of the mean over the runs (Student's t)"]
    known = [run["uncertainty_j"] / run["energy_j"] for run in runs if run["energy_j"]]
    if known:
        lines.append(
            f"the error of one run's energy, {percent(max(known))} (95 %), is mostly the same in all and not in it"
        )
    seen = dict.fromkeys(remark for run in runs for remark in _remarks(run))
    return [*labelled("interval", lines), *seen]
