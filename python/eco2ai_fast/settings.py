"""Every setting, and the one order in which its value is looked for.

    argument > configure() > environment ECO2AI_FAST_<NAME> > config file > default

The config file is eco2ai_fast/config.toml under $XDG_CONFIG_HOME (else ~/.config), in the flat part of TOML:
one `name = value` per line, a quoted text, a number or true/false, comments after `#`; no tables, no arrays.
(The standard library reads TOML from 3.11 on only, and never writes it.)
Importing this module reads nothing.
"""
# os.path, since pathlib would cost the import of the package more than this module does:
# ruff: noqa: PTH103, PTH105, PTH108, PTH110, PTH111, PTH116, PTH117, PTH118, PTH120

from __future__ import annotations

import math
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

PREFIX = "ECO2AI_FAST_"


class SettingsError(ValueError):
    """A value that cannot be used; the message names it, where it stands and what would be right."""


class Setting:
    """One setting: `parse` takes text or a Python value and returns the value or raises ValueError."""

    __slots__ = ("default", "description", "name", "parse")

    def __init__(self, name: str, parse: Callable[[object], Any], default: Any, description: str) -> None:
        self.name = name
        self.parse = parse
        self.default = default
        self.description = description

    @property
    def variable(self) -> str:
        return PREFIX + self.name.upper()


def _number(least: float, *, above: bool = False) -> Callable[[object], float]:
    bound = f"{'>' if above else '>='} {least:g}" if math.isfinite(least) else ""

    def parse(value: object) -> float:
        try:
            number = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            number = math.nan  # fails the check below, with the same words
        if not math.isfinite(number) or number < least or (above and number == least):
            raise ValueError(f"must be a finite number {bound}".strip())
        return number

    return parse


def _choice(*names: str) -> Callable[[object], str]:
    def parse(value: object) -> str:
        if value not in names:
            raise ValueError(f"must be one of {', '.join(names)}")
        return str(value)

    return parse


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise ValueError("must be a text of one line that is not empty")
    return value.strip()


def gpu_calibrations(text: object) -> tuple[tuple[str, float, float], ...]:
    """`UUID=gain,offset_w` for each card, with semicolons between; a UUID may be cut short."""
    found = []
    try:
        for entry in text.split(";") if isinstance(text, str) else ("",):
            uuid, _, pair = entry.strip().partition("=")
            gain, offset_w = (float(number) for number in pair.split(","))
            if not (uuid.strip() and math.isfinite(offset_w) and 0.5 <= gain <= 2.0):
                raise ValueError
            found.append((uuid.strip(), gain, offset_w))
    except ValueError:
        raise ValueError("must be UUID=gain,offset_w for each card, with ; between; gains lie near 1") from None
    return tuple(found)


def _calibrations(value: object) -> str:
    gpu_calibrations(value)
    return str(value).strip()


def _rate(value: object) -> float | str:
    if value == "auto":
        return "auto"
    try:
        return _number(0, above=True)(value)
    except ValueError:
        raise ValueError('must be "auto" or a number of samples per second > 0') from None


