"""What is attributed to a process and the rest of the machine are the machine, whatever the numbers (law 6)."""

from hypothesis import given
from hypothesis import strategies as st

from eco2ai_fast import attribution
from eco2ai_fast.measurement import DomainMeasurement
from eco2ai_fast.process_share import ProcessShare

UJ = st.integers(0, 10**15)
SECONDS = st.floats(0, 1e6)


def domain(kind: str, energy_uj: int, modelled_uj: int) -> DomainMeasurement:
    one = DomainMeasurement.__new__(DomainMeasurement)
    values = {
        "id": kind,
        "kind": kind,
        "counted": True,
        "detail": "",
        "fault": None,
        "sensor_rel": 0.1,
        "sampling_j": 1.0,
    }
    for name, value in values.items():
        setattr(one, name, value)
    one.energy_uj, one.modelled_uj = energy_uj, modelled_uj
    return one


def share(cpu_s: float, busy_s: float) -> ProcessShare:
    found = ProcessShare.__new__(ProcessShare)
    found.cpu_s, found.busy_s, found.machine_uj, found.static_j, found.dynamic_j = cpu_s, busy_s, {}, None, None
    shares = attribution.shares(busy_s, (cpu_s,))
    found.share = shares[0] if shares else None
    return found


@given(UJ, UJ, SECONDS, SECONDS, st.floats(0, 1000), SECONDS)
def test_the_process_and_the_rest_are_the_machine_to_the_microjoule(package, dram, cpu_s, more_s, idle_w, duration_s):
    process = share(cpu_s, cpu_s + more_s)
    domains = {"package": domain("package", package, package // 2), "dram": domain("dram", dram, dram)}
    process.apply(domains, [idle_w, idle_w], duration_s)
    assert process.machine_uj == {"package": package, "dram": dram}
    for name, whole_uj in process.machine_uj.items():
        part_uj = domains[name].energy_uj
        if process.share is None:
            assert part_uj is None
        else:
            rest_uj = whole_uj - part_uj
            assert part_uj >= 0 and rest_uj >= 0 and part_uj + rest_uj == whole_uj
            assert 0 <= domains[name].modelled_uj <= part_uj


@given(UJ, SECONDS, SECONDS, st.floats(0, 1000), SECONDS)
def test_rest_and_work_are_the_processs_own_energy(package, cpu_s, more_s, idle_w, duration_s):
    process = share(cpu_s, cpu_s + more_s)
    process.apply({"package": domain("package", package, 0)}, [idle_w], duration_s)
    if process.share is not None:
        assert process.static_j >= 0 and process.dynamic_j >= -1e-6 * max(process.static_j, 1)
        assert abs(process.static_j + process.dynamic_j - process.share * package / 1e6) <= 1e-9 * package / 1e6 + 1e-9


@given(st.lists(SECONDS, min_size=1, max_size=8), SECONDS)
def test_shares_never_exceed_the_whole(parts_s, others_s):
    found = attribution.shares(sum(parts_s) + others_s, parts_s)
    assert found is None or (all(one >= 0 for one in found) and sum(found) <= 1 + 1e-12)
