"""A table of factors of the user's own: it alone answers, and its faults are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from eco2ai_fast import carbon, settings

GOOD = """\
# made up for the test
zone,g_per_kwh,year,basis,source,name,licence
United Kingdom,177.0,2025,direct,DEFRA,UK grid,OGL
GBR,207.0,2024,direct,DEFRA,UK grid,OGL
GB,230.5,2024,life-cycle,house,,
our-supplier,12.5,2026,direct,contract 17,,
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "factors.csv"
    path.write_text(GOOD, encoding="utf-8")
    return path


def test_row_is_found_however_the_place_is_written(own: Path) -> None:
    for zone in ("uk", "GB", "Great Britain", "gb-eng"):
        found = carbon.intensity(zone, "direct", year=2025, factors_file=str(own))
        assert (found.g_per_kwh, found.source, found.zone) == (177.0, "DEFRA", "GB")


def test_id_of_the_users_own_is_found(own: Path) -> None:
    found = carbon.intensity("Our Supplier", factors_file=str(own))
    assert (found.g_per_kwh, found.zone, found.year, found.basis) == (12.5, "our-supplier", 2026, "direct")
    assert found.licence == "user's own" and "factors file" in found.matched_as


def test_life_cycle_goes_before_direct_and_the_newest_year_first(own: Path) -> None:
    assert carbon.intensity("UK", factors_file=str(own)).g_per_kwh == 230.5
    assert carbon.intensity("UK", "direct", factors_file=str(own)).g_per_kwh == 177.0
    assert carbon.intensity("UK", "direct", year=2024, factors_file=str(own)).g_per_kwh == 207.0


def test_two_factors_for_one_place_year_and_basis_are_refused_unless_they_agree(tmp_path: Path) -> None:
    twice = tmp_path / "twice.csv"
    twice.write_text(GOOD + "uk,177,2025,direct,DEFRA again,,\nFR,50,2024,direct,a,,\nFrance,60,2024,direct,b,,\n")
    assert carbon.intensity("UK", "direct", factors_file=str(twice)).g_per_kwh == 177.0
    with pytest.raises(carbon.FactorsFileError, match="50 and 60 are both its direct factor of 2024 for 'FR'"):
        carbon.intensity("FR", factors_file=str(twice))


def test_shipped_tables_never_stand_in_for_a_missing_row(own: Path) -> None:
    with pytest.raises(carbon.NoFactorError, match="there is no row for it"):
        carbon.intensity("FR", factors_file=str(own))
    with pytest.raises(carbon.NoDirectFactorError, match="has no direct factor of 1999 for 'GB'"):
        carbon.intensity("UK", "direct", year=1999, factors_file=str(own))
    with pytest.raises(carbon.UnknownZoneError):
        carbon.intensity("Utopia", factors_file=str(own))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("zone,g_per_kwh\n", "no column year, basis, source"),
        ("", "no column zone"),
        ("zone,g_per_kwh,year,basis,source\nFR,-1,2024,direct,me\n", "row 1: g_per_kwh is '-1'"),
        ("zone,g_per_kwh,year,basis,source\nFR,much,2024,direct,me\n", "g_per_kwh is 'much'"),
        ("zone,g_per_kwh,year,basis,source\nFR,1,soon,direct,me\n", "year is 'soon'"),
        ("zone,g_per_kwh,year,basis,source\nFR,1,2024,scope2,me\n", "basis is 'scope2'"),
        ("zone,g_per_kwh,year,basis,source\nFR,1,2024,direct\n", "zone and source must not be empty"),
    ],
)
def test_fault_in_the_file_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(carbon.FactorsFileError, match=complaint):
        carbon.intensity("FR", factors_file=str(path))


def test_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(carbon.FactorsFileError, match=r"cannot read .*nowhere\.csv"):
        carbon.intensity("FR", factors_file=str(tmp_path / "nowhere.csv"))


def test_setting_names_the_file_once_for_all(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "_configured", {})
    settings.configure(factors_file=str(own), zone="UK", basis="direct")
    assert carbon.here().g_per_kwh == 177.0
