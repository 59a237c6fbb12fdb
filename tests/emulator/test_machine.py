"""Does the mounted machine show what its truth says?"""

import itertools
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from emulator.shapes import constant, square

PACKAGE = {"id": "package-0", "power": constant(65), "zones": [{"zone": "intel-rapl:0"}]}
DRAM = {
    "id": "dram",
    "power": square(2, 20, period_s=0.2),
    "zones": [{"zone": "intel-rapl:0:0"}],
    "esu": 16,
    "unit_nj": 15300,
}
TICK_NS = 1_000_000


def zone(machine, name):
    return machine.root / "sys/class/powercap" / name


def bracketed_read(machine, path):
    before = machine.now_ns()
    value = int(path.read_text())
    return before, value, machine.now_ns()


@pytest.mark.parametrize("jitter", ["none", "client", "icelake"])
@pytest.mark.parametrize("domain, name", [("package-0", "intel-rapl:0"), ("dram", "intel-rapl:0:0")])
def test_every_read_shows_a_value_that_the_closed_form_takes_during_the_read(emulated, jitter, domain, name):
    machine = emulated({"domains": [PACKAGE, DRAM], "jitter": jitter, "seed": 3})
    for _ in range(200):
        before, value, after = bracketed_read(machine, zone(machine, name) / "energy_uj")
        assert machine.truth.counter_uj(domain, before) <= value <= machine.truth.counter_uj(domain, after)
        time.sleep(0.0007)


def test_a_window_is_right_within_one_tick_at_each_end(emulated):
    machine = emulated({"domains": [PACKAGE]})
    energy_uj = zone(machine, "intel-rapl:0") / "energy_uj"
    t0, first, t1 = bracketed_read(machine, energy_uj)
    time.sleep(0.3)
    t2, last, t3 = bracketed_read(machine, energy_uj)
    tick_uj = 65 * TICK_NS / 1000
    assert machine.energy_uj("package-0", t1, t2) - tick_uj <= (last - first) * 1.00001
    assert last - first <= machine.energy_uj("package-0", t0, t3) + tick_uj


def test_a_small_range_wraps_where_max_energy_range_says(emulated):
    machine = emulated({"domains": [PACKAGE | {"range_units": 2**15, "start_units": 2**15 - 100}]})
    zone_dir = zone(machine, "intel-rapl:0")
    assert int((zone_dir / "max_energy_range_uj").read_text()) == (2**15 - 1) * 61035 // 1000
    values = []
    for _ in range(100):
        values.append(int((zone_dir / "energy_uj").read_text()))
        time.sleep(0.001)
    assert sum(b < a for a, b in itertools.pairwise(values)) >= 1


def test_the_kernels_files_and_constants_are_there(emulated):
    machine = emulated({"domains": [PACKAGE | {"limit_uw": 125_000_000}, DRAM]})
    package, dram = zone(machine, "intel-rapl:0"), zone(machine, "intel-rapl:0:0")
    assert (package / "name").read_text() == "package-0\n"
    assert (package / "max_energy_range_uj").read_text() == "262143328850\n"
    assert (package / "constraint_0_power_limit_uw").read_text() == "125000000\n"
    assert (dram / "max_energy_range_uj").read_text() == "65712999613\n"
    assert dram.resolve() == package.resolve() / "intel-rapl:0:0"
    names = {entry.name for entry in package.parent.iterdir()}
    assert names == {"intel-rapl", "intel-rapl:0", "intel-rapl:0:0"}


def test_energy_is_denied_to_other_users_and_names_are_not(emulated):
    machine = emulated({"domains": [PACKAGE]})
    zone_dir = zone(machine, "intel-rapl:0")
    nobody = {"user": 65534, "group": 65534, "extra_groups": [], "capture_output": True, "text": True}
    denied = subprocess.run(["cat", zone_dir / "energy_uj"], **nobody)
    assert "Permission denied" in denied.stderr
    assert subprocess.run(["cat", zone_dir / "name"], **nobody).stdout == "package-0\n"


def test_an_unmodified_program_sees_the_machine_and_the_host_does_not(emulated):
    machine = emulated({"domains": [PACKAGE]})
    path = "/sys/class/powercap/intel-rapl:0/name"
    host_before = Path("/proc/self/mounts").read_text()
    inside = machine.in_namespace(["cat", path, "/sys/class/powercap/intel-rapl:0/energy_uj"]).stdout.split()
    assert inside[0] == "package-0"
    assert int(inside[1]) >= 0
    assert Path("/proc/self/mounts").read_text() == host_before
    classes = {entry.name for entry in Path("/sys/class").iterdir()}
    assert set(machine.in_namespace(["ls", "/sys/class"]).stdout.split()) == classes | {"powercap"}


def test_a_machine_without_meters_hides_those_of_the_host(emulated):
    machine = emulated({"domains": []})
    hidden = ["/sys/class/powercap", "/sys/bus/event_source/devices/power", "/dev/cpu/0/msr"]
    assert machine.in_namespace(["ls", *hidden], check=False).stdout == ""


@pytest.mark.skipif(not Path("/dev/cpu").is_dir(), reason="no /dev/cpu to put registers over")
def test_an_unmodified_program_sees_the_registers(emulated):
    machine = emulated({"domains": [PACKAGE | {"msr": {"register": "0x611", "cpus": [7]}}]})
    # Eight bytes at the register's number, as rdmsr reads them.
    rdmsr = ["dd", "if=/dev/cpu/7/msr", "bs=8", "count=1", "iflag=skip_bytes", f"skip={0x606}"]
    assert machine.in_namespace(rdmsr, text=False).stdout == (0xA0E03).to_bytes(8, "little")


def test_nothing_is_left_mounted_when_a_program_still_holds_a_file(emulated):
    machine = emulated({"domains": [PACKAGE]})
    held = os.open(zone(machine, "intel-rapl:0") / "energy_uj", os.O_RDONLY)
    machine.stop()
    with pytest.raises(OSError, match="not connected"):
        os.pread(held, 64, 0)
    assert str(machine.root) not in Path("/proc/self/mounts").read_text()
    assert not machine.root.parent.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_emulator_and_unmounts(emulated, number):
    machine = emulated({"domains": [PACKAGE]})
    machine._process.send_signal(number)
    assert machine._process.wait(timeout=10) == 0
    assert str(machine.root) not in Path("/proc/self/mounts").read_text()


def test_reads_are_counted_per_domain(emulated):
    machine = emulated({"domains": [PACKAGE, DRAM]})
    fd = os.open(zone(machine, "intel-rapl:0:0") / "energy_uj", os.O_RDONLY)
    for _ in range(5):
        os.pread(fd, 64, 0)
    os.close(fd)
    assert machine.stop() == {"package-0": 0, "dram": 5}


def test_the_emulator_ends_when_the_pipe_from_its_parent_closes(emulated):
    machine = emulated({"domains": [PACKAGE]})
    machine._process.stdin.close()
    assert machine._process.wait(timeout=10) == 0
    machine._process.stdin = None
    assert str(machine.root) not in Path("/proc/self/mounts").read_text()
