"""Where do the rivals live? Each in an environment of its own under .venv-versus/, from exact pins.

    PYTHONPATH=benches python -m versus.environments [NAME ...]     # makes what is missing, prints one line each

    for environment in make(): environment.python, environment.version, environment.failure

Nothing of a rival comes into the project. Installing needs a package index; what is installed then runs without a
network (`offline`). A rival that does not install is an Environment with its failure, never an exception.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent.parent
HOME = Path(os.environ.get("ECO2AI_FAST_VERSUS", REPO / ".venv-versus"))
INSTALL_TIMEOUT_S = 900
OURS = "eco2ai_fast"


@dataclass(frozen=True)
class Rival:
    """One tool: how it is installed, and by which Python module or program it is found."""

    name: str
    pins: tuple[str, ...] = ()  # for pip
    module: str | None = None
    crate: str | None = None  # for cargo
    program: str | None = None
    note: str = ""


RIVALS = (
    Rival(OURS, (str(REPO),), module="eco2ai_fast"),
    # With pandas 3 every stop() raises, with setuptools 80 and later the import fails.
    Rival("eco2ai", ("eco2ai==0.3.12", "pandas==2.3.3", "setuptools==79.0.1"), module="eco2ai"),
    Rival("codecarbon", ("codecarbon==3.3.2",), module="codecarbon"),
    Rival("carbontracker", ("carbontracker==2.4.7",), module="carbontracker.tracker"),
    Rival("zeus", ("zeus==0.16.0",), module="zeus.monitor"),
    # Its NVIDIA device is behind an extra of two dead names; nvidia-ml-py provides the module that it imports.
    Rival("pyjoules", ("pyJoules==0.5.1", "nvidia-ml-py==13.615.71"), module="pyJoules"),
    Rival("perun", ("perun==1.0.0", "nvidia-ml-py==13.615.71"), module="perun", program="perun"),
    Rival("joule-profiler", crate="joule-profiler-cli@3.0.1", program="joule-profiler"),
    Rival("alumet", crate="alumet-agent", program="alumet-agent"),
    Rival("perf", program="perf", note="of the system: Debian's linux-perf"),
)


@dataclass(frozen=True)
class Environment:
    """A rival as it stands on this machine."""

    rival: Rival
    folder: Path
    version: str | None = None
    failure: str | None = None

    @property
    def name(self) -> str:
        """The rival's name."""
        return self.rival.name

    @property
    def python(self) -> Path:
        """Its own interpreter."""
        return self.folder / "bin" / "python"

    @property
    def program(self) -> Path | None:
        """Its command, where it is one."""
        if self.rival.program is None:
            return None
        own = self.folder / "bin" / self.rival.program
        found = str(own) if own.exists() else shutil.which(self.rival.program)
        return Path(found) if found else None


def make(names: Iterable[str] = (), again: bool = False) -> list[Environment]:
    """The environments of these rivals (all without names), installing what is not there yet."""
    wanted = set(names)
    if unknown := wanted - {rival.name for rival in RIVALS}:
        raise ValueError(f"no such rival: {', '.join(sorted(unknown))}")
    chosen = [rival for rival in RIVALS if not wanted or rival.name in wanted]
    # What cargo builds takes as long as all the rest: beside it, and one after the other, since they share a folder.
    crates = [rival for rival in chosen if rival.crate]
    others = [rival for rival in chosen if not rival.crate]
    with ThreadPoolExecutor(2) as pool:
        parts = list(pool.map(lambda part: [_make(rival, again) for rival in part], (crates, others)))
    made = {environment.name: environment for part in parts for environment in part}
    return [made[rival.name] for rival in chosen]


def offline(command: Sequence[str | Path]) -> list[str]:
    """The command in a network namespace that holds nothing but a dead loopback."""
    return ["unshare", "--net", *map(str, command)]


