"""`eco2ai-fast join RESULT --trace FILE`: joules for each request of a benchmark that has ended."""

from __future__ import annotations

import click

from . import output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..joining import Joined

_SPREAD = ("mean", "bound", "p50", "p95", "p99")


@click.command("join")
@click.argument("results", nargs=-1, required=True, metavar="RESULT...")
@click.option("--trace", "trace", required=True, metavar="FILE", help="What `eco2ai-fast record` wrote meanwhile.")
@click.option("--split", default="equal", metavar="HOW", help="equal, tokens, or BEFORE:AFTER weights.")
@click.option("--idle", metavar="W", help='Power of the idle machine in watts, or "rest": while no request ran.')
@click.option("--warmup", type=click.IntRange(0), default=0, metavar="K", help="Leave the first K requests out.")
@click.option("--clock", metavar="CLOCK", help="Of JSON lines and CSV: monotonic_ns, seconds or utc.")
@click.option("--zone", metavar="ZONE", help="Grid zone: FR, FRA, France.")
@click.option("--requests", "path", metavar="FILE", help="Write a row for each request to FILE, as CSV.")
@click.option("--json", "as_json", is_flag=True, help="The result as one line of JSON.")
def command(
    results: tuple[str, ...],
    *,
    trace: str,
    split: str,
    idle: str | None,
    warmup: int,
    clock: str | None,
    zone: str | None,
    path: str | None,
    as_json: bool,
) -> None:
    """Tell the joules of each request in RESULT, a detailed result of vLLM's benchmark, JSON lines or CSV.

    Several RESULTs are of clients that ran at the same time. Requests that overlap share the energy of each instant;
    their parts and what nobody used add up to the trace.
    """
    from ..joining import join

    try:
        joined = join(
            results, trace, split=_split(split), idle=_idle(idle), zone=zone, warmup=warmup, clock=clock
        )  # fmt: skip
        if path:
            output.write(path, _csv(joined))
    except (ValueError, OSError) as error:  # Mismatch, LogError, TraceError, FactorError
        raise click.ClickException(str(error)) from None
    click.echo(output.as_json(_document(joined)) if as_json else f"{joined!r}\n", nl=False)


def _split(text: str) -> str | tuple[float, float]:
    before, colon, after = text.partition(":")
    return (_number(before, "--split"), _number(after, "--split")) if colon else text


def _idle(text: str | None) -> float | str | None:
    return text if text is None or text == "rest" else _number(text, "--idle")


def _number(text: str, option: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise click.UsageError(f"{option}: {text!r} is no number") from None


def _document(joined: Joined) -> dict[str, Any]:
    report = joined.report
    spreads = ("energy_j", "net_j", "prefill_j", "decode_j", "latency_s", "first_output_s")
    numbers = (
        "units", "per_unit_j", "per_unit_bound_j", "net_per_unit_j", "units_per_j", "units_per_s", "whole_j", "rest_j",
        "unfinished_j", "idle_w", "idle_j", "net_rest_j", "unfinished_net_j",
    )  # fmt: skip
    return {
        "schema_version": 1,
        "kind": "join",
        "requests": report.requests,
        "unit": report.unit,
        "flags": joined.flagged(),
        **{name: _spread(getattr(report, name)) for name in spreads},
        **{name: _known(getattr(report, name)) for name in numbers},
        "co2e_g_per_1000": joined.co2e_g_per_1000,
        "pue": joined.pue,
        "intensity": None if joined.intensity is None else joined.intensity.as_dict(),
        "trace": {
            "host": joined.trace.head["host"],
            "start_ns": joined.trace.start_ns,
            "end_ns": joined.trace.end_ns,
            "is_complete": joined.trace.is_complete,
        },
        "notes": list(joined.notes),
    }


def _spread(spread: Any) -> dict[str, float | None]:
    return {name: _known(getattr(spread, name)) for name in _SPREAD}


def _known(value: float | None) -> float | None:
    """JSON has no not-a-number."""
    return value if value is not None and value == value else None


def _csv(joined: Joined) -> str:
    from ..joining import FLAGS

    names = [name for name in joined.rows.dtype.names or () if name != "flag"]
    lines = [",".join([*names, "flag"])]
    for row in joined.rows:
        values = ("" if row[name] != row[name] else f"{row[name]}" for name in names)
        lines.append(",".join([*values, FLAGS[row["flag"]]]))
    return "\n".join(lines) + "\n"
