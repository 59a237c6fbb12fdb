"""Intensity: what a place answers, and what an answer is."""

from __future__ import annotations

import pickle

import pytest

from eco2ai_fast import carbon, settings


@pytest.mark.parametrize("name", ["FR", "fr", " FRA ", "France", "FRANCE"])
def test_country_is_found_by_code_and_name(name: str) -> None:
    found = carbon.intensity(name)
    assert (found.zone, found.g_per_kwh, found.year, found.basis) == ("FR", 41.44, 2025, "life-cycle")
    assert found.found_by == "argument" and not found.is_guess


def test_na_is_namibia() -> None:
    found = carbon.intensity("NA")
    assert (found.zone_name, found.g_per_kwh) == ("Namibia", 48.78)
    assert carbon.intensity("NAM").zone == "NA"


def test_no_zone_is_the_world_and_says_so() -> None:
    found = carbon.intensity(None)
    assert (found.zone, found.g_per_kwh, found.found_by) == ("WORLD", 458.29, "default")
    assert found.is_guess


def test_intensity_carries_its_origin() -> None:
    found = carbon.intensity("FI")
    assert "Ember" in found.source and "2026" in found.dataset_version
    assert found.licence == "CC-BY-4.0" and "Our World in Data" in found.attribution
    assert found.unit == "gCO2e/kWh" and found.method == "production"
    assert "57.47 gCO2e/kWh" in repr(found) and "FI Finland 2025" in repr(found)


def test_intensity_is_immutable_and_survives_pickle() -> None:
    found = carbon.intensity("FI")
    with pytest.raises(AttributeError, match="immutable"):
        found.g_per_kwh = 1.0
    with pytest.raises(AttributeError, match="immutable"):
        del found.year
    again = pickle.loads(pickle.dumps(found))
    assert again == found and hash(again) == hash(found)
    assert found != carbon.intensity("SE")


def test_unknown_zone_names_close_matches() -> None:
    with pytest.raises(
        carbon.UnknownZoneError, match=r"unknown grid zone 'Frannce' .*France.*eco2ai-fast zones"
    ) as got:
        carbon.intensity("Frannce")
    assert "France (FR)" in got.value.close
    assert isinstance(pickle.loads(pickle.dumps(got.value)), carbon.UnknownZoneError)


@pytest.mark.parametrize("nothing", ["", "  ", "?!"])
def test_empty_zone_is_unknown_not_the_world(nothing: str) -> None:
    with pytest.raises(carbon.UnknownZoneError):
        carbon.intensity(nothing)


def test_unknown_basis_is_refused() -> None:
    with pytest.raises(carbon.FactorError, match="life-cycle or direct"):
        carbon.intensity("FR", basis="both")


@pytest.fixture
def bare_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("ECO2AI_FAST_ZONE", raising=False)
    monkeypatch.delenv("ECO2AI_FAST_INTENSITY_G_PER_KWH", raising=False)
    monkeypatch.setattr(settings, "_configured", {})


@pytest.mark.usefixtures("bare_settings")
def test_here_says_who_named_the_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECO2AI_FAST_ZONE", "SE")
    assert carbon.here().found_by == "environment ECO2AI_FAST_ZONE"
    assert carbon.here("FR").found_by == "argument"
    monkeypatch.setenv("ECO2AI_FAST_ZONE", "Atlantis")
    with pytest.raises(carbon.UnknownZoneError, match="from environment ECO2AI_FAST_ZONE"):
        carbon.here()


@pytest.mark.usefixtures("bare_settings")
def test_own_factor_wins_unless_the_zone_was_named_closer_to_the_call() -> None:
    settings.configure(intensity_g_per_kwh=12.5)
    own = carbon.here()
    assert (own.g_per_kwh, own.found_by, own.year, own.basis) == (12.5, "configure", None, "unknown")
    settings.configure(zone="FR")
    assert carbon.here().g_per_kwh == 12.5
    assert carbon.here("FR").g_per_kwh == 41.44
    assert carbon.here("FR", intensity_g_per_kwh=0.0).g_per_kwh == 0.0


def test_band_spans_the_data_sets_that_know_the_place_and_credits_them_all() -> None:
    found = carbon.intensity("FR")
    assert (found.low_g_per_kwh, found.high_g_per_kwh) == (31.0, 41.44)
    assert "Our World in Data" in found.attribution and "Electricity Maps" in found.attribution
    alone = carbon.intensity("CA-QC")
    assert (alone.low_g_per_kwh, alone.high_g_per_kwh) == (None, None)


def test_direct_factor_comes_from_a_direct_table() -> None:
    france = carbon.intensity("FR", "direct")
    assert (france.g_per_kwh, france.year, france.basis, france.licence) == (18.4, 2024, "direct", "ODbL-1.0")
    hawaii = carbon.intensity("US-HI", "direct")
    assert (hawaii.g_per_kwh, hawaii.low_g_per_kwh, hawaii.high_g_per_kwh) == (632.6, 326.1, 632.6)
    assert carbon.intensity("US-HI").basis == "life-cycle"


def test_place_without_a_direct_factor_says_so() -> None:
    with pytest.raises(
        carbon.NoDirectFactorError, match="no direct factor for BM: there is life-cycle of 2024"
    ):
        carbon.intensity("BM", "direct")


def test_life_cycle_is_never_answered_with_a_direct_factor() -> None:
    with pytest.raises(carbon.NoFactorError, match="no life-cycle factor for US-DE: there is direct of 2023"):
        carbon.intensity("Delaware", "life-cycle")


def test_earlier_year_is_found_where_a_table_has_it() -> None:
    assert carbon.intensity("DE", year=2022).g_per_kwh == 475.0
    with pytest.raises(carbon.NoFactorError, match=r"of 1990 for DE: .*2021, 2022, 2023, 2024, 2025"):
        carbon.intensity("DE", year=1990)


def test_grid_mix_gives_shares_with_their_origin() -> None:
    mix = carbon.grid_mix("France")
    assert (mix["carbon_free_share"], mix["renewable_share"], mix["year"]) == (0.96, 0.27, 2025)
    assert mix["licence"] == "ODbL-1.0" and "Electricity Maps" in str(mix["attribution"])
    with pytest.raises(carbon.NoFactorError, match="the mix of US-DE"):
        carbon.grid_mix("US-DE")
