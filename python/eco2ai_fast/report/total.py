"""The sum of records: runs of one host at one time count once, and what one of them does not know the sum does not."""

from __future__ import annotations

from .overlap import host, parts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from .overlap import Part

    Record = Mapping[str, Any]

NO_LABEL = "(none)"
S_PER_DAY = 86_400.0


class Total:
    """Sums over records; None is "not known of all of them", never 0.

    Attributes:
        records: the runs, those of a series among them.
        energy_j, measured_j, modelled_j, uncertainty_j: of the machines, each host's time counted once. Errors of
            meters are systematic, so the half-widths add up.
        unknown: how many records hold no energy; the sums are over the others.
        overlapping, overlap_j: how many records share time with an earlier one, and what was therefore left out.
        energy_kwh: PUE included; fossil_kwh, nuclear_kwh, renewable_kwh: of it, by the mix of each run's grid.
        co2e_g, life_cycle_g, direct_g, low_g, high_g, market_g, embodied_g: grams.
        duration_s: time in which the machines were in use; device_days: the same by GPU, or by CPU package.
        attribution: the texts that must go with a report.
    """

    __slots__ = (
        "attribution", "co2e_g", "device_days", "direct_g", "duration_s", "embodied_g", "energy_j", "energy_kwh",
        "fossil_kwh", "high_g", "life_cycle_g", "low_g", "market_g", "measured_j", "modelled_j", "nuclear_kwh",
        "overlap_j", "overlapping", "records", "renewable_kwh", "uncertainty_j", "unknown",
    )  # fmt: skip

    def __init__(self, records: Iterable[Record]) -> None:
        self.records = flat(records)
        found = parts(self.records)
        pairs = [pair for pair in zip(self.records, found, strict=True) if pair[0]["energy_j"] is not None]
        self.unknown = len(self.records) - len(pairs)
        self.energy_j = _sum(part.energy_j for _, part in pairs)
        self.measured_j, self.modelled_j, self.uncertainty_j = (
            _scaled(pairs, _key(key)) for key in ("measured_j", "modelled_j", "uncertainty_j")
        )
        self.overlapping = sum(1 for part in found if part.time_share < 1)
        self.overlap_j = sum((1 - part.energy_share) * record["energy_j"] for record, part in pairs)
        self.energy_kwh, self.life_cycle_g, self.direct_g, self.low_g, self.high_g = (
            _scaled(pairs, _emission(key)) for key in ("energy_kwh", "life_cycle_g", "direct_g", "low_g", "high_g")
        )
        self.fossil_kwh, self.nuclear_kwh, self.renewable_kwh = (
            _scaled(pairs, _by_mix(of_mix)) for of_mix in (_fossil, _nuclear, _renewable)
        )
        self.co2e_g = _scaled(pairs, _key("co2e_g"))
        self.market_g = _scaled(pairs, _emission("market_based", "g"))
        self.embodied_g = _scaled(pairs, _emission("embodied", "g"), of_time=True)
        self.duration_s = sum(part.duration_s for part in found)
        self.device_days = _device_days(self.records, found)
        self.attribution = list(dict.fromkeys(text for record in self.records for text in record["attribution"]))

    @property
    def provenance(self) -> str:
        """ "measured", "modelled" or "mixed"; "unknown" where a row does not tell."""
        if self.measured_j is None or self.modelled_j is None:
            return "unknown"
        return "measured" if not self.modelled_j else "mixed" if self.measured_j else "modelled"

    def places(self) -> list[str]:
        """Names of the zones, each once."""
        found = (record["intensity"] for record in self.records)
        return list(dict.fromkeys(one["zone_name"] or one["zone"] for one in found if one))

    def hardware(self) -> list[str]:
        """Processors and GPUs with their numbers, each once: `1 x AMD EPYC`."""
        names: dict[str, None] = {}
        for record in self.records:
            machine = record["hardware"]
            for gpu in dict.fromkeys(machine["gpus"]):
                names[f"{machine['gpus'].count(gpu)} x {gpu}"] = None
            if machine["cpu"]:
                names[f"{machine['packages'] or 1} x {machine['cpu']}"] = None
        return list(names)

    def stages(self) -> list[str]:
        return list(dict.fromkeys(record["stage"] for record in self.records if record["stage"]))


def flat(records: Iterable[Record]) -> list[Record]:
    """Single runs; those of a series one by one."""
    return [run for record in records for run in (record["runs"] if record["kind"] == "series" else [record])]


def grouped(records: Iterable[Record], by: str) -> dict[str, Total]:
    """Sums by "project", "stage", "host" or "month" (UTC, of the begin), in the order of their names."""
    groups: dict[str, list[Record]] = {}
    for record in flat(records):
        groups.setdefault(KEYS[by](record), []).append(record)
    return {name: Total(groups[name]) for name in sorted(groups)}


KEYS: dict[str, Callable[[Record], str]] = {
    "project": lambda record: record["project"] or NO_LABEL,
    "stage": lambda record: record["stage"] or NO_LABEL,
    "host": host,
    "month": lambda record: (record["t0_utc"] or record["t1_utc"] or NO_LABEL)[:7],
}


def _fossil(mix: Record) -> float:
    free: float = mix["carbon_free_share"]
    return 1.0 - free


def _nuclear(mix: Record) -> float:
    """What is free of carbon is renewable or nuclear; rounding to whole percent may put the one above the other."""
    return max(0.0, float(mix["carbon_free_share"] - mix["renewable_share"]))


def _renewable(mix: Record) -> float:
    share: float = mix["renewable_share"]
    return share


def _by_mix(of_mix: Callable[[Record], float]) -> Callable[[Record], float | None]:
    """The kWh of a record that its zone's mix ascribes to one kind of plants."""

    def value(record: Record) -> float | None:
        kwh, mix = record["emissions"]["energy_kwh"], record["grid_mix"]
        return None if kwh is None or mix is None else kwh * of_mix(mix)

    return value


def _key(name: str) -> Callable[[Record], float | None]:
    return lambda record: record[name]


def _emission(name: str, part: str | None = None) -> Callable[[Record], float | None]:
    def value(record: Record) -> float | None:
        found: Any = record["emissions"][name]
        amount: float | None = found[part] if part and found is not None else found
        return amount

    return value


def _scaled(
    pairs: Sequence[tuple[Record, Part]], value: Callable[[Record], float | None], *, of_time: bool = False
) -> float | None:
    """The sum of a figure over the parts of records that count; None where one of them does not know it."""
    known = [(value(record), part.time_share if of_time else part.energy_share) for record, part in pairs]
    if not known or any(one is None for one, _ in known):
        return None
    return sum(one * share for one, share in known if one is not None)


def _sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _device_days(records: Sequence[Record], found: Sequence[Part]) -> float | None:
    devices = [len(record["hardware"]["gpus"]) or record["hardware"]["packages"] for record in records]
    if not devices or None in devices:
        return None
    return sum(number * part.duration_s for number, part in zip(devices, found, strict=True) if number) / S_PER_DAY
