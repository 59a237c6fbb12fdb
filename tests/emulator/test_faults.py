"""Does each fault reach a program as the error or the text it stands for?"""

import errno
import os
import threading

import pytest

from emulator.shapes import constant, fault

ENERGY = "sys/class/powercap/intel-rapl:0/energy_uj"


def package(*faults):
    zones = [{"zone": "intel-rapl:0"}]
    msr = {"register": "0x611", "cpus": [0]}
    return {"id": "p", "power": constant(65), "zones": zones, "msr": msr, "faults": faults}


def errno_of(action, *args):
    with pytest.raises(OSError) as caught:
        action(*args)
    return caught.value.errno


@pytest.mark.parametrize(
    "kind, text", [("garbage", "garbage\n"), ("empty", ""), ("zero", "0\n"), ("stuck", "0\n")]
)
def test_a_fault_of_content_is_read_as_that_text(emulated, kind, text):
    machine = emulated({"domains": [package(fault(kind, 0))]})
    assert (machine.root / ENERGY).read_text() == text


def test_a_denied_file_cannot_be_opened_and_an_open_one_cannot_be_read(emulated):
    machine = emulated({"domains": [package(fault("eacces", 0.5))]})
    held = os.open(machine.root / ENERGY, os.O_RDONLY)
    machine.wait_until(0.5)
    assert errno_of(os.pread, held, 64, 0) == errno.EACCES
    assert errno_of((machine.root / ENERGY).read_text) == errno.EACCES
    assert (machine.root / ENERGY).with_name("name").read_text() == "p\n"
    os.close(held)


def test_a_failing_file_opens_and_answers_eio(emulated):
    machine = emulated({"domains": [package(fault("eio", 0))]})
    fd = os.open(machine.root / ENERGY, os.O_RDONLY)
    assert errno_of(os.pread, fd, 64, 0) == errno.EIO
    os.close(fd)


def test_a_vanished_zone_comes_back_for_new_descriptors_only(emulated):
    machine = emulated({"domains": [package(fault("enoent", 0.5, 1.0))]})
    held = os.open(machine.root / ENERGY, os.O_RDONLY)
    assert os.pread(held, 64, 0).endswith(b"\n")
    machine.wait_until(0.5)
    assert errno_of(os.pread, held, 64, 0) == errno.ENODEV
    assert errno_of((machine.root / ENERGY).read_text) == errno.ENOENT
    assert os.listdir(machine.root / "sys/class/powercap") == ["intel-rapl"]  # noqa: PTH208
    machine.wait_until(1.0)
    assert errno_of(os.pread, held, 64, 0) == errno.ENODEV
    assert int((machine.root / ENERGY).read_text()) > 0
    os.close(held)


def test_a_slow_meter_holds_up_nobody_else(emulated):
    other = {"id": "q", "power": constant(5), "zones": [{"zone": "intel-rapl:1"}]}
    machine = emulated({"domains": [package(fault("slow1000", 0)), other]})
    done = threading.Event()
    slow = threading.Thread(target=lambda: ((machine.root / ENERGY).read_text(), done.set()))
    slow.start()
    assert int((machine.root / "sys/class/powercap/intel-rapl:1/energy_uj").read_text()) >= 0
    assert not done.is_set()
    slow.join()
    assert machine.now_ns() - machine.epoch_ns >= 10**9


def test_registers_fail_with_their_meter(emulated):
    machine = emulated({"domains": [package(fault("eio", 0, 0.5), fault("garbage", 0.5, 1.0))]})
    fd = os.open(machine.root / "dev/cpu/0/msr", os.O_RDONLY)
    assert errno_of(os.pread, fd, 8, 0x611) == errno.EIO
    machine.wait_until(0.5)
    assert os.pread(fd, 8, 0x611) == b"\xff" * 8
    machine.wait_until(1.0)
    assert int.from_bytes(os.pread(fd, 8, 0x611), "little") < 2**32
    os.close(fd)
