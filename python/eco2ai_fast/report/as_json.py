"""A report as JSON: the records as they are, and their sums."""

from __future__ import annotations

import json

from .total import Total, grouped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

_SUMS = (
    "energy_j", "measured_j", "modelled_j", "uncertainty_j", "duration_s", "device_days", "energy_kwh", "co2e_g",
    "low_g", "high_g", "life_cycle_g", "direct_g", "market_g", "embodied_g", "unknown", "overlapping", "overlap_j",
    "provenance", "attribution",
)  # fmt: skip


def text(records: Sequence[Mapping[str, Any]], by: str | None = None) -> str:
    """`{"total": ..., "groups": ..., "records": [...]}`; groups are None without `by`."""
    total = Total(records)
    groups = {name: _sums(one) for name, one in grouped(total.records, by).items()} if by else None
    document = {"total": _sums(total), "by": by, "groups": groups, "records": total.records}
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def _sums(total: Total) -> dict[str, Any]:
    return {"runs": len(total.records)} | {name: getattr(total, name) for name in _SUMS}
