"""The list of places: complete, and each entry can be asked for."""

from __future__ import annotations

import pytest

from eco2ai_fast import carbon
from eco2ai_fast.carbon.listing import zones


def test_every_entry_has_the_factors_that_it_claims() -> None:
    listed = zones()
    assert len({zone.id for zone in listed}) == len(listed) == 223 + 226 + 158
    for zone in listed:
        for basis in ("life-cycle", "direct"):
            if basis in zone.bases:
                assert carbon.intensity(zone.id, basis).basis == basis
            elif zone.kind != "cloud region":  # Google publishes direct figures for regions of its own
                with pytest.raises(carbon.NoFactorError):
                    carbon.intensity(zone.id, basis)


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("germany", "DE"),
        ("quebec", "CA-QC"),
        ("us-cal", "US-CAL-BANC"),
        ("eu-west-3", "aws:eu-west-3"),
        ("NA", "NA"),
    ],
)
def test_query_is_looked_for_in_ids_and_names(query: str, first: str) -> None:
    assert zones(query)[0].id == first


def test_region_whose_grid_no_source_names_is_listed_as_unknown() -> None:
    (found,) = zones("azure:eastus3")
    assert (found.kind, found.bases) == ("cloud region", ()) and "unknown" in found.name
    assert sum(not zone.bases for zone in zones()) == 3


def test_kinds_are_told_apart() -> None:
    kinds = {zone.id: zone.kind for zone in zones()}
    assert [kinds[key] for key in ("WORLD", "FR", "CA-QC", "US-DE", "CN-BJ", "gcp:us-west1")] == [
        "aggregate",
        "country",
        "grid zone",
        "state",
        "province",
        "cloud region",
    ]


def test_nothing_found_is_an_empty_list() -> None:
    assert zones("Atlantis") == []
