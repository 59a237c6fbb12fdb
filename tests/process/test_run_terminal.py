"""`run` in a terminal: its keys reach CMD exactly once, a stopped job goes on, a hangup ends it."""

from __future__ import annotations

import fcntl
import os
import pty
import shutil
import signal
import subprocess
import sys
import termios
import textwrap
from collections.abc import Iterator

import pytest

# Counts signals until a line is typed; what comes twice has come by then.
COUNTER = textwrap.dedent(
    """
    import signal, sys
    seen = []
    for name in ("SIGINT", "SIGQUIT", "SIGWINCH", "SIGCONT"):
        signal.signal(getattr(signal, name), lambda number, frame: seen.append(signal.Signals(number).name))
    def tell():  # Python runs pending handlers on the way into a function
        told = ",".join(seen) or "none"
        seen.clear()
        print(told, flush=True)
    print("ready", flush=True)
    for line in iter(sys.stdin.readline, "end\\n"):
        tell()
    """
)
# What a shell with job control does: a group of its own in the foreground, and `fg` as soon as it stops.
SHELL = textwrap.dedent(
    """
    import os, signal, sys
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    job = os.fork()
    if not job:
        os.setpgid(0, 0)
        os.tcsetpgrp(0, os.getpid())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        os.execv(sys.argv[1], sys.argv[1:])
    while True:
        _, status = os.waitpid(job, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            sys.exit(os.waitstatus_to_exitcode(status))
        os.tcsetpgrp(0, os.getpgrp())
        print("stopped by", os.WSTOPSIG(status), flush=True)
        sys.stdin.readline()
        os.tcsetpgrp(0, job)
        os.killpg(job, signal.SIGCONT)
    """
)
MEASURED = [sys.executable, "-m", "eco2ai_fast.cli", "run", "-q", "--", sys.executable, "-c", COUNTER]
IN_SHELL = [sys.executable, "-c", SHELL, *MEASURED]


class Terminal:
    """A program in a terminal of its own, as the leader of its session."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self.leader, follower = pty.openpty()
        modes = termios.tcgetattr(follower)
        modes[3] &= ~termios.ECHO
        termios.tcsetattr(follower, termios.TCSANOW, modes)

        def take() -> None:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        streams = {"stdin": follower, "stdout": follower, "stderr": follower}
        self.process = subprocess.Popen(command, env=environment, start_new_session=True, preexec_fn=take, **streams)
        os.close(follower)
        self.screen = os.fdopen(os.dup(self.leader), encoding="utf-8", newline="\n")

    def line(self) -> str:
        return self.screen.readline().rstrip("\r\n")

    def type(self, keys: str) -> None:
        os.write(self.leader, keys.encode())

    def close(self) -> None:
        self.screen.close()
        os.close(self.leader)


@pytest.fixture
def terminal(cli) -> Iterator[object]:
    opened = []

    def open_terminal(command: list[str]) -> Terminal:
        opened.append(Terminal(command, cli.environment))
        assert opened[-1].line() == "ready"
        return opened[-1]

    yield open_terminal
    for one in opened:
        one.process.kill()
        one.process.wait()


@pytest.mark.parametrize("command", [MEASURED, IN_SHELL], ids=["session leader", "job of a shell"])
@pytest.mark.parametrize(("key", "name"), [("\x03", "SIGINT"), ("\x1c", "SIGQUIT")])
def test_key_reaches_the_command_exactly_once(terminal, command: list[str], key: str, name: str) -> None:
    screen = terminal(command)
    for _ in range(3):
        screen.type(key)
        screen.type("\n")
        assert screen.line() == name
    screen.type("\n")
    assert screen.line() == "none"
    screen.type("end\n")
    assert screen.process.wait(60) == 0


def test_new_size_of_the_window_reaches_the_command_exactly_once(terminal) -> None:
    screen = terminal(MEASURED)
    termios.tcsetwinsize(screen.leader, (30, 100)) if sys.version_info >= (3, 11) else pytest.skip("from 3.11 on")
    screen.type("\n")
    assert screen.line() == "SIGWINCH"
    screen.type("\n")
    assert screen.line() == "none"


def test_stop_key_gives_the_terminal_back_and_the_job_goes_on(terminal) -> None:
    screen = terminal(IN_SHELL)
    for _ in range(3):
        screen.type("\x1a")
        assert screen.line() == "stopped by 20"
        screen.type("fg\n")
        screen.type("\n")
        assert screen.line() == "SIGCONT"
    screen.type("end\n")
    assert screen.process.wait(60) == 0


@pytest.mark.parametrize("shell", ["bash", "dash"])
def test_interrupt_key_ends_the_loop_of_a_shell_as_it_would_without_us(terminal, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    command = f"{sys.executable} -m eco2ai_fast.cli run -q -- sh -c 'echo ready; exec sleep 1000'"
    screen = terminal([shell, "-c", f"for i in 1 2; do {command}; done; exit 0"])
    screen.type("\x03")
    assert screen.process.wait(60) == -signal.SIGINT


def test_hangup_of_the_terminal_ends_the_command(terminal, cli, tmp_path) -> None:
    script = f"trap 'echo hangup > {tmp_path}/seen; exit' HUP; echo ready; while :; do sleep 0.01; done"
    screen = terminal([sys.executable, "-m", "eco2ai_fast.cli", "run", "-q", "--", "sh", "-c", script])
    screen.close()
    screen.process.wait(60)
    assert (tmp_path / "seen").read_text() == "hangup\n"


def test_command_may_take_the_terminal_for_a_group_of_its_own(terminal) -> None:
    # As an interactive shell does: the key is then its job's and none of ours.
    measured_shell = [sys.executable, "-m", "eco2ai_fast.cli", "run", "-q", "--"]
    job = [sys.executable, "-c", COUNTER]
    screen = terminal([*measured_shell, sys.executable, "-c", SHELL, *job])
    screen.type("\x03\n")
    assert screen.line() == "SIGINT"
    screen.type("end\n")
    assert screen.process.wait(60) == 0
