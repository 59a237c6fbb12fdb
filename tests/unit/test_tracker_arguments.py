"""Arguments, stored parameters and places: what a tracker accepts and where it takes the rest from."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest

import eco2ai_fast
from eco2ai_fast import Tracker
from eco2ai_fast.tracking import place
from eco2ai_fast.tracking.errors import (
    IncorrectPricingDict,
    NoCountryCodeError,
    NotNeededExtensionError,
    TrackerWarning,
)

DEFAULTS = {
    "project_name": "default project name",
    "experiment_description": "default experiment description",
    "file_name": "emission.csv",
    "measure_period": 10,
    "pue": 1,
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("ECO2AI_FAST_ZONE", "TZ"):
        monkeypatch.delenv(name, raising=False)
    # No time zone, no cloud: nothing to guess a place from.
    (tmp_path / "root").mkdir()
    monkeypatch.setenv("ECO2AI_FAST_SYSROOT", str(tmp_path / "root"))
    return tmp_path


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"file_name": "e.txt"}, NotNeededExtensionError),
        ({"file_name": ""}, TypeError),
        ({"file_name": 5}, TypeError),
        ({"file_name": "a\0.csv"}, ValueError),
        ({"encode_file": "a\0.csv"}, ValueError),
        ({"measure_period": 0}, ValueError),
        ({"measure_period": -1}, ValueError),
        ({"measure_period": float("nan")}, ValueError),
        ({"measure_period": "x"}, TypeError),
        ({"region": "Moscow"}, NoCountryCodeError),
        ({"cpu_processes": "some"}, ValueError),
        ({"pue": 0}, ValueError),
        ({"encode_file": "e.txt"}, NotNeededExtensionError),
        ({"electricity_pricing": {"0:00-12:00": 1}}, IncorrectPricingDict),
        ({"electricity_pricing": {}}, IncorrectPricingDict),
        ({"electricity_pricing": [1]}, IncorrectPricingDict),
        ({"emission_level": "x"}, ValueError),
        ({"emission_level": -1}, ValueError),
        ({"zone": "Atlantis"}, eco2ai_fast.carbon.UnknownZoneError),
    ],
)
def test_argument_that_cannot_be_is_refused_at_once(wrong: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        Tracker(**wrong)


@pytest.mark.parametrize("kind", ["int64", "float32", "float64"])
def test_number_of_numpy_is_a_number(kind: str) -> None:
    number = getattr(pytest.importorskip("numpy"), kind)(2)
    given = Tracker(emission_level=number, measure_period=number, pue=number)
    assert (given.emission_level(), given.measure_period()) == (2, 2)
    assert Tracker(measure_period=None, pue=None, emission_level=1).get_set_params()["pue"] == 2
    with pytest.raises(TypeError):
        Tracker(pue=pytest.importorskip("numpy").bool_(True))


def test_parameters_are_stored_for_later_trackers(home: Path) -> None:
    assert eco2ai_fast.get_params() == DEFAULTS
    assert not list(home.rglob("eco2ai.toml"))
    Tracker("p\u2028ü", 'd "e"\n', "a/b.csv", measure_period=2.5, alpha_2_code="RU")
    later = Tracker(measure_period=None, alpha_2_code="RU")
    assert (later.project_name, later.experiment_description, later.file_name) == ("p\u2028ü", 'd "e"\n', "a/b.csv")
    assert later.measure_period() == 2.5
    assert later.get_set_params(project_name="q")["project_name"] == "q"
    assert eco2ai_fast.get_params()["project_name"] == "q"


@pytest.mark.parametrize(
    ("stored", "error"), [({"pue": "a"}, TypeError), ({"pue": -1}, ValueError), ({"measure_period": "x"}, TypeError)]
)
def test_stored_parameter_that_cannot_be_is_refused_before_the_run(stored: dict[str, Any], error: type) -> None:
    eco2ai_fast.set_params(**stored)
    with pytest.raises(error):
        Tracker(emission_level=1, measure_period=None, pue=None)


def test_set_params_forgets_what_it_is_not_given() -> None:
    eco2ai_fast.set_params(project_name="p", pue=1.5)
    eco2ai_fast.set_params(file_name="f.csv", own_key="kept")
    assert eco2ai_fast.get_params() == DEFAULTS | {"file_name": "f.csv", "own_key": "kept"}


def test_home_that_cannot_be_written_to_stops_no_tracker(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "file").write_text("")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "file"))
    assert Tracker("mine", alpha_2_code="RU").project_name == "mine"
    assert Tracker(alpha_2_code="RU").project_name == "mine"
    with pytest.warns(TrackerWarning, match="this process alone"):
        eco2ai_fast.set_params(project_name="other")
    assert Tracker(alpha_2_code="RU").project_name == "other"


def test_broken_parameter_file_is_as_none(home: Path) -> None:
    (home / "config" / "eco2ai_fast").mkdir(parents=True)
    (home / "config" / "eco2ai_fast" / "eco2ai.toml").write_text("project_name = {")
    assert eco2ai_fast.get_params() == DEFAULTS


@pytest.mark.parametrize(
    ("arguments", "level", "text"),
    [
        ((5, None, None, None), 5, "(World)"),
        ((5, "RU", "Moscow", None), 5, "(RU/Moscow)"),
        ((None, "RU", "Moscow", None), 240.56, "RU/Moscow"),
        ((None, "ru", None, None), 347.451, "ru"),
        ((None, "NA", None, None), 48.077, "NA"),
    ],
)
def test_level_is_the_argument_or_what_eco2ai_publishes(arguments: Any, level: float, text: str) -> None:
    found = place.find(*arguments, quiet=False)
    assert (found.level, found.text) == (level, text)


@pytest.mark.parametrize(
    ("code", "region", "words"), [("ZZ", None, "ZZ.*world's average"), ("RU", "Atlantis", "Atlantis.*347")]
)
def test_name_that_nobody_knows_is_warned_of(code: str, region: str | None, words: str) -> None:
    with pytest.warns(TrackerWarning, match=words):
        place.find(None, code, region, None, quiet=False)


def test_tracker_that_is_switched_off_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECO2AI_FAST_DISABLE", "1")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        t = Tracker(file_name="absent/e.csv")
        t.start()
        t.stop()


def test_configured_zone_holds_without_codes_and_else_the_world_with_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.warns(TrackerWarning, match="world's average"):
        world = place.find(None, None, None, None, quiet=False)
    assert (world.text, world.level) == ("World", eco2ai_fast.carbon.intensity().g_per_kwh)
    monkeypatch.setenv("ECO2AI_FAST_ZONE", "FR")
    france = place.find(None, None, None, None, quiet=False)
    assert (france.text, france.level) == ("FR", eco2ai_fast.carbon.intensity("FR").g_per_kwh)
    assert place.find(None, None, None, "DE", quiet=False).text == "DE"
