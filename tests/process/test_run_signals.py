"""`run` and signals: what is sent to us alone is passed on once, what a group got is not; CMD decides what follows."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from eco2ai_fast.attribution import parse_process

# Tells every signal that it gets, and ends at the first SIGTERM with code 7.
LISTENER = textwrap.dedent(
    """
    import os, signal, sys
    names = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGRTMIN", "SIGRTMAX"]
    numbers = [getattr(signal, name) for name in names]
    signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    print("ready", flush=True)
    while True:
        number = signal.sigwait(numbers)
        print(names[numbers.index(number)], flush=True)
        if number == signal.SIGTERM:
            sys.exit(7)
    """
)
LISTEN = ("run", "--", sys.executable, "-c", LISTENER)


def state(pid: int) -> str:
    return parse_process(Path(f"/proc/{pid}/stat").read_text()).state


def child_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text())


def wait_for(what: str, condition, tries: int = 3000) -> None:
    for _ in range(tries):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail(f"in vain: {what}")


def assert_nothing_more(process: subprocess.Popen[str]) -> None:
    """The highest signal is taken last: what was on its way before it would come first."""
    process.send_signal(signal.SIGRTMAX)
    assert process.stdout.readline() == "SIGRTMAX\n"
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=60)[0] == "SIGTERM\n"
    assert process.returncode == 7


@pytest.mark.parametrize("name", ["SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGRTMIN"])
def test_signal_sent_to_us_reaches_the_command_once(cli, name: str) -> None:
    process = cli.ready(*LISTEN)
    process.send_signal(getattr(signal, name))
    assert process.stdout.readline() == f"{name}\n"
    assert_nothing_more(process)


def test_second_interrupt_reaches_the_command_too(cli) -> None:
    process = cli.ready(*LISTEN)
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "SIGINT\n"
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert (out, process.returncode) == ("SIGTERM\n", 7)
    assert "exit code 7" in err


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1"])
def test_command_that_a_passed_signal_kills_is_summed_up_all_the_same(cli, name: str) -> None:
    process = cli.ready("run", "--", "sh", "-c", "echo ready; exec sleep 1000")
    number = getattr(signal, name).value
    process.send_signal(number)
    err = process.communicate(timeout=60)[1]
    assert process.returncode == 128 + number
    assert f"killed by signal {number}" in err


def test_signal_that_the_command_sends_to_its_group_comes_once(cli) -> None:
    # A session of their own, or the group would be this test's; and a signal of which none is lost.
    script = f"import os, signal\n{LISTENER}".replace("while True", "os.kill(0, signal.SIGRTMIN)\nwhile True")
    process = cli.ready("run", "--", sys.executable, "-c", script, start_new_session=True)
    assert process.stdout.readline() == "SIGRTMIN\n"
    assert_nothing_more(process)


def test_signal_that_nohup_has_us_ignore_does_not_end_a_series(cli) -> None:
    script = "import time; print('ready', flush=True); time.sleep(0.3)"
    process = cli.ready(
        "run", "--repeat", "2", "--", sys.executable, "-c", script,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )  # fmt: skip
    process.send_signal(signal.SIGHUP)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "ready\n")
    assert "(2 runs)" in err


def test_signal_between_two_runs_ends_the_series(cli) -> None:
    process = cli.ready("run", "--repeat", "1000", "--", "sh", "-c", "echo ready")
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=60)
    assert process.returncode in (0, 143)  # 0: it came while a run that ignored it was ending
    assert out.count("ready") < 999


def test_signal_that_came_before_the_command_keeps_it_from_starting(cli) -> None:
    # Between two runs of a series nobody would pass on a key of the terminal.
    script = """
        import os, signal
        from eco2ai_fast.cli.process import Supervisor
        with Supervisor() as supervisor:
            os.kill(os.getpid(), signal.SIGINT)
            ended = supervisor.run(["echo", "started"])
        print(ended.started, ended.interrupted, ended.exit_code)
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(command, env=cli.environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "False True 130\n"


def stopped(pid: int) -> int:
    """Waits until a child of this test stops; by which signal."""
    seen: list[int] = []

    def has_changed() -> bool:
        seen.append(os.waitpid(pid, os.WUNTRACED | os.WNOHANG)[1])
        return seen[-1] != 0

    wait_for("it stops", has_changed)
    assert os.WIFSTOPPED(seen[-1]), seen[-1]
    return os.WSTOPSIG(seen[-1])


@pytest.mark.parametrize("name", ["SIGTSTP", "SIGTTIN", "SIGTTOU"])
def test_stop_stops_the_command_and_then_us_in_the_same_way(cli, name: str) -> None:
    process = cli.ready(*LISTEN, preexec_fn=os.setpgrp)  # a job of its own: the kernel stops no orphaned group by key
    child = child_of(process.pid)
    process.send_signal(getattr(signal, name))
    assert stopped(process.pid) == getattr(signal, name)
    assert (state(process.pid), state(child)) == ("T", "T")
    process.send_signal(signal.SIGCONT)
    wait_for("the command goes on", lambda: state(child) != "T")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 7


def test_command_that_stops_itself_stops_us_until_it_is_continued(cli) -> None:
    process = cli.start("run", "--", "sh", "-c", "kill -STOP $$; exit 9")
    assert stopped(process.pid) == signal.SIGSTOP
    assert state(child_of(process.pid)) == "T"
    process.send_signal(signal.SIGCONT)
    process.communicate(timeout=60)
    assert process.returncode == 9


def test_second_stop_that_came_before_we_went_on_from_the_first_is_not_lost(cli) -> None:
    process = cli.ready(*LISTEN, preexec_fn=os.setpgrp)  # as above
    child = child_of(process.pid)
    os.kill(child, signal.SIGSTOP)
    assert stopped(process.pid) == signal.SIGSTOP
    os.kill(child, signal.SIGCONT)
    os.kill(child, signal.SIGTSTP)
    process.send_signal(signal.SIGCONT)
    assert stopped(process.pid) == signal.SIGTSTP
    assert state(child) == "T"
    process.send_signal(signal.SIGCONT)
    assert_nothing_more(process)


def test_command_that_was_continued_with_its_group_is_not_continued_again(cli) -> None:
    script = LISTENER.replace('"SIGRTMIN"', '"SIGCONT"')
    process = cli.ready("run", "--", sys.executable, "-c", script, start_new_session=True)
    process.send_signal(signal.SIGSTOP)  # in a session without a terminal nothing else stops a group
    child = child_of(process.pid)
    os.kill(child, signal.SIGSTOP)
    assert stopped(process.pid) == signal.SIGSTOP
    os.killpg(process.pid, signal.SIGCONT)
    assert process.stdout.readline() == "SIGCONT\n"
    # We may have stopped like CMD in between: then the shell continues us once more.
    wait_for("both go on", lambda: "T" not in state(process.pid) + state(child) or os.kill(process.pid, signal.SIGCONT))
    assert_nothing_more(process)


def test_signal_that_comes_while_the_command_ends_does_not_take_its_exit_code(cli) -> None:
    # While we stand still both wait for us: the lower number, SIGCHLD, is taken first and ends our watch.
    process = cli.start("run", "-q", "--", "sh", "-c", "kill -STOP $PPID; kill -s RTMIN $PPID; exit 3")
    assert stopped(process.pid) == signal.SIGSTOP
    wait_for("the command ended", lambda: state(child_of(process.pid)) == "Z")
    process.send_signal(signal.SIGCONT)
    process.communicate(timeout=60)
    assert process.returncode == 3


def test_alarm_that_was_set_before_us_goes_off_in_the_command(cli) -> None:
    # As in `perl -e 'alarm 1; exec @ARGV' CMD`: the timer survives exec, and its signal is the kernel's.
    def alarm() -> None:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, 1.0)

    done = cli.run("run", "-q", "--", "sleep", "1000", preexec_fn=alarm)
    assert done.returncode == 128 + signal.SIGALRM


def test_first_process_of_a_pid_namespace_passes_signals_on(cli) -> None:
    """As `docker stop` does it: SIGTERM from outside the namespace, whose sender has no id inside."""
    namespace = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc"]
    if subprocess.run([*namespace, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no pid namespaces here")
    command = [*namespace, sys.executable, "-m", "eco2ai_fast.cli", *LISTEN]
    with subprocess.Popen(command, env=cli.environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        os.kill(child_of(process.pid), signal.SIGTERM)
        assert process.communicate(timeout=60)[0] == "SIGTERM\n"
        assert process.returncode == 7


def test_interrupt_before_the_command_is_started_ends_us_without_a_traceback(cli) -> None:
    script = (
        "import sys; from eco2ai_fast.cli import running, start\n"
        "def interrupted(*asked): raise KeyboardInterrupt\n"
        "running.run = interrupted\n"
        "sys.argv[1:] = ['run', 'true']\n"
        "start.main()"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=cli.environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "")
