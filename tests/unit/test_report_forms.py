"""Text, Markdown and JSON: they say what the record says, and names from outside stay text."""

from __future__ import annotations

import copy
import json

import pytest

from eco2ai_fast import carbon
from eco2ai_fast.export import boamps, esrs, eu_gpai, huggingface, sci
from eco2ai_fast.report import as_json, markdown, text
from eco2ai_fast.report.wording import decimal, line
from reporting import HOSTILE, command_record, record

FORMS = {"text": text, "md": markdown, "json": as_json, "hf": huggingface, "boamps": boamps,
         "eu-gpai": eu_gpai, "esrs": esrs, "sci": sci}  # fmt: skip
UNIT = {"functional_unit": ("token", 100.0)}


def kwh_45() -> dict:
    """45 kWh at 0.489 kg/kWh, by a factor of the user's own."""
    from eco2ai_fast import footprint

    return footprint.priced(record(0, 3600, power_w=45_000.0), carbon.own_factor(489.0))


@pytest.mark.parametrize("form", ["text", "md"])
def test_45_kwh_at_489_grams_reads_22_kg(form: str) -> None:
    made = kwh_45()
    assert made["co2e_g"] == carbon.co2e_g(45 * 3.6e6, 489.0) == pytest.approx(22_005.0)
    assert "22.0 kg" in FORMS[form].text([made])


def test_model_card_of_45_kwh_says_22005_grams() -> None:
    assert "emissions: 22005\n" in huggingface.text([kwh_45()])


@pytest.mark.parametrize("form", FORMS)
def test_no_form_changes_the_record(form: str) -> None:
    made = record(terms=UNIT)
    before = copy.deepcopy(made)
    FORMS[form].text([made])
    assert made == before


@pytest.mark.parametrize("form", FORMS)
def test_attribution_goes_with_every_form_that_has_room_for_it(form: str) -> None:
    if form == "boamps":
        pytest.skip("the form has no field for it")
    assert "Ember (2026)" in FORMS[form].text([record(terms=UNIT)])
    assert "Electricity Maps" in FORMS[form].text([record(terms=UNIT)])


@pytest.mark.parametrize("form", [one for one in FORMS if one not in ("json", "boamps")])
def test_tiny_energy_is_written_without_an_exponent(form: str) -> None:
    tiny = record(0, 1, power_w=0.001, terms=UNIT)
    written = FORMS[form].text([tiny])
    numbers = [word.strip("(),|") for word in written.split()]
    assert not [word for word in numbers if _has_exponent(word)]


def texts(document: object) -> list[str]:
    """Every text in a JSON document."""
    if isinstance(document, dict):
        return [found for value in document.values() for found in texts(value)]
    if isinstance(document, list):
        return [found for value in document for found in texts(value)]
    return [document] if isinstance(document, str) else []


def _has_exponent(word: str) -> bool:
    mantissa, e, exponent = word.partition("e")
    return bool(e) and mantissa.replace(".", "").isdigit() and exponent.lstrip("+-").isdigit()


def test_text_of_one_run_holds_boundary_band_and_provenance() -> None:
    written = text.text([record(pue=1.5)])
    assert "100 % of the energy, measured (replay)" in written
    assert "gpu, storage, network" in written
    assert "data sets 31.0 to 41.4" in written
    assert "PUE" in written and "1.50 (argument)" in written
    assert "0.000416666" in written  # kWh, as it is stored


def test_text_of_many_runs_says_that_shared_time_counts_once() -> None:
    written = text.text([record(0, 100), record(50, 100)])
    assert "1 of 2 runs share time" in written
    assert "500 J" in written


def test_json_holds_the_records_as_they_are_and_their_sum() -> None:
    made = record()
    found = json.loads(as_json.text([made, made], "project"))
    assert found["records"] == [json.loads(json.dumps(made))] * 2
    assert found["total"]["energy_j"] == found["groups"]["(none)"]["energy_j"] == made["energy_j"]


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("form", FORMS)
def test_hostile_name_is_text(form: str, hostile: str) -> None:
    """In every place that a name can come from, also in one that only a foreign record holds."""
    made = record(terms=UNIT, project=hostile, stage=hostile, name=hostile)
    made["functional_unit"] = {"unit": hostile, "count": 2.0}
    made["intensity"] = made["intensity"] | {"zone_name": hostile, "source": hostile}
    made["hardware"] = made["hardware"] | {"cpu": hostile}
    made["attribution"] = [hostile]
    made["notes"] = [hostile]
    plain = FORMS[form].text([record(terms=UNIT, project="p", stage="s", name="n")])
    for written in (FORMS[form].text([made]), FORMS[form].text([made, made])):
        written.encode("utf-8", "backslashreplace")
        assert "\x1b" not in written
        assert "\u2028" not in written
        if form in ("json", "boamps"):
            assert hostile in texts(json.loads(written))
            continue
        assert not any(row.startswith(("=", "# head", "---\n#")) for row in written.splitlines())
        assert len(written) < len(plain) + 25 * 600 or form == "hf"
        if form != "md":
            assert written.count("\n") <= plain.count("\n") * 2 + 25


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_markdown_of_a_hostile_name_has_no_element_of_its_own(hostile: str) -> None:
    parser = pytest.importorskip("markdown_it").MarkdownIt("gfm-like", {"linkify": False, "html": True})
    pages = [parser.render(markdown.text([record(project=one, name=one)])) for one in ("plain", hostile)]
    elements = [sorted(part.split(">")[0] for part in page.split("<")[1:]) for page in pages]
    assert elements[0] == elements[1]


def test_commands_arguments_are_text_too() -> None:
    written = text.text([command_record(["sh", "-c", "echo \x1b[2J\nrm"])])
    assert "echo ?[2J?rm" in written


def test_long_name_is_cut_and_says_how_long_it_was() -> None:
    assert line("x" * 10_000).endswith("... (10000 characters)")


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (1.2e-05, "0.000012"),
        (22005.0, "22005"),
        (1e22, "10000000000000000000000"),
        (0.1, "0.1"),
        (0, "0"),
        (5e-324, "0." + "0" * 323 + "5"),
    ],
)
def test_decimal_is_the_stored_number_and_nothing_less(value: float, written: str) -> None:
    assert decimal(value) == written
    assert float(decimal(value)) == value
