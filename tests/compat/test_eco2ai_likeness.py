"""The interface is the original's: held against it where it is installed, and against its figures where it is not."""

from __future__ import annotations

import csv
import inspect
import io
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import eco2ai_fast
from eco2ai_fast.compat import eco2ai as table
from eco2ai_fast.compat.installer import resolve

RunScript = Callable[..., "subprocess.CompletedProcess[str]"]

TRACKER_ARGUMENTS = {
    "project_name": None,
    "experiment_description": None,
    "file_name": None,
    "measure_period": 10,
    "emission_level": None,
    "alpha_2_code": None,
    "region": None,
    "cpu_processes": "current",
    "pue": 1,
    "encode_file": None,
    "electricity_pricing": None,
    "ignore_warnings": False,
    "timezone": False,
}

# Lists every module, name, signature and class of the original; run with its Python.
SURVEY = """
import importlib, inspect, json, sys, warnings
warnings.simplefilter("ignore")

def signature(one):
    return [[p.name, p.kind.name, repr(p.default)] for p in inspect.signature(one).parameters.values()]

def describe(one):
    if inspect.isclass(one):
        public = {n: v for n, v in vars(one).items() if inspect.isfunction(v) and (n == "__init__" or n[0] != "_")}
        methods = {n: signature(v) for n, v in public.items()}
        return {"bases": [b.__name__ for b in one.__mro__ if b.__module__ == "builtins"], "methods": methods}
    return {"signature": signature(one)} if callable(one) else {"value": repr(one)}

found = {}
for name in %s:
    module = importlib.import_module(name)
    found[name] = {
        key: describe(one) for key, one in vars(module).items()
        if not inspect.ismodule(one) and (key[0] != "_" or key == "__version__")
        and getattr(one, "__module__", "eco2ai").startswith("eco2ai")
    }
print("SURVEY" + json.dumps(found))
"""


def signature(one: Any) -> list[list[str]]:
    parameters = inspect.signature(one).parameters.values()
    return [[p.name, p.kind.name, repr(p.default)] for p in parameters]


def without_ours(parameters: list[list[str]]) -> list[list[str]]:
    return [one for one in parameters if one[1] != "KEYWORD_ONLY"]


def test_tracker_takes_thirteen_arguments_in_order_and_ours_by_keyword_alone() -> None:
    parameters = list(inspect.signature(eco2ai_fast.Tracker).parameters.values())
    theirs, ours = parameters[:13], parameters[13:]
    assert {one.name: one.default for one in theirs} == TRACKER_ARGUMENTS
    assert [one.name for one in theirs] == list(TRACKER_ARGUMENTS)
    assert all(one.kind is one.POSITIONAL_OR_KEYWORD for one in theirs)
    assert all(one.kind is one.KEYWORD_ONLY for one in ours)


def test_public_surface_is_that_of_the_original(run_original: RunScript) -> None:
    done = run_original(SURVEY % list(table.MODULES))
    survey = json.loads(done.stdout.rpartition("SURVEY")[2])
    compared = 0
    for module, names in survey.items():
        known = set(table.MODULES[module])
        assert set(names) - known <= table.WITHOUT_COUNTERPART, (module, set(names) - known)
        for name, theirs in names.items():
            if name in known:
                compared += compare(f"{module}.{name}", resolve(table.MODULES[module][name]), theirs)
    assert compared >= 60


def compare(name: str, ours: Any, theirs: dict[str, Any]) -> int:
    """Asserts likeness; how many callables were compared."""
    if "value" in theirs:
        assert repr(ours) == theirs["value"], name
        return 0
    if "signature" in theirs:
        assert without_ours(signature(ours)) == theirs["signature"], name
        return 1
    assert set(theirs["bases"]) <= {base.__name__ for base in ours.__mro__}, name
    if theirs["bases"] == ["object"]:
        for method, parameters in theirs["methods"].items():
            assert without_ours(signature(getattr(ours, method))) == parameters, f"{name}.{method}"
    return len(theirs["methods"]) or 1


def test_encoding_is_letter_by_letter_that_of_the_original(run_original: RunScript) -> None:
    done = run_original("""
import json, warnings
warnings.simplefilter("ignore")
from eco2ai.utils import encode
print("LETTERS" + json.dumps({chr(code): encode(chr(code)) for code in range(1, 0x500)}))
""")
    for letter, encoded in json.loads(done.stdout.rpartition("LETTERS")[2]).items():
        assert eco2ai_fast.emission_track.encode(letter) == encoded, letter


