"""The interface is the original's: held against it where it is installed, and against its figures where it is not."""

from __future__ import annotations

import inspect
import json
import subprocess
from collections.abc import Callable
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
