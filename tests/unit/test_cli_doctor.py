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
from eco2ai_fast.cli.advice import SIDE_CHANNEL, remedies
from eco2ai_fast.cli.host import Host, look

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"


class Found:
    """A finding as the core reports it."""

    def __init__(self, source: str, availability: str, domain: str | None = None) -> None:
        self.source = source
        self.availability = availability
        self.domain = domain
        self.detail = ""


PERF_REFUSED = Found("perf", "not permitted")
POWERCAP_REFUSED = Found("powercap", "not permitted", "package-0")
NOTHING = [Found("perf", "absent"), Found("powercap", "absent")]


@pytest.fixture(autouse=True)
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("ECO2AI_FAST_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr(stopwatch, "_implicit", None)


def doctor(machine: str, monkeypatch: pytest.MonkeyPatch, *args: str, code: int = 0) -> str:
    monkeypatch.setenv("ECO2AI_FAST_SYSROOT", str(FIXTURES / machine))
    done = CliRunner().invoke(main, ["doctor", *args])
    assert done.exit_code == code
    return done.output


def test_refused_counters_get_a_group_before_a_weaker_kernel() -> None:
    group, paranoid = remedies([PERF_REFUSED, POWERCAP_REFUSED], [], Host(paranoid="2"))
    assert any("/etc/tmpfiles.d/" in line for line in group.lines)
    nested = [line for line in group.lines if "intel-rapl:*/intel-rapl:*/energy_uj" in line]
    assert len(nested) == 1  # without it DRAM would stay closed
    assert group.risk == SIDE_CHANNEL
    assert "perf_event_paranoid=0 (now 2)" in paranoid.lines[0]
    assert "stronger than needed" in paranoid.title
    assert "PLATYPUS" in paranoid.risk


def test_nothing_is_advised_where_every_package_is_measured() -> None:
    assert remedies([PERF_REFUSED, Found("powercap", "available", "package-0")], ["package-0"], Host()) == []
    assert remedies([Found("perf", "available", "package-0"), POWERCAP_REFUSED], ["package-0"], Host()) == []


def test_zone_that_nothing_else_measures_is_worth_the_advice() -> None:
    found = remedies(
        [Found("perf", "available", "package-0"), Found("powercap", "not permitted", "psys")], ["package-0"], Host()
    )
    assert len(found) == 1


def test_machine_without_systemd_and_udev_is_told_that_sysfs_forgets() -> None:
    (group,) = remedies([POWERCAP_REFUSED], [], Host(has_systemd=False, has_udev=False))
    assert "sysfs forgets it at boot" in group.lines[-1]
    assert not any("/etc/" in line for line in group.lines)


def test_absent_meters_are_explained_by_the_kind_of_machine() -> None:
    (container,), (virtual,), (plain,) = (
        remedies(NOTHING, [], host) for host in (Host(in_container=True), Host(is_virtual=True), Host())
    )
    assert any("ECO2AI_FAST_SYSROOT=/host" in line for line in container.lines)
    assert "virtual machine" in virtual.title
    assert "modprobe" in plain.lines[0]


def test_container_in_a_virtual_machine_is_not_sent_after_counters_that_are_not_there() -> None:
    (found,) = remedies(NOTHING, [], Host(in_container=True, is_virtual=True))
    assert "virtual machine" in found.title


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
    assert "groupadd" in report["remedies"][0]["lines"][0]
