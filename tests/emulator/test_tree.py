"""Are the files around the meters those of the tree that the spec names?"""

import time
from pathlib import Path

from emulator import alive
from emulator.shapes import constant

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
PACKAGE = {"id": "package-0", "power": constant(65), "zones": [{"zone": "intel-rapl:0"}]}
MIRRORS = {
    "id": "package-0",
    "power": constant(125),
    "zones": [
        {"zone": "intel-rapl:0", "name": "package-0-die-0"},
        {"zone": "intel-rapl:1", "name": "package-0-die-1"},
        {"zone": "intel-rapl-mmio:0"},
    ],
}


def test_a_fixture_machine_comes_alive_with_its_counters_only_changed(emulated):
    fixture = FIXTURES / "server-2s-dram"
    machine = emulated({"domains": [PACKAGE], "tree": str(fixture)})
    for path in [
        "proc/cpuinfo",
        "sys/devices/system/cpu/online",
        "sys/bus/event_source/devices/power/cpumask",
    ]:
        assert (machine.root / path).read_text() == (fixture / path).read_text()
    powercap = Path("sys/class/powercap")
    link = powercap / "intel-rapl:1"
    assert (machine.root / link).readlink() == (fixture / link).readlink()
    still = powercap / "intel-rapl:1/energy_uj"
    assert (machine.root / still).read_text() == (fixture / still).read_text()
    moving = machine.root / powercap / "intel-rapl:0/energy_uj"
    machine.wait_until(0.1)
    assert 6_000_000 < int(moving.read_text()) < 10**9


def test_a_fixture_counts_on_from_its_reading_in_its_own_units(emulated):
    fixture = FIXTURES / "server-2s-dram"
    meters = {"dram-1": (constant(8), ["intel-rapl:1:0"]), "package-1": (constant(65), ["intel-rapl:1"])}
    machine = emulated(alive.spec(fixture, meters))
    for zone, domain in [("intel-rapl:1:0", "dram-1"), ("intel-rapl:1", "package-1")]:
        files = {root: root / "sys/class/powercap" / zone for root in (fixture, machine.root)}
        first_uj = int((files[fixture] / "energy_uj").read_text())
        for name in ("name", "max_energy_range_uj"):
            assert (files[machine.root] / name).read_text() == (files[fixture] / name).read_text()
        machine.wait_until(0.05)
        read_uj = int((files[machine.root] / "energy_uj").read_text())
        drawn_uj = machine.energy_uj(domain, machine.epoch_ns, machine.now_ns())
        # The fixture's reading is some whole number of counts, at most one below.
        assert first_uj < read_uj <= first_uj + drawn_uj * 1.003


def test_files_in_the_spec_replace_those_of_the_tree(emulated):
    files = {"proc/stat": "cpu  1 2 3 4\n", "etc/made/up": "x"}
    machine = emulated({"domains": [], "tree": str(FIXTURES / "vm-nothing"), "files": files})
    assert (machine.root / "proc/stat").read_text() == files["proc/stat"]
    assert (machine.root / "etc/made/up").read_text() == "x"
    assert (machine.root / "proc/meminfo").read_text().startswith("MemTotal:")


def test_zones_of_one_meter_show_one_count(emulated):
    machine = emulated({"domains": [MIRRORS], "tick_ns": 10**9})
    machine.wait_until(1.1)
    powercap = machine.root / "sys/class/powercap"
    zones = ["intel-rapl:0", "intel-rapl:1", "intel-rapl-mmio:0"]
    assert {(powercap / zone / "energy_uj").read_text() for zone in zones} == {"124999680\n"}
    names = [(powercap / zone / "name").read_text() for zone in zones]
    assert names == ["package-0-die-0\n", "package-0-die-1\n", "package-0\n"]


def test_a_second_read_goes_on_in_the_text_of_the_first(emulated):
    machine = emulated({"domains": [PACKAGE | {"start_units": 2**31}]})
    with (machine.root / "sys/class/powercap/intel-rapl:0/energy_uj").open("rb", buffering=0) as file:
        before = machine.now_ns()
        text = file.read(3)
        after = machine.now_ns()
        time.sleep(0.1)
        text += file.read()
    counter_uj = machine.truth.counter_uj
    assert counter_uj("package-0", before) <= int(text) <= counter_uj("package-0", after)
