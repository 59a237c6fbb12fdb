"""Nothing speaks to the network: no socket is opened by a measurement, its record or any report of it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

MEASURE_AND_REPORT = """
import json, sys
import eco2ai_fast as eco
from eco2ai_fast.cli import main
tracker = eco.Tracker(file_name=sys.argv[1] + ".csv")
tracker.start()
with eco.measure() as m:
    sum(range(1000))
tracker.stop()
open(sys.argv[1], "w").write(json.dumps(m.to_record(functional_unit=("token", 5))))
for form in ("text", "json", "md", "hf", "boamps", "eu-gpai", "esrs", "sci"):
    main(["report", sys.argv[1], "--format", form, "-o", sys.argv[1] + "." + form], standalone_mode=False)
main(["reprice", sys.argv[1], "--zones", "FR,DE"], standalone_mode=False)
main(["zones", "france"], standalone_mode=False)
"""


def traced(cli, tmp_path: Path, code: str, *args: str) -> str:
    """The network calls of a Python process and its children."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("needs strace")
    log = tmp_path / "strace.log"
    command = [strace, "-f", "-qq", "-e", "trace=%network", "-o", str(log), sys.executable, "-c", code, *args]
    done = subprocess.run(command, env=cli.environment, capture_output=True, text=True, check=False, timeout=120)
    if not log.exists() or "ptrace" in done.stderr:
        pytest.skip(f"strace may not trace here: {done.stderr.strip()[:100]}")
    assert done.returncode == 0, done.stderr
    return log.read_text()


def calls(log: str) -> list[str]:
    return [row for row in log.splitlines() if "socket(" in row or "connect(" in row or "sendto(" in row]


def test_start_stop_and_report_open_no_socket(cli, tmp_path: Path) -> None:
    assert calls(traced(cli, tmp_path, MEASURE_AND_REPORT, str(tmp_path / "record.json"))) == []
    assert (tmp_path / "record.json.esrs").read_text()


def test_trace_would_show_a_socket(cli, tmp_path: Path) -> None:
    assert calls(traced(cli, tmp_path, "import socket; socket.socket().close()"))
