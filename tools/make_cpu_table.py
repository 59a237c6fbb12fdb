"""Makes rust/core/data/cpu_tdp.tsv, the table of thermal design powers by brand string.

    python tools/make_cpu_table.py [RAW_DIR]

Facts only: a name and a power in watts. Where the two raw tables disagree, the row is kept with the smaller figure:
the larger one is usually a turbo limit, and a model must not overstate. Names without a digit are families, not
processors, and are left out.
"""

from __future__ import annotations

import csv
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
OUT = HERE / "rust/core/data/cpu_tdp.tsv"
HEADER = """\
# normalised processor name <tab> thermal design power of one package in watts
# made by tools/make_cpu_table.py from the processor tables of eco2AI 0.3.12 (Apache-2.0) and CodeCarbon 3.3.2 (MIT)
"""
NUMBER = re.compile(r"\d+(\.\d+)?")
FILLERS = {"cpu", "processor", "gen"}


def normalise(name: str) -> str:
    """The same rule as normalise() in rust/core/src/source/tdp.rs."""
    name = name.lower().replace("(r)", " ").replace("(tm)", " ").split("@")[0]
    words = [w for w in name.split() if w not in FILLERS and not w.endswith("-core") and not re.fullmatch(r"\d*th", w)]
    for filler in ("with", "w/"):
        if filler in words:
            words = words[: words.index(filler)]
    return " ".join(words)


def rows(path: Path, name: str, power: str) -> list[tuple[str, float]]:
    with path.open(newline="", encoding="utf-8") as file:
        found = [(normalise(row[name]), row[power]) for row in csv.DictReader(file)]
    return [(key, float(watts)) for key, watts in found if NUMBER.fullmatch(watts) and is_processor(key)]


def is_processor(key: str) -> bool:
    """A maker's name and a model with a number."""
    return " " in key and re.search(r"\d", key) is not None


def main(raw: Path) -> None:
    table: dict[str, float] = {}
    eco2ai = rows(raw / "eco2ai_cpu_names.csv", "Model", "TDP")
    codecarbon = rows(raw / "codecarbon_cpu_power.csv", "Name", "TDP")
    for key, watts in eco2ai + codecarbon:
        if 0 < watts < 1000:
            table[key] = min(watts, table.get(key, watts))
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(HEADER + "".join(f"{key}\t{table[key]:g}\n" for key in sorted(table)), encoding="utf-8")
    print(f"{len(table)} processors, {OUT.stat().st_size} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "shared/data")
