"""The energy fields of the EU's model documentation for general-purpose AI.

Regulation (EU) 2024/1689, Art. 53(1)(a) and Annex XI 1.2(e), with the Code of Practice's documentation form: energy of
training in MWh with at least two significant figures, measured or estimated, and the method in about 100 words; time of
training. Compute in FLOP is asked for as well, and is left open here.
"""

from __future__ import annotations

from ..quantity import plain
from ..report.total import S_PER_DAY, Total
from ..report.wording import line
from .method import OPEN, describe, factors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

KWH_PER_MWH = 1000.0
# The form asks for two at least.
DIGITS = 3


def text(records: Sequence[Mapping[str, Any]]) -> str:
    """The fields, one on a line."""
    total = Total(records)
    fields = [
        ("Amount of energy used for training", _energy(total)),
        ("Energy measurement methodology", describe(total)),
        ("Training time, wall clock", f"{plain(_wall_s(total) / S_PER_DAY, DIGITS)} days"),
        ("Training time, hardware", _hardware_days(total)),
        ("Hardware", line(", ".join(total.hardware()) or "unknown")),
        ("Amount of computation used for training", f"{OPEN} (FLOP)"),
        ("Benchmarked computation used for inference", f"{OPEN} (FLOP, with task and hardware)"),
        *(("Emission factor, not part of the form", factor) for factor in factors(total)),
        *(("Attribution", line(one, 500)) for one in total.attribution),
    ]
    return "".join(f"{label}: {value}\n" for label, value in fields)


def _energy(total: Total) -> str:
    if total.energy_kwh is None:
        return "unknown"
    words = {"measured": "measured", "modelled": "estimated", "mixed": "partly measured, partly estimated"}
    how = words.get(total.provenance, "whether measured or estimated is unknown")
    return f"{plain(total.energy_kwh / KWH_PER_MWH, DIGITS)} MWh ({how}, PUE included as stated below)"


def _wall_s(total: Total) -> float:
    """Time in which at least one run went on; records without a clock add their length."""
    windows = sorted(_window_s(record) for record in total.records if record["t0_ns"] is not None)
    wall_s = sum(record["duration_s"] or 0.0 for record in total.records if record["t0_ns"] is None)
    end_s = float("-inf")
    for start_s, stop_s in windows:
        wall_s += max(0.0, stop_s - max(start_s, end_s))
        end_s = max(end_s, stop_s)
    return wall_s


def _window_s(record: Mapping[str, Any]) -> tuple[float, float]:
    """Begin and end in UTC seconds, so that runs of several machines compare."""
    anchor = record["clock_anchor"]
    shift_ns = anchor["utc_ns"] - anchor["monotonic_ns"]
    return (record["t0_ns"] + shift_ns) / 1e9, (record["t1_ns"] + shift_ns) / 1e9


def _hardware_days(total: Total) -> str:
    days = total.device_days
    return (
        "unknown"
        if days is None
        else f"{plain(days, DIGITS)} days of GPUs, or of CPU packages where no GPU was measured"
    )
