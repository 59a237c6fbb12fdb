"""Is every meter of an emulated machine found, counted once, and right to one update of its counter, by each route?"""

from __future__ import annotations

import time

import pytest

from eco2ai_fast import _core
from emulator.shapes import constant

# The longest interval of the emulator's Ice Lake-SP jitter, and the power that no test machine exceeds.
LONGEST_TICK_NS = 2_830_000
XEON = "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 85\nmodel name\t: Intel(R) Xeon(R)\n"
RYZEN = "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 97\nmodel name\t: AMD Ryzen 9 7950X\n"


def seats(*packages_and_cores):
    """The files that tell the package and the core of each CPU."""
    files = {"sys/devices/system/cpu/online": f"0-{len(packages_and_cores) - 1}\n"}
    for cpu, (package, core) in enumerate(packages_and_cores):
        topology = f"sys/devices/system/cpu/cpu{cpu}/topology"
        files |= {f"{topology}/physical_package_id": f"{package}\n", f"{topology}/core_id": f"{core}\n"}
    return files


def meter_of(id, power_w, *zones, register=None, cpus=(), **more):
    named = [{"zone": zone, "name": name} for zone, name in zones]
    msr = {} if register is None else {"msr": {"register": register, "cpus": list(cpus)}}
    return {"id": id, "power": constant(power_w), "zones": named, "start_units": 10**9, **msr, **more}


def two_sockets():
    """Packages, memory, cores, psys and the MMIO copy of package 0, with the memory's fixed unit."""
    dram = {"esu": 16, "unit_nj": 15300}
    return [
        meter_of(
            "package-0",
            65,
            ("intel-rapl:0", "package-0"),
            ("intel-rapl-mmio:0", "package-0"),
            register="0x611",
            cpus=[0, 1],
        ),
        meter_of("core-0", 40, ("intel-rapl:0:0", "core"), register="0x639", cpus=[0, 1]),
        meter_of("dram-0", 8, ("intel-rapl:0:1", "dram"), register="0x619", cpus=[0, 1], **dram),
        meter_of("package-1", 50, ("intel-rapl:1", "package-1"), register="0x611", cpus=[2, 3]),
        meter_of("dram-1", 6, ("intel-rapl:1:0", "dram"), register="0x619", cpus=[2, 3], **dram),
        meter_of("psys", 140, ("intel-rapl:2", "psys"), register="0x64D", cpus=[0, 1]),
    ]


def windowed(machine, sources, seconds=0.5):
    """The domains of a window by id, and the moments before and after each of its ends."""
    meter = _core.Meter(sources=sources, sysroot=machine.root)
    window = meter.window()
    moments = [machine.now_ns()]
    window.begin()
    moments.append(machine.now_ns())
    time.sleep(seconds)
    moments.append(machine.now_ns())
    readout = window.end()
    moments.append(machine.now_ns())
    pairs = zip(meter.domains, readout.domains, strict=True)
    return {domain.id: (domain, energy) for domain, energy in pairs}, moments


def assert_within_an_update(machine, domain, energy_uj, moments, unit=1.0):
    """`unit` is by what factor the route shows too much, as the kernel's rounded units do."""
    before, begun, ending, after = moments
    tick_uj = machine.energy_uj(domain, before, before + LONGEST_TICK_NS)
    least = (machine.energy_uj(domain, begun, ending) - tick_uj) * unit
    greatest = (machine.energy_uj(domain, before, after) + tick_uj) * unit
    assert least <= energy_uj <= greatest, domain


@pytest.mark.parametrize("jitter", ["none", "client", "icelake"])
def test_two_sockets_are_counted_once_and_to_one_update(emulated, jitter):
    files = {"proc/cpuinfo": XEON} | seats((0, 0), (0, 1), (1, 0), (1, 1))
    machine = emulated({"domains": two_sockets(), "jitter": jitter, "files": files})
    found, moments = windowed(machine, "powercap")
    counted = {id for id, (domain, _) in found.items() if domain.counted}
    assert counted == {"package-0", "dram-0", "package-1", "dram-1"}
    assert set(found) == counted | {"core-0", "psys"}
    for id, (_, energy) in found.items():
        # powercap's unit of memory is 0.27 % too large: 15,300 nJ for 15,259 (intel_rapl_common.c).
        unit = 15300 / (10**9 / 2**16) if id.startswith("dram") else 1.0
        assert_within_an_update(machine, id, energy.energy_uj, moments, unit)
        assert energy.coverage == 1.0


