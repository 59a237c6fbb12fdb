"""Do the MSR files answer at a register's number as /dev/cpu/N/msr does?"""

import errno
import os

import pytest

from emulator.shapes import constant

INTEL = [
    {"id": "package-0", "power": constant(65), "msr": {"register": "0x611", "cpus": [0, 1]}},
    {"id": "package-1", "power": constant(40), "msr": {"register": "0x611", "cpus": [2]}},
    {"id": "core", "power": constant(30), "msr": {"register": "0x639", "cpus": [0, 1]}},
    {"id": "dram", "power": constant(8), "msr": {"register": "0x619", "cpus": [0, 1]}, "esu": 16},
    {"id": "psys", "power": constant(95), "msr": {"register": "0x64D", "cpus": [0, 1, 2]}, "esu": 0},
]
AMD = [
    {"id": "package-0", "power": constant(90), "msr": {"register": "0xC001029B", "cpus": [0]}, "esu": 16},
    {"id": "core-0", "power": constant(9), "msr": {"register": "0xC001029A", "cpus": [0]}, "esu": 16},
]


def pread(machine, cpu, register, size=8):
    fd = os.open(machine.root / f"dev/cpu/{cpu}/msr", os.O_RDONLY)
    try:
        return int.from_bytes(os.pread(fd, size, register), "little")
    finally:
        os.close(fd)


@pytest.mark.parametrize(
    "domains, domain, cpu",
    [
        (INTEL, "package-0", 1),
        (INTEL, "package-1", 2),
        (INTEL, "core", 0),
        (INTEL, "dram", 0),
        (INTEL, "psys", 2),
        (AMD, "package-0", 0),
        (AMD, "core-0", 0),
    ],
)
def test_each_register_counts_its_own_domain(emulated, domains, domain, cpu):
    machine = emulated({"domains": domains})
    meter = machine.truth.meters[domain]
    register = int(meter.domain["msr"]["register"], 16)
    machine.wait_until(0.2)
    before = machine.now_ns()
    count = pread(machine, cpu, register)
    after = machine.now_ns()
    assert (
        meter.counter_units(before - machine.epoch_ns)
        <= count
        <= meter.counter_units(after - machine.epoch_ns)
    )


@pytest.mark.parametrize("domains, register, esu", [(INTEL, 0x606, 14), (AMD, 0xC0010299, 16)])
def test_the_unit_register_holds_the_energy_unit(emulated, domains, register, esu):
    machine = emulated({"domains": domains, "units_esu": esu})
    assert pread(machine, 0, register) >> 8 & 0x1F == esu


def test_a_register_that_this_cpu_lacks_is_eio(emulated):
    machine = emulated({"domains": INTEL})
    for cpu, register in [(0, 0x641), (2, 0x639), (0, 0)]:
        with pytest.raises(OSError) as caught:
            pread(machine, cpu, register)
        assert caught.value.errno == errno.EIO
