"""What a tracker takes where its arguments say nothing: eco2AI's stored parameters.

eco2AI keeps them in its own folder of site-packages, for every user and process of the machine. Here they stand in
eco2ai.toml beside the user's config file: one `name = value` per line, in the common part of TOML and JSON. (The json
module would cost more than a whole tracker; its scanner in C does not.)
"""
# os.path, since pathlib would cost the import more than this module does:
# ruff: noqa: PTH103, PTH105, PTH108, PTH110, PTH116, PTH118, PTH120

from __future__ import annotations

import os
from _json import encode_basestring_ascii, scanstring

from .. import settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Where nothing is stored; the texts are eco2AI's own, since they stand in its users' files.
DEFAULTS: dict[str, Any] = {
    "project_name": "default project name",
    "experiment_description": "default experiment description",
    "file_name": "emission.csv",
    "measure_period": 10,
    "pue": 1,
}

# What the file held when it was last read, with its stamp; or what could not be written.
_known: tuple[str, tuple[int, int, int] | None, dict[str, Any]] | None = None


def path() -> str:
    """Where the parameters are or would be stored."""
    return os.path.join(os.path.dirname(settings.config_path()), "eco2ai.toml")


def stored() -> dict[str, Any]:
    """Everything that is stored, with defaults for what is not. A file that cannot be read stores nothing."""
    return DEFAULTS | _load()


def store(values: dict[str, Any]) -> dict[str, Any]:
    """Keeps exactly these, with defaults for what is missing, and returns them.

    They hold for this process even where the file cannot be written; then raises OSError.
    """
    global _known
    wanted = values | {name: value for name, value in DEFAULTS.items() if name not in values}
    if wanted == _load():
        return wanted
    _known = (path(), _stamp(path()), wanted)
    _write(wanted)
    _known = (path(), _stamp(path()), wanted)
    return wanted


def _load() -> dict[str, Any]:
    global _known
    here, stamp = path(), _stamp(path())
    if _known is None or _known[:2] != (here, stamp):
        _known = (here, stamp, {} if stamp is None else _read(here))
    return _known[2]


def _stamp(file: str) -> tuple[int, int, int] | None:
    try:
        stat = os.stat(file)
    except OSError:
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def _read(file: str) -> dict[str, Any]:
    try:
        with open(file, encoding="utf-8") as text:
            pairs = [line.partition("=") for line in text if "=" in line]
        return {name.strip(): _value(value.strip()) for name, _, value in pairs}
    except (OSError, ValueError):
        return {}


def _value(text: str) -> Any:
    if text.startswith('"'):
        return scanstring(text, 1)[0]
    return text == "true" if text in ("true", "false") else int(text) if text.lstrip("-").isdigit() else float(text)


def _written(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, (int, float)) else encode_basestring_ascii(str(value))


def _write(values: dict[str, Any]) -> None:
    """Beside the file, then renamed over it: a reader sees the old or the new one."""
    file = path()
    draft = f"{file}.{os.getpid()}.new"
    os.makedirs(os.path.dirname(file), exist_ok=True)
    try:
        with open(draft, "w", encoding="utf-8") as text:
            text.writelines(f"{name} = {_written(value)}\n" for name, value in values.items())
        os.replace(draft, file)
    finally:
        if os.path.exists(draft):
            os.unlink(draft)
