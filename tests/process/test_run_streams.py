"""`run` and the standard streams: they are CMD's; the summary comes behind, on standard error."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path


def test_standard_input_passes(cli) -> None:
    data = os.urandom(300_000)
    assert cli.run("run", "--", "cat", input=data, text=False).stdout == data


def test_standard_output_is_the_commands_alone(cli) -> None:
    done = cli.run("run", "--", "sh", "-c", "echo out; echo err >&2")
    assert done.stdout == "out\n"
    assert done.stderr.startswith("err\n\neco2ai-fast: sh -c ")


def test_summary_names_duration_energy_and_its_origin(cli) -> None:
    text = cli.run("run", "--zone", "FR", "--pue", "1.25", "--", "sleep", "0.01").stderr
    for part in ("duration", "machine", "coverage", "own cost", "France", "PUE 1.25", "modelled", "Wh"):
        assert part in text
    assert "no zone is set" not in text


def test_world_average_comes_with_the_hint_how_to_set_a_zone(cli) -> None:
    text = cli.run("run", "--", "true").stderr
    assert "World" in text
    assert "--zone FR, or `eco2ai-fast config set zone FR`" in text


def test_quiet_run_writes_nothing_of_ours(cli) -> None:
    done = cli.run("run", "--quiet", "--", "sh", "-c", "echo err >&2")
    assert (done.stdout, done.stderr) == ("", "err\n")


def test_terminal_on_standard_input_stays_one(cli) -> None:
    leader, follower = pty.openpty()
    done = cli.run("run", "-q", "--", "tty", stdin=follower)
    assert done.stdout.strip() == os.ttyname(follower)
    os.close(leader)
    os.close(follower)


def test_reader_of_standard_error_that_went_away_does_not_change_the_exit_code(cli) -> None:
    process = cli.start("run", "--", "sh", "-c", "read line; exit 4")
    process.stderr.close()
    process.stdin.write("go\n")
    process.stdin.flush()
    assert process.wait(60) == 4


def test_closed_standard_streams_stay_closed_and_do_no_harm(cli) -> None:
    probe = 'for fd in /proc/$$/fd/[012]; do echo "$fd"; done > "$1"; exit 6'
    for closing in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        reports = []
        for prefix in ([], [sys.executable, "-m", "eco2ai_fast.cli", "run", "--"]):
            read, write = os.pipe()
            command = ["sh", "-c", f'"$@" {closing}', "sh", *prefix, "sh", "-c", probe, "sh", f"/dev/fd/{write}"]
            done = subprocess.run(command, env=cli.environment, pass_fds=[write], capture_output=True, timeout=60)
            os.close(write)
            with os.fdopen(read) as report:
                reports.append([Path(line).name for line in report])
            assert done.returncode == 6
        assert reports[0] == reports[1]
