"""How `eco2ai-fast run` measures a program: before it, beside it, and what is told of it."""

from __future__ import annotations

import time

from .. import settings
from .._core import EnergyError
from ..bins import BIN_S
from ..carbon import here
from ..footprint import Terms
from ..process_tree import busy_s
from ..record import Run, of_run
from ..stopwatch import implicit_meter, measure
from . import output
from .process import Ended, Supervisor, die_of_interrupt, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .._core import Readout
    from ..measurement import Measurement
    from .plain import Options

    # A run's measurement, what is known of it beside that, and the readings in between.
    Measured = tuple[Measurement, Run, list[Readout]]

NO_SUBREAPER = "the system has no child subreaper: what processes did whose parent ended before them is not counted"


class WrongUsage(Exception):
    """The command line or a setting is wrong, and CMD was not run."""


def run(argv: tuple[str, ...], options: Options) -> int:
    """Runs CMD, tells what it cost, and returns CMD's exit code. Raises WrongUsage before CMD is run."""
    if settings.disabled():
        ended = replace(argv)  # comes back only if CMD could not be started
        _tell_error(argv, ended)
        return ended.exit_code
    _check(options)
    window = measure(argv[0], zone=options.zone, pue=options.pue)
    ended, measured = _run_all(argv, window, options.warmup, options.repeat)
    if measured:
        try:
            _report(_document(argv, measured, options), options)
        except (Exception, KeyboardInterrupt) as error:  # CMD has ended: its exit code stands whatever happens to us
            output.warn(f"no record: {error!r}")
    if ended.interrupt_key:
        die_of_interrupt()
    return ended.exit_code


def _check(options: Options) -> None:
    """Finds what is wrong with our side before CMD is run."""
    try:
        here(options.zone)
        settings.resolve("pue", options.pue)
        for name in settings.SETTINGS:
            settings.resolve(name)
    except ValueError as error:  # SettingsError and FactorError
        raise WrongUsage(str(error)) from None
    reason = options.path and output.why_not_writable(options.path)
    if reason:
        raise WrongUsage(f"cannot write the record: {reason}")


def _run_all(argv: Sequence[str], window: measure, warmup: int, repeat: int) -> tuple[Ended, list[Measured]]:
    """The last run's end, and the measured runs. The first that fails is the last, and no part of a series."""
    measured = []
    with Supervisor() as supervisor:
        _look_for_meters()
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


def _look_for_meters() -> None:
    """Before CMD is run, to warm up too: a source that the settings ask for may not be there."""
    try:
        implicit_meter()
    except EnergyError as error:
        if settings.resolve("sources")[1] != "default":  # else nothing can be measured, which the record says
            raise WrongUsage(str(error)) from None


def _measured(supervisor: Supervisor, argv: Sequence[str], window: measure) -> tuple[Ended, Measured]:
    laps: list[Readout | None] = []
    busy_before_s = busy_s()
    with window as measurement:
        own_s = time.process_time()
        ended = supervisor.run(argv, BIN_S, lambda: laps.append(window._lap()))
    own_total_s, busy_after_s = time.process_time(), busy_s()
    run = Run(
        argv,
        exit_code=ended.exit_code,
        signal=ended.signal,
        cpu_s=ended.cpu_s,
        left_running=ended.left_running,
        busy_s=None if busy_before_s is None or busy_after_s is None else busy_after_s - busy_before_s,
        own_cpu_s=own_total_s - own_s,
        own_total_cpu_s=own_total_s,
        notes=() if supervisor.adopts_orphans else (NO_SUBREAPER,),
    )
    return ended, (measurement, run, [lap for lap in laps if lap])


def _tell_error(argv: Sequence[str], ended: Ended) -> None:
    if ended.error:
        output.warn(f"{argv[0]}: {ended.error}")


def _document(argv: Sequence[str], measured: list[Measured], options: Options) -> dict[str, Any]:
    terms = Terms(project=options.project, stage=options.stage)
    records = [of_run(measurement, run, terms, laps) for measurement, run, laps in measured]
    if options.repeat == 1:
        return records[0]
    from . import series

    return series.of_runs(argv, records, asked=options.repeat, warmup=options.warmup)


def _report(document: dict[str, Any], options: Options) -> None:
    """Shows the record, and writes it: if that fails, it has been seen at least."""
    if not options.quiet:
        output.say(output.as_json(document) if options.as_json else _table(document))
    if options.path:
        output.write(options.path, output.as_json(document, indent=2))


def _table(document: dict[str, Any]) -> str:
    from . import summary

    return summary.of_run(document) if document["kind"] == "run" else summary.of_series(document)
