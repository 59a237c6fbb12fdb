"""Repeated runs of one command as one record: every run, and the statistics over them."""

from __future__ import annotations

from .. import record
from .spread import summary

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any


def of_runs(argv: Sequence[str], runs: Sequence[dict[str, Any]], *, asked: int, warmup: int) -> dict[str, Any]:
    """The record of the runs that ended well, of `asked` ones after `warmup` unmeasured ones."""
    return record.head("series") | {
        "argv": list(argv),
        "asked": asked,
        "warmup": warmup,
        "statistics": {key: summary(values) for key, values in _figures(runs).items()},
        "runs": list(runs),
    }


def _figures(runs: Sequence[dict[str, Any]]) -> dict[str, list[float]]:
    """The numbers of the runs by name; what is unknown is left out."""
    figures: dict[str, list[float]] = {}
    for run in runs:
        for name, value in _figures_of(run):
            if value is not None:
                figures.setdefault(name, []).append(value)
    return figures


def _figures_of(run: dict[str, Any]) -> list[tuple[str, float | None]]:
    domains = [(f"domains.{domain['id']}.energy_j", domain["energy_j"]) for domain in run["domains"]]
    command = [(f"command.{key}", run["command"].get(key)) for key in ("energy_j", "static_j", "dynamic_j", "cpu_s")]
    first, machine, last = ((key, run[key]) for key in ("duration_s", "energy_j", "co2e_g"))
    return [first, *domains, machine, *command, last]
