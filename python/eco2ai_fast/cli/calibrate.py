"""`eco2ai-fast calibrate`: what this machine draws at rest and at full load, kept for every later estimate."""

from __future__ import annotations

import json

import click

from .. import calibration, settings
from .._core import EnergyError, Meter

# A quarter before each half is for settling: with 24 s a half, the whole takes a minute.
DEFAULT_S = 24.0


@click.command("calibrate")
@click.option("--idle", "idle_w", type=float, metavar="W", help="What a wattmeter shows with the machine at rest.")
@click.option("--full", "full_w", type=float, metavar="W", help="What it shows with every core busy.")
@click.option(
    "--seconds", type=float, default=DEFAULT_S, show_default=True, metavar="S", help="How long to measure each."
)
@click.option("--show", is_flag=True, help="Show what is kept for this machine.")
@click.option("--forget", is_flag=True, help="Remove what is kept for this machine.")
@click.option("--json", "as_json", is_flag=True, help="The answer as JSON.")
def command(
    *, idle_w: float | None, full_w: float | None, seconds: float, show: bool, forget: bool, as_json: bool
) -> None:
    """Measure this machine at rest and at full load, and keep both for where no meter can be read.

    Where a processor's meter can be read, this takes a minute: leave the machine alone meanwhile. Where none can, read
    a wattmeter at the plug twice and give both figures. They are the whole computer's, less the power of GPUs that have
    a meter of their own.
    """
    try:
        if show or forget:
            _answer(*(_shown() if show else _forgotten()), as_json)
        else:
            found = _given(idle_w, full_w) or _measured(seconds)
            where = calibration.save(found)
            _answer(f"{_line(found)}\nkept in {where}", found.as_dict() | {"path": where}, as_json)
    except (calibration.CalibrationError, EnergyError) as error:
        raise click.ClickException(str(error)) from None


def _given(idle_w: float | None, full_w: float | None) -> calibration.Calibration | None:
    if idle_w is None and full_w is None:
        return None
    if idle_w is None or full_w is None:
        raise click.UsageError("give both: --idle W --full W")
    return calibration.Calibration(idle_w, full_w, "wall", "wattmeter")


def _measured(seconds: float) -> calibration.Calibration:
    sources = settings.resolve("sources")[0]
    return calibration.measure(Meter(sources=sources), calibration.full_load, seconds)


def _shown() -> tuple[str, dict[str, object] | None]:
    found = calibration.load()
    if found is None:
        return "this machine is not calibrated", None
    return f"{_line(found)}\nkept in {calibration.path()}", found.as_dict()


def _forgotten() -> tuple[str, dict[str, object]]:
    was_there = calibration.forget()
    return ("forgotten" if was_there else "there was nothing to forget"), {"forgotten": was_there}


def _line(found: calibration.Calibration) -> str:
    return f"{found.idle_w:.4g} W at rest, {found.full_w:.4g} W at full load, {found.describe()}"


def _answer(text: str, document: object, as_json: bool) -> None:
    click.echo(json.dumps(document) if as_json else text)
