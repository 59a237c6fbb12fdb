"""Whether the arguments of a tracker can be, and what stands in for those that are not given."""

from __future__ import annotations

import math
import os

from .. import settings
from ..carbon.errors import FactorError
from . import parameters
from .errors import IncorrectPricingDict, NotNeededExtensionError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ..carbon.tariff import Tariff


def check(file_name: object, measure_period: object, cpu_processes: object, pue: object) -> None:
    """Raises what Tracker() documents. None is right everywhere but in cpu_processes: it takes the stored value."""
    if file_name is not None:
        _check_csv(file_name, "file_name")
    if measure_period is not None:
        _check_above_0(measure_period, "measure_period", "seconds")
    if pue is not None:
        _check_above_0(pue, "pue", "the energy of the data centre over that of its computers")
    if cpu_processes not in ("current", "all"):
        raise ValueError(f'cpu_processes={cpu_processes!r}: must be "current", this process tree, or "all"')


def encoded_name(encode_file: str | bool | None, file_name: str) -> str | None:
    """The file for the obfuscated rows, None for none."""
    if encode_file is None or encode_file is False:
        return None
    if isinstance(encode_file, str):
        _check_csv(encode_file, "encode_file")
        return encode_file
    folder, name = os.path.split(file_name)
    return os.path.join(folder, f"encoded_{name}")  # noqa: PTH118 (pathlib costs more than this module)


def tariff(prices: Mapping[str, float] | None) -> Tariff | None:
    if prices is None:
        return None
    from ..carbon.tariff import Tariff

    try:
        return Tariff(prices)
    except FactorError as error:
        raise IncorrectPricingDict(str(error)) from None
    except (AttributeError, TypeError):
        example = '{"8:00-20:00": 0.3, "20:00-8:00": 0.2}'
        raise IncorrectPricingDict(f"a tariff is a dict such as {example}, not {prices!r}") from None


def stored_with(**given: Any) -> dict[str, Any]:
    """The stored parameters with those given, which are stored too; for this process alone where they cannot be."""
    values = {name: plain(value) for name, value in given.items() if value is not None}
    merged = parameters.stored() | values
    if values and not settings.disabled():
        try:
            parameters.store(merged)
        except OSError:
            return _of(merged)  # a home that cannot be written to is no fault of this run, which has its values
    return _of(merged)


def _of(values: dict[str, Any]) -> dict[str, Any]:
    return {name: values[name] for name in parameters.DEFAULTS}


def new_id() -> str:
    """A random UUID, version 4 of RFC 9562. The uuid module would cost more than the tracker."""
    octets = bytearray(os.urandom(16))
    octets[6] = octets[6] & 0x0F | 0x40
    octets[8] = octets[8] & 0x3F | 0x80
    text = octets.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def plain(value: Any) -> Any:
    """A path as text, a number of numpy or torch as Python's own: what can be checked and stored."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value.item() if hasattr(value, "item") and getattr(value, "ndim", None) == 0 else value


def _check_csv(name: object, argument: str) -> None:
    path = plain(name)
    if not isinstance(path, str) or not path:
        raise TypeError(f"{argument}={name!r}: must be a path that ends in .csv")
    if "\0" in path:
        raise ValueError(f"{argument}={name!r}: no path has a null character")
    if not path.endswith(".csv"):
        raise NotNeededExtensionError(f"{argument}={name!r}: must end in .csv")


def _check_above_0(number: object, argument: str, what: str) -> None:
    value = plain(number)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{argument}={value!r}: must be a number, {what}")
    if not 0 < value < math.inf:
        raise ValueError(f"{argument}={value!r}: must be a positive number, {what}")
