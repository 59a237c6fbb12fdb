"""What doctor tells people to do: only what this machine lacks, the least right first, every zone, the risk named."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from eco2ai_fast.cli import rights

PATH = "/sys/devices/virtual/powercap/intel-rapl"
ZONES = [f"{PATH}/intel-rapl:0", f"{PATH}/intel-rapl:0/intel-rapl:0:0", f"{PATH}/intel-rapl:1"]


class Finding(NamedTuple):
    source: str
    availability: str
    detail: str = ""
    domain: str | None = None


def refused_zones(domains=("package-0", "dram-0", "package-1")):
    return [
        Finding("powercap", "not permitted", f"{zone}/energy_uj: Permission denied (os error 13)", domain)
        for zone, domain in zip(ZONES, domains, strict=True)
    ]


REFUSED_PERF = Finding("perf", "not permitted", "perf_event_open for package-0 on CPU 0: Permission denied")


def advice(findings, **given):
    given = {"uid": 1000, "paranoid": 2, "capabilities": (), "in_container": False} | given
    return rights.advice(findings, **given)


def titles(remedies):
    return [remedy.splitlines()[0] for remedy in remedies]


def test_the_right_of_one_run_comes_before_a_group_and_the_whole_machine_last():
    first, second, third = titles(advice([REFUSED_PERF, *refused_zones()]))
    assert "CAP_PERFMON" in first
    assert "group" in second
    assert "every user" in third


def test_every_refused_zone_is_named_and_nested_ones_have_a_pattern_of_their_own():
    (remedy,) = advice(refused_zones())
    for zone in ZONES:
        assert f"chgrp energy {zone}/energy_uj && chmod 0440 {zone}/energy_uj" in remedy
    patterns = [line.split()[1] for line in remedy.splitlines() if line.startswith("  z ")]
    assert [pattern.count("intel-rapl:*") for pattern in patterns] == [1, 2]


@pytest.mark.parametrize("in_container", [False, True])
def test_every_remedy_that_opens_a_counter_names_the_side_channel(in_container):
    for remedy in advice([REFUSED_PERF, *refused_zones()], in_container=in_container):
        assert "PLATYPUS" in remedy


def test_what_the_user_has_is_not_advised():
    assert not any("CAP_PERFMON" in one for one in advice([REFUSED_PERF], capabilities=["perfmon"]))
    assert not any("paranoid" in one for one in advice([REFUSED_PERF], paranoid=0))
    assert advice([REFUSED_PERF, *refused_zones()], measured=["package-0", "package-1"]) == []


def test_a_second_package_without_a_meter_still_needs_its_right():
    assert advice(refused_zones(), measured=["package-0"]) != []


def test_a_container_is_told_what_to_mount_and_where_and_nothing_to_do_inside():
    remedies = advice([REFUSED_PERF, Finding("powercap", "absent", "points to nothing")], in_container=True)
    text = "\n".join(remedies)
    assert "/sys/devices/virtual/powercap:/host/sys/devices/virtual/powercap:ro" in text
    assert "ECO2AI_FAST_SYSROOT=/host" in text
    assert "--cap-add PERFMON" in text
    assert "chgrp" not in text and "sysctl" not in text


def test_where_no_right_is_missing_the_driver_or_the_host_is():
    absent = [Finding("perf", "absent"), Finding("powercap", "absent")]
    assert "modprobe" in advice(absent)[0]
    assert "host" in advice(absent, is_virtual=True)[0]


def test_no_remedy_asks_for_the_right_to_write_registers_or_for_a_capable_interpreter():
    text = "\n".join(advice([REFUSED_PERF, *refused_zones()], paranoid=4))
    assert "rawio" not in text.lower()
    assert "setcap" not in text.replace("Not by setcap", "")


@pytest.mark.parametrize(
    "status, expected",
    [
        ("CapInh:\t0\nCapEff:\t0000004000000000\nCapBnd:\tff\n", {"perfmon"}),
        ("CapEff:\t0000000000000000\n", set()),
        ("CapEff:\t0000000000220006\n", {"dac_override", "dac_read_search", "sys_rawio", "sys_admin"}),
        ("CapEff:\tx\n", set()),
        ("", set()),
    ],
)
def test_capabilities_are_bits_of_the_effective_set(status, expected):
    assert rights.capabilities(status) == expected
