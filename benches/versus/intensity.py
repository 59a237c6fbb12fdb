"""Which carbon intensity does each tool give a country, against the table that it should come from?

The primary source is Ember's yearly data, whose published table can be given (`--primary`, CSV with iso2 and
g_per_kwh); without it our own copy stands in, and our error is then zero by construction. Each tool is asked as it is
installed, without a network.
"""

from __future__ import annotations

import csv
import json
import statistics
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from .environments import OURS, REPO, Environment, offline
from .runs import Failed, marked, run

# The largest grids, and small ones of every kind; the last is Namibia, which many a reader of tables takes for nothing.
COUNTRIES = [
    *("US", "CN", "IN", "RU", "JP", "DE", "KR", "CA", "BR", "FR", "GB", "IT", "ES"),
    *("AU", "ZA", "PL", "SE", "NO", "FI", "CH", "NL", "TR", "MX", "ID", "NA"),
]
TABLE = REPO / "python" / "eco2ai_fast" / "carbon" / "data" / "countries.tsv"
TIMEOUT_S = 120

# Each prints a JSON object of country to gCO2e/kWh; CODES maps alpha-2 to alpha-3.
ASK = {
    OURS: "import eco2ai_fast as eco\nanswer = {a: eco.carbon.intensity(a).g_per_kwh for a in CODES}",
    "eco2ai": """
import eco2ai
answer = {a: eco2ai.Tracker(alpha_2_code=a, ignore_warnings=True).emission_level() for a in CODES}
""",
    "codecarbon": """
from codecarbon.core.emissions import Emissions
from codecarbon.core.units import Energy
from codecarbon.external.geography import GeoMetadata
from codecarbon.input import DataSource
emissions, kwh = Emissions(DataSource()), Energy.from_energy(kWh=1)
places = {a: GeoMetadata(country_iso_code=iso3) for a, iso3 in CODES.items()}
answer = {a: 1e3 * emissions.get_private_infra_emissions(kwh, place) for a, place in places.items()}
""",
    # Its lookup is inside a class that geolocates first; this is the same file, and its fallback for what is absent.
    "carbontracker": """
import pandas, carbontracker.constants as constants, importlib.resources
path = importlib.resources.files("carbontracker").joinpath("data", "carbon-intensities.csv")
rows = pandas.read_csv(str(path))
found = dict(zip(rows["alpha-2"], rows["Carbon intensity of electricity (gCO2eq/kWh)"]))
answer = {a: float(found.get(a, constants.WORLD_AVG_CARBON_INTENSITY)) for a in CODES}
""",
}
FRAME = """
import json, warnings
warnings.simplefilter("ignore")
CODES = {codes!r}
{ask}
print("ANSWER" + json.dumps(answer))
"""


def measured(
    environments: Iterable[Environment], primary: Path | None, tell: Callable[[str], None]
) -> dict[str, Any]:
    """The primary value of each country, and what each tool says: g/kWh and the error in percent."""
    values, codes, source = _ours() if primary is None else _given(primary)
    known = {environment.name: environment for environment in environments if environment.failure is None}
    answers = {name: _asked(known[name], codes, tell) for name in ASK if name in known}
    rows = {
        country: {"primary": values[country]} | {name: _row(one, country, values) for name, one in answers.items()}
        for country in COUNTRIES
    }
    return {"source": source, "countries": rows, "summary": {name: _summary(rows, name) for name in answers}}


def _asked(
    environment: Environment, codes: Mapping[str, str], tell: Callable[[str], None]
) -> dict[str, float] | Failed:
    script = FRAME.format(codes=dict(codes), ask=ASK[environment.name])
    with tempfile.TemporaryDirectory() as folder:
        try:
            out = run(offline([environment.python, "-c", script]), TIMEOUT_S, Path(folder), {"HOME": folder})
            answer: dict[str, float] = marked(out, "ANSWER")
        except Failed as failed:
            tell(f"intensity, {environment.name}: {failed}")
            return failed
    return answer


def _row(answer: dict[str, float] | Failed, country: str, values: Mapping[str, float]) -> dict[str, Any]:
    if isinstance(answer, Failed):
        return {"message": str(answer)}
    found = answer[country]
    return {"g_per_kwh": found, "error_percent": 100 * (found / values[country] - 1)}


def _summary(rows: Mapping[str, Mapping[str, Any]], name: str) -> dict[str, Any]:
    errors = {country: row[name]["error_percent"] for country, row in rows.items() if "error_percent" in row[name]}
    if not errors:
        return {"message": next(iter(rows.values()))[name]["message"]}
    worst = max(errors, key=lambda country: abs(errors[country]))
    sizes = [abs(error) for error in errors.values()]
    return {
        "median_percent": statistics.median(sizes),
        "worst_percent": errors[worst],
        "worst": worst,
        "beyond_10_percent": sum(size > 10 for size in sizes),
        "countries": len(sizes),
    }


def _ours() -> tuple[dict[str, float], dict[str, str], str]:
    lines = TABLE.read_text().splitlines()
    source = next(line.split("\t", 1)[1] for line in lines if line.startswith("#source"))
    rows = list(csv.DictReader((line for line in lines if not line.startswith("#")), delimiter="\t"))
    return _columns(rows, "zone", f"{source}; our own copy")


def _given(primary: Path) -> tuple[dict[str, float], dict[str, str], str]:
    with primary.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return _columns(rows, "iso2", "Ember (2026), Yearly Electricity Data: the published table")


def _columns(rows: list[dict[str, str]], code: str, source: str) -> tuple[dict[str, float], dict[str, str], str]:
    wanted = [row for row in rows if row[code] in COUNTRIES]
    values = {row[code]: float(row["g_per_kwh"]) for row in wanted}
    return values, {country: iso3 for country in COUNTRIES for iso3 in _iso3(wanted, code, country)}, source


def _iso3(rows: list[dict[str, str]], code: str, country: str) -> list[str]:
    return [row["iso3"] for row in rows if row[code] == country]


def main() -> None:
    """A look at the intensities alone."""
    from .environments import make

    print(json.dumps(measured(make(ASK), None, print)["summary"], indent=1))


if __name__ == "__main__":
    main()
