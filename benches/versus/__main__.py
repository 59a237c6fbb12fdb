"""Runs us and every rival on the same work, and writes what came of it to one file.

    make versus                 # everything; an hour on two cores, and some ten minutes for installing
    make versus QUICK=1         # three repeats in place of five, shorter windows, fewer of them; a quarter of an hour

    PYTHONPATH=benches python -m versus [--quick] [--only SECTION] [--seed N] [--primary CSV] [-o FILE]

Needs root and /dev/fuse for the emulated machines, a package index for installing the rivals, and nothing else of the
network: what is measured runs in a namespace without one.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import cost, energy, environments, faults, gpu, intensity, plays
from .runs import Failed

RESULT = environments.REPO / "benches" / "results" / "versus.json"
JOBS = 5 * (os.cpu_count() or 1)  # plays sleep most of their time: six on two CPUs were a load of 0.7
SECTIONS = ("cost", "energy", "faults", "gpu", "intensity")


def main() -> None:
    """Installs, measures, writes."""
    options = _options()
    begun_s = time.monotonic()
    log: list[str] = []

    def tell(line: str) -> None:
        log.append(line)
        print(f"  {line}", file=sys.stderr, flush=True)

    print(f"seed {options.seed}; installing into {environments.HOME.name}", file=sys.stderr, flush=True)
    there = environments.make()
    for one in there:
        print(f"  {one.name}: {one.version or one.failure}", file=sys.stderr, flush=True)
    installed_s = time.monotonic() - begun_s
    result = _before(options.output) | {
        "quick": options.quick,
        "seed": options.seed,
        "when": _now(),
        "machine": machine(),
        "tools": {one.name: {"version": one.version, "failure": one.failure} for one in there},
    }
    minutes = result.get("minutes", {}) if options.only else {}
    minutes["installing"] = round(installed_s / 60, 1)
    for name, section in _sections(there, options, tell).items():
        print(f"{name} (after {(time.monotonic() - begun_s) / 60:.0f} min)", file=sys.stderr, flush=True)
        section_begun_s = time.monotonic()
        result[name] = _guarded(section, tell)
        minutes[name] = round((time.monotonic() - section_begun_s) / 60, 1)
        minutes["all"] = round(sum(took for part, took in minutes.items() if part != "all"), 1)
        taken = result.get("taken", {}) | {name: _now()}  # `--only` leaves parts of different hours
        result |= {"messages": log, "minutes": minutes, "taken": taken}
        _write(result, options.output)
        print(f"  {minutes['all']} minutes so far", file=sys.stderr, flush=True)


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    brand = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    return {
        "cpu": brand,
        "cpus": os.cpu_count(),
        "virtual": any(line.startswith("flags") and " hypervisor" in line for line in lines),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 1),
    }


def _sections(
    there: list[environments.Environment], options: argparse.Namespace, tell: Callable[[str], None]
) -> dict[str, Callable[[], Any]]:
    quick = options.quick
    effort = cost.QUICK if quick else cost.FULL

    def played(part: Any) -> Callable[[], Any]:
        def measure() -> Any:
            company = plays.company(there, effort.repeats, JOBS, options.seed, tell)
            return {"errors_percent": part.measured(company, quick), "started_late_and_again": company.late}

        return measure

    every: dict[str, Callable[[], Any]] = {
        "cost": lambda: cost.Bench(there, effort, options.seed, tell).all(),
        "energy": played(energy),
        "faults": played(faults),
        "gpu": played(gpu),
        "intensity": lambda: intensity.measured(there, options.primary, tell),
    }
    return {name: section for name, section in every.items() if not options.only or name in options.only}


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="minutes")


def _guarded(section: Callable[[], Any], tell: Callable[[str], None]) -> Any:
    """A section, or why there is none: what cannot be measured here must not cost the rest."""
    try:
        return section()
    except (Failed, OSError, RuntimeError) as error:
        tell(f"section failed: {type(error).__name__}: {error}")
        return {"message": f"{type(error).__name__}: {error}"}


def _before(output: Path) -> dict[str, Any]:
    """What `--only` leaves as it was."""
    return dict(json.loads(output.read_text())) if output.exists() else {}


def _write(result: dict[str, Any], output: Path) -> None:
    text = json.dumps(result, indent=1, ensure_ascii=False).replace(f"{environments.REPO}/", "")
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(text + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", action="append", choices=SECTIONS, help="this section, and leave the file's others")
    parser.add_argument("--seed", type=int, default=1, help="of orders, phases and jitter")
    parser.add_argument("--primary", type=Path, help="the published table of carbon intensities, iso2 and g_per_kwh")
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    return parser.parse_args()


if __name__ == "__main__":
    main()