SETTINGS: dict[str, Setting] = {
    setting.name: setting
    for setting in (
        Setting("zone", _text, None, "grid zone: FR, FRA, France, CA-QC, US-CAL-CISO, aws:eu-west-3"),
        Setting(
            "detect", _choice("off", "dmi", "imds"), "off", "look for the cloud region: off, dmi or imds"
        ),
        Setting("pue", _number(1.0), 1.0, "energy of the data centre over that of its computers"),
        Setting("intensity_g_per_kwh", _number(0), None, "your own emission factor in gCO2e/kWh"),
        Setting("basis", _choice("life-cycle", "direct"), None, "life-cycle, or direct (scope 2)"),
        Setting(
            "factors_file", _text, None, "your own table of emission factors (CSV); instead of the shipped"
        ),
        Setting("price_per_kwh", _number(-math.inf), None, "price of electricity per kWh, in `currency`"),
        Setting("currency", _text, None, "currency of price_per_kwh, as it shall be printed: EUR"),
        Setting(
            "auxiliary", _number(1.0), 1.0, "energy of the whole computer over that of what is measured: 1.15 to 1.6"
        ),
        Setting("cpu_tdp_w", _number(0, above=True), None, "TDP of one CPU package in W"),
        Setting("cpu_idle_w", _number(0), None, "power of all CPU packages at rest in W"),
        Setting("cpu_max_w", _number(0, above=True), None, "power of all CPU packages at full load in W"),
        Setting("ram_w", _number(0), None, "power of all memory in W"),
        Setting("instance_type", _text, None, "type of the cloud's instance, for the models: m5.large"),
        Setting(
            "storage", _choice("off", "show", "count"), "off", "model the disks: off, show, or count in the sum"
        ),
        Setting(
            "sources", _choice("auto", "perf", "powercap", "msr", "file", "estimate"), "auto", "how energy is read"
        ),
        Setting("rate_hz", _rate, "auto", "samples per second of a started Meter, or auto"),
        Setting("sysroot", _text, None, "prefix for /sys, /proc and /dev: containers, guests, tests"),
        Setting("gpus", _text, None, "GPUs to measure, as in CUDA_VISIBLE_DEVICES: 0,1 or GPU-8932f937; all; off"),
        Setting(
            "gpu_calibration", _calibrations, None, "what cards show of a true power: GPU-8932f937=0.953,-2.2; GPU-..."
        ),
        Setting("nvml", _text, None, "path of libnvidia-ml.so.1 when the loader does not find it"),
    )
}

_ORIGIN_RANK = {"argument": 0, "configure": 1, "environment": 2, "file": 3}

_configured: dict[str, Any] = {}
# What the config file held when it was last read: (path, its stat stamp, {name: (raw value, line number)}).
_file_cache: tuple[str, tuple[int, int, int] | None, dict[str, tuple[object, int]]] | None = None


def resolve(name: str, argument: object = None) -> tuple[Any, str]:
    """The value that holds for a setting, and where it is from.

    The origin is "argument", "configure", "environment ECO2AI_FAST_ZONE", "file PATH" or "default".
    `argument` is what the caller was given; None means that it was given nothing.

    Raises SettingsError for a value that cannot be used, KeyError for a name that is no setting.
    """
    setting = SETTINGS[name]
    if argument is not None:
        return _parsed(setting, argument, "argument"), "argument"
    if name in _configured:
        return _configured[name], "configure"
    text = os.environ.get(setting.variable, "")
    if text:
        origin = f"environment {setting.variable}"
        return _parsed(setting, text, origin), origin
    path = config_path()
    raw, line = _from_file(path).get(name, (None, 0))
    if raw is not None:
        return _parsed(setting, raw, f"file {path}:{line}"), f"file {path}"
    return setting.default, "default"


def configure(**values: object) -> None:
    """Set values for this process; they outrank environment and file. None takes a setting back.

    All or nothing: when one value is wrong, none is set.
    """
    checked = {}
    for name, value in values.items():
        setting = _known(name, "configure")
        checked[name] = None if value is None else _parsed(setting, value, "configure")
    for name, value in checked.items():
        if value is None:
            _configured.pop(name, None)
        else:
            _configured[name] = value


def all_settings() -> list[tuple[Setting, Any, str]]:
    """Every setting with the value that holds now and its origin, in the order of this file."""
    return [(setting, *resolve(setting.name)) for setting in SETTINGS.values()]


def rank(origin: str) -> int:
    """How near to the call an origin is: 0 for an argument, 4 for a default."""
    return _ORIGIN_RANK.get(origin.partition(" ")[0], 4)


def disabled() -> bool:
    """Whether ECO2AI_FAST_DISABLE turns all measuring off: any value but empty, 0, false, no and off."""
    return os.environ.get(PREFIX + "DISABLE", "").strip().lower() not in ("", "0", "false", "no", "off")


def config_path() -> str:
    """Where the user's config file is or would be."""
    return user_path("XDG_CONFIG_HOME", ".config", "config.toml")


def user_path(variable: str, fallback: str, name: str) -> str:
    """A file of ours under the directory that an XDG variable names, else under ~/`fallback`."""
    base = os.environ.get(variable, "")
    if not os.path.isabs(base):  # the XDG base directory specification: a relative path is to be ignored
        base = os.path.join(os.path.expanduser("~"), fallback)
    return os.path.join(base, "eco2ai_fast", name)


