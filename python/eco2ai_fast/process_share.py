"""What of the machine's energy is this process's: `measure(scope="process")`.

The share is the CPU time of the process and its descendants over the busy time of all CPUs. It is taken of all that
processors and memory drew, at rest too: alone on the machine, a process pays for the machine. What it caused beyond the
machine at rest is `dynamic_j`.
"""

from __future__ import annotations

from math import hypot

from . import attribution, process_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .measurement import DomainMeasurement

# Cores are not alike, nor is a second on them: by CPU time a share of a busy machine is 20 to 30 % off (95 %, reasoned;
# SmartWatts, arXiv 2001.02505, reaches a few per cent with hardware counters), and exact where nobody else runs.
SHARE_REL = 0.15
# Work on these follows CPU time, memory by the same key for want of a better one.
SHARED_KINDS = (*attribution.SHARED_KINDS, "core", "uncore")


class ProcessShare:
    """This process's part of a window.

    Attributes:
        cpu_s, busy_s: CPU time of the process and its descendants, and of all the machine's; busy_s None if unknown.
        share: cpu_s over busy_s, 0 to 1; None where it cannot be told, and `reason` says why.
        route: how CPU time was counted: "cgroup" or "processes".
        machine_uj: what each shared domain took in all, by id; the process's part stands in the measurement.
        static_j, dynamic_j: the process's part of the machine at rest and beyond; None where no model or calibration
            knows the power at rest.
    """

    __slots__ = ("_begin", "_own", "busy_s", "cpu_s", "dynamic_j", "machine_uj", "share", "static_j")

    def __init__(self) -> None:
        self._own = process_tree.Own()
        self.cpu_s = self._own.cpu_s()
        self.busy_s = process_tree.busy_s()
        self.share: float | None = None
        self.machine_uj: dict[str, int] = {}
        self.static_j: float | None = None
        self.dynamic_j: float | None = None

    @property
    def route(self) -> str:
        return self._own.route

    @property
    def reason(self) -> str | None:
        if self.share is not None:
            return None
        if self.busy_s is None:
            return "/proc/stat cannot be read, so that no share can be told"
        return f"the machine was busy for less than {attribution.RESOLUTION_S:g} s, too short to tell a share"

    def close(self) -> None:
        """Ends the window: from here on times are those in between."""
        busy_s = process_tree.busy_s()
        self.cpu_s = self._own.cpu_s() - self.cpu_s
        self.busy_s = None if busy_s is None or self.busy_s is None else busy_s - self.busy_s
        shares = None if self.busy_s is None else attribution.shares(self.busy_s, (self.cpu_s,))
        self.share = None if shares is None else shares[0]

    def apply(self, domains: dict[str, DomainMeasurement], idle_w: Sequence[float | None], duration_s: float) -> None:
        """Makes the machine's energies those of the process; what cannot be told is unknown, not the machine's."""
        static_j: list[float | None] = []
        for domain, power_w in zip(domains.values(), idle_w, strict=True):
            if domain.kind not in SHARED_KINDS and not (domain.kind == "psys" and domain.counted):
                continue
            if domain.energy_uj is not None:
                self.machine_uj[domain.id] = domain.energy_uj
                if domain.counted:
                    at_rest_j = None if power_w is None else power_w * duration_s
                    static_j.append(None if at_rest_j is None else min(at_rest_j, domain.energy_uj / 1e6))
            _scale(domain, self.share, self.reason)
        self._split(domains, static_j)

    def _split(self, domains: dict[str, DomainMeasurement], static_j: list[float | None]) -> None:
        known = [part for part in static_j if part is not None]
        if self.share is not None and static_j and len(known) == len(static_j):
            counted_uj = sum(uj for name, uj in self.machine_uj.items() if domains[name].counted)
            self.static_j = self.share * sum(known)
            self.dynamic_j = self.share * counted_uj / 1e6 - self.static_j


def _scale(domain: DomainMeasurement, share: float | None, reason: str | None) -> None:
    if share is None:
        domain.energy_uj, domain.modelled_uj, domain.fault = None, 0, domain.fault or reason
        return
    if domain.energy_uj is not None:
        domain.energy_uj = int(domain.energy_uj * share)
        domain.modelled_uj = min(int(domain.modelled_uj * share), domain.energy_uj)
    domain.sampling_j *= share
    domain.sensor_rel = hypot(domain.sensor_rel, SHARE_REL * (1 - share))
    domain.detail = f"{share:.4f} by CPU time of {domain.detail}"
