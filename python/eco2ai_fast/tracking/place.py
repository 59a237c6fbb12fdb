"""Which emission level holds for a run, and what stands in its row for the place. No packet is sent to find out."""

from __future__ import annotations

import math
import warnings

from .arguments import plain
from .errors import NoCountryCodeError, TrackerWarning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..carbon import Intensity

HINT = 'name yours with alpha_2_code="FR", zone="FR" or `eco2ai-fast config set zone FR`'


class Place:
    """A place and its electricity.

    Attributes:
        level: g CO2 per kWh, the same number in kg per MWh; as it was given where the user gave it.
        text: what eco2AI writes into the column region/country: "RU", "RU/Moscow", "(RU)" with a level of one's own.
        intensity: where the level is from; None for the user's own.
    """

    __slots__ = ("intensity", "level", "text")

    def __init__(self, level: float, text: str, intensity: Intensity | None = None) -> None:
        self.level = level
        self.text = text
        self.intensity = intensity


def find(
    emission_level: float | None, alpha_2_code: str | None, region: str | None, zone: str | None, *, quiet: bool
) -> Place:
    """The place of a run: the level given, else eco2AI's for its codes, else that of the zone that holds here.

    Raises NoCountryCodeError for a region without a country, ValueError for a level that is none, UnknownZoneError
    for a zone that nobody knows.
    """
    if region is not None and alpha_2_code is None:
        raise NoCountryCodeError(f"region={region!r} needs its country: give alpha_2_code too")
    name = "/".join(part for part in (alpha_2_code, region) if part)
    if emission_level is not None:
        return Place(_checked(emission_level), f"({name or _configured_zone(zone) or 'World'})")
    if alpha_2_code is not None:
        found = _published(alpha_2_code, region, quiet=quiet)
        return Place(found.g_per_kwh, name, found)
    return _here(zone, quiet=quiet)


def _checked(given: float) -> float:
    level: float = plain(given)
    if isinstance(level, bool) or not isinstance(level, (int, float)) or not math.isfinite(level) or level < 0:
        raise ValueError(f"emission_level={level!r}: must be a finite number of kg CO2 per MWh, 0 or more")
    return level


def _published(code: str, region: str | None, *, quiet: bool) -> Intensity:
    """What eco2AI 0.3.12 publishes under its names; for a region it does not know, what holds for the country."""
    from ..carbon.eco2ai_levels import eco2ai_level
    from ..carbon.errors import FactorError

    try:
        return eco2ai_level(code, region)
    except FactorError:
        if region is None:
            return _of_code(code, quiet=quiet)
    found = _published(code, None, quiet=quiet)
    whole = f"{found.zone_name} as a whole, {found.g_per_kwh:g} kg/MWh"
    _warn(f"region {region!r} of {code!r} is not known: {whole}", quiet)
    return found


def _of_code(code: str, *, quiet: bool) -> Intensity:
    from ..carbon import FactorError, intensity

    try:
        return intensity(code)
    except FactorError:
        world = intensity(None)
        _warn(f"alpha_2_code={code!r} is no country that is known here: {_world(world)}; {HINT}", quiet)
        return world


def _here(zone: str | None, *, quiet: bool) -> Place:
    from ..carbon import here

    found = here(zone)
    if found.is_guess:
        what = _world(found) if found.zone == "WORLD" else f"{found.zone_name} ({found.found_by})"
        _warn(f"nobody has said where this runs: {what}; {HINT}", quiet)
    text = "World" if found.zone == "WORLD" else found.zone or found.zone_name
    return Place(found.g_per_kwh, text, found)


def _configured_zone(zone: str | None) -> str:
    from .. import settings

    return zone or settings.resolve("zone")[0] or ""


def _world(world: Intensity) -> str:
    return f"the world's average holds, {world.g_per_kwh:g} kg/MWh ({world.source}, {world.year})"


def _warn(message: str, quiet: bool) -> None:
    if not quiet:
        warnings.warn(message, TrackerWarning, stacklevel=6)
