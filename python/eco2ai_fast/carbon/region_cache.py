"""The cloud region that was learnt since this boot, kept so that a machine is asked once.

One line in `eco2ai_fast/region` under $XDG_CACHE_HOME (else ~/.cache): boot id, provider, region.
"""
# os.path, since pathlib would cost more than reading the file:
# ruff: noqa: PTH103, PTH105, PTH111, PTH117, PTH118, PTH120

from __future__ import annotations

import os


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
    if not boot_id:
        return
    path = _path()
    os.makedirs(os.path.dirname(path), exist_ok=True)
    draft = f"{path}.{os.getpid()}.new"
    with open(draft, "w", encoding="utf-8") as file:
        file.write(f"{boot_id} {provider} {region}\n")
    os.replace(draft, path)


def _path() -> str:
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):  # the XDG base directory specification: a relative path is to be ignored
        base = os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "eco2ai_fast", "region")
