"""`convert`: quantities as people type them, and the two formulas."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from eco2ai_fast.cli import main
from eco2ai_fast.cli.convert import parse, terms


@pytest.fixture(autouse=True)
def nothing_set(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in ("ZONE", "PUE", "INTENSITY_G_PER_KWH", "PRICE_PER_KWH", "CURRENCY"):
        monkeypatch.delenv(f"ECO2AI_FAST_{name}", raising=False)


def convert(*args: str):
    return CliRunner().invoke(main, ["convert", *args])


@pytest.mark.parametrize(
    ("typed", "energy_j"),
    [
        ("300W 10h", 300 * 36_000),
        ("300 W 10 h", 300 * 36_000),
        ("10h 300W", 300 * 36_000),
        ("2.5kW 1d 6h", 2500 * 108_000),
        ("1MW 90min", 1e6 * 5400),
        ("500mW 250ms", 0.125),
        ("45kWh", 45 * 3.6e6),
        ("45KWH", 45 * 3.6e6),
        ("1kWh 500Wh", 5.4e6),
        ("1e3J", 1000),
        ("1.5MJ", 1.5e6),
        ("0W 1h", 0),
    ],
)
def test_quantities_become_joules(typed: str, energy_j: float) -> None:
    assert terms(typed.split(" ")).energy_j == pytest.approx(energy_j)


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("3mw 1h", "'mw' may be mW or MW"),
        ("3 furlong", "unknown unit 'furlong'"),
        ("-3W 1h", "cannot read '-3W 1h'"),
        ("3,5W 1h", "cannot read ',5W 1h'|cannot read '3,5W 1h'"),
        ("1.2.3W 1h", "'1.2.3' is not a number"),
        ("1e999W 1h", "'1e999' is not a number"),
        ("300W", "give one power with a time"),
        ("10h", "give one power with a time"),
        ("300W 10h 5kWh", "give one power with a time"),
        ("300W 200W 1h", "give one power with a time"),
        ("300", "cannot read '300'"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_reason(typed: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        terms(typed.split(" "))


def test_every_unit_is_read_as_it_is_written() -> None:
    assert parse("1mW 2MW") == [(1.0, "mW"), (2.0, "MW")]


def test_45_kwh_at_489_grams_are_22_kilograms() -> None:
    done = convert("45kWh", "--intensity", "489")
    assert done.exit_code == 0
    assert "22.0 kg = 45.0 kWh x 489 g/kWh" in done.output


def test_power_time_pue_and_price_stand_in_the_answer() -> None:
    output = convert("300W", "10h", "--zone", "FR", "--pue", "1.5", "--price", "0.2").output
    assert "3.00 kWh (10.8 MJ) = 300 W x 10 h" in output
    assert "x PUE 1.5 x" in output
    assert "France" in output
    assert "0.90 = 3.00 kWh x PUE 1.5 x 0.2 per kWh" in output


def test_answer_as_json_is_not_rounded() -> None:
    answer = json.loads(convert("45kWh", "--intensity", "489", "--json").output)
    assert answer["co2e_g"] == pytest.approx(22_005)
    assert (answer["energy_j"], answer["cost"]) == (162e6, None)
    assert answer["intensity"]["found_by"] == "argument"


def test_world_average_is_named_with_the_hint() -> None:
    output = convert("1kWh").output
    assert "World" in output
    assert "no zone is set" in output


@pytest.mark.parametrize(("option", "value"), [("--zone", "nowhere"), ("--pue", "0.5"), ("--intensity", "-1")])
def test_factor_that_cannot_be_is_a_usage_error(option: str, value: str) -> None:
    done = convert("1kWh", option, value)
    assert done.exit_code == 2
    assert value in done.output
