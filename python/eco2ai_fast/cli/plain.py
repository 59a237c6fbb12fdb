"""The words of `run`, as long as they are plain: options as `--help` shows them, each value a word of its own.

Whatever else stands there, `--zone=FR`, a mistake or `--help`, is left to click, which says the same of plain words.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_VALUES: dict[str, tuple[str, Callable[[str], object]]] = {
    "--zone": ("zone", str),
    "--pue": ("pue", float),
    "--project": ("project", str),
    "--stage": ("stage", str),
    "--repeat": ("repeat", int),
    "--warmup": ("warmup", int),
    "-o": ("path", str),
    "--output": ("path", str),
}
_FLAGS = {"--json": "as_json", "-q": "quiet", "--quiet": "quiet"}


class Options:
    """What was asked for beside CMD; each stands for the option of `run` that bears its name in `run.command`."""

    __slots__ = ("as_json", "path", "project", "pue", "quiet", "repeat", "stage", "warmup", "zone")

    def __init__(self) -> None:
        self.zone: str | None = None
        self.pue: float | None = None
        self.project: str | None = None
        self.stage: str | None = None
        self.repeat = 1
        self.warmup = 0
        self.as_json = False
        self.path: str | None = None
        self.quiet = False


def read(words: Sequence[str]) -> tuple[tuple[str, ...], Options] | None:
    """CMD and the options; None if anything is not plain."""
    options, place = Options(), 0
    while place < len(words) and words[place] in (*_VALUES, *_FLAGS):
        taken = _take(words[place : place + 2], options)
        if not taken:
            return None
        place += taken
    if words[place : place + 1] == ["--"]:
        place += 1
    elif words[place : place + 1] and words[place].startswith("-"):
        return None
    is_in_range = options.repeat >= 1 and options.warmup >= 0
    return (tuple(words[place:]), options) if words[place:] and is_in_range else None


def _take(words: Sequence[str], options: Options) -> int:
    """Sets one option; how many words that took, 0 if it is not plain."""
    if words[0] in _FLAGS:
        setattr(options, _FLAGS[words[0]], True)
        return 1
    if len(words) < 2 or words[1].startswith("-"):
        return 0
    name, kind = _VALUES[words[0]]
    try:
        setattr(options, name, kind(words[1]))
    except ValueError:
        return 0
    return 2
