"""Where a record is from: the machine, the code, the settings and the tables, named so that others can check them."""
# os.path, since pathlib would cost the import:
# ruff: noqa: PTH109, PTH110, PTH112, PTH118, PTH120

from __future__ import annotations

import os

from . import settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._core import Domain
    from .measurement import DomainMeasurement

_MACHINE_ID_PATHS = ("/etc/machine-id", "/var/lib/dbus/machine-id")
_BOOT_ID_PATH = "/proc/sys/kernel/random/boot_id"


def host() -> dict[str, str | None]:
    """The machine's hash and the id of its boot."""
    return {"hash": _host_hash(), "boot_id": _line(_BOOT_ID_PATH)}


def hardware(domains: list[Domain], measured: list[DomainMeasurement]) -> dict[str, Any]:
    """What people call the hardware: processor, packages, logical processors, GPUs; unknown is None."""
    from ._core import EnergyError, processor

    gpus = [domain.detail for domain in domains if domain.kind.startswith("gpu") and domain.counted]
    gpus += [domain.device or domain.detail for domain in measured if domain.kind == "gpu"]
    try:
        found = processor(sysroot=settings.resolve("sysroot")[0])
    except (EnergyError, ValueError, OSError):
        return {"cpu": None, "packages": None, "logical": None, "gpus": gpus}
    return {
        "cpu": found.brand or os.uname().machine,
        "packages": found.packages,
        "logical": found.logical,
        "gpus": gpus,
    }


def settings_in_use(arguments: dict[str, Any]) -> dict[str, Any]:
    """Every setting that is not at its default, with its origin."""
    found: dict[str, Any] = {}
    for name in settings.SETTINGS:
        try:
            value, origin = settings.resolve(name, arguments.get(name))
        except ValueError as error:
            value, origin = None, f"refused: {error}"
        if origin != "default":
            found[name] = {"value": value, "origin": without_home(origin)}
    return found


def config_hash(in_use: dict[str, Any]) -> str:
    """SHA-256 of the values of the settings, whatever their origin: equal for runs that were set up alike."""
    values = {name: one["value"] for name, one in in_use.items()}
    text = "{}"
    if values:
        import json

        text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return _hash("sha256", text.encode())


def data() -> dict[str, str | None]:
    """SHA-256 of the tables that factors come from; `cat data/*.tsv | sha256sum` in the C locale gives the same."""
    return {"tables_sha256": _tables_sha256(), "factors_file_sha256": _factors_file_sha256()}


def code_commit() -> str | None:
    """The commit of the git checkout that the working directory is in, read from its files; None if there is none.

    Whether the checkout holds changes that are in no commit is not looked at.
    """
    try:
        folder = os.getcwd()
        while not os.path.exists(os.path.join(folder, ".git")):
            above = os.path.dirname(folder)
            if above == folder:
                return None
            folder = above
        return _head_commit(_git_dir(os.path.join(folder, ".git")))
    except OSError:
        return None


def without_home(origin: str) -> str:
    """A record may be published: the path of the home directory bears a person's name."""
    home = os.path.expanduser("~")  # noqa: PTH111
    return origin.replace(home, "~") if len(home) > 1 else origin


def _hash(name: str, data: bytes, **options: Any) -> str:
    """In hexadecimal, by hashlib's function of this name: without hashlib, which loads OpenSSL, 7 ms of every `run`."""
    from importlib import import_module

    for module in ("_sha2", "_sha256", "_blake2", "hashlib"):  # 3.12 and newer, older ones, both; any
        try:
            found = getattr(import_module(module), name)
        except (ImportError, AttributeError):
            continue
        break
    return str(found(data, **options).hexdigest())


def _host_hash() -> str | None:
    """A name for this machine that tells nothing about it: BLAKE2 keyed with the machine id, as machine-id(5) asks.

    None where the machine has no id, as in many containers.
    """
    machine_id = next(filter(None, map(_line, _MACHINE_ID_PATHS)), None)
    if machine_id is None:
        return None
    return _hash("blake2b", b"eco2ai-fast host", key=machine_id.encode()[:64], digest_size=16)


def _tables_sha256() -> str | None:
    from .carbon.tables import DATA_DIR

    tables = bytearray()
    try:
        for name in sorted(os.listdir(DATA_DIR)):  # noqa: PTH208
            if name.endswith(".tsv"):
                with open(os.path.join(DATA_DIR, name), "rb") as file:
                    tables += file.read()
    except OSError:
        return None
    return _hash("sha256", bytes(tables))


def _factors_file_sha256() -> str | None:
    try:
        path = settings.resolve("factors_file")[0]
        if path is None:
            return None
        with open(path, "rb") as file:
            return _hash("sha256", file.read())
    except (OSError, ValueError):
        return None


def _git_dir(path: str) -> str:
    """The folder of a checkout's repository; in a worktree `.git` is a file that names it."""
    if os.path.isdir(path):
        return path
    return os.path.join(os.path.dirname(path), (_line(path) or "").removeprefix("gitdir: "))


def _head_commit(folder: str) -> str | None:
    text = _line(os.path.join(folder, "HEAD")) or ""
    if not text.startswith("ref: "):
        return _commit(text)
    reference = text.removeprefix("ref: ")
    shared = os.path.join(folder, _line(os.path.join(folder, "commondir")) or "")
    loose = _line(os.path.join(folder, reference)) or _line(os.path.join(shared, reference))
    return _commit(loose or _packed(shared, reference))


def _packed(folder: str, reference: str) -> str:
    """The commit of a reference that git has packed away."""
    try:
        with open(os.path.join(folder, "packed-refs"), encoding="utf-8") as file:
            return next((line.split(" ")[0] for line in file if line.rstrip("\n").endswith(f" {reference}")), "")
    except (OSError, UnicodeDecodeError):
        return ""


def _commit(text: str) -> str | None:
    """SHA-1 or SHA-256 in hexadecimal; anything else is no commit."""
    return text if len(text) in (40, 64) and not text.strip("0123456789abcdef") else None


def _line(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8") as file:
            return file.readline().strip() or None
    except (OSError, UnicodeDecodeError):
        return None
