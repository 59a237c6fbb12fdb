"""Does each fault of a real file leave the figure within its bound, the coverage true, and every other domain alone?

One machine with a package for each fault, all of them in one window: what happens to one must not touch another.
"""

from __future__ import annotations

import time

import pytest

from eco2ai_fast import _core
from emulator.shapes import constant, fault

WINDOW_S = 4.0
TICK_S = 0.02
# In the middle of the window, which begins at half a second.
FROM_S, UNTIL_S = 1.5, 2.5
# Kind, whether it ends, and what the window says of it.
FAULTS = {
    "none": (False, None),
    "eacces": (True, "not permitted"),
    "eio": (True, "read failed"),
    "enoent": (True, "vanished"),
    "gone": (False, "vanished"),
    "garbage": (True, "unreadable text"),
    "empty": (True, "unreadable text"),
    "zero": (True, "shows zero"),
    "stuck": (True, "stands still"),
    "stuckend": (False, "stands still"),
    "reset": (False, None),
    "back50J": (False, None),
}
# While these last, nothing that is shown is a count.
UNREADABLE = {kind for kind, (_, name) in FAULTS.items() if name}
SPECS = {
    kind: {
        "id": f"package-{index}",
        "power": constant(40 + index),
        "zones": [{"zone": f"intel-rapl:{index:x}"}],
        "start_units": 2**31 + index,
        "faults": [] if kind == "none" else [fault(kind, FROM_S, UNTIL_S) if ends else fault(kind, FROM_S)],
    }
    for index, (kind, (ends, _)) in enumerate(FAULTS.items())
}


def watched(machine, seconds):
    """A window on a meter that samples; (moments around its ends, its domains by id)."""
    meter = _core.Meter(sources="powercap", sysroot=machine.root)
    meter.sample(1 / TICK_S)
    window = meter.window()
    moments = [machine.now_ns(), window.begin(), machine.now_ns()]
    time.sleep(seconds)
    moments.append(machine.now_ns())
    readout = window.end()
    moments += [readout.t1_ns, machine.now_ns()]
    meter.halt()
    ids = [domain.id for domain in meter.domains]
    return moments, dict(zip(ids, readout.domains, strict=True))


def misfit_uj(machine, domain, energy_uj, moments):
    """By how much an energy lies outside what any window between these moments can have drawn."""
    before, _, begun, ending, _, after = moments
    least = machine.energy_uj(domain, begun, ending)
    greatest = machine.energy_uj(domain, before, after)
    return max(least - energy_uj, energy_uj - greatest, 0)


@pytest.fixture
def outcome(emulated):
    machine = emulated({"domains": list(SPECS.values())})
    machine.wait_until(0.5)
    return machine, *watched(machine, WINDOW_S)


def test_each_fault_is_within_its_bound_and_its_coverage_is_true(outcome):
    machine, moments, energies = outcome
    t0_ns, t1_ns = moments[1], moments[4]
    for kind, (_, name) in FAULTS.items():
        domain = SPECS[kind]["id"]
        energy = energies[domain]
        assert misfit_uj(machine, domain, energy.energy_uj, moments) <= energy.sampling_uj, kind
        # A counter that is set anew may be met before it first moves.
        assert energy.fault == name or (kind, energy.fault) == ("reset", "shows zero"), kind
        unreadable_ns = machine.truth.fault_ns(domain, t0_ns, t1_ns, UNREADABLE)
        readable = 1 - unreadable_ns / (t1_ns - t0_ns)
        # A busy host may read late: what was not read for longer than planned is rightly not covered.
        late = 3 * TICK_S / WINDOW_S
        assert readable - 0.02 - late <= energy.coverage <= readable + 0.02, kind
        assert energy.resets == (kind in {"reset", "back50J"}), kind
    assert energies["package-0"].coverage == 1.0


def test_a_read_that_takes_long_widens_nothing_but_its_own_bracket(emulated):
    slow = {
        "id": "package-0",
        "power": constant(65),
        "zones": [{"zone": "intel-rapl:0"}],
        "faults": [fault("slow50", 0.6, 1.0)],
    }
    machine = emulated({"domains": [slow]})
    machine.wait_until(0.3)
    moments, energies = watched(machine, 1.2)
    energy = energies["package-0"]
    assert energy.coverage == 1.0
    assert misfit_uj(machine, "package-0", energy.energy_uj, moments) <= energy.sampling_uj
