"""Where this process runs, never guessed in silence.

    argument > configure() > environment > config file > the cloud's region, if asked for > time zone >
    unknown

The cloud's region is looked for only with `detect="dmi"` (DMI and variables, no packet) or `detect="imds"`
(also the metadata service of the provider that DMI names). A guess says that it is one in `found_by`.
"""

from __future__ import annotations

import os

from .. import settings
from . import machine
from .errors import UnknownZoneError
from .names import resolve_zone
from .region_cache import recall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from .imds import Probe


class Location:
    """A place and who named it.

    Attributes:
        zone: what `intensity()` takes: a name, a code or a cloud region; None when nothing is known.
        found_by: "argument", "configure", "environment ...", "file ...", "cached: ...", "instance metadata",
            "guess: ..." or "default".
    """

    __slots__ = ("found_by", "zone")

    def __init__(self, zone: str | None, found_by: str) -> None:
        self.zone = zone
        self.found_by = found_by

    def __repr__(self) -> str:
        return f"Location({self.zone!r} from {self.found_by})"


_probe: Probe | None = None


def locate(
    zone: str | None = None,
    *,
    detect: str | None = None,
    sysroot: str | None = None,
    environ: Mapping[str, str] | None = None,
    wait_s: float = 0.0,
) -> Location:
    """Where this process runs. Makes no network call unless `detect` is "imds", and never waits for one.

    Args:
        zone: what the caller was told; it wins.
        detect: "off", "dmi" or "imds"; None takes the setting.
        sysroot: prefix of /sys, /proc, /etc and /usr; None takes the setting.
        environ: variables to look for hints in; None is the process's own.
        wait_s: with "imds", how long this call may wait for the answer. With 0 the first call starts the
            question in a thread, and a later one, such as at the end of a run, finds its answer.
    """
    named, origin = settings.resolve("zone", zone)
    if named is not None:
        return Location(named, origin)
    root = settings.resolve("sysroot", sysroot)[0] or ""
    variables = os.environ if environ is None else environ
    how = settings.resolve("detect", detect)[0]
    return (
        _learnt_this_boot(root)
        or (_cloud_region(how, root, variables, wait_s) if how != "off" else None)
        or _by_time_zone(root, variables)
        or Location(None, "default")
    )


def _learnt_this_boot(root: str) -> Location | None:
    region = recall(machine.boot_id(root))
    return Location(region, "cached: instance metadata of this boot") if region and _known(region) else None


def _cloud_region(how: str, root: str, environ: Mapping[str, str], wait_s: float) -> Location | None:
    provider = machine.cloud_provider(root)
    region = f"{provider}:{_ask_metadata(provider, root, wait_s)}" if provider and how == "imds" else ""
    if region and _known(region):
        return Location(region, "instance metadata")
    variable, named = machine.region_variable(provider, environ)
    region = f"{provider}:{named}"
    return (
        Location(region, f"guess: {variable} on a machine of {provider}")
        if named and _known(region)
        else None
    )


def _ask_metadata(provider: str, root: str, wait_s: float) -> str:
    """The region if the service has answered by now; the first call puts the question."""
    global _probe
    if _probe is None or _probe.provider != provider:
        from . import imds

        _probe = imds.Probe(provider, machine.boot_id(root), imds.BASE_URL, imds.BUDGET_S)
    return _probe.wait(wait_s)


def _by_time_zone(root: str, environ: Mapping[str, str]) -> Location | None:
    name = machine.time_zone(root, environ)
    country = machine.country_of_time_zone(root, name) if name else ""
    return Location(country, f"guess: time zone {name}") if country and _known(country) else None


def _known(place: str) -> bool:
    try:
        resolve_zone(place)
    except UnknownZoneError:
        return False
    return True
