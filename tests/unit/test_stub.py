"""The hand-written stub of the core says what the core is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ALLOWED = Path(__file__).resolve().parent.parent / "stubtest-allowlist.txt"


def test_stub_and_core_agree(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    command = [sys.executable, "-m", "mypy.stubtest", "--concise", "--allowlist", str(ALLOWED), "eco2ai_fast._core"]
    answer = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
