"""The functions of `eco2ai.utils`."""

from __future__ import annotations

import os
import time
import warnings
from importlib import import_module
from pathlib import Path

from ..tracking import arguments, parameters, place, row
from ..tracking import summary as totals
from ..tracking.errors import TrackerWarning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def set_params(**params: Any) -> None:
    """Stores parameters for later trackers: project_name, experiment_description, file_name, measure_period, pue.

    What is not given gets its default, not what was stored before. They stand in eco2ai.toml beside the config file.
    """
    try:
        parameters.store(params)
    except OSError as error:
        warnings.warn(f"these parameters hold for this process alone: {error}", TrackerWarning, stacklevel=2)


def get_params() -> dict[str, Any]:
    """The stored parameters."""
    return parameters.stored()


def summary(filename: str, write_to_file: str | bool = False) -> Any:
    """Totals by project of a file, and over all of them: a pandas DataFrame, or without pandas a list of dicts.

    write_to_file: a path to write them to, too. Raises FileDoesNotExistsError.
    """
    records = totals.by_project(os.fspath(filename))
    if write_to_file:
        if not isinstance(write_to_file, str):
            raise ValueError(f"write_to_file={write_to_file!r}: must be the path of the file to write")
        totals.write(records, write_to_file)
    try:
        return import_module("pandas").DataFrame(records)
    except ImportError:
        return records


def electricity_pricing_check(electricity_pricing: Mapping[str, float] | None) -> bool | None:
    """Raises IncorrectPricingDict for a tariff that is none; True for no tariff."""
    return True if arguments.tariff(electricity_pricing) is None else None


def calculate_price(electricity_pricing: Mapping[str, float], kwh_energy: float) -> float:
    """What so many kWh cost now. Raises IncorrectPricingDict."""
    tariff = arguments.tariff(electricity_pricing)
    if tariff is None:
        raise TypeError("calculate_price() needs a tariff")
    now = time.localtime()
    return tariff.price_at(now.tm_hour * 3600 + now.tm_min * 60 + now.tm_sec) * kwh_energy


def define_carbon_index(
    emission_level: float | None = None, alpha_2_code: str | None = None, region: str | None = None
) -> tuple[float, str]:
    """Emission level in kg CO2 per MWh and what stands for the place in a row. No packet is sent."""
    found = place.find(emission_level, alpha_2_code, region, None, quiet=False)
    return found.level, found.text


def encode(f_string: str) -> str:
    """A text in the letters of `encode_file`."""
    return row.encode(f_string)


def encode_dataframe(values: Any) -> Any:
    """An array of texts in the letters of `encode_file`; needs numpy."""
    from numpy import array, vectorize

    return vectorize(row.encode, otypes=[str])(array(values).astype(str))


def is_file_opened(needed_file: str) -> bool:
    """Whether a process that may be looked at has the file open. No writer here waits for it."""
    wanted = os.path.realpath(needed_file)
    return any(_points_to(link, wanted) for link in Path("/proc").glob("[0-9]*/fd/*"))


def _points_to(link: Path, wanted: str) -> bool:
    try:
        return str(link.readlink()) == wanted
    except OSError:
        return False
