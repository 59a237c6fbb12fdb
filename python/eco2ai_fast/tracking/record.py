"""What a run or an epoch came to: the thirteen cells of its row, and what eco2AI's columns cannot say."""

from __future__ import annotations

from .row import COLUMNS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..measurement import Measurement
    from .place import Place
    from .run import Figures

J_PER_KWH = 3_600_000


class TrackerRecord:
    """One row, immutable.

    Attributes:
        cells: the thirteen columns as they stand in the file, in order.
        duration_s: seconds.
        energy_j: joules of this process tree, or of the machine with cpu_processes="all", before PUE.
        power_consumption_kwh: energy_j x PUE in kWh: the file's column.
        co2_kg: power_consumption_kwh x emission level / 1000.
        price: money by the tariff, PUE included; 0 without one.
        share: of the machine's busy time that was ours, 0 to 1; 1 with cpu_processes="all".
        measurement: the whole machine's energy by domain, measured and modelled, with its error.
        place: emission level and where it is from.

    Energies are not-a-number, never 0, where nothing could be read; measurement.missing says why.
    """

    __slots__ = (
        "cells",
        "duration_s",
        "energy_j",
        "power_consumption_kwh",
        "co2_kg",
        "price",
        "share",
        "measurement",
        "place",
    )

    cells: tuple[str, ...]
    duration_s: float
    energy_j: float
    power_consumption_kwh: float
    co2_kg: float
    price: float
    share: float
    measurement: Measurement
    place: Place

    def __init__(self, figures: Figures, place: Place, pue: float, labels: dict[str, str], *, priced: bool) -> None:
        kwh = figures.energy_j * pue / J_PER_KWH
        price = figures.price * pue
        values = labels | {
            "duration(s)": str(figures.duration_s),
            "power_consumption(kWh)": str(kwh),
            "CO2_emissions(kg)": str(kwh * place.level / 1000),
            "cost": str(price) if priced else "0",
        }
        cells = tuple(values[column] for column in COLUMNS)
        kg, whole = kwh * place.level / 1000, figures.measurement
        _fill(self, cells, figures.duration_s, figures.energy_j, kwh, kg, price, figures.share, whole, place)

    @property
    def row(self) -> dict[str, str]:
        """The cells by the name of their column."""
        return dict(zip(COLUMNS, self.cells, strict=True))

    def __reduce__(self) -> tuple[object, ...]:
        """For pickle: slots and immutability rule out the default way."""
        return _restored, tuple(getattr(self, name) for name in self.__slots__)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a TrackerRecord is immutable: cannot set {name!r}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a TrackerRecord is immutable: cannot delete {name!r}")

    def __repr__(self) -> str:
        from ..quantity import percent, si

        energy = f"{si(self.energy_j, 'J')}, {percent(self.share)} of the machine's busy time"
        carbon = f"{si(1000 * self.co2_kg, 'gCO2e')} at {self.place.text} {self.place.level:g} g/kWh"
        return f"<TrackerRecord {self.cells[0]}: {energy}, in {si(self.duration_s, 's')}; {carbon}>"


def _fill(record: TrackerRecord, *values: object) -> None:
    for name, value in zip(TrackerRecord.__slots__, values, strict=True):
        object.__setattr__(record, name, value)


def _restored(*values: object) -> TrackerRecord:
    record = TrackerRecord.__new__(TrackerRecord)
    _fill(record, *values)
    return record
