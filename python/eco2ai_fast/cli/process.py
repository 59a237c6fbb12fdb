"""How CMD runs: in our process group, with streams, signals and exit code untouched, its CPU time counted.

A terminal gives its signals to the whole foreground group, so CMD has them already; what was sent to us alone is
passed on. While CMD runs, every signal waits in the queue for `sigwaitinfo`, which tells who sent it: no handler runs,
and Python's own are back in place afterwards. Orphans of CMD come to us instead of init, so that what they did can be
counted; nobody waits for those that live on.

What cannot be kept: SIGKILL and SIGSTOP for us alone do not reach CMD; what somebody sends to our whole group by
`kill -- -GROUP` reaches CMD twice; the parent that CMD and its orphans see are we.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from errno import ENOENT, ENOEXEC
from signal import Signals

from .._core import adopt_orphans
from ..process_tree import cpu_s, is_below, living_below

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from signal import struct_siginfo
    from types import TracebackType

# si_code of a signal that the kernel itself sent (`man 2 sigaction`).
SI_KERNEL = 0x80
# Left as they are: what cannot be caught, what a fault of our own raises, and what Python has its own way with.
_NOT_HELD = {
    Signals.SIGKILL, Signals.SIGSTOP, Signals.SIGSEGV, Signals.SIGBUS, Signals.SIGFPE, Signals.SIGILL,
    Signals.SIGTRAP, Signals.SIGSYS, Signals.SIGABRT, Signals.SIGXCPU, Signals.SIGXFSZ, Signals.SIGPIPE,
}  # fmt: skip
_HELD = signal.valid_signals() - _NOT_HELD
# What the kernel sends for a terminal goes to its whole foreground group ...
_OF_TERMINAL = {
    Signals.SIGINT, Signals.SIGQUIT, Signals.SIGTSTP, Signals.SIGTTIN, Signals.SIGTTOU, Signals.SIGWINCH,
}  # fmt: skip
# ... but a hangup to the session's leader alone, who is woken for it.
_OF_SESSION = {Signals.SIGHUP, Signals.SIGCONT}
# What people send to end a program.
_ENDING = {Signals.SIGINT, Signals.SIGTERM, Signals.SIGHUP, Signals.SIGQUIT}
# Python ignores these at its start; a child would inherit that.
_IGNORED_BY_PYTHON = (Signals.SIGPIPE, Signals.SIGXFSZ)


class Ended:
    """How a run of CMD ended.

    Attributes:
        exit_code: what a shell would show: CMD's own, 128 + n for signal n, 127 not found, 126 not executable.
        signal: the signal that killed CMD.
        error: why CMD could not be started.
        cpu_s: CPU time of CMD and all its descendants, those that live on included until now.
        left_running: how many of them live on.
        started: whether CMD ran at all.
        interrupted: whether somebody sent us a signal to end.
        interrupt_key: whether CMD was killed by the interrupt key of its terminal.
    """

    __slots__ = ("cpu_s", "error", "exit_code", "interrupt_key", "interrupted", "left_running", "signal", "started")

    def __init__(self, exit_code: int, *, error: str | None = None, interrupted: bool = False) -> None:
        # waitstatus_to_exitcode() says -n for signal n.
        self.exit_code = exit_code if exit_code >= 0 else 128 - exit_code
        self.signal = -exit_code if exit_code < 0 else None
        self.error = error
        self.interrupted = interrupted
        self.interrupt_key = False
        self.started = False
        self.cpu_s = 0.0
        self.left_running = 0


class Supervisor:
    """Runs commands, one at a time. As a context it holds signals back, from before any thread of ours starts."""

    def __init__(self) -> None:
        self.adopts_orphans = False
        self._child: int | None = None
        self._status: int | None = None
        self._is_stopped = False
        self._has_children = False
        self._reaped_s = 0.0
        self._interrupted = False
        self._interrupt_key = False

    def __enter__(self) -> Supervisor:
        # An inherited SIG_IGN would let the kernel throw exit codes away.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        # nohup, or a shell's background: whoever started us wants these to be ignored.
        self._ending = {one for one in _ENDING if signal.getsignal(one) is not signal.SIG_IGN}
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)
        self.adopts_orphans = adopt_orphans()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while signal.sigtimedwait(_HELD, 0):  # what came during CMD's last moments was meant for CMD
            pass
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)

    def run(self, argv: Sequence[str], every_s: float = 0.0, tick: Callable[[], object] | None = None) -> Ended:
        """Runs CMD to its end and calls `tick` every `every_s` meanwhile. Never raises for what CMD does or cannot."""
        waiting = self._ending & signal.sigpending()
        if waiting:
            return Ended(-min(waiting), interrupted=True)
        before_s, _ = self._account()
        try:
            self._child = _spawn(argv, self._mask)
        except OSError as error:
            return _not_started(error)
        code = os.waitstatus_to_exitcode(self._wait(every_s, tick))
        ended = Ended(code, interrupted=self._interrupted)
        ended.started = True
        ended.interrupt_key = self._interrupt_key and ended.signal == signal.SIGINT
        after_s, ended.left_running = self._account()
        ended.cpu_s = max(0.0, after_s - before_s)  # the ticks of a living process lag behind its rusage
        return ended

    def _wait(self, every_s: float, tick: Callable[[], object] | None) -> int:
        self._status = None
        self._is_stopped = False
        self._interrupted = self._interrupt_key = False
        next_s = time.monotonic() + every_s
        while self._status is None:
            info = _next_signal(None if tick is None else next_s - time.monotonic())
            if info is None:
                if tick is not None:
                    tick()
                next_s = max(next_s + every_s, time.monotonic())  # after a stop, once and not as often as it was missed
            elif info.si_signo == signal.SIGCHLD:
                self._reap()
            else:
                self._pass_on(info)
        return self._status

    def _account(self) -> tuple[float, int]:
        """CPU seconds of everything ever below us, and how many processes live there now."""
        self._reap()
        if not self._has_children:
            return self._reaped_s, 0
        living = living_below(os.getpid())
        alive = sum(1 for process in living if process.state != "Z")
        return self._reaped_s + cpu_s(living), alive

    def _reap(self) -> None:
        """Takes note of all children that ended or, CMD itself, stopped or went on."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG | os.WUNTRACED | os.WCONTINUED)
            except ChildProcessError:
                self._has_children = False
                return
            self._has_children = True
            if pid == 0:
                break
            if os.WIFEXITED(status) or os.WIFSIGNALED(status):
                self._reaped_s += usage.ru_utime + usage.ru_stime
            if pid == self._child:
                self._note(status)
        if self._is_stopped:  # we went on, and nobody has let CMD go on: a shell's `fg` would have reached the group
            self._send(signal.SIGCONT)

    def _note(self, status: int) -> None:
        """What became of CMD. When it stops we stop in the same way, so that the shell sees it."""
        self._is_stopped = os.WIFSTOPPED(status)
        if self._is_stopped:
            _stop_by(os.WSTOPSIG(status))
        elif not os.WIFCONTINUED(status):
            self._status = status
            self._child = None  # its id may be somebody else's from now on

    def _pass_on(self, info: struct_siginfo) -> None:
        """Gives CMD a signal that was meant for it and has not reached it."""
        if info.si_code == SI_KERNEL and _reached_group(info.si_signo):
            self._interrupted |= info.si_signo in self._ending
            self._interrupt_key |= info.si_signo == signal.SIGINT
        elif info.si_signo == signal.SIGCONT:
            pass  # has done its work: it let us go on, and so CMD (_reap)
        elif not is_below(info.si_pid, os.getpid()):  # else `kill 0` in a script: its group has it
            self._interrupted |= info.si_signo in self._ending
            self._send(info.si_signo)

    def _send(self, signo: int) -> None:
        if self._child is not None:
            with suppress(OSError):  # CMD has other rights than we have (sudo): so had it without us
                os.kill(self._child, signo)