def _make(rival: Rival, again: bool) -> Environment:
    folder = HOME / rival.name
    stamp = folder / "versus.json"
    wanted = _fingerprint(rival)
    if not again and stamp.exists():
        known = json.loads(stamp.read_text())
        if known["fingerprint"] == wanted:
            return Environment(rival, folder, known["version"], known["failure"])
    try:
        version, failure = _installed(rival, folder)
    except subprocess.TimeoutExpired:
        # Not kept: another day the machine or the network may be faster.
        return Environment(rival, folder, None, f"not installed within {INSTALL_TIMEOUT_S} s")
    folder.mkdir(parents=True, exist_ok=True)
    stamp.write_text(json.dumps({"fingerprint": wanted, "version": version, "failure": failure}))
    return Environment(rival, folder, version, failure)


def _installed(rival: Rival, folder: Path) -> tuple[str | None, str | None]:
    """Version and failure, one of them None."""
    try:
        if rival.pins:
            return _with_pip(rival, folder), None
        if rival.crate:
            return _with_cargo(rival, folder), None
        return _of_the_system(rival), None
    except subprocess.CalledProcessError as failed:
        return None, _last_words(failed.stderr or failed.stdout or "") or f"exit code {failed.returncode}"
    except OSError as error:
        return None, str(error)


def _with_pip(rival: Rival, folder: Path) -> str:
    shutil.rmtree(folder, ignore_errors=True)
    _run([sys.executable, "-m", "venv", folder])
    python = folder / "bin" / "python"
    _run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *rival.pins])
    listed = _run([python, "-m", "pip", "list", "--format=json", "--disable-pip-version-check"])
    (folder / "packages.json").write_text(listed)
    versions = {package["name"].lower().replace("-", "_"): package["version"] for package in json.loads(listed)}
    return str(versions[rival.name.lower()])


def _with_cargo(rival: Rival, folder: Path) -> str:
    if shutil.which("cargo") is None:
        raise OSError("cargo not found")
    # A target folder of its own, or cargo would rebuild everything at each try.
    environment = os.environ | {"CARGO_TARGET_DIR": str(HOME / "target")}
    _run(["cargo", "install", "--quiet", "--locked", rival.crate or "", "--root", folder], environment)
    return _of_the_system(rival, folder / "bin")


def _of_the_system(rival: Rival, folder: Path | None = None) -> str:
    program = shutil.which(rival.program or "", path=str(folder) if folder else None)
    if program is None:
        raise OSError(f"{rival.program} not found {rival.note}".strip())
    return _run([program, "--version"]).strip().split()[-1]


def _run(command: Sequence[str | Path], environment: dict[str, str] | None = None) -> str:
    # Compiled files are what a user has, whatever this shell says.
    environment = {k: v for k, v in (environment or os.environ).items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        [*map(str, command)],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        timeout=INSTALL_TIMEOUT_S,
    )
    return done.stdout


def _last_words(text: str) -> str:
    """The line of a long message that says what is wrong."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error")]
    return (errors or lines or [""])[-1 if not errors else 0][:300]


def _fingerprint(rival: Rival) -> str:
    """Changes when what would be installed changes; for us that is the source itself."""
    digest = hashlib.sha256(repr((rival.pins, rival.crate, sys.version)).encode())
    if rival.name == OURS:
        for path in sorted([REPO / "Cargo.lock", REPO / "pyproject.toml", *_sources()]):
            digest.update(str(path.relative_to(REPO)).encode() + path.read_bytes())
    return digest.hexdigest()


def _sources() -> list[Path]:
    kinds = ("rust/**/*.rs", "rust/**/Cargo.toml", "rust/**/data/*", "python/**/*.py", "python/**/data/**/*")
    return [path for kind in kinds for path in REPO.glob(kind) if path.is_file() and "__pycache__" not in path.parts]


def main() -> None:
    """Makes them and says how each stands."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="of " + ", ".join(r.name for r in RIVALS))
    parser.add_argument("--again", action="store_true", help="install also what is there")
    options = parser.parse_args()
    for environment in make(options.names, options.again):
        print(f"{environment.name:15} {environment.version or environment.failure}", flush=True)


if __name__ == "__main__":
    main()
