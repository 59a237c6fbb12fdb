"""Make the package's own carbon tables from the raw ones: `python tools/make_carbon_tables.py [RAW_DIR]`.

Reads RAW_DIR (default ../shared/data), writes python/eco2ai_fast/carbon/data/*.tsv. The same input gives the
same bytes. The form of a table is told in eco2ai_fast/carbon/tables.py, the choices in docs/carbon-data.md.
"""

from __future__ import annotations

import csv
import hashlib
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
OUT = REPO / "python" / "eco2ai_fast" / "carbon" / "data"

Rows = list[list[str]]


def read_csv(path: Path) -> list[dict[str, str]]:
    """Rows as text. No cell is ever read as missing: `NA` is Namibia."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def sha256_12(path: Path) -> str:
    """Twelve hexadecimal digits of the file's SHA-256: enough to tell two releases apart."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def write_table(name: str, meta: dict[str, str], columns: list[str], rows: Rows) -> None:
    """Write data/NAME.tsv: `#key<TAB>value` lines, the column names, the rows sorted by their first cell."""
    lines = [f"#{key}\t{value}" for key, value in meta.items()] + ["\t".join(columns)]
    for row in sorted(rows):
        if len(row) != len(columns) or any("\t" in cell or "\n" in cell for cell in row):
            raise SystemExit(f"{name}: bad row {row}")
        lines.append("\t".join(row))
    keys = [row[0] for row in rows]
    if len(set(keys)) != len(keys):
        raise SystemExit(f"{name}: a key stands twice")
    (OUT / f"{name}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{name}: {len(rows)} rows")


# Aggregates without an ISO code, by the raw table's abbreviation, which stays valid as a three-letter code.
AGGREGATES = {"WLD": ("WORLD", "World"), "EU27": ("EU27", "European Union"), "EUR": ("EUROPE", "Europe")}


def countries(raw: Path) -> None:
    """The default of a country: the newest yearly value of Ember's 2026 release."""
    path = raw / "ember_2026_countries.csv"
    rows: Rows = []
    for row in read_csv(path):
        zone, name = AGGREGATES.get(row["iso3"], (row["iso2"], row["name"]))
        rows.append([zone, row["iso3"], name, f"{float(row['g_per_kwh']):.10g}", row["year"]])
    write_table(
        "countries",
        {
            "source": "Ember, Yearly Electricity Data (2026), via Our World in Data",
            "licence": "CC-BY-4.0",
            "attribution": "Ember (2026), Yearly Electricity Data, processed by Our World in Data, CC BY 4.0",
            "version": f"Ember 2026 (raw sha256 {sha256_12(path)})",
            "basis": "life-cycle",
            "method": "production",
        },
        ["zone", "iso3", "name", "g_per_kwh", "year"],
        rows,
    )


def main() -> None:
    raw = Path(sys.argv[1]) if len(sys.argv) > 1 else REPO.parent / "shared" / "data"
    if not raw.is_dir():
        raise SystemExit(f"no raw tables in {raw}: give their directory as the argument")
    OUT.mkdir(parents=True, exist_ok=True)
    countries(raw)


if __name__ == "__main__":
    main()
