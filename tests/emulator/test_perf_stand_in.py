"""Does the stand-in draw the power it promises, through the kernel's own perf_event_open?"""

import ctypes
import errno
import os
import platform
import struct
import time

import pytest

from emulator import perf_stand_in

SYSCALL = {"x86_64": 298, "aarch64": 241}.get(platform.machine())
pytestmark = pytest.mark.perf
libc = ctypes.CDLL(None, use_errno=True)


def open_event(root, event, cpu):
    """A cpu-wide event of the PMU under root and its scale, by their files; skips where it is denied."""
    power = root / perf_stand_in.SOURCES / "power"
    config = int((power / "events" / event).read_text().partition("event=")[2], 16)
    # perf_event_attr, PERF_ATTR_SIZE_VER0: type, size, config, all else 0.
    attr = struct.pack("=IIQ48x", int((power / "type").read_text()), 64, config)
    fd = libc.syscall(SYSCALL, attr, -1, cpu, -1, 0)
    if fd < 0:
        code = ctypes.get_errno()
        assert code in {errno.EACCES, errno.EPERM, errno.ENOSYS, errno.ENOENT}, os.strerror(code)
        pytest.skip(f"perf_event_open: {os.strerror(code)}")
    return fd, float((power / "events" / f"{event}.scale").read_text())


def power_w(root, event, cpu):
    """Least and greatest power that one window of 0.1 s allows."""
    fd, scale_j = open_event(root, event, cpu)
    t0 = time.monotonic_ns()
    first = struct.unpack("=Q", os.read(fd, 8))[0]
    t1 = time.monotonic_ns()
    time.sleep(0.1)
    t2 = time.monotonic_ns()
    last = struct.unpack("=Q", os.read(fd, 8))[0]
    t3 = time.monotonic_ns()
    os.close(fd)
    energy_nj = (last - first) * scale_j * 1e9
    return energy_nj / (t3 - t0), energy_nj / (t2 - t1)


@pytest.mark.skipif(SYSCALL is None, reason="number of perf_event_open unknown here")
@pytest.mark.parametrize("event", ["energy-pkg", "energy-ram"])
def test_each_event_draws_one_watt_on_an_idle_cpu(tmp_path, event):
    perf_stand_in.write(tmp_path, {0: [0]})
    least, greatest = power_w(tmp_path, event, cpu=0)
    # perf's clock is not slewed by NTP (at most 500 ppm) as CLOCK_MONOTONIC is.
    assert least * 0.999 <= 1 <= greatest * 1.001


@pytest.mark.skipif(SYSCALL is None, reason="number of perf_event_open unknown here")
def test_the_tsc_variant_counts_at_the_rate_of_the_tsc(tmp_path):
    if not perf_stand_in.write_tsc(tmp_path, {0: [0]}, tsc_hz=1e9):
        pytest.skip("no msr PMU here")
    least, greatest = power_w(tmp_path, "energy-pkg", cpu=0)
    # With 1 GHz assumed, the watts are the clock in GHz.
    assert 0.1 < least <= greatest * 1.001 < 10


def test_the_mask_has_one_cpu_per_package_unless_told_otherwise(tmp_path):
    perf_stand_in.write(tmp_path, {0: [0, 1], 1: [2, 3]})
    power = tmp_path / perf_stand_in.SOURCES / "power"
    assert (power / "cpumask").read_text() == "0,2\n"
    topology = tmp_path / perf_stand_in.CPUS / "cpu3/topology"
    assert (topology / "physical_package_id").read_text() == "1\n"
    perf_stand_in.write(tmp_path, {0: [0, 1]}, cpumask="0-1")
    assert (power / "cpumask").read_text() == "0-1\n"
