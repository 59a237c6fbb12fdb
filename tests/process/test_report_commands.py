"""`report`, `reprice`, `zones` and `import`, as a user calls them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import jsonschema
import pytest

from reporting import HOSTILE, record

SCHEMA = json.loads((Path(__file__).resolve().parents[2] / "docs" / "record.schema.json").read_text())
FORMATS = ("text", "json", "md", "hf", "boamps", "eu-gpai", "esrs", "sci")
# Their columns in order: CodeCarbon 3.3.2 has 38, eco2AI 0.3.12 has 13.
CODECARBON = [
    "timestamp", "project_name", "run_id", "experiment_id", "duration", "emissions", "emissions_rate", "cpu_power",
    "gpu_power", "ram_power", "cpu_energy", "gpu_energy", "ram_energy", "energy_consumed", "water_consumed",
    "country_name", "country_iso_code", "region", "cloud_provider", "cloud_region", "os", "python_version",
    "codecarbon_version", "cpu_count", "cpu_model", "gpu_count", "gpu_model", "longitude", "latitude",
    "ram_total_size", "tracking_mode", "cpu_utilization_percent", "gpu_utilization_percent",
    "ram_utilization_percent", "ram_used_gb", "on_cloud", "pue", "wue",
]  # fmt: skip
ECO2AI = [
    "id", "project_name", "experiment_description", "epoch", "start_time", "duration(s)", "power_consumption(kWh)",
    "CO2_emissions(kg)", "CPU_name", "GPU_name", "OS", "region/country", "cost",
]  # fmt: skip


def codecarbon(**values: str) -> dict[str, str]:
    """A row of CodeCarbon 3.3.2: 3 kWh with PUE 1.5, 0.15 kg."""
    row = dict.fromkeys(CODECARBON, "") | {
        "timestamp": "2026-11-23T07:40:49", "project_name": "demo", "run_id": "run-1", "duration": "60.5",
        "emissions": "0.15", "cpu_energy": "1.0", "gpu_energy": "0.5", "ram_energy": "1.5", "energy_consumed": "3.0",
        "country_name": "France", "country_iso_code": "FRA", "codecarbon_version": "3.3.2", "cpu_model": "AMD EPYC",
        "tracking_mode": "machine", "on_cloud": "N", "pue": "1.5", "wue": "0.0",
    }  # fmt: skip
    return row | values


def eco2ai(**values: str) -> dict[str, str]:
    row = dict(zip(ECO2AI, ["id-1", "demo", "d", "N/A", "2026-01-31 23:00:00", "100.0", "0.002", "0.0001",
                            "AMD EPYC/1 device(s), TDP:225.0", " 0 device(s)", "Linux", "FR/France", "0"],
                   strict=True))  # fmt: skip
    return row | values


@pytest.fixture
def table(tmp_path: Path):
    def write(*rows: dict[str, str]) -> str:
        path = tmp_path / "emissions.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
        return str(path)

    return write


@pytest.fixture
def saved(tmp_path: Path):
    def write(*records: dict, name: str = "runs.jsonl") -> str:
        path = tmp_path / name
        path.write_text("".join(json.dumps(one) + "\n" for one in records))
        return str(path)

    return write


def test_run_reports_in_every_form(cli, tmp_path: Path) -> None:
    path = str(tmp_path / "run.json")
    cli.run("run", "-q", "--zone", "FR", "--project", "p", "--stage", "training", "-o", path, "--", "true")
    for form in FORMATS:
        done = cli.run("report", path, "--format", form, "--unit", "token=100")
        assert (done.returncode, bool(done.stdout)) == (0, True), done.stderr


def test_series_is_reported_run_by_run(cli, tmp_path: Path) -> None:
    path = str(tmp_path / "series.json")
    cli.run("run", "-q", "--repeat", "2", "-o", path, "--", "true")
    assert len(json.loads(cli.run("report", path, "--json").stdout)["records"]) == 2


def test_reported_json_can_be_reported_again(cli, saved, tmp_path: Path) -> None:
    again = tmp_path / "again.json"
    again.write_text(cli.run("report", saved(record(), record(100)), "--json").stdout)
    assert json.loads(cli.run("report", str(again), "--json").stdout)["total"]["energy_j"] == 2000.0


def test_runs_of_one_host_at_one_time_are_added_once_and_the_report_says_so(cli, saved) -> None:
    done = cli.run("report", saved(record(0, 100, project="a"), record(50, 100, project="b")), "--by", "project")
    assert "1 of 2 runs share time" in done.stdout
    assert done.stdout.splitlines()[3].split()[:6] == ["all", "2", "150", "s", "1.50", "kJ"]


def test_45_kwh_at_489_grams_reads_22_kg_by_convert_and_by_report(cli, saved) -> None:
    from eco2ai_fast import carbon, footprint

    path = saved(footprint.priced(record(0, 3600, power_w=45_000.0), carbon.own_factor(489.0)))
    assert "22.0 kg" in cli.run("convert", "45kWh", "--intensity", "489").stdout
    assert "22.0 kg" in cli.run("report", path).stdout


def test_reprice_sorts_grids_and_leaves_the_energy(cli, saved) -> None:
    done = cli.run("reprice", saved(record()), "--zones", "DE,US-DE,FR,US-CAL-CISO,aws:us-east-1", "--json")
    found = json.loads(done.stdout)
    assert found["energy_j"] == 1000.0
    assert [one["asked"] for one in found["zones"]] == ["FR", "US-CAL-CISO", "DE", "aws:us-east-1", "US-DE"]
    life_cycle = [one for one in found["zones"] if one["basis"] == "life-cycle"]
    assert all(one["low_g"] < one["co2e_g"] < one["high_g"] for one in life_cycle)
    assert all(0 < one["carbon_free_share"] <= 1 for one in life_cycle)
    table = cli.run("reprice", saved(record()), "--zones", "FR,DE").stdout
    assert "the same on every grid" in table
    assert "96 %" in table


def test_reprice_of_an_unknown_zone_names_close_ones(cli, saved) -> None:
    done = cli.run("reprice", saved(record()), "--zones", "Frence")
    assert done.returncode == 1
    assert "France (FR)" in done.stderr


def test_zones_finds_by_name_and_namibia_is_no_missing_value(cli) -> None:
    (namibia,) = [one for one in json.loads(cli.run("zones", "namib", "--json").stdout) if one["kind"] == "country"]
    assert (namibia["id"], namibia["factors"]["life-cycle"]["g_per_kwh"]) == ("NA", 48.78)
    assert "aws:eu-west-3" in cli.run("zones", "france").stdout
    assert cli.run("zones", "no such place").returncode == 1


def test_run_at_rest_fills_the_calibration_of_its_own_host_alone(cli, saved) -> None:
    rest = saved(record(500, 50, power_w=2.0), name="rest.jsonl")
    other = record(host={"hash": "1" * 32, "boot_id": "boot-2"})
    done = cli.run("report", saved(record(), other), "--idle", rest, "--format", "boamps")
    mine, others = json.loads(done.stdout)["measures"]
    assert mine["powerCalibrationMeasurement"] == pytest.approx(100 / 3.6e6)
    assert mine["durationCalibrationMeasurement"] == 50.0
    assert "powerCalibrationMeasurement" not in others
    assert mine["powerConsumption"] == others["powerConsumption"]
    assert "above rest" in cli.run("report", saved(record()), "--idle", rest).stdout
    assert "another host" in cli.run("report", saved(other), "--idle", rest).stderr


def test_contract_is_used_up_over_the_runs(cli, saved) -> None:
    kwh = 1000 / 3.6e6
    path = saved(record(0, 100), record(100, 100))
    done = cli.run("report", path, "--json", "--instrument", f"wind={1.5 * kwh}@0", "--residual", "400")
    assert json.loads(done.stdout)["total"]["market_g"] == pytest.approx(0.5 * kwh * 400)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--instrument", "wind"), "NAME=KWH@G"),
        (("--instrument", "wind=a@0"), "is no number"),
        (("--unit", "token"), "NAME=COUNT"),
        (("--unit", "token=0"), "above 0"),
        (("--embodied-kg", "1"), "go together"),
        (("--format", "sci"), "--unit"),
        (("--format", "hf", "--by", "month"), "--by goes with"),
    ],
)
def test_wrong_option_is_told_in_one_line(cli, saved, options: tuple[str, ...], message: str) -> None:
    done = cli.run("report", saved(record()), *options)
    assert done.returncode in (1, 2)
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not JSON"),
        ("[1]", "int instead of a record"),
        ("{}", "no record of eco2ai-fast"),
        ('{"kind": "run", "schema_version": 1}', "schema version 1"),
        ('{"kind": "run", "schema_version": 2}', "the record has no id"),
        ("[]", "no run in these files"),
        ('{"kind": "series", "schema_version": 2}', "NoneType instead of a record"),
        ("{}\n{", "line 2"),
    ],
)
def test_file_that_holds_no_record_is_named_with_the_reason(cli, tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "strange.json"
    path.write_text(content)
    for command in (("report", str(path)), ("reprice", str(path), "--zones", "FR")):
        done = cli.run(*command)
        if message == "no run in these files" and command[0] == "reprice":
            continue
        assert done.returncode == 1
        assert message in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "amount"), [("energy_j", -5), ("energy_j", float("nan")), ("energy_j", "5"), ("duration_s", float("inf"))]
)
def test_record_with_an_amount_that_cannot_be_is_refused(cli, saved, name: str, amount: object) -> None:
    done = cli.run("report", saved(record() | {name: amount}))
    assert done.returncode == 1
    assert f"{name} = {amount!r} is no amount" in done.stderr


def test_record_whose_parts_are_of_other_types_ends_in_one_line(cli, saved) -> None:
    done = cli.run("report", saved(record() | {"boundary": 3, "emissions": None}))
    assert done.returncode == 1
    assert "docs/record.md" in done.stderr


def test_old_files_become_records_that_keep_their_numbers(cli, table, tmp_path: Path) -> None:
    target = tmp_path / "old.jsonl"
    assert cli.run("import", table(codecarbon()), "-o", str(target)).returncode == 0
    made = json.loads(target.read_text())
    jsonschema.validate(made, SCHEMA)
    assert (made["energy_j"], made["pue"]) == (pytest.approx(2.0 * 3.6e6), 1.5)
    assert made["emissions"]["energy_kwh"] == pytest.approx(3.0)
    assert made["co2e_g"] == pytest.approx(150.0)
    assert {one["kind"]: one["energy_j"] for one in made["domains"]}["gpu"] == pytest.approx(0.5 * 3.6e6 / 1.5)
    assert (made["measured_j"], made["coverage"], made["uncertainty_j"]) == (None, None, None)
    assert made["imported_from"]["row"]["tracking_mode"] == "machine"
    for form in FORMATS:
        assert cli.run("report", str(target), "--format", form, "--unit", "token=1").returncode == 0, form


def test_rows_of_one_codecarbon_run_are_cumulative_and_not_summed(cli, table) -> None:
    rows = [codecarbon(duration="10", energy_consumed="1.0"), codecarbon(duration="60", energy_consumed="3.0"),
            codecarbon(run_id="run-2", duration="5", energy_consumed="0.5")]  # fmt: skip
    made = [json.loads(one) for one in cli.run("import", table(*rows)).stdout.splitlines()]
    assert [(one["id"], one["emissions"]["energy_kwh"]) for one in made] == [
        ("run-1", pytest.approx(3.0)),
        ("run-2", pytest.approx(0.5)),
    ]


def test_epochs_of_one_eco2ai_run_are_summed(cli, table, tmp_path: Path) -> None:
    target = tmp_path / "old.jsonl"
    cli.run("import", table(eco2ai(epoch="epoch: 1"), eco2ai(epoch="epoch: 2")), "-o", str(target))
    for line in target.read_text().splitlines():
        jsonschema.validate(json.loads(line), SCHEMA)
    total = json.loads(cli.run("report", str(target), "--json", "--by", "month").stdout)
    assert total["total"]["energy_kwh"] == pytest.approx(0.004)
    assert total["total"]["co2e_g"] == pytest.approx(0.2)
    assert list(total["groups"]) == ["2026-01"]


def test_run_without_energy_is_unknown_in_grams_and_says_why(cli, table) -> None:
    made = json.loads(cli.run("import", table(codecarbon(energy_consumed="0"))).stdout)
    jsonschema.validate(made, SCHEMA)
    assert (made["co2e_g"], made["carbon_error"]) == (None, "codecarbon 3.3.2 recorded no energy")


def test_row_of_ours_that_no_meter_told_is_unknown_and_not_the_end_of_the_file(cli, table, tmp_path: Path) -> None:
    unknown = {"power_consumption(kWh)": "nan", "CO2_emissions(kg)": "nan"}
    target = tmp_path / "old.jsonl"
    assert cli.run("import", table(eco2ai(), eco2ai(id="e2", **unknown)), "-o", str(target)).returncode == 0
    known, other = [json.loads(line) for line in target.read_text().splitlines()]
    jsonschema.validate(other, SCHEMA)
    assert known["energy_j"] and (other["energy_j"], other["co2e_g"]) == (None, None)
    assert json.loads(cli.run("report", str(target), "--json").stdout)["total"]["unknown"] == 1


def test_hardware_of_eco2ais_columns_is_named_without_its_counts(cli, table) -> None:
    cells = {"CPU_name": "Xeon 5/2 (x)/2 device(s), TDP:85.0", "GPU_name": "Tesla T4 2 device(s)"}
    made = json.loads(cli.run("import", table(eco2ai(**cells))).stdout)
    assert (made["hardware"]["cpu"], made["hardware"]["gpus"]) == ("Xeon 5/2 (x)", ["Tesla T4"])
    made = json.loads(cli.run("import", table(eco2ai(GPU_name=" 0 device(s)"))).stdout)
    assert made["hardware"]["gpus"] == []


@pytest.mark.parametrize(("column", "text"), [("duration", "abc"), ("energy_consumed", "-1"), ("emissions", "nan")])
def test_number_that_cannot_be_is_named_with_line_and_column(cli, table, column: str, text: str) -> None:
    done = cli.run("import", table(codecarbon(), codecarbon(run_id="b", **{column: text})))
    assert done.returncode == 1
    assert f"line 3: {column} = {text!r} is no amount" in done.stderr


def test_file_of_neither_tool_is_refused(cli, table) -> None:
    assert "neither" in cli.run("import", table({"a": "1"})).stderr


@pytest.mark.parametrize("hostile", HOSTILE[:-1], ids=range(len(HOSTILE) - 1))
def test_hostile_project_of_an_old_file_stays_text(cli, table, tmp_path: Path, hostile: str) -> None:
    target = tmp_path / "old.jsonl"
    assert cli.run("import", table(codecarbon(project_name=hostile)), "-o", str(target)).returncode == 0
    made = json.loads(target.read_text())
    assert made["project"] == hostile
    assert "\x1b" not in cli.run("report", str(target), "--by", "project").stdout