def test_emission_levels_are_those_of_the_original(run_original: RunScript) -> None:
    places = [("RU", None), ("RU", "Moscow"), ("US", "Texas"), ("FR", None), ("CA", "Quebec"), ("RU", "Atlantis")]
    places += [("US", "CA"), ("US", "kalifornien"), ("RU", "Татарстан"), ("AU", "ACT"), ("US", "Georgia")]
    done = run_original(f"""
import json, warnings
warnings.simplefilter("ignore")
from eco2ai.utils import define_carbon_index
found = [define_carbon_index(alpha_2_code=code, region=region) for code, region in {places!r}]
found += [define_carbon_index(emission_level=5, alpha_2_code="RU", region="Moscow")]
print("LEVELS" + json.dumps([[float(level), text] for level, text in found]))
""")
    theirs = json.loads(done.stdout.rpartition("LEVELS")[2])
    index = eco2ai_fast.utils.define_carbon_index
    with pytest.warns(UserWarning, match="Atlantis"):
        ours = [list(index(alpha_2_code=code, region=region)) for code, region in places]
    ours += [list(index(emission_level=5, alpha_2_code="RU", region="Moscow"))]
    assert ours == theirs


# A file in which every cell that is no figure is told by the script.
FILES = """
import eco2ai
given = dict(file_name="e.csv", alpha_2_code="RU", ignore_warnings=True)
prices = {"0:00-12:00": 1, "12:00-0:00": 2}
t = eco2ai.Tracker("p, q", 'd "e"', region="Moscow", electricity_pricing=prices, pue=1.5, **given)
t.start(); sum(range(10**6)); t.stop()
t = eco2ai.Tracker("проект", "two\\nlines", emission_level=5, region="Moscow", encode_file=True, **given)
t.start(); sum(range(10**6)); t.stop()
t = eco2ai.Tracker("p", "d", cpu_processes="all", **given)
t.start_training(start_epoch=3)
for epoch in range(2):
    sum(range(10**6)); t.new_epoch({"loss": 0.5 ** epoch, "name": "x, y"})
t.stop_training()
t.start(); t.stop()
"""
FIGURES = ("duration(s)", "power_consumption(kWh)", "CO2_emissions(kg)", "cost")
SAME = ("project_name", "experiment_description", "GPU_name", "OS", "region/country")


def test_files_are_alike_column_by_column(run_original: RunScript, run_shimmed: RunScript, tmp_path: Path) -> None:
    run_original(FILES)
    theirs = {name: (tmp_path / name).read_text() for name in ("e.csv", "encoded_e.csv")}
    for name in theirs:
        (tmp_path / name).unlink()
    assert run_shimmed(FILES).returncode == 0
    ours = {name: (tmp_path / name).read_text() for name in theirs}
    for name, text in theirs.items():
        assert ours[name].partition("\n")[0] == text.partition("\n")[0]
    old, new = (list(csv.DictReader(io.StringIO(text["e.csv"], newline=""))) for text in (theirs, ours))
    assert len(old) == len(new) == 5
    for their_row, our_row in zip(old, new, strict=True):
        for column in SAME:
            assert our_row[column] == their_row[column]
        assert (our_row["epoch"], their_row["epoch"] or "N/A") == (our_row["epoch"], our_row["epoch"])
        for row in (their_row, our_row):
            assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", row["id"])
            assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", row["start_time"])
            assert re.fullmatch(r".*/\d+ device\(s\), TDP:(\d+\.\d+|nan)", row["CPU_name"])
            assert all(float(row[column]) >= 0 for column in FIGURES)
    assert [row["id"] == new[2]["id"] for row in new] == [row["id"] == old[2]["id"] for row in old]
    # The original's figures in ours: the level, and the price by kWh of the hour.
    for rows in (old, new):
        levels = [1000 * float(row["CO2_emissions(kg)"]) / float(row["power_consumption(kWh)"]) for row in rows]
        assert levels == pytest.approx([240.56, 5, 347.451, 347.451, 347.451])
        price = float(rows[0]["cost"]) / float(rows[0]["power_consumption(kWh)"])
        assert price in (pytest.approx(1), pytest.approx(2))
        assert [float(row["cost"]) for row in rows[1:]] == [0, 0, 0, 0]


@pytest.mark.parametrize(
    "prices",
    [
        {"0:00-12:00": 1, "12:00-0:00": 2},
        {"8:00-20:00": 1, "20:00-8:00": 2},
        {"12:00-0:00": 2, "0:00-12:00": 1},
        {"0:00-12:00": 1},
        {"0:00-13:00": 1, "12:00-0:00": 2},
        {"0:00-12:60": 1, "12:60-0:00": 1},
    ],
)
def test_tariffs_are_judged_as_by_the_original(prices: dict[str, float], run_original: RunScript) -> None:
    done = run_original(f"""
import warnings
warnings.simplefilter("ignore")
from eco2ai import utils
try:
    print("JUDGED", utils.electricity_pricing_check({prices!r}))
except utils.IncorrectPricingDict:
    print("JUDGED wrong")
""")
    wrong = "JUDGED wrong" in done.stdout
    if wrong:
        with pytest.raises(eco2ai_fast.utils.IncorrectPricingDict):
            eco2ai_fast.utils.electricity_pricing_check(prices)
    else:
        assert eco2ai_fast.utils.electricity_pricing_check(prices) is None
