"""The cloud region that was learnt since this boot, kept so that a machine is asked once.

One line in `eco2ai_fast/region` under $XDG_CACHE_HOME (else ~/.cache): boot id, provider, region.
"""

from __future__ import annotations

from .. import settings


def recall(boot_id: str) -> str:
    """`provider:region` as learnt since this boot, else ""."""
    try:
        with open(_path(), encoding="utf-8") as file:
            kept = file.read(256).split()
    except (OSError, UnicodeDecodeError):
        return ""
    return f"{kept[1]}:{kept[2]}" if boot_id and len(kept) == 3 and kept[0] == boot_id else ""


def remember(boot_id: str, provider: str, region: str) -> None:
    """Keep a region for the rest of this boot. OSError when the cache cannot be written."""
    if boot_id:
        settings.replace_file(_path(), f"{boot_id} {provider} {region}\n")


def _path() -> str:
    return settings.user_path("XDG_CACHE_HOME", ".cache", "region")