def set_in_file(name: str, value: object) -> str:
    """Write one setting into the config file (None removes it) and return the file's path.

    The value is checked first. Other lines, comments too, stay as they are.
    """
    setting = _known(name, "config set")
    path = config_path()
    lines = _read_lines(path)
    kept = [line for line in lines if line.partition("=")[0].strip() != name]
    if value is not None:
        kept.append(f"{name} = {_as_toml(_parsed(setting, value, 'config set'))}\n")
    try:
        replace_file(path, "".join(kept))
    except OSError as why:
        raise SettingsError(f"cannot write the config file {path}: {why}") from None
    return path


def replace_file(path: str, text: str) -> None:
    """Write a file in one step: beside it, then by a rename, so that a reader sees the old or the new one."""
    target = os.path.realpath(path)  # a link into a dotfiles repository stays a link
    os.makedirs(os.path.dirname(target), exist_ok=True)
    draft = f"{target}.{os.getpid()}.new"
    try:
        with open(draft, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, target)
    finally:
        if os.path.exists(draft):
            os.unlink(draft)


def _known(name: str, origin: str) -> Setting:
    setting = SETTINGS.get(name)
    if setting is None:
        raise SettingsError(f"unknown setting {name!r} ({origin}): there are {', '.join(SETTINGS)}")
    return setting


def _parsed(setting: Setting, value: object, origin: str) -> Any:
    try:
        return setting.parse(value)
    except ValueError as why:
        raise SettingsError(f"{setting.name} = {value!r} ({origin}): {why}") from None


def _from_file(path: str) -> dict[str, tuple[object, int]]:
    """The raw values of the file, read again only when its inode, size or time of change is new."""
    global _file_cache
    try:
        stat = os.stat(path)
        stamp: tuple[int, int, int] | None = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
    except OSError:
        stamp = None
    cached = _file_cache
    if cached is not None and cached[:2] == (path, stamp):
        return cached[2]
    values = {} if stamp is None else _parse_file(path)
    _file_cache = (path, stamp, values)
    return values


def _parse_file(path: str) -> dict[str, tuple[object, int]]:
    values: dict[str, tuple[object, int]] = {}
    for number, line in enumerate(_read_lines(path), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        where = f"file {path}:{number}"
        name, equals, rest = text.partition("=")
        name = name.strip()
        if not equals:
            raise SettingsError(f"{where}: {text!r} is not of the form: name = value")
        _known(name, where)
        if name in values:
            raise SettingsError(f"{where}: {name} stands there twice")
        values[name] = (_from_toml(rest.strip(), where), number)
    return values


def _read_lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.readlines()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as why:
        raise SettingsError(f"cannot read the config file {path}: {why}") from None
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    return lines


def _from_toml(text: str, where: str) -> object:
    """A quoted text, a number or a boolean of TOML, with an optional comment behind it."""
    if text[:1] in ('"', "'"):
        return _quoted(text, where)
    word = text.partition("#")[0].strip()
    if word in ("true", "false"):
        return word == "true"
    try:
        return float(word)
    except ValueError:
        raise SettingsError(f'{where}: {word!r} is no number; a text needs quotes: "{word}"') from None


def _quoted(text: str, where: str) -> str:
    """The text in quotes that `text` begins with. In double quotes \\" and \\\\ are the escapes."""
    quote, letters, position = text[0], [], 1
    while text[position : position + 1] not in ("", quote):
        if quote == '"' and text[position] == "\\":
            position += 1
            if text[position : position + 1] not in ('"', "\\"):
                raise SettingsError(
                    f"{where}: the escape {text[position - 1 : position + 1]} is not supported"
                )
        letters.append(text[position])
        position += 1
    if position >= len(text):
        raise SettingsError(f"{where}: the closing quote is missing")
    rest = text[position + 1 :].strip()
    if rest and not rest.startswith("#"):
        raise SettingsError(f"{where}: {rest!r} stands behind the value")
    return "".join(letters)


def _as_toml(value: object) -> str:
    if isinstance(value, (int, float)):
        return repr(value)
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
