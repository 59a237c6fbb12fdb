"""The forms that others ask for: their fields, their units, and what stays open."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace

import pytest

from eco2ai_fast import carbon, footprint
from eco2ai_fast.carbon.scope2 import Instrument
from eco2ai_fast.export import boamps, esrs, eu_gpai, huggingface, sci
from reporting import HOSTILE, record

YEAR_S = 365 * 86_400.0
# Boavizta/BoAmps at 3bfefec8, the fields that its schemas require.
BOAMPS_REQUIRED = {
    "": ["header", "task", "measures", "infrastructure", "environment", "quality"],
    "header": ["reportDatetime", "publisher"],
    "task": ["taskStage", "taskFamily", "algorithms", "dataset"],
    "infrastructure": ["infraType", "components"],
    "environment": ["country"],
}
BIG = {"start_s": 0, "seconds": 86_400.0, "power_w": 5000.0}  # 120 kWh


def fields(written: str) -> dict[str, str]:
    return dict(row.split(": ", 1) for row in written.splitlines())


def megawatt_hours(text: str) -> float:
    found = re.match(r"([0-9.]+) MWh", text)
    assert found
    return float(found.group(1))


def test_model_card_is_read_by_huggingface_hub() -> None:
    hub = pytest.importorskip("huggingface_hub")
    made = record(project="p", stage="fine-tuning")
    card = hub.ModelCard(huggingface.text([made]) + "\n# Model\n")
    found = card.data.to_dict()["co2_eq_emissions"]
    assert found["emissions"] == made["co2e_g"]
    assert (found["training_type"], found["geographical_location"]) == ("fine-tuning", "France")
    assert "Ember" in found["source"]


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_model_card_with_a_hostile_name_holds_it_as_text(hostile: str) -> None:
    yaml = pytest.importorskip("yaml")
    written = huggingface.text([record(stage=hostile)])
    (found,) = yaml.safe_load_all(written.removesuffix("---\n"))
    assert found["co2_eq_emissions"]["training_type"] == hostile.encode("utf-8", "replace").decode()
    assert set(found) == {"co2_eq_emissions"}


@pytest.mark.parametrize("power_w", [1e-3, 1e-2, 1.0, 1e6])
def test_hub_filters_a_model_card_by_its_grams_however_few(power_w: float) -> None:
    hub = pytest.importorskip("huggingface_hub")
    helpers = pytest.importorskip("huggingface_hub.utils.endpoint_helpers")
    made = record(power_w=power_w)
    model = SimpleNamespace(card_data=hub.ModelCard(huggingface.text([made])).data)
    assert helpers._is_emission_within_threshold(model, 0.99 * made["co2e_g"], 1.01 * made["co2e_g"])


@pytest.mark.parametrize("power_w", [1e-6, 1e-3, 1.0, 1e6])
def test_first_number_of_a_model_cards_emissions_is_the_grams(power_w: float) -> None:
    made = record(power_w=power_w)
    text = next(row for row in huggingface.text([made]).splitlines() if "emissions:" in row and "eq" not in row)
    assert float(re.findall(r"\d+\.\d+|\d+", text)[0]) == made["co2e_g"]  # the Hub's own expression


def test_model_card_without_grams_is_refused() -> None:
    with pytest.raises(ValueError, match="no grams"):
        huggingface.text([record(co2e_g=None)])


def test_boamps_has_its_required_fields_and_the_idle_calibration() -> None:
    made = record(terms={"stage": "training", "idle_energy_j": 36.0, "idle_duration_s": 10.0})
    found = json.loads(boamps.text([made]))
    for part, needed in BOAMPS_REQUIRED.items():
        assert set(needed) <= set(found[part] if part else found), part
    assert found["header"]["publisher"]["confidentialityLevel"] == "confidential"
    (measure,) = found["measures"]
    assert (measure["powerConsumption"], measure["measurementDuration"]) == (1000.0 / 3.6e6, 100.0)
    assert measure["powerCalibrationMeasurement"] == pytest.approx(36.0 / 3.6e6)
    assert measure["durationCalibrationMeasurement"] == 10.0
    assert found["task"]["taskStage"] == "training"
    assert found["environment"] == {"country": "France", "powerSourceCarbonIntensity": 41.44}
    assert found["quality"] == "high"


def test_boamps_leaves_the_calibration_out_where_nobody_measured_it() -> None:
    (measure,) = json.loads(boamps.text([record()]))["measures"]
    assert "powerCalibrationMeasurement" not in measure
    assert None not in measure.values()


def test_boamps_names_the_cloud_only_where_the_zone_does() -> None:
    found = json.loads(boamps.text([record(zone="aws:eu-west-3")]))["infrastructure"]
    assert (found["infraType"], found["cloudProvider"]) == ("publicCloud", "aws")
    assert json.loads(boamps.text([record()]))["infrastructure"]["infraType"] == "onPremise"


def test_eu_form_gives_megawatt_hours_days_and_the_method_and_leaves_flops_open() -> None:
    found = fields(eu_gpai.text([record(**BIG)]))
    assert found["Amount of energy used for training"].startswith("0.120 MWh (measured")
    assert found["Training time, wall clock"] == "1.00 days"
    assert found["Training time, hardware"].startswith("1.00 days")
    assert "OPEN" in found["Amount of computation used for training"]
    assert 30 < len(found["Energy measurement methodology"].split()) < 130


@pytest.mark.parametrize("power_w", [0.01234, 1.0, 5e6])
def test_eu_form_has_at_least_two_significant_figures(power_w: float) -> None:
    made = record(power_w=power_w)
    text = fields(eu_gpai.text([made]))["Amount of energy used for training"]
    figures = re.match(r"([0-9.]+) MWh", text).group(1).replace(".", "").lstrip("0")
    assert len(figures) >= 2
    assert megawatt_hours(text) == pytest.approx(made["energy_j"] / 3.6e9, rel=0.01)


def test_wall_clock_counts_machines_that_ran_at_once_only_once() -> None:
    other = record(**BIG, host={"hash": "1" * 32, "boot_id": "boot-2"})
    found = fields(eu_gpai.text([record(**BIG), other]))
    assert found["Training time, wall clock"] == "1.00 days"
    assert found["Training time, hardware"].startswith("2.00 days")


def test_esrs_takes_the_direct_factor_for_scope_2_and_shows_the_life_cycle_apart() -> None:
    made = record(**BIG)
    found = fields(esrs.text([made]))
    direct = carbon.intensity("FR", "direct").g_per_kwh
    tonnes = float(found["E1-6 gross scope 2, location-based"].split()[0])
    assert tonnes == pytest.approx(120 * direct / 1e6, rel=0.01)
    beside = next(value for label, value in found.items() if label.startswith("Beside it"))
    assert float(beside.split()[0]) == pytest.approx(made["co2e_g"] / 1e6, rel=0.01)
    assert found["E1-6 gross scope 1"].startswith("OPEN")


def test_esrs_splits_the_energy_by_the_mix_and_the_parts_make_the_whole() -> None:
    found = fields(esrs.text([record(**BIG), record(**BIG, zone="DE", host={"hash": None, "boot_id": "other"})]))
    parts = [megawatt_hours(found[f"E1-5 of it from {kind} sources"]) for kind in ("fossil", "nuclear", "renewable")]
    assert sum(parts) == pytest.approx(0.240, rel=0.01)


def test_esrs_has_a_market_based_result_only_from_contracts() -> None:
    assert fields(esrs.text([record(**BIG)]))["E1-6 gross scope 2, market-based"].startswith("OPEN")
    made = record(**BIG, terms={"instruments": [Instrument("wind", 60.0, 0.0)], "residual_g_per_kwh": 500.0})
    assert fields(esrs.text([made]))["E1-6 gross scope 2, market-based"] == "0.0300 tCO2e"


def test_esrs_without_a_direct_factor_says_so_and_does_not_use_another() -> None:
    found = fields(esrs.text([record(**BIG, zone="WORLD")]))["E1-6 gross scope 2, location-based"]
    assert found.startswith("OPEN: no direct factor is known")


def test_sci_is_operational_plus_embodied_per_unit() -> None:
    made = record(terms={"functional_unit": ("token", 500.0), "embodied_kg": 164.0, "lifetime_s": 3 * YEAR_S})
    found = fields(sci.text([made]))
    value, words = found["SCI"].split(" ", 1)
    assert words == "gCO2e per token"
    assert float(value) == carbon.sci_g(made["co2e_g"], made["emissions"]["embodied"]["g"], 500.0)
    assert found["Energy per unit"].startswith("2.00 J")


def test_sci_that_leaves_embodied_out_says_so() -> None:
    found = fields(sci.text([record(terms={"functional_unit": ("token", 1.0)})]))
    assert "left out" in found["M, embodied"]


def test_units_of_several_records_add_up_and_different_ones_are_refused() -> None:
    first = record(0, 100, terms={"functional_unit": ("token", 1.0)})
    second = record(100, 100, terms={"functional_unit": ("token", 3.0)})
    assert fields(sci.text([first, second]))["Energy per unit"].startswith("500 J")
    with pytest.raises(ValueError, match="several functional units"):
        sci.text([first, record(terms={"functional_unit": ("image", 1.0)})])
    with pytest.raises(ValueError, match="--unit"):
        sci.text([first, record()])


def test_energy_of_every_form_is_the_same_on_every_grid() -> None:
    made = record(**BIG)
    for zone in ("SE", "US-DE", "gcp:us-west1"):
        other = footprint.priced(made, carbon.intensity(zone))
        for form, label in (
            (eu_gpai, "Amount of energy used for training"),
            (esrs, "E1-5 electricity of the computing recorded here"),
        ):
            assert fields(form.text([other]))[label] == fields(form.text([made]))[label]
