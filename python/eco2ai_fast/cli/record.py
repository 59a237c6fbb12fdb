"""`eco2ai-fast record --out FILE`: writes the machine's energy curves to a trace file, for `join` and for you."""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from contextlib import suppress
from threading import Event, Thread

import click

from .. import settings
from .._core import EnergyError
from ..meter import Meter
from . import output
from .process import Supervisor, die_of_interrupt, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from ..traces import Recorder
    from .process import Ended

# What a SIGKILL can cost at most.
FLUSH_S = 1.0
# Requests are shorter than the 100 ms of a meter's own rate.
RATE_HZ = 100.0
_ENDING = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


@click.command("record", context_settings={"allow_interspersed_args": False})
@click.option("--out", "path", required=True, metavar="FILE", help="The trace file.")
@click.option("--rate", "rate_hz", type=float, default=RATE_HZ, metavar="HZ", help="Readings a second; 100.")
@click.option("--seconds", type=float, metavar="N", help="Record for so long.")
@click.option("--pid", type=int, metavar="PID", help="Record until this process ends.")
@click.argument("argv", nargs=-1, type=click.UNPROCESSED, metavar="[--] [CMD [ARG]...]")
def command(argv: tuple[str, ...], *, path: str, rate_hz: float, seconds: float | None, pid: int | None) -> None:
    """Record the machine's energy curves while CMD runs, until PID ends, for N seconds, or until interrupted.

    CMD keeps the terminal, the standard streams, its signals and its exit code, as with `run`. Each second a chunk is
    appended, so that the file is whole up to the last second however the recorder ends.
    """
    if (bool(argv), seconds is not None, pid is not None).count(True) > 1:
        raise click.UsageError("give CMD, --pid or --seconds, one of them")
    if not 0 < rate_hz < float("inf"):
        raise click.UsageError(f"--rate must be above 0, not {rate_hz:g}")
    if seconds is not None and not seconds > 0:
        raise click.UsageError(f"--seconds must be above 0, not {seconds:g}")
    if settings.disabled():
        if argv:
            _end(replace(argv), argv)
        return
    reason = output.why_not_writable(path)
    if reason:
        raise click.UsageError(f"cannot write the trace: {reason}")
    if argv:
        _end(_beside(argv, path, rate_hz), argv)
    elif not _alone(path, rate_hz, seconds, pid):
        sys.exit(1)


class _Recording:
    """A meter that samples, and a thread that writes; what goes wrong with the file is told at the end."""

    def __init__(self, path: str, rate_hz: float) -> None:
        self._path = path
        self._meter = Meter(rate_hz=rate_hz)
        self._rate_hz = rate_hz
        self._ended = Event()
        self._error: OSError | None = None

    def __enter__(self) -> _Recording:
        from ..traces import Recorder

        self._meter.start()
        self._recorder: Recorder = Recorder(self._meter, self._path, self._rate_hz)
        self._thread = Thread(target=self._write, name="eco2ai-fast record", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._meter.tick()  # slow meters were last read up to a tenth of a second ago, within what was to be recorded
        self._ended.set()
        self._thread.join()
        self._meter.stop()
        if self._error is not None:
            output.warn(f"the trace in {self._path} is not whole: {self._error.strerror}")

    @property
    def is_whole(self) -> bool:
        return self._error is None

    def _write(self) -> None:
        try:
            while not self._ended.wait(FLUSH_S):
                self._recorder.flush()
            self._recorder.close()
        except OSError as error:
            self._error = error


def _beside(argv: tuple[str, ...], path: str, rate_hz: float) -> Ended:
    with Supervisor() as supervisor:  # signals are held back before any thread of ours starts
        try:
            recording = _Recording(path, rate_hz).__enter__()
        except (EnergyError, OSError) as error:
            raise click.UsageError(str(error)) from None
        try:
            return supervisor.run(argv)
        finally:
            recording.__exit__(None, None, None)


def _end(ended: Ended, argv: tuple[str, ...]) -> None:
    if ended.error:
        output.warn(f"{argv[0]}: {ended.error}")
    if ended.interrupt_key:
        die_of_interrupt()
    sys.exit(ended.exit_code)


def _alone(path: str, rate_hz: float, seconds: float | None, pid: int | None) -> bool:
    """Records until the time is over, the process has ended, or somebody sends a signal to end."""
    watched = None
    if pid is not None:
        try:
            watched = os.pidfd_open(pid)
        except OSError as error:
            raise click.UsageError(f"process {pid}: {error.strerror}") from None
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        with _Recording(path, rate_hz) as recording:
            _wait(seconds, watched)
    except (EnergyError, OSError) as error:
        raise click.UsageError(str(error)) from None
    return recording.is_whole


def _wait(seconds: float | None, watched: int | None) -> None:
    end_s = None if seconds is None else time.monotonic() + seconds
    while True:
        left_s = FLUSH_S if end_s is None else end_s - time.monotonic()
        if left_s <= 0 or signal.sigtimedwait(_ENDING, min(left_s, 0.1 if watched is not None else FLUSH_S)):
            return
        with suppress(InterruptedError):
            if watched is not None and select.select([watched], [], [], 0)[0]:
                return
