"""`doctor`: what it says of each kind of machine, and the advice: the least right first, never run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from eco2ai_fast import stopwatch
from eco2ai_fast.cli import main
from eco2ai_fast.cli.host import look

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"


@pytest.fixture(autouse=True)
def own_meter(own_config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopwatch, "_implicit", None)


def doctor(machine: str, monkeypatch: pytest.MonkeyPatch, *args: str, code: int = 0) -> str:
    monkeypatch.setenv("ECO2AI_FAST_SYSROOT", str(FIXTURES / machine))
    done = CliRunner().invoke(main, ["doctor", *args])
    assert done.exit_code == code
    return done.output


def test_kind_of_machine_is_seen_from_its_files() -> None:
    assert look(str(FIXTURES / "vm-nothing")).is_virtual
    assert not look(str(FIXTURES / "intel-client")).is_virtual
    assert look(str(FIXTURES / "container-masked")).in_container
    assert not look(str(FIXTURES / "server-2s-dram")).in_container
    assert look("/nowhere").paranoid is None


def test_measured_machine_says_what_is_read_and_what_is_modelled(monkeypatch: pytest.MonkeyPatch) -> None:
    text = doctor("laptop-psys-mmio", monkeypatch)
    assert "therefore modelled: dram" in text
    assert "psys       measured  powercap" in text
    assert "not added" in text
    assert "not supported" in text  # the mirror of the package
    assert "World" in text
    assert "sysroot" in text


def test_server_with_all_meters_models_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    text = doctor("server-2s-dram", monkeypatch)
    assert "nothing is modelled" in text
    assert "groupadd" not in text


def test_machine_without_meters_is_told_what_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "virtual machine" in doctor("vm-nothing", monkeypatch)
    assert "docker run" in doctor("container-masked", monkeypatch)


def test_machine_where_nothing_can_be_read_is_an_error_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    text = doctor("no-such-fixture", monkeypatch, code=1)
    assert "is /proc mounted there?" in text
    assert "nothing is modelled" not in text


def test_machine_where_nothing_can_be_read_is_told_what_was_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    report = json.loads(doctor("no-such-fixture", monkeypatch, "--json", code=1))
    looked_for = {one["source"]: one["availability"] for one in report["sources"]}
    assert {name: looked_for[name] for name in ("perf", "powercap", "estimate")} == dict.fromkeys(
        ("perf", "powercap", "estimate"), "absent"
    )


def test_source_that_is_asked_for_and_not_there_is_told_beside_what_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECO2AI_FAST_SOURCES", "perf")
    text = doctor("vm-nothing", monkeypatch, code=1)
    assert "source 'perf' cannot be used here" in text
    assert "estimate  available" in text


def test_unknown_zone_is_told_with_where_it_is_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECO2AI_FAST_ZONE", "nowhere")
    assert "unknown grid zone 'nowhere' (from environment ECO2AI_FAST_ZONE)" in doctor("vm-nothing", monkeypatch)


def test_setting_that_cannot_be_used_is_an_error_with_where_it_is_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECO2AI_FAST_CPU_TDP_W", "-5")
    assert "environment ECO2AI_FAST_CPU_TDP_W" in doctor("vm-nothing", monkeypatch, code=1)


def test_json_holds_the_same_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    report = json.loads(doctor("laptop-psys-mmio", monkeypatch, "--json"))
    assert report["modelled"] == ["dram"]
    assert {one["availability"] for one in report["sources"]} >= {"available", "absent", "not supported"}
    assert [one["id"] for one in report["domains"] if one["counted"]] == ["package-0", "dram"]
    assert report["settings"]["sysroot"]["origin"] == "environment ECO2AI_FAST_SYSROOT"
    assert report["intensity"]["zone"] == "WORLD"
    assert (report["error"], report["remedies"]) == (None, [])


def test_counters_without_rights_are_not_permitted_and_not_absent(tmp_path: Path) -> None:
    machine = Path(shutil.copytree(FIXTURES / "container-no-rights", tmp_path / "machine", symlinks=True))
    for counter in machine.rglob("energy_uj"):
        counter.chmod(0)
    command = [sys.executable, "-m", "eco2ai_fast.cli", "doctor", "--json"]
    # In a user namespace of its own root has no power over files outside, but owns them still.
    prefix = ["unshare", "--user"] if os.geteuid() == 0 else []
    if prefix and subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no user namespaces here")
    environment = os.environ | {"ECO2AI_FAST_SYSROOT": str(machine)}
    done = subprocess.run([*prefix, *command], env=environment, capture_output=True, text=True, check=False)
    report = json.loads(done.stdout)
    powercap = {one["domain"]: one for one in report["sources"] if one["source"] == "powercap"}
    assert powercap["package-0"]["availability"] == "not permitted"
    assert "Permission denied" in powercap["package-0"]["detail"]
    assert report["modelled"] == ["package-0", "dram"]
    assert any("groupadd" in remedy for remedy in report["remedies"])


def test_routes_are_compared_when_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no domain has more than one route here" in doctor("vm-nothing", monkeypatch, "--cross-check")
    assert json.loads(doctor("vm-nothing", monkeypatch, "--json"))["cross_check"] is None
