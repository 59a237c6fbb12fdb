"""eco2AI's published levels: found by its names, labelled as its own, never mixed into intensity()."""

from __future__ import annotations

import pytest

from eco2ai_fast import carbon
from eco2ai_fast.carbon.eco2ai_levels import eco2ai_level
from eco2ai_fast.carbon.tables import table


def test_all_365_rows_are_there_and_each_is_found_by_its_name() -> None:
    levels = table("eco2ai_levels")
    assert len(levels.lines) == 365
    for key in levels.lines:
        country, _, region = key.partition("/")
        found = eco2ai_level(country, region or None)
        assert found.source == "eco2AI 0.3.12, published level" and found.year is None


@pytest.mark.parametrize(
    ("code", "region", "level", "zone"),
    [
        ("RU", None, 347.451, "RU"),
        ("ru", "moscow", 240.56, "RU-1"),
        ("CA", "Quebec", 1.2, "CA-QC"),
        ("US", "Delaware", 16.5, "US-DE"),
        ("US", "Virgin Islands", 693.548, "VI"),
        ("AU", "ACT", 790.0, "AU-NSW"),
        ("NA", None, 48.077, "NA"),
        ("RU", "Komi", 754.98, ""),
        # Other names of its table: abbreviations, spellings, languages.
        ("US", "CA", 175.62, "US-CA"),
        ("us", "Kalifornien", 175.62, "US-CA"),
        ("RU", "Московская область", 240.56, "RU-1"),
        ("CA", "QC", 1.2, "CA-QC"),
    ],
)
def test_level_and_zone_of_a_name(code: str, region: str | None, level: float, zone: str) -> None:
    found = eco2ai_level(code, region)
    assert (found.g_per_kwh, found.zone) == (level, zone)


def test_zone_that_a_name_means_has_a_factor_of_ours() -> None:
    levels = table("eco2ai_levels")
    for key in levels.lines:
        zone = levels.row(key)["zone"]
        if zone:
            assert carbon.intensity(zone).zone == zone, key


def test_other_name_belongs_to_one_region_of_a_country_that_has_a_level() -> None:
    names = table("eco2ai_names")
    seen: set[tuple[str, str]] = set()
    for region, line in names.lines.items():
        assert region in table("eco2ai_levels")
        for name in line.partition("\t")[2].split("|"):
            assert name and (region[:2], name) not in seen
            seen.add((region[:2], name))
    assert len(seen) > 5000


@pytest.mark.parametrize(("code", "region"), [("ZZ", None), ("RU", "Atlantis"), ("", ""), ("US", "")])
def test_unknown_name_is_an_error(code: str, region: str | None) -> None:
    with pytest.raises(carbon.UnknownZoneError):
        eco2ai_level(code, region)
