"""What an auditor asks of a record: its boundary, its bins, its grids, and what only the user can add."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import jsonschema
import pytest

import eco2ai_fast as eco
from eco2ai_fast import bins, carbon, footprint, record
from eco2ai_fast.carbon.scope2 import Instrument
from eco2ai_fast.carbon.tables import DATA_DIR
from eco2ai_fast.testing import ManualClock, ScriptedDomain, meter

SCHEMA = json.loads((Path(__file__).resolve().parents[2] / "docs" / "record.schema.json").read_text())
SECOND = 1_000_000_000
PACKAGE = ScriptedDomain("package", [(0, 0), (60 * SECOND, 30_000_000), (120 * SECOND, 90_000_000)], sensor_rel=0.03)
DRAM = ScriptedDomain("dram", [(0, 0), (120 * SECOND, 10_000_000)], modelled=True)
YEAR_S = 365 * 86_400.0


@pytest.fixture(autouse=True)
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("ECO2AI_FAST_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def measured(*domains: ScriptedDomain, seconds: float = 120.0, lap_s: float | None = None, zone: str | None = "FR"):
    clock = ManualClock()
    watch = eco.measure("step", zone=zone, meter=meter(domains, clock))
    laps = []
    with watch as m:
        if lap_s:
            clock.advance(lap_s)
            laps = [watch._lap()]
        clock.advance(seconds - (lap_s or 0))
    return m, laps


def check(found: dict) -> dict:
    jsonschema.validate(found, SCHEMA)
    return found


def made(**terms) -> dict:
    return check(measured(PACKAGE, DRAM)[0].to_record(**terms))


def test_boundary_gives_every_counted_domain_its_share_and_names_what_is_left_out() -> None:
    boundary = made()["boundary"]
    assert [(one["domain"], one["share"], one["provenance"]) for one in boundary["included"]] == [
        ("package-0", 0.9, "measured"),
        ("dram-0", pytest.approx(0.1), "modelled"),
    ]
    assert boundary["excluded"] == ["gpu", *record.NEVER_MEASURED]


def test_boundary_of_a_machine_without_memory_meter_leaves_memory_out() -> None:
    assert check(measured(PACKAGE)[0].to_record())["boundary"]["excluded"][0] == "dram"


def test_window_without_laps_is_one_bin_of_its_own_length() -> None:
    found = made()
    assert found["bins"] == {
        "method": "window", "bin_s": 120.0, "edges_ns": [found["t0_ns"], found["t1_ns"]],
        "energy_j": {"package-0": [90.0], "dram-0": [10.0]},
    }  # fmt: skip


def test_bins_of_laps_add_up_to_the_window_and_do_not_change_it() -> None:
    m, laps = measured(PACKAGE, DRAM, lap_s=60.0)
    found = check(record.of_measurement(m, laps=laps))
    assert (found["bins"]["method"], found["bins"]["bin_s"]) == ("laps", bins.BIN_S)
    assert found["bins"]["energy_j"]["package-0"] == [30.0, 60.0]
    for domain in found["domains"]:
        assert sum(found["bins"]["energy_j"][domain["id"]]) == pytest.approx(domain["energy_j"], abs=2e-6)
    assert found["energy_j"] == measured(PACKAGE, DRAM)[0].energy_j


def test_bins_of_a_started_meter_come_from_its_curve_minute_by_minute() -> None:
    clock = ManualClock()
    steady = ScriptedDomain("package", [(second * SECOND, second * 1_000_000) for second in range(200)])
    live = eco.Meter(sources=[steady], clock=clock).start()
    with eco.measure(meter=live) as m:
        for _ in range(150):
            clock.advance(1.0)
            live.tick()
    found = check(m.to_record())["bins"]
    assert (found["method"], found["bin_s"], found["edges_ns"]) == (
        "curve", 60, [0, 60 * SECOND, 120 * SECOND, 150 * SECOND],
    )  # fmt: skip
    assert found["energy_j"]["package-0"] == pytest.approx([60.0, 60.0, 30.0], abs=0.001)


def test_gap_is_the_part_of_the_window_that_no_readings_bracket() -> None:
    found = check(measured(ScriptedDomain("package", [(0, "not permitted")]), DRAM)[0].to_record())
    assert (found["domains"][0]["gap_s"], found["domains"][1]["gap_s"]) == (120.0, 0.0)


def test_both_bases_stand_side_by_side_and_are_never_mixed() -> None:
    found = made()
    direct = carbon.intensity("FR", "direct")
    assert (
        found["emissions"]["life_cycle_g"] == found["co2e_g"] == carbon.co2e_g(100.0, found["intensity"]["g_per_kwh"])
    )
    assert found["emissions"]["direct_g"] == carbon.co2e_g(100.0, direct.g_per_kwh)
    assert [one["basis"] for one in found["alternatives"]] == ["direct"]
    assert found["emissions"]["low_g"] < found["co2e_g"] < found["emissions"]["high_g"]


def test_factor_without_a_basis_is_counted_to_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECO2AI_FAST_INTENSITY_G_PER_KWH", "489")
    found = check(measured(PACKAGE, zone=None)[0].to_record())
    assert found["co2e_g"] == carbon.co2e_g(90.0, 489)
    assert (found["emissions"]["life_cycle_g"], found["emissions"]["direct_g"]) == (None, None)
    assert found["grid_mix"] is None


@pytest.mark.parametrize("zone", ["SE", "US-DE", "aws:eu-west-3", "gcp:us-west1", "WORLD", "NA"])
def test_energy_is_the_same_on_every_grid(zone: str) -> None:
    before = made(embodied_kg=1.0, lifetime_s=YEAR_S)
    after = check(footprint.priced(before, carbon.intensity(zone)))
    depends = {"co2e_g", "intensity", "alternatives", "grid_mix", "attribution", "emissions"}
    assert {key for key in after if after[key] != before[key]} <= depends
    assert after["emissions"]["energy_kwh"] == before["emissions"]["energy_kwh"]
    assert after["co2e_g"] == carbon.co2e_g(100.0, carbon.intensity(zone).g_per_kwh)


def test_googles_own_direct_factor_goes_with_its_region() -> None:
    found = check(measured(PACKAGE, zone="gcp:us-west1")[0].to_record())
    assert found["alternatives"][0]["source"].startswith("Google")


def test_contract_covers_its_part_and_the_residual_mix_the_rest() -> None:
    energy_kwh = 100 / 3.6e6
    found = made(instruments=[Instrument("wind", energy_kwh / 2, 0.0)], residual_g_per_kwh=400.0)
    market = found["emissions"]["market_based"]
    assert market["g"] == pytest.approx(energy_kwh / 2 * 400)
    assert (market["rest_factor"], market["instruments"][0]["name"]) == ("residual mix", "wind")
    assert found["co2e_g"] == made()["co2e_g"]


def test_contract_where_no_direct_factor_is_known_asks_for_the_residual_mix() -> None:
    with pytest.raises(carbon.NoDirectFactorError, match="residual"):
        measured(PACKAGE, zone="WORLD")[0].to_record(instruments=[Instrument("wind", 1.0, 0.0)])


def test_making_of_the_hardware_stands_by_itself() -> None:
    found = made(embodied_kg=164.0, lifetime_s=3 * YEAR_S, embodied_share=0.5)
    assert found["emissions"]["embodied"]["g"] == pytest.approx(164_000 * 120 / (3 * YEAR_S) * 0.5)
    assert found["co2e_g"] == made()["co2e_g"]


def test_idle_power_is_taken_from_the_window_and_leaves_its_energy_alone() -> None:
    found = made(idle_energy_j=5.0, idle_duration_s=10.0)
    assert (found["idle"]["power_w"], found["idle"]["window_j"], found["idle"]["net_j"]) == (0.5, 60.0, 40.0)
    assert found["energy_j"] == 100.0


@pytest.mark.parametrize(
    "terms", [{"embodied_kg": 1.0}, {"idle_energy_j": 1.0}, {"functional_unit": ("token", 0)}, {"no_such": 1}]
)
def test_terms_that_cannot_be_are_refused(terms: dict) -> None:
    with pytest.raises((ValueError, TypeError)):
        made(**terms)


def test_hash_of_the_tables_is_that_of_their_files_in_a_row() -> None:
    text = b"".join(path.read_bytes() for path in sorted(Path(DATA_DIR).glob("*.tsv")))
    assert made()["data"]["tables_sha256"] == sha256(text).hexdigest()


def test_hash_of_the_settings_changes_with_a_setting_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = made()["config_hash"], made()["config_hash"]
    monkeypatch.setenv("ECO2AI_FAST_PUE", "1.3")
    assert first == second != made()["config_hash"]


def test_commit_is_that_of_the_working_directory_packed_or_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert made()["code_commit"] is None
    folder = tmp_path / ".git"
    (folder / "refs/heads").mkdir(parents=True)
    (folder / "HEAD").write_text("ref: refs/heads/main\n")
    assert made()["code_commit"] is None  # no commit yet
    (folder / "packed-refs").write_text(f"# pack-refs with: peeled\n{'a' * 40} refs/heads/main\n")
    assert made()["code_commit"] == "a" * 40
    (folder / "refs/heads/main").write_text(f"{'b' * 40}\n")
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    assert made()["code_commit"] == "b" * 40


def test_commit_of_a_worktree_is_found_in_the_repository_that_it_belongs_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, shared = tmp_path / "repo/.git/worktrees/w", tmp_path / "repo/.git"
    (shared / "refs/heads").mkdir(parents=True)
    own.mkdir(parents=True)
    (shared / "refs/heads/w").write_text(f"{'c' * 40}\n")
    (own / "HEAD").write_text("ref: refs/heads/w\n")
    (own / "commondir").write_text("../..\n")
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / ".git").write_text(f"gitdir: {own}\n")
    monkeypatch.chdir(tree)
    assert made()["code_commit"] == "c" * 40


def test_sum_of_two_measurements_is_a_record_too() -> None:
    first, second = measured(PACKAGE, DRAM)[0], measured(PACKAGE, DRAM)[0]
    found = check((first + second).to_record())
    assert (found["energy_j"], found["bins"]["energy_j"]["package-0"]) == (200.0, [180.0])


def test_every_record_has_an_id_of_its_own() -> None:
    m, _ = measured(PACKAGE)
    assert m.to_record()["id"] != m.to_record()["id"]


def test_run_splits_its_energy_while_the_command_runs(tmp_path: Path) -> None:
    code = "import sys; from eco2ai_fast.cli import main, running; running.BIN_S = 0.1; sys.argv[0] = 'x'; main()"
    target = tmp_path / "run.json"
    command = [sys.executable, "-c", code, "run", "-q", "-o", str(target), "--project", "p", "--", "sleep", "0.5"]
    assert subprocess.run(command, check=False).returncode == 0
    found = check(json.loads(target.read_text()))
    assert (found["project"], found["bins"]["method"]) == ("p", "laps")
    edges = found["bins"]["edges_ns"]
    assert 3 <= len(edges) <= 7
    assert edges == sorted(edges)
    for domain in found["domains"]:
        assert sum(found["bins"]["energy_j"][domain["id"]]) == pytest.approx(domain["energy_j"], abs=1e-5)
