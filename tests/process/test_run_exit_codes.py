"""`run` leaves CMD as it is: its exit code, its arguments, and the world that it finds itself in."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("code", [0, 1, 42, 255])
def test_exit_code_of_the_command_passes(cli, code: int) -> None:
    assert cli.run("run", "--", "sh", "-c", f"exit {code}").returncode == code


@pytest.mark.parametrize("name", ["TERM", "KILL", "SEGV", "INT", "PIPE"])
def test_death_by_a_signal_is_128_and_its_number(cli, name: str) -> None:
    done = cli.run("run", "--", "sh", "-c", f"kill -{name} $$")
    number = signal.Signals[f"SIG{name}"].value
    assert done.returncode == 128 + number
    assert f"killed by signal {number}" in done.stderr


def test_command_that_is_not_there_is_127(cli) -> None:
    done = cli.run("run", "--", "no-such-command-anywhere")
    assert done.returncode == 127
    assert done.stderr == "eco2ai-fast: no-such-command-anywhere: No such file or directory\n"


@pytest.mark.parametrize("disabled", ["", "1"])
def test_command_without_a_name_is_not_there(cli, disabled: str) -> None:
    done = cli.run("run", "--", "", env=cli.environment | {"ECO2AI_FAST_DISABLE": disabled})
    assert (done.returncode, done.stderr) == (127, "eco2ai-fast: : No such file or directory\n")


@pytest.mark.parametrize("kind", ["directory", "no right to execute"])
def test_command_that_cannot_be_executed_is_126(cli, tmp_path: Path, kind: str) -> None:
    command = tmp_path / "command"
    command.mkdir() if kind == "directory" else command.write_text("#!/bin/sh\n")
    done = cli.run("run", "--", str(command))
    assert done.returncode == 126
    assert done.stderr == f"eco2ai-fast: {command}: Permission denied\n"


def test_script_without_an_interpreter_line_is_run_by_sh(cli, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text('echo "$0 $1"; exit 3\n')
    script.chmod(0o755)
    by_path = cli.run("run", "--", str(script), "one")
    assert (by_path.returncode, by_path.stdout) == (3, f"{script} one\n")
    by_name = cli.run("run", "script", "one", env=cli.environment | {"PATH": f"{tmp_path}:/bin:/usr/bin"})
    assert (by_name.returncode, by_name.stdout) == (3, f"{script} one\n")


def test_arguments_pass_byte_for_byte(cli) -> None:
    args = ["", "a b", "--json", "-o", "--", "*", "$HOME", "\udcff\n"]
    done = cli.run("run", "--", "printf", "%s\\0", *args, text=False)
    assert done.stdout == b"".join(arg.encode("utf-8", "surrogateescape") + b"\0" for arg in args)


def test_options_behind_the_command_are_the_commands_own(cli) -> None:
    assert cli.run("run", "--zone", "FR", "echo", "--zone", "XX", "-q").stdout == "--zone XX -q\n"


# Everything that a process inherits and a wrapper may spoil, from `sh` with nothing but external commands.
PROBE = r"""
tr '\0' '\n' < /proc/$$/environ | sort
pwd; umask; ulimit -a; nice
grep -E '^(Sig(Blk|Ign|Cgt)|NoNewPrivs|Seccomp):' /proc/self/status
awk '{print "group", $5, "session", $6, "terminal", $7}' /proc/$$/stat
for fd in /proc/$$/fd/*; do echo "${fd##*/}"; done
"""


@pytest.mark.parametrize(
    "before",
    ["", "trap '' HUP INT QUIT USR1;", "unset LANG LC_ALL LC_CTYPE;", "LC_ALL=C; export LC_ALL;", "exec 7</dev/null;"],
)
def test_command_finds_the_same_world_as_without_us(cli, before: str) -> None:
    def world(*prefix: str) -> list[str]:
        command = ["sh", "-c", f'{before} exec "$@"', "sh", *prefix, "sh", "-c", PROBE]
        options = {"env": cli.environment, "stdin": subprocess.DEVNULL, "capture_output": True, "text": True}
        return subprocess.run(command, check=True, **options).stdout.splitlines()

    plain, measured = world(), world(sys.executable, "-m", "eco2ai_fast.cli", "run", "-q", "--")
    assert comparable(measured) == comparable(plain)


def comparable(world: list[str]) -> list[str]:
    """Without `_`, in which a shell names the program that it called, and without glibc's own signals 32 and 33,
    which its posix_spawn leaves ignored (until 2.37) and every program of it sets as it needs them."""
    lines = [line for line in world if not line.startswith("_=")]
    ignored = next(number for number, line in enumerate(lines) if line.startswith("SigIgn"))
    lines[ignored] = f"{int(lines[ignored].split()[1], 16) & ~(0b11 << 31):x}"
    return lines


def test_signal_that_was_blocked_before_stays_blocked(cli) -> None:
    def block() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})

    done = cli.run("run", "-q", "--", "grep", "SigBlk", "/proc/self/status", preexec_fn=block)
    assert int(done.stdout.split()[1], 16) == 1 << (signal.SIGUSR2 - 1)


def test_ignored_child_signal_does_not_cost_the_exit_code(cli) -> None:
    done = cli.run("run", "--", "sh", "-c", "exit 5", preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
    assert done.returncode == 5


def test_disabled_run_is_the_command_and_nothing_else(cli, tmp_path: Path) -> None:
    environment = cli.environment | {"ECO2AI_FAST_DISABLE": "1", "ECO2AI_FAST_ZONE": "nowhere"}
    record = tmp_path / "record.json"
    process = cli.start("run", "-o", str(record), "--", "sh", "-c", "echo $$; exit 3", env=environment)
    out, err = process.communicate(timeout=60)
    assert (out, err, process.returncode) == (f"{process.pid}\n", "", 3)  # it became CMD
    assert not record.exists()
    assert cli.run("run", "--", "no-such-command", env=environment).returncode == 127
