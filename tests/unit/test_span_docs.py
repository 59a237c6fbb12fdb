"""What docs/spans.md shows, runs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parent.parent.parent / "docs/spans.md"


def test_every_block_of_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    text = PAGE.read_text()
    names: dict[str, object] = {}
    for block in re.finditer(r"```python\n(.*?)```", text, re.DOTALL):
        line = text[: block.start()].count("\n") + 1
        exec(compile("\n" * line + block[1], str(PAGE), "exec"), names)
    out = capsys.readouterr().out
    for expected in ("images", "per token:", "tokens per joule", "training", "kWh", "more repeats"):
        assert expected in out, out


def test_every_round_of_the_documented_benchmark_has_joules(tmp_path: Path) -> None:
    pytest.importorskip("pytest_benchmark")
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (block,) = (one for one in blocks if "def test_sort(benchmark)" in one)
    (tmp_path / "test_speed.py").write_text(block)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_speed.py"]
    environment = os.environ | {"XDG_CONFIG_HOME": str(tmp_path)}
    done = subprocess.run(
        [*command, "--benchmark-json=speed.json"], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = json.loads((tmp_path / "speed.json").read_text())["benchmarks"]
    energy_j, seconds = found["extra_info"]["energy_j"], found["stats"]["data"]
    assert len(energy_j) == len(seconds) == 20
    assert all(joules > 0 for joules in energy_j)
