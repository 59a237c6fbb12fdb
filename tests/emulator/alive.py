"""A fixture machine whose counters move: its tree, with powers behind its zones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .truth import Spec

# Kernel unit in nJ to the exponent of the hardware unit; 15300 stands for 2^-16 J in server DRAM.
ESU = {61035: 14, 15258: 16, 15300: 16}


def spec(fixture: Path, meters: Mapping[str, tuple[Spec, Sequence[str]]], **machine: Any) -> Spec:
    """The fixture with these meters: domain id to its power and the zones that show it, mirrors included.

    Units, ranges and first readings are those of the fixture's files; zones not named stand still.
    """
    domains = [domain(fixture, id_, power, zones) for id_, (power, zones) in meters.items()]
    return {"tree": str(fixture.resolve()), "domains": domains, **machine}


def domain(fixture: Path, id_: str, power: Spec, zones: Sequence[str]) -> Spec:
    """One meter that counts on from the fixture's reading."""
    shown = [fixture / "sys/class/powercap" / zone for zone in zones]
    unit_nj = round(int((shown[0] / "max_energy_range_uj").read_text()) * 1000 / 0xFFFFFFFF)
    return {
        "id": id_,
        "power": power,
        "zones": [{"zone": path.name, "name": (path / "name").read_text().strip()} for path in shown],
        "esu": ESU[unit_nj],
        "unit_nj": unit_nj,
        "start_units": int((shown[0] / "energy_uj").read_text()) * 1000 // unit_nj,
    }
