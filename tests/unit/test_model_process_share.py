"""measure(scope="process"): what of the machine's energy is ours, and what is said where that cannot be told."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

import eco2ai_fast as eco
from eco2ai_fast import process_share, process_tree
from eco2ai_fast.testing import ManualClock, ScriptedDomain, meter

S = 1_000_000_000


def machine(clock: ManualClock, **kinds: int) -> eco.Meter:
    def steady(power_w: int) -> list[tuple[int, int]]:
        return [(step * S // 100, step * power_w * 10_000) for step in range(2000)]

    domains = [ScriptedDomain(kind, steady(power_w), tick_s=0.01) for kind, power_w in kinds.items()]
    return meter(domains, clock)


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> dict[str, float | None]:
    """The CPU time of the process and of the machine, moved by hand."""
    times: dict[str, float | None] = {"own": 5.0, "busy": 100.0}
    monkeypatch.setattr(process_tree.Own, "cpu_s", lambda self: times["own"])
    monkeypatch.setattr(process_tree, "busy_s", lambda: times["busy"])
    return times


def test_a_quarter_of_the_busy_time_is_a_quarter_of_processors_and_memory(clocks: dict[str, float | None]) -> None:
    clock = ManualClock()
    with eco.measure(scope="process", meter=machine(clock, package=80, dram=8, psys=120)) as m:
        clock.advance(10.0)
        clocks.update(own=6.0, busy=104.0)
    assert m.process is not None and m.process.share == 0.25
    assert m.energy_j == 0.25 * 880
    assert m.process.machine_uj == {"package-0": 800_000_000, "dram-0": 80_000_000}
    assert m.domains["psys-0"].energy_j == 1200, "an alternative total is the machine's"
    assert "by CPU time" in m.domains["dram-0"].detail


def test_alone_on_the_machine_it_pays_for_the_machine(clocks: dict[str, float | None]) -> None:
    clock = ManualClock()
    with eco.measure(scope="process", meter=machine(clock, package=80)) as m:
        clock.advance(10.0)
        clocks.update(own=15.0, busy=110.0)
    assert m.energy_j == 800
    assert m.domains["package-0"].sensor_rel == 0, "nobody else ran, so that nothing was shared out"


def test_too_short_a_time_to_tell_is_unknown_and_not_the_machines(clocks: dict[str, float | None]) -> None:
    clock = ManualClock()
    with eco.measure(scope="process", meter=machine(clock, package=80)) as m:
        clock.advance(0.02)
        clocks.update(own=5.01, busy=100.02)
    assert math.isnan(m.energy_j)
    assert "too short to tell a share" in m.missing[0][1]


def test_without_proc_stat_there_is_no_share(clocks: dict[str, float | None]) -> None:
    clock = ManualClock()
    clocks["busy"] = None
    with eco.measure(scope="process", meter=machine(clock, package=80)) as m:
        clock.advance(1.0)
    assert math.isnan(m.energy_j) and "/proc/stat cannot be read" in m.missing[0][1]


def test_the_energy_at_rest_and_beyond_are_told_apart_where_a_model_knows_it(clocks: dict[str, float | None]) -> None:
    model = eco._core.Meter(sources="estimate", cpu_idle_w=36_000.0, cpu_max_w=36_000.0, ram_w=4_000.0)
    with eco.measure(scope="process", meter=model) as m:
        clocks.update(own=6.0, busy=102.0)
    assert m.process is not None and m.process.static_j is not None and m.process.dynamic_j is not None
    assert m.process.static_j == pytest.approx(m.energy_j) and m.process.dynamic_j == pytest.approx(0, abs=1e-3)


def test_a_measurement_of_the_machine_has_no_share() -> None:
    clock = ManualClock()
    with eco.measure(meter=machine(clock, package=80)) as m:
        clock.advance(1.0)
    assert m.process is None
    with pytest.raises(ValueError, match="scope must be one of machine, process"):
        eco.measure(scope="thread")


def tree(root: Path, members: str, usage: str = "usage_usec 1500000\nuser_usec 1\n") -> str:
    group = root / "sys/fs/cgroup/job"
    group.mkdir(parents=True)
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text("1:name=systemd:/\n0::/job\n")
    (group / "cgroup.procs").write_text(members)
    (group / "cpu.stat").write_text(usage)
    return str(root)


def test_a_control_group_of_ones_own_counts_what_ended_and_was_not_waited_for(tmp_path: Path) -> None:
    own = process_tree.Own(tree(tmp_path, f"{os.getpid()}\n"))
    assert own.route == "cgroup" and own.cpu_s() == 1.5


@pytest.mark.parametrize("members", ["1\n{own}\n", "1\n", ""])
def test_a_control_group_with_others_in_it_is_not_ones_own(tmp_path: Path, members: str) -> None:
    assert process_tree.own_cpu_stat(tree(tmp_path, members.format(own=os.getpid()))) is None


def test_a_control_group_without_a_cpu_controller_is_no_clock(tmp_path: Path) -> None:
    assert process_tree.own_cpu_stat(tree(tmp_path, f"{os.getpid()}\n", "nr_periods 0\n")) is None


def test_children_count_while_they_live_and_when_they_ended() -> None:
    burn = "import time\nwhile time.process_time() < 0.3: pass\n"
    own = process_tree.Own("/nowhere")
    before_s = own.cpu_s()
    child = subprocess.Popen([sys.executable, "-c", burn + "print(flush=True); input()"], stdin=-1, stdout=-1)
    assert child.stdout is not None
    child.stdout.readline()
    alive_s = own.cpu_s() - before_s
    child.communicate(b"\n")
    ended_s = own.cpu_s() - before_s
    assert own.route == "processes"
    assert 0.28 <= alive_s <= ended_s + 0.02, "to the tick of 10 ms"


def test_a_list_of_all_processes_finds_the_same_descendants() -> None:
    grandchild = (
        "import subprocess, sys; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True); input(); p.kill()"
    )
    child = subprocess.Popen([sys.executable, "-c", grandchild], stdin=-1, stdout=-1)
    assert child.stdout is not None
    sleeper = int(child.stdout.readline())
    try:
        own = os.getpid()
        assert process_tree.descendants(own) >= {child.pid, sleeper}
        assert process_tree._descendants_by_list(own, "") >= {child.pid, sleeper}
        assert sleeper in process_tree.descendants(child.pid)
    finally:
        child.communicate(b"\n")


def test_kinds_that_are_shared_are_those_of_the_command_line_and_their_parts() -> None:
    assert set(process_share.SHARED_KINDS) == {"package", "dram", "core", "uncore"}


def test_fans_and_power_supply_are_counted_only_if_asked_for_and_never_silently(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = ManualClock()
    with eco.measure(meter=machine(clock, package=80), zone="FR") as m:
        clock.advance(10.0)
    plain_g = m.co2e_g
    assert m.auxiliary == 1.0 and not m.notes
    monkeypatch.setenv("ECO2AI_FAST_AUXILIARY", "1.3")
    assert m.energy_j == 800 and m.co2e_g == pytest.approx(1.3 * plain_g)
    assert any("1.3 times energy_j" in note and "1.15 to 1.6" in note for note in m.notes)
