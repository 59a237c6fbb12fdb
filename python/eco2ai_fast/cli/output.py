"""Where answers go: standard error without ever failing, and files that are whole or not there."""
# os.path, since pathlib would cost the import:
# ruff: noqa: PTH105, PTH107, PTH110, PTH112, PTH116, PTH120

from __future__ import annotations

import os
import stat
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def say(text: str) -> None:
    """Writes to standard error. When nobody reads there any more, nothing happens."""
    with suppress(OSError), open(2, "wb", closefd=False) as stream:
        stream.write(text.encode("utf-8", "backslashreplace"))


def warn(text: str) -> None:
    """One line about something of ours that went wrong."""
    say(f"eco2ai-fast: {text}\n")


def as_json(document: Any, *, indent: int | None = None) -> str:
    """One line, or with `indent` for people; a not-a-number would be a bug and is refused."""
    import json

    return json.dumps(document, indent=indent, allow_nan=False) + "\n"


def why_not_writable(path: str) -> str | None:
    """What stands against writing `path`, or None. Asked before a run, so that its result is not lost."""
    if os.path.isdir(path):
        return f"{path} is a directory"
    if _is_stream(path):
        return None if os.access(path, os.W_OK) else f"{path} may not be written"
    folder = os.path.dirname(os.path.realpath(path))
    if not os.path.isdir(folder):
        return f"there is no directory {folder}"
    return None if os.access(folder, os.W_OK | os.X_OK) else f"{folder} may not be written"


def write(path: str, text: str) -> None:
    """Replaces the file in one step, so that a reader sees the old one or the new; a pipe is written through."""
    if _is_stream(path):
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(text)
        return
    target = os.path.realpath(path)  # a link stays a link
    draft = f"{target}.{os.getpid()}.new"
    try:
        with open(draft, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(draft, target)
    except OSError:
        with suppress(OSError):
            os.remove(draft)
        raise


def _is_stream(path: str) -> bool:
    """Whether something stands there that is no file: a pipe, a terminal, /dev/null."""
    return os.path.exists(path) and not stat.S_ISREG(os.stat(path).st_mode)