def test_the_registers_show_the_same_and_their_units_are_known(emulated):
    files = {"proc/cpuinfo": XEON} | seats((0, 0), (0, 1), (1, 0), (1, 1))
    machine = emulated({"domains": two_sockets(), "files": files})
    found, moments = windowed(machine, "msr")
    assert {domain.source for domain, _ in found.values()} == {"msr"}
    assert set(found) == {"package-0", "core-0", "dram-0", "package-1", "dram-1", "psys"}
    for id, (_, energy) in found.items():
        assert_within_an_update(machine, id, energy.energy_uj, moments)


def test_amd_cores_are_one_domain_inside_their_package(emulated):
    core = {"esu": 16, "register": "0xC001029A"}
    domains = [
        meter_of("package-0", 90, register="0xC001029B", cpus=[0, 1, 2, 3], esu=16),
        meter_of("first", 9, cpus=[0, 2], **core),
        meter_of("second", 5, cpus=[1, 3], **core),
    ]
    # CPUs 0 and 2 are threads of one core, and so are 1 and 3.
    files = {"proc/cpuinfo": RYZEN} | seats((0, 0), (0, 1), (0, 0), (0, 1))
    machine = emulated({"domains": domains, "units_esu": 16, "files": files})
    found, moments = windowed(machine, "msr")
    assert {id: domain.counted for id, (domain, _) in found.items()} == {"package-0": True, "core-0": False}
    assert_within_an_update(machine, "package-0", found["package-0"][1].energy_uj, moments)
    both = sum(machine.energy_uj(id, moments[1], moments[2]) for id in ("first", "second"))
    assert found["core-0"][1].energy_uj == pytest.approx(both, rel=0.03)


@pytest.mark.parametrize("sources", ["powercap", "msr"])
def test_counters_that_wrap_in_the_window_each_at_their_own_range_lose_nothing(emulated, sources):
    """hubblo-org/scaphandre #280, tdurieux/EnergiBridge #17, RRZE-HPC/likwid #646, joular/powerjoular #87."""
    domains = [one | {"start_units": 2**32 - 20_000} for one in two_sockets()]
    files = {"proc/cpuinfo": XEON} | seats((0, 0), (0, 1), (1, 0), (1, 1))
    machine = emulated({"domains": domains, "files": files})
    found, moments = windowed(machine, sources, seconds=1.0)
    for id in ("package-0", "dram-0", "package-1", "dram-1"):
        unit = 15300 / (10**9 / 2**16) if id.startswith("dram") and sources == "powercap" else 1.0
        assert_within_an_update(machine, id, found[id][1].energy_uj, moments, unit)


def test_two_routes_that_agree_and_one_with_a_wrong_unit_are_told_apart(emulated):
    """Broadwell-D: powercap takes the memory's unit for that of the package, a factor of 4."""
    broadwell_d = XEON.replace("model\t\t: 85", "model\t\t: 86")
    domains = [
        meter_of("package-0", 45, ("intel-rapl:0", "package-0"), register="0x611", cpus=[0]),
        meter_of("dram-0", 9, ("intel-rapl:0:0", "dram"), register="0x619", cpus=[0], esu=16, unit_nj=61035),
    ]
    machine = emulated({"domains": domains, "files": {"proc/cpuinfo": broadwell_d} | seats((0, 0))})
    found = {one.id: one for one in _core.cross_check(sysroot=machine.root, window_s=0.3)}
    assert {id: one.agrees for id, one in found.items()} == {"package-0": True, "dram-0": False}
    shown = {route.source: route.power_w for route in found["dram-0"].routes}
    assert shown["powercap"] / shown["msr"] == pytest.approx(4, rel=0.05)


def test_the_mmio_copy_of_a_package_is_named_and_left_out(emulated):
    machine = emulated({"domains": two_sockets(), "files": {"proc/cpuinfo": XEON} | seats((0, 0), (1, 0))})
    meter = _core.Meter(sources="powercap", sysroot=machine.root)
    assert [one.domain for one in meter.findings if "intel-rapl-mmio:0" in one.detail] == ["package-0"]
    assert not any("mmio" in domain.detail for domain in meter.domains), [domain.detail for domain in meter.domains]
