"""`eco2ai-fast run -- CMD`: runs a program and tells what it cost."""

from __future__ import annotations

import sys
import time

import click

from .. import carbon, process_tree, settings
from .._core import EnergyError
from ..bins import BIN_S
from ..footprint import Terms
from ..record import Run, of_run
from ..stopwatch import measure
from . import output
from .process import Ended, Supervisor, die_of_interrupt, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .._core import Readout
    from ..measurement import Measurement

    # A run's measurement, what is known of it beside that, and the readings in between.
    Measured = tuple[Measurement, Run, list[Readout]]

NO_SUBREAPER = "the system has no child subreaper: what processes did whose parent ended before them is not counted"


@click.command("run", context_settings={"allow_interspersed_args": False})
@click.option("--zone", metavar="ZONE", help="Grid zone: FR, FRA, France.")
@click.option("--pue", type=float, metavar="PUE", help="Energy of the data centre over that of its computers, from 1.")
@click.option("--project", metavar="NAME", help="Label that `report` adds up by.")
@click.option("--stage", metavar="NAME", help="Label of the kind of work: training, inference, ...")
@click.option("--repeat", type=click.IntRange(1), default=1, metavar="N", help="Run CMD N times and show the spread.")
@click.option("--warmup", type=click.IntRange(0), default=0, metavar="K", help="Run CMD K times before, unmeasured.")
@click.option("--json", "as_json", is_flag=True, help="The record as one line of JSON instead of the table.")
@click.option("-o", "--output", "path", metavar="FILE", help="Write the record as JSON to FILE too.")
@click.option("-q", "--quiet", is_flag=True, help="Show nothing; for use with -o.")
@click.argument("argv", nargs=-1, required=True, type=click.UNPROCESSED, metavar="[--] CMD [ARG]...")
def command(
    argv: tuple[str, ...],
    *,
    zone: str | None,
    pue: float | None,
    project: str | None,
    stage: str | None,
    repeat: int,
    warmup: int,
    as_json: bool,
    path: str | None,
    quiet: bool,
) -> None:
    """Run CMD and show what it cost, on standard error.

    CMD keeps the terminal, the standard streams and its signals. The exit code is CMD's own: 128 + n if signal n
    killed it, 127 if it was not found, 126 if it could not be executed; 2 if this command line is wrong, and CMD was
    not run. A series ends with the first run that fails.

    With ECO2AI_FAST_DISABLE=1 CMD is run and nothing else happens.
    """
    if settings.disabled():
        ended = replace(argv)  # comes back only if CMD could not be started
        _tell_error(argv, ended)
        sys.exit(ended.exit_code)
    _check(zone, pue, path)
    window = measure(argv[0], zone=zone, pue=pue)
    ended, measured = _run_all(argv, window, warmup, repeat)
    if measured:
        try:
            terms = Terms(project=project, stage=stage)
            _report(_document(argv, measured, terms, warmup, repeat), as_json=as_json, path=path, quiet=quiet)
        except (Exception, KeyboardInterrupt) as error:  # CMD has ended: its exit code stands whatever happens to us
            output.warn(f"no record: {error!r}")
    if ended.interrupt_key:
        die_of_interrupt()
    sys.exit(ended.exit_code)


def _check(zone: str | None, pue: float | None, path: str | None) -> None:
    """Finds what is wrong with our side before CMD is run."""
    try:
        carbon.here(zone)
        settings.resolve("pue", pue)
        for name in settings.SETTINGS:
            settings.resolve(name)
    except ValueError as error:  # SettingsError and FactorError
        raise click.UsageError(str(error)) from None
    reason = path and output.why_not_writable(path)
    if reason:
        raise click.UsageError(f"cannot write the record: {reason}")


def _run_all(argv: Sequence[str], window: measure, warmup: int, repeat: int) -> tuple[Ended, list[Measured]]:
    """The last run's end, and the measured runs. The first that fails is the last, and no part of a series."""
    measured = []
    with Supervisor() as supervisor:
        for number in range(warmup + repeat):
            if number < warmup:
                ended = supervisor.run(argv)
            else:
                ended, one = _measured(supervisor, argv, window)
                if ended.started and (ended.exit_code == 0 or repeat == 1):
                    measured.append(one)
            if ended.exit_code or ended.interrupted:
                break
    _tell_error(argv, ended)
    if warmup + repeat > 1 and ended.exit_code:
        output.warn(f"run {number + 1} of {warmup + repeat} ended with exit code {ended.exit_code}: no more runs")
    return ended, measured


def _measured(supervisor: Supervisor, argv: Sequence[str], window: measure) -> tuple[Ended, Measured]:
    laps: list[Readout | None] = []
    busy_s = process_tree.busy_s()
    try:
        with window as measurement:
            own_s = time.process_time()
            ended = supervisor.run(argv, BIN_S, lambda: laps.append(window._lap()))
    except EnergyError as error:  # raised at the begin alone: a source that the settings ask for is not there
        raise click.UsageError(str(error)) from None
    own_total_s, busy_end_s = time.process_time(), process_tree.busy_s()
    run = Run(
        argv,
        exit_code=ended.exit_code,
        signal=ended.signal,
        cpu_s=ended.cpu_s,
        left_running=ended.left_running,
        busy_s=None if busy_s is None or busy_end_s is None else busy_end_s - busy_s,
        own_cpu_s=own_total_s - own_s,
        own_total_cpu_s=own_total_s,
        notes=() if supervisor.adopts_orphans else (NO_SUBREAPER,),
    )
    return ended, (measurement, run, [lap for lap in laps if lap])


def _tell_error(argv: Sequence[str], ended: Ended) -> None:
    if ended.error:
        output.warn(f"{argv[0]}: {ended.error}")


def _document(argv: Sequence[str], measured: list[Measured], terms: Terms, warmup: int, repeat: int) -> dict[str, Any]:
    records = [of_run(measurement, run, terms, laps) for measurement, run, laps in measured]
    if repeat == 1:
        return records[0]
    from . import series

    return series.of_runs(argv, records, asked=repeat, warmup=warmup)


def _report(document: dict[str, Any], *, as_json: bool, path: str | None, quiet: bool) -> None:
    """Shows the record, and writes it: if that fails, it has been seen at least."""
    if not quiet:
        output.say(output.as_json(document) if as_json else _table(document))
    if path:
        output.write(path, output.as_json(document, indent=2))


def _table(document: dict[str, Any]) -> str:
    from . import summary

    return summary.of_run(document) if document["kind"] == "run" else summary.of_series(document)
