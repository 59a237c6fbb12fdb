"""Names of places: every way to write one, and what happens to a name that is none."""

from __future__ import annotations

import pytest

from eco2ai_fast import carbon
from eco2ai_fast.carbon import names


@pytest.mark.parametrize(
    ("asked", "zone"),
    [
        ("fr", "FR"),
        ("FRA", "FR"),
        ("France", "FR"),
        ("usa", "US"),
        ("UK", "GB"),
        ("Great Britain", "GB"),
        ("Türkiye", "TR"),
        ("cote d'ivoire", "CI"),
        ("Ivory Coast", "CI"),
        ("Réunion", "RE"),
        ("reunion", "RE"),
        ("REU", "RE"),
        ("World", "WORLD"),
        ("EU", "EU27"),
        ("US-CA", "US-CA"),
        ("us-cal-ciso", "US-CAL-CISO"),
        ("California", "US-CA"),
        ("Quebec", "CA-QC"),
        ("Québec", "CA-QC"),
        ("AU-ACT", "AU-NSW"),
        ("RU-MOW", "RU-1"),
        ("RU/Moscow", "RU-1"),
        ("Москва", "RU-1"),
        ("US/CA", "US-CA"),
        ("us/georgia", "US-GA"),
        ("CN-HK", "HK"),
        ("aws:eu-west-3", "FR"),
        ("AWS:EU-WEST-3", "FR"),
        ("azure:West Europe", "NL"),
        ("gcp:us-east1", "US-CAR-SC"),
    ],
)
def test_name_leads_to_its_zone(asked: str, zone: str) -> None:
    assert names.resolve_zone(asked).zone == zone


@pytest.mark.parametrize(
    ("asked", "zone"),
    [("NA", "NA"), ("CA", "CA"), ("DE", "DE"), ("Georgia", "GE"), ("IT-SO", "IT-SO"), ("IN", "IN")],
)
def test_name_that_could_mean_two_places_follows_the_documented_order(asked: str, zone: str) -> None:
    assert names.resolve_zone(asked).zone == zone


def test_answer_says_how_the_name_was_understood() -> None:
    assert carbon.intensity("FRA").matched_as == "ISO 3166-1 alpha-3 code FRA"
    assert carbon.intensity("aws:eu-west-3").matched_as == "cloud region aws:eu-west-3"
    assert carbon.intensity("Moscow").matched_as == "name 'Moscow'"
    assert carbon.intensity("RU-MOW").matched_as == "ISO 3166-2 code RU-MOW"


def test_name_of_several_places_is_refused_with_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """No two parts of one country share a name today; a row added later must not win by chance."""
    index: tuple[dict[str, str], dict[str, list[tuple[str, str]]]]
    index = ({}, {"victoria": [("AU-VIC", "AU-VIC"), ("CA-BC", "CA-BC")]})
    monkeypatch.setattr(names, "_name_index", index)
    with pytest.raises(carbon.AmbiguousZoneError, match="several places") as got:
        names.resolve_zone("Victoria")
    assert got.value.close == ["AU-VIC", "CA-BC"]
    assert names.resolve_zone("AU/Victoria").zone == "AU-VIC"


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("Korea", "South Korea (KR)"),
        ("aws:eu-west-9", "aws:eu-west-3"),
        ("aws:", "no such region"),
        ("RU/Atlantis", "no part of RU"),
        ("/", "no part of"),
        ("US-CAL-CISCO", "CAISO (US-CAL-CISO)"),
        ("azure:unitedstates", "no source says which grid"),
    ],
)
def test_unknown_name_says_what_may_have_been_meant(asked: str, words: str) -> None:
    with pytest.raises(carbon.UnknownZoneError) as got:
        carbon.intensity(asked)
    assert words in str(got.value) and repr(asked) in str(got.value)


def test_plain_forgets_case_accents_and_punctuation() -> None:
    assert names.plain("Côte d-Ivoire") == names.plain("COTE D'IVOIRE") == "cotedivoire"
