"""What each of several records adds to their sum: energy and time that no other record of the same meters holds.

Two runs at one time on one host have read the same meters, and both records hold the machine's energy. So for each host
and domain the sum is over the union of their windows: a record counts from where the records that began before it end.
Within a bin, power is taken as constant.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    Record = Mapping[str, Any]

NS_PER_S = 1_000_000_000


class Part:
    """What a record adds: energy_j over its counted domains (None: unknown), duration_s, and its share of both."""

    __slots__ = ("duration_s", "energy_j", "energy_share", "time_share")

    def __init__(self, energy_j: float | None, energy_share: float, duration_s: float, time_share: float) -> None:
        self.energy_j = energy_j
        self.energy_share = energy_share
        self.duration_s = duration_s
        self.time_share = time_share


def host(record: Record) -> str:
    """Which machine's meters a record has read; a record that does not tell stands alone."""
    found = record["host"]["boot_id"] or record["host"]["hash"]
    return f"host {found}" if found else f"record {record['id']}"


def parts(records: Sequence[Record]) -> list[Part]:
    """What each record adds, in their order."""
    windows = [_window_ns(record) for record in records]
    order = sorted(range(len(records)), key=lambda at: (windows[at][0], -windows[at][1]))
    ends: dict[tuple[str, str], int] = {}
    found: dict[int, Part] = {}
    for at in order:
        record, (t0_ns, t1_ns) = records[at], windows[at]
        here = host(record)
        known = [one for one in record["domains"] if one["counted"] and one["energy_j"] is not None]
        energies, is_whole = [], True
        for domain in known:
            begin_ns = max(t0_ns, ends.get((here, domain["id"]), t0_ns))
            is_whole &= begin_ns == t0_ns
            energies.append(_energy_from(record, domain, begin_ns, t0_ns, t1_ns))
            ends[here, domain["id"]] = max(t1_ns, begin_ns)
        free_ns = t1_ns - max(t0_ns, ends.get((here, ""), t0_ns))
        ends[here, ""] = max(t1_ns, ends.get((here, ""), t1_ns))
        energy_j = record["energy_j"] if is_whole else sum(energies)
        found[at] = _part(record, energy_j if known else None, max(0, free_ns), t1_ns - t0_ns)
    return [found[at] for at in range(len(records))]


def _part(record: Record, energy_j: float | None, free_ns: int, length_ns: int) -> Part:
    time_share = free_ns / length_ns if length_ns else 1.0
    own_j = record["energy_j"]
    if energy_j is None and own_j is not None:  # a row that tells no domains
        energy_j = own_j * time_share
    energy_share = energy_j / own_j if energy_j is not None and own_j else time_share
    return Part(energy_j, energy_share, (record["duration_s"] or 0.0) * time_share, time_share)


def _window_ns(record: Record) -> tuple[int, int]:
    """Begin and end on the one clock that all records of a host share: the monotonic one of a boot, else UTC."""
    t0_ns, t1_ns, anchor = record["t0_ns"], record["t1_ns"], record["clock_anchor"]
    if t0_ns is None or t1_ns is None:
        return 0, round((record["duration_s"] or 0.0) * NS_PER_S)
    if record["host"]["boot_id"] or anchor is None:
        return t0_ns, t1_ns
    shift_ns = anchor["utc_ns"] - anchor["monotonic_ns"]
    return t0_ns + shift_ns, t1_ns + shift_ns


def _energy_from(record: Record, domain: Record, begin_ns: int, t0_ns: int, t1_ns: int) -> float:
    """Joules of a domain from an instant of the window to its end."""
    whole_j: float = domain["energy_j"]
    if begin_ns <= t0_ns:
        return whole_j
    if begin_ns >= t1_ns:
        return 0.0
    steps = list(_bins(record, domain["id"], t0_ns, t1_ns))
    binned_j = sum(energy_j for _, _, energy_j in steps)
    after_j = sum(e * max(0.0, min(1.0, (end - begin_ns) / (end - start))) for start, end, e in steps if end > start)
    return whole_j * after_j / binned_j if binned_j else whole_j * (t1_ns - begin_ns) / (t1_ns - t0_ns)


def _bins(record: Record, domain: str, t0_ns: int, t1_ns: int) -> Iterator[tuple[int, int, float]]:
    """Begin, end and joules of each bin, on the clock of the window; one bin where they are not known."""
    bins = record["bins"]
    energies = bins["energy_j"].get(domain) if bins else None
    if not energies or None in energies:
        yield t0_ns, t1_ns, 1.0
        return
    shift_ns = t0_ns - record["t0_ns"]
    edges_ns = [edge + shift_ns for edge in bins["edges_ns"]]
    yield from zip(edges_ns, edges_ns[1:], energies, strict=False)
