"""`config`: what is set, and setting it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from eco2ai_fast.cli import main


@pytest.fixture(autouse=True)
def file(own_config: Path) -> Path:
    return own_config


def config(*args: str):
    return CliRunner().invoke(main, ["config", *args])


def test_setting_is_kept_and_shown_with_its_origin(file: Path) -> None:
    assert config("set", "zone", "FR").output == f"{file}: zone is FR (from file {file})\n"
    assert config("get", "zone").output == "FR\n"
    assert json.loads(config("get", "zone", "--json").output) == {"zone": {"value": "FR", "origin": f"file {file}"}}


def test_set_says_when_the_environment_stands_before_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECO2AI_FAST_ZONE", "DE")
    assert "zone is DE (from environment ECO2AI_FAST_ZONE)" in config("set", "zone", "FR").output


def test_all_settings_are_listed_with_origin_and_meaning(file: Path) -> None:
    config("set", "pue", "1.2")
    output = config("get").output
    assert "1.2" in output
    assert f"file {file}" in output
    assert "grid zone" in output
    assert set(json.loads(config("get", "--json").output)) >= {"zone", "pue", "sources", "sysroot"}


def test_unset_takes_a_setting_back(file: Path) -> None:
    config("set", "pue", "1.2")
    assert config("unset", "pue").output == f"{file}: pue is 1 (from default)\n"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("set", "zone", "nowhere"), "unknown grid zone 'nowhere'"),
        (("set", "pue", "0.5"), "must be a finite number >= 1"),
        (("set", "pue", "-1"), "must be a finite number >= 1"),
        (("set", "nothing", "1"), "unknown setting 'nothing'"),
        (("unset", "nothing"), "unknown setting 'nothing'"),
        (("get", "nothing"), "unknown setting 'nothing'"),
    ],
)
def test_wrong_setting_is_a_usage_error_and_the_file_stays(file: Path, args, message: str) -> None:
    done = config(*args)
    assert done.exit_code == 2
    assert message in done.output
    assert not file.exists()


def test_broken_file_is_named_with_its_line(file: Path) -> None:
    file.parent.mkdir()
    file.write_text("pue = 0.3\n")
    done = config("get")
    assert done.exit_code == 1
    assert f"{file}:1" in done.output
