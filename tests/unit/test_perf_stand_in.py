"""The perf route without RAPL: a fake event_source directory that names a software event, read through the kernel.

A CPU-wide cpu-clock event counts wall time in nanoseconds whatever the CPU does; with a scale of 1e-9 it is a meter of
exactly 1 W.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

import eco2ai_fast as eco
from eco2ai_fast import _core

PERF_TYPE_SOFTWARE = 1


def machine(root: Path, *, cpumask: str, package_of: dict[int, int], events: tuple[str, ...] = ("pkg",)) -> Path:
    pmu = root / "sys/bus/event_source/devices/power"
    (pmu / "events").mkdir(parents=True)
    (pmu / "type").write_text(f"{PERF_TYPE_SOFTWARE}\n")
    (pmu / "cpumask").write_text(f"{cpumask}\n")
    for event in events:
        (pmu / f"events/energy-{event}").write_text("event=0x00\n")
        (pmu / f"events/energy-{event}.scale").write_text("1e-9\n")
        (pmu / f"events/energy-{event}.unit").write_text("Joules\n")
    cpus = root / "sys/devices/system/cpu"
    for cpu, package in package_of.items():
        (cpus / f"cpu{cpu}/topology").mkdir(parents=True)
        (cpus / f"cpu{cpu}/topology/physical_package_id").write_text(f"{package}\n")
    (cpus / "online").write_text(",".join(map(str, package_of)) + "\n")
    return root


def meter(root: Path) -> _core.Meter:
    try:
        return _core.Meter(sources="perf", sysroot=root)
    except eco.SourceError as error:
        if "not permitted" in str(error):
            pytest.skip(str(error))
        raise


@pytest.mark.perf
def test_one_group_read_gives_the_watt_that_the_event_stands_for(tmp_path: Path) -> None:
    with eco.measure(meter=meter(machine(tmp_path, cpumask="0", package_of={0: 0}))) as m:
        time.sleep(0.2)
    assert m.energy_j == pytest.approx(m.duration_s, rel=2e-3)
    assert m.domains["package-0"].source == "perf"


@pytest.mark.perf
def test_a_cpumask_that_lists_every_cpu_of_a_package_is_one_meter(tmp_path: Path) -> None:
    """Alumet and others open one event per listed CPU, and since Linux 7.0 multiply energy by the core count."""
    with eco.measure(meter=meter(machine(tmp_path, cpumask="0-1", package_of={0: 0, 1: 0}))) as m:
        time.sleep(0.1)
    assert list(m.domains) == ["package-0"]
    assert m.energy_j == pytest.approx(m.duration_s, rel=5e-3)


@pytest.mark.perf
def test_two_packages_are_two_meters_and_memory_stands_beside_them(tmp_path: Path) -> None:
    root = machine(tmp_path, cpumask="0,1", package_of={0: 0, 1: 1}, events=("pkg", "ram", "cores"))
    with eco.measure(meter=meter(root)) as m:
        time.sleep(0.1)
    assert set(m.domains) == {f"{kind}-{package}" for kind in ("package", "dram", "core") for package in (0, 1)}
    assert m.energy_j == pytest.approx(4 * m.duration_s, rel=5e-3)


@pytest.mark.perf
def test_windows_are_additive_through_the_kernel(tmp_path: Path) -> None:
    machine_meter = meter(machine(tmp_path, cpumask="0", package_of={0: 0}))
    with eco.measure(meter=machine_meter) as whole:
        parts = []
        for _ in range(5):
            with eco.measure(meter=machine_meter) as part:
                time.sleep(0.01)
            parts.append(part)
    total = parts[0] + parts[1] + parts[2] + parts[3] + parts[4]
    assert total.energy_j <= whole.energy_j
    assert total.energy_j == pytest.approx(total.duration_s, rel=5e-3)


def test_a_pmu_that_the_kernel_does_not_know_is_named_in_the_error(tmp_path: Path) -> None:
    root = machine(tmp_path, cpumask="0", package_of={0: 0})
    (root / "sys/bus/event_source/devices/power/type").write_text("4294967295\n")
    with pytest.raises(eco.SourceError, match="perf_event_open"):
        _core.Meter(sources="perf", sysroot=root)