def _stop_by(signo: int) -> None:
    """Stops this process by a signal that is held back or cannot be; returns when it is continued."""
    previous = None if signo == signal.SIGSTOP else signal.signal(signo, signal.SIG_DFL)
    # Sent while held back, it is one with what the terminal may have sent: we stop once.
    os.kill(os.getpid(), signo)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signo})
    signal.pthread_sigmask(signal.SIG_BLOCK, {signo} & _HELD)
    if previous is not None:
        signal.signal(signo, previous)


def _next_signal(wait_s: float | None) -> struct_siginfo | None:
    """The next signal; None if none came in time."""
    return signal.sigwaitinfo(_HELD) if wait_s is None else signal.sigtimedwait(_HELD, max(0.0, wait_s))


def die_of_interrupt() -> None:
    """Ends us as the interrupt key ended CMD. A shell shows 130 for both, but ends a script's loop only for this."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGINT)


def replace(argv: Sequence[str]) -> Ended:
    """Becomes CMD. Returns only if CMD cannot be started."""
    for signo in _IGNORED_BY_PYTHON:
        signal.signal(signo, signal.SIG_DFL)
    try:
        _refuse_nothing(argv)
        os.execvpe(argv[0], list(argv), given_environment())
    except OSError as error:
        return _not_started(error)


def _not_started(error: OSError) -> Ended:
    return Ended(127 if error.errno == ENOENT else 126, error=error.strerror)


def given_environment() -> dict[bytes, bytes]:
    """The environment as we got it: Python adds LC_CTYPE to its own in the C locale (PEP 538)."""
    try:
        with open("/proc/self/environ", "rb") as file:
            pairs = (entry.partition(b"=") for entry in file.read().split(b"\0"))
            return {name: value for name, equals, value in pairs if equals}
    except OSError:
        return dict(os.environb)


def _reached_group(signo: int) -> bool:
    return signo in _OF_TERMINAL or (signo in _OF_SESSION and os.getsid(0) != os.getpid())


def _spawn(argv: Sequence[str], mask: set[int]) -> int:
    environment = given_environment()
    _refuse_nothing(argv)
    try:
        return _posix_spawn(argv[0], argv, environment, mask)
    except OSError as error:
        path = _find(argv[0])
        if error.errno != ENOEXEC or path is None:
            raise
    # A script without #!, which execvp() and every shell give to sh (POSIX, exec).
    return _posix_spawn("/bin/sh", ["/bin/sh", path, *argv[1:]], environment, mask)


def _posix_spawn(file: str, argv: Sequence[str], environment: dict[bytes, bytes], mask: set[int]) -> int:
    return os.posix_spawnp(file, list(argv), environment, setsigmask=mask, setsigdef=_IGNORED_BY_PYTHON)


def _refuse_nothing(argv: Sequence[str]) -> None:
    """Python has an error of its own for an empty name, which a shell just does not find."""
    if not argv[0]:
        raise FileNotFoundError(ENOENT, os.strerror(ENOENT))


def _find(name: str) -> str | None:
    """The file that a command's name stands for."""
    if "/" in name:
        return name
    paths = (f"{folder or '.'}/{name}" for folder in os.get_exec_path())
    return next((path for path in paths if os.access(path, os.X_OK)), None)
