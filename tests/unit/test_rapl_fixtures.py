"""What each fixture machine is found to have: which domains count, by which route, and why not by a better one."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from eco2ai_fast import _core

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
sys.path.insert(0, str(FIXTURES))
import rights  # noqa: E402

COUNTED = {
    "intel-client": ["package-0"],
    "laptop-psys-mmio": ["package-0"],
    "server-2s-dram": ["package-0", "dram-0", "package-1", "dram-1"],
    "server-2s-framework-pmu": ["package-0", "dram-0", "package-1", "dram-1"],
    "amd-die-mirrors": ["package-0"],
    "amd-1s": ["package-0"],
    "container-no-rights": ["package-0"],
    "sockets-12": [f"package-{socket}" for socket in range(12)],
}


@pytest.mark.parametrize("name", COUNTED)
def test_the_counted_domains_are_packages_and_memory_once_each(name):
    meter = _core.Meter(sources="powercap", sysroot=FIXTURES / name)
    counted = [domain.id for domain in meter.domains if domain.counted]
    assert sorted(counted) == sorted(COUNTED[name])


def test_a_reason_says_what_keeps_the_better_route_away():
    meter = _core.Meter(sysroot=FIXTURES / "server-2s-dram")
    reasons = {domain.id: domain.reason for domain in meter.domains}
    # The fixture's PMU has a type that no kernel gives out, so that its events cannot be opened anywhere.
    assert reasons["package-1"].startswith("read through powercap: ")
    assert "; perf " in reasons["package-1"]


def test_counters_that_may_not_be_read_are_refused_and_not_absent():
    with rights.without_rights(FIXTURES / "container-no-rights") as tree:
        findings, domains = as_nobody(lambda: found_below(tree))
    assert ["powercap", "not permitted", "package-0"] in findings
    (package,) = (domain for domain in domains if domain[0] == "package-0")
    assert package[1] == "estimate"
    assert "powercap not permitted" in package[2]


def found_below(tree):
    meter = _core.Meter(sysroot=tree)
    findings = [[one.source, one.availability, one.domain] for one in meter.findings]
    return findings, [[one.id, one.source, one.reason] for one in meter.domains]


def as_nobody(question):
    """The answer of a forked child that gave up root's rights: another user may not be able to run this interpreter."""
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(rights.NOBODY["group"])
                os.setuid(rights.NOBODY["user"])
            os.write(writes, json.dumps(question()).encode())
        finally:
            os._exit(0)
    os.close(writes)
    with os.fdopen(reads) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return json.loads(text)
