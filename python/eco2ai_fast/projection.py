"""From some steps to the whole run: joules, kWh and CO2e, with a 95 % band."""

from __future__ import annotations

import numpy as np

from . import settings
from .carbon import Intensity, co2e_g, here, kwh
from .measurement import Per
from .quantity import si
from .span_columns import LOST
from .spans import Spans
from .statistics import Z_95, effective_size, t_95

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from .measurement import Measurement


class Projection:
    """The energy of a run that was measured in part.

    Attributes:
        steps, measured_steps: of the whole run, and those it is told from.
        energy_j, low_j, high_j: expectation and 95 % band; kwh, low_kwh, high_kwh the same.
        co2e_g, low_g, high_g: with the intensity and PUE; the band is that of the energy alone.
        intensity, pue: what they were computed with; intensity.low_g_per_kwh and high_g_per_kwh tell how far data sets
            differ.
    """

    __slots__ = ("energy_j", "high_j", "intensity", "low_j", "measured_steps", "pue", "steps")

    def __init__(
        self, energy_j: float, half_j: float, steps: float, measured_steps: int, intensity: Intensity, pue: float
    ) -> None:
        self.energy_j = energy_j
        self.low_j = max(0.0, energy_j - half_j)
        self.high_j = energy_j + half_j
        self.steps = steps
        self.measured_steps = measured_steps
        self.intensity = intensity
        self.pue = pue

    @property
    def kwh(self) -> float:
        return kwh(self.energy_j)

    @property
    def low_kwh(self) -> float:
        return kwh(self.low_j)

    @property
    def high_kwh(self) -> float:
        return kwh(self.high_j)

    @property
    def co2e_g(self) -> float:
        return co2e_g(self.energy_j, self.intensity.g_per_kwh, self.pue)

    @property
    def low_g(self) -> float:
        return co2e_g(self.low_j, self.intensity.g_per_kwh, self.pue)

    @property
    def high_g(self) -> float:
        return co2e_g(self.high_j, self.intensity.g_per_kwh, self.pue)

    def __repr__(self) -> str:
        band = f"{si(self.low_j, 'J')} to {si(self.high_j, 'J')}"
        grams = f"{si(self.co2e_g, 'gCO2e')} ({si(self.low_g, 'g')} to {si(self.high_g, 'g')})"
        place = f"{self.intensity.zone_name}, {self.intensity.g_per_kwh:.4g} g/kWh"
        factor = "" if self.pue == 1 else f", PUE {self.pue:g}"
        return (
            f"<{self.steps:g} steps: {si(self.energy_j, 'J')} = {self.kwh:.4g} kWh ({band}), {grams} ({place}{factor})"
            f"; from {self.measured_steps} steps>"
        )


def project(
    step_energy: Spans | Per | Sequence[Measurement] | Sequence[float] | NDArray[Any],
    steps: float,
    *,
    sensor_rel: float | None = None,
    zone: str | None = None,
    pue: float | None = None,
) -> Projection:
    """What `steps` steps cost, told from those that were measured.

    step_energy: a span for each step (`meter.spans(name="step")`), joules or Measurements of single steps in their
    order, or `m.per("step", n)` of a window over n steps. Leave out steps that warm up, or they count for all.
    sensor_rel: the sensors' own relative error, one sigma; known for spans and measurements, else 0.

    The band holds what is not known about the mean step (Student's t over the effective number of steps, fewer where
    neighbours are alike), the scatter of the steps to come, and the sensors' error. It holds no change of the work:
    evaluation, checkpoints, a warmer room.

    Raises ValueError with less than two steps (other than by `per`), or for steps that are not above 0.
    """
    if not steps > 0:
        raise ValueError(f"steps must be above 0, not {steps!r}")
    if isinstance(step_energy, Per):
        mean_j, half_j, measured = step_energy.energy_j, step_energy.uncertainty_j * steps, int(step_energy.count)
    else:
        energy_j, known_rel = _steps(step_energy)
        mean_j, measured = float(energy_j.mean()), len(energy_j)
        half_j = _half_width(energy_j, steps, known_rel if sensor_rel is None else sensor_rel)
    factor: float = settings.resolve("pue", pue)[0]
    return Projection(mean_j * steps, half_j, steps, measured, here(zone), factor)


def _steps(step_energy: Any) -> tuple[NDArray[Any], float]:
    """Joules of each step, and the sensors' relative error."""
    if isinstance(step_energy, Spans):
        rows = step_energy[step_energy["status"] != LOST]
        energy_j, uncertainty_j, sampling_j = (rows[field] for field in ("energy_j", "uncertainty_j", "sampling_j"))
    else:
        fields = [
            [getattr(one, field, default) for one in step_energy]
            for field, default in (("energy_j", None), ("uncertainty_j", 0.0), ("sampling_j", 0.0))
        ]
        plain = [one if known is None else known for one, known in zip(step_energy, fields[0], strict=True)]
        energy_j, uncertainty_j, sampling_j = (np.asarray(one, "f8") for one in (plain, fields[1], fields[2]))
    if len(energy_j) < 2 or not np.isfinite(energy_j).all():
        raise ValueError(f"a projection needs the joules of two steps at least, not {len(energy_j)}")
    systematic_j = np.sqrt(np.maximum(uncertainty_j**2 - sampling_j**2, 0.0)).sum()
    return energy_j, float(systematic_j / Z_95 / energy_j.sum()) if energy_j.sum() else 0.0


def _half_width(energy_j: NDArray[Any], steps: float, sensor_rel: float) -> float:
    count, effective = len(energy_j), effective_size(energy_j)
    scatter_j = float(energy_j.std(ddof=1))
    of_mean_j = t_95(max(1, round(effective) - 1)) * scatter_j / effective**0.5 * steps
    to_come_j = Z_95 * scatter_j * (steps * count / effective) ** 0.5
    of_sensors_j = Z_95 * sensor_rel * float(energy_j.mean()) * steps
    return float(np.sqrt(of_mean_j**2 + to_come_j**2 + of_sensors_j**2))
