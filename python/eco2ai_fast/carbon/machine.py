"""What the machine says about where it stands, without a packet: DMI strings, variables, its time zone.

`root` is a prefix for every path ("" is the machine itself), `environ` its variables: both come in by
argument.
"""
# os.path and os.readlink, since pathlib would cost more than reading the files:
# ruff: noqa: PTH115

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

# Provider by a DMI string that begins with this. AWS: the vendor of Nitro instances; the UUID, which only
# root may read, and Xen's begin with ec2. Azure: the asset tag of every virtual machine of its.
# (cloud-init, ds-identify)
_DMI = (
    ("aws", "sys/class/dmi/id/sys_vendor", "amazon ec2"),
    ("aws", "sys/class/dmi/id/product_uuid", "ec2"),
    ("aws", "sys/hypervisor/uuid", "ec2"),
    ("gcp", "sys/class/dmi/id/product_name", "google compute engine"),
    ("azure", "sys/class/dmi/id/chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77"),
)

# Variables that name the region that a program shall talk to: a hint for the one it runs in, nothing more.
_REGION_VARIABLES = {
    "aws": ("AWS_REGION", "AWS_DEFAULT_REGION"),
    "gcp": ("GOOGLE_CLOUD_REGION", "CLOUDSDK_COMPUTE_REGION"),
}


def cloud_provider(root: str = "") -> str:
    """The provider whose virtual machine this is by its DMI strings: "aws", "azure", "gcp" or ""."""
    return next((name for name, path, start in _DMI if _read(root, path).lower().startswith(start)), "")


def region_variable(provider: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """(variable, region) that the environment names for a provider, ("", "") when it names none."""
    for variable in _REGION_VARIABLES.get(provider, ()):
        if environ.get(variable):
            return variable, environ[variable].strip().lower()
    return "", ""


def boot_id(root: str = "") -> str:
    """The kernel's id of this boot, "" when it cannot be read."""
    return _read(root, "proc/sys/kernel/random/boot_id")


def time_zone(root: str, environ: Mapping[str, str]) -> str:
    """The IANA name of the time zone by TZ, /etc/localtime or /etc/timezone, "" when none of them has one."""
    if environ.get("TZ"):
        return environ["TZ"].lstrip(":")
    try:
        target = os.readlink(f"{root}/etc/localtime")
    except OSError:
        target = ""
    _, found, name = target.partition("zoneinfo/")
    return name if found else _read(root, "etc/timezone")


_countries: dict[tuple[str, str], str] = {}


def country_of_time_zone(root: str, name: str) -> str:
    """ISO 3166-1 alpha-2 code of the country that tzdata files a time zone under, "" when it does not."""
    known = _countries.get((root, name))
    if known is None:  # 0.3 ms for the 400 lines of the table, paid once
        known = _countries[root, name] = _look_up_country(root, name)
    return known


def _look_up_country(root: str, name: str) -> str:
    for table in ("zone.tab", "zone1970.tab"):
        for line in _read(root, f"usr/share/zoneinfo/{table}").split("\n"):
            cells = line.split("\t")
            if len(cells) > 2 and cells[2] == name and not line.startswith("#"):
                return cells[0].partition(",")[0]
    return ""


def _read(root: str, path: str) -> str:
    """The text of a file, "" when it cannot be read: a hint that is not there is no hint."""
    try:
        with open(f"{root}/{path}", encoding="utf-8") as file:
            return file.read().strip()
    except (OSError, UnicodeDecodeError):
        return ""
