"""The record: what it says of a measurement, unrounded, and what it keeps to itself."""

from __future__ import annotations

import json
import os
from pathlib import Path

import jsonschema
import pytest

import eco2ai_fast as eco
from eco2ai_fast import record
from eco2ai_fast.testing import ManualClock, ScriptedDomain, meter

SCHEMA = json.loads((Path(__file__).resolve().parents[2] / "docs" / "record.schema.json").read_text())
SECOND = 1_000_000_000
PACKAGE = ScriptedDomain("package", [(0, 1_000_000), (2 * SECOND, 91_000_000)], sensor_rel=0.03)
DRAM = ScriptedDomain("dram", [(0, 0), (2 * SECOND, 10_000_000)], modelled=True, sensor_rel=0.25)
CORE = ScriptedDomain("core", [(0, 0), (2 * SECOND, 60_000_000)])

pytestmark = pytest.mark.usefixtures("own_config")


def measured(*domains: ScriptedDomain, seconds: float = 2.0, zone: str | None = "FR", pue: float | None = None):
    clock = ManualClock()
    with eco.measure("step", zone=zone, pue=pue, meter=meter(domains, clock)) as m:
        clock.advance(seconds)
    return m


def check(found: dict) -> dict:
    """Valid by the schema, and the same after a way through JSON, which knows no not-a-number."""
    jsonschema.validate(found, SCHEMA)
    return json.loads(json.dumps(found, allow_nan=False))


def test_schema_itself_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_record_holds_the_attributes_of_the_measurement() -> None:
    m = measured(PACKAGE, DRAM, CORE, pue=1.5)
    found = check(m.to_record())
    for key in ("name", "t0_ns", "t1_ns", "duration_s", "energy_j", "measured_j", "modelled_j", "uncertainty_j",
                "sampling_j", "coverage", "co2e_g", "pue"):  # fmt: skip
        assert found[key] == getattr(m, key), key
    assert (found["measured_j"], found["modelled_j"]) == (90.0, 10.0)
    assert found["intensity"] == m.intensity.as_dict() | {"time_resolution": "year"}
    assert [(one["id"], one["counted"], one["provenance"]) for one in found["domains"]] == [
        ("package-0", True, "measured"), ("dram-0", True, "modelled"), ("core-0", False, "measured"),
    ]  # fmt: skip


def test_what_no_source_covers_is_missing_and_not_zero() -> None:
    found = check(measured(PACKAGE).to_record())
    assert found["missing"] == [{"domain": "dram", "reason": "no source"}]
    assert [one["kind"] for one in found["domains"]] == ["package"]


def test_unreadable_domain_is_unknown_in_every_number() -> None:
    found = check(measured(ScriptedDomain("package", [(0, "not permitted")]), DRAM).to_record())
    package = found["domains"][0]
    assert package["fault"] == "not permitted"
    assert [package[key] for key in ("energy_j", "measured_j", "modelled_j", "uncertainty_j", "sampling_j")] == [
        None
    ] * 5
    assert found["missing"] == [{"domain": "package-0", "reason": "not permitted"}]
    assert found["energy_j"] == 10.0


def test_measurement_that_could_not_be_made_is_unknown_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECO2AI_FAST_DISABLE", "1")
    found = check(measured(PACKAGE).to_record())
    assert (found["energy_j"], found["duration_s"], found["co2e_g"], found["t0_ns"]) == (None, None, None, None)
    assert found["missing"][0]["reason"] == "switched off by ECO2AI_FAST_DISABLE"


def test_setting_that_went_bad_leaves_energy_and_says_why_there_are_no_grams(monkeypatch: pytest.MonkeyPatch) -> None:
    m = measured(PACKAGE, zone=None)
    monkeypatch.setenv("ECO2AI_FAST_ZONE", "nowhere")
    found = check(m.to_record())
    assert (found["energy_j"], found["co2e_g"], found["intensity"]) == (90.0, None, None)
    assert "unknown grid zone 'nowhere'" in found["carbon_error"]


def test_settings_stand_with_their_origin_and_without_the_home_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    home = Path(os.environ["XDG_CONFIG_HOME"])
    monkeypatch.setenv("HOME", str(home))
    (home / "eco2ai_fast").mkdir()
    (home / "eco2ai_fast" / "config.toml").write_text("ram_w = 5\n")
    monkeypatch.setenv("ECO2AI_FAST_PUE", "1.2")
    assert check(measured(PACKAGE).to_record())["settings"] == {
        "zone": {"value": "FR", "origin": "argument"},
        "pue": {"value": 1.2, "origin": "environment ECO2AI_FAST_PUE"},
        "ram_w": {"value": 5.0, "origin": "file ~/eco2ai_fast/config.toml"},
    }


def test_host_is_the_same_each_time_and_tells_neither_its_name_nor_its_id() -> None:
    first, second = (check(measured(PACKAGE).to_record())["host"] for _ in range(2))
    assert first == second
    machine_id = Path("/etc/machine-id")
    if machine_id.exists() and machine_id.read_text().strip():
        assert len(first["hash"]) == 32
        assert machine_id.read_text().strip() not in json.dumps(first)
        assert os.uname().nodename not in json.dumps(first)


def test_clock_anchor_leads_from_the_window_to_its_utc_time() -> None:
    with eco.measure() as m:
        pass
    found = check(m.to_record())
    anchor = found["clock_anchor"]
    assert m.t1_ns <= anchor["monotonic_ns"] <= anchor["boottime_ns"]
    start_ms = (anchor["utc_ns"] - anchor["monotonic_ns"] + m.t0_ns) // 1_000_000
    assert found["t0_utc"].endswith(f".{start_ms % 1000:03d}Z")


def run(**facts):
    return check(record.of_run(measured(PACKAGE, DRAM, CORE), record.Run(["cmd", "arg"], **facts)))


def test_command_gets_its_share_of_packages_and_memory() -> None:
    found = run(cpu_s=1.0, busy_s=4.0, own_cpu_s=0.5, own_total_cpu_s=0.75, exit_code=3)
    assert found["command"] == {
        "argv": ["cmd", "arg"],
        "exit_code": 3,
        "signal": None,
        "cpu_s": 1.0,
        "busy_s": 4.0,
        "cpu_share": 0.25,
        "share_error": None,
        "energy_j": 25.0,
        "domains_j": {"package-0": 22.5, "dram-0": 2.5},
        "co2e_g": pytest.approx(found["co2e_g"] / 4),
        "left_running": 0,
    }
    assert found["own_cost"] == {"cpu_s": 0.5, "energy_j": 12.5, "total_cpu_s": 0.75}


@pytest.mark.parametrize(("busy_s", "reason"), [(None, "cannot be read"), (0.05, "less than 0.1 s")])
def test_share_that_cannot_be_told_is_unknown_with_the_reason(busy_s: float | None, reason: str) -> None:
    found = run(cpu_s=0.01, busy_s=busy_s)
    command = found["command"]
    assert (command["cpu_share"], command["energy_j"], command["domains_j"], command["co2e_g"]) == (None,) * 4
    assert reason in command["share_error"]
    assert found["own_cost"]["energy_j"] is None


def test_notes_of_the_run_stand_with_those_of_the_measurement() -> None:
    assert run(notes=["something"])["notes"] == ["something"]
