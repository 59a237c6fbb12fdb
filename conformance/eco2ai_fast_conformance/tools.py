"""Which tool, run by which Python: an adapter of this package or anybody's file, and the environment it lives in."""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from pathlib import Path

ADAPTERS = Path(__file__).parent / "adapters"
ALL_ROUTES = ("powercap", "nvml")


@dataclass(frozen=True)
class Tool:
    """An adapter, its mode, and the interpreter of the environment where the tool is installed."""

    adapter: Path
    mode: str | None
    python: str

    @property
    def name(self) -> str:
        """As it stands on the scoreboard."""
        return self.adapter.stem + (f":{self.mode}" if self.mode else "")

    @property
    def arguments(self) -> list[str]:
        """What the driver is told."""
        return [str(self.adapter), *([self.mode] if self.mode else [])]

    @property
    def routes(self) -> tuple[str, ...]:
        """By which interfaces the tool can see a meter at all."""
        return tuple(constants(self.adapter).get("ROUTES", ALL_ROUTES))


def names() -> list[str]:
    """The tools of this package, each with its modes."""
    found: list[str] = []
    for path in sorted(ADAPTERS.glob("[!_]*.py")):
        modes = constants(path).get("MODES", (None,))
        found += [path.stem + (f":{mode}" if mode else "") for mode in modes]
    return found


def find(text: str, environments: Path, python: str | None = None) -> Tool:
    """The tool called NAME[:MODE], or the adapter at a path."""
    name, _, mode = text.partition(":")
    adapter = Path(name) if name.endswith(".py") else ADAPTERS / f"{name}.py"
    if not adapter.exists():
        raise LookupError(f"no adapter {adapter}; there are {', '.join(names())}, and any file of your own")
    own = environments / adapter.stem / "bin" / "python"
    return Tool(adapter.resolve(), mode or None, python or (str(own.absolute()) if own.exists() else sys.executable))


def constants(adapter: Path) -> dict[str, tuple[str, ...]]:
    """The plain constants of an adapter, read and not run: its tool need not be importable here."""
    found = {}
    for node in ast.parse(adapter.read_text()).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            try:
                found[node.targets[0].id] = ast.literal_eval(node.value)
            except ValueError:
                continue
    return found
