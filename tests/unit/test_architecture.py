"""Imports run one way: what each part of the house may know of the others, held against the real imports."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
CORE = ROOT / "rust/core/src"
PACKAGE = ROOT / "python/eco2ai_fast"

# A file may use what stands in an earlier row. `sys` is source/sys.rs: the system calls below everything.
CORE_ROWS = (
    {"units", "error", "sync", "number_lists"},
    {"sys", "edges", "budget"},
    {"clock"},
    {"domain", "sample"},
    {"step", "source"},
    {"counter", "choice", "cross_check"},
    {"gauge", "ring", "published"},
    {"integrate", "snapshot", "curve"},
    {"panel", "recorded"},
    {"keepalive", "sampler"},
    {"window", "span", "attribution", "gpu"},
    {"meter"},
)
# What a module of the package may import when it is imported itself, beside itself, _core, settings and quantity.
PACKAGE_ROWS = (
    {"settings", "quantity", "_core", "statistics", "synchronise"},
    {"carbon", "attribution", "calibration", "origin", "gpus"},
    {"process_tree", "footprint"},
    {"process_share"},
    {"measurement"},
    {"bins"},
    {"tracefile", "requestlogs", "shares"},
    {"tracestore"},
    {"gpucurves", "traceforms"},
    {"meter", "presentation", "energies", "record", "decorator"},
    {"stopwatch", "ranks"},
    {"streams", "span_columns"},
    {"span_gpus"},
    {"spans"},
    {"summaries"},
    {"requests"},
    {"gputraces"},
    {"traces"},
    {"stages", "serving", "projection", "joining"},
    {"tracking"},
    {"tracker", "testing"},
    {"tracked"},
    {"compat", "report", "export"},
    {"cli"},
)
UNSAFE = {
    "rust/core/src/source/sys.rs",
    "rust/core/src/source/nvml.rs",
    "rust/core/src/source/nvml/library.rs",
    "rust/python/src/calls.rs",
}


def rank(name: str, rows: tuple[set[str], ...]) -> int:
    found = [number for number, row in enumerate(rows) if name in row]
    assert found, f"{name} has no place in the table: give it one"
    return found[0]


def core_files() -> list[Path]:
    return sorted(path for path in CORE.rglob("*.rs") if path.name != "lib.rs")


def core_part(path: Path) -> str:
    relative = path.relative_to(CORE)
    if relative.name == "sys.rs":
        return "sys"
    return relative.parts[0].removesuffix(".rs")


@pytest.mark.parametrize("path", core_files(), ids=lambda path: str(path.relative_to(CORE)))
def test_the_core_imports_downwards_only(path: Path) -> None:
    text = path.read_text().split("#[cfg(test)]")[0]
    text = re.sub(r"//.*", "", text)
    used = {"sys" if name.startswith("source::sys") else name.split("::")[0] for name in imports(text)}
    own = core_part(path)
    for name in used - {own}:
        assert rank(name, CORE_ROWS) < rank(own, CORE_ROWS), f"{own} must not know {name}"


def imports(text: str) -> set[str]:
    """`crate::a::b` by path, also in a braced list."""
    found = set(re.findall(r"crate::((?:source::sys|[a-z_]+))", text))
    for group in re.findall(r"crate::\{([^}]*)\}", text):
        found |= {name.strip().split("::")[0] for name in group.split(",") if name.strip()}
    return found


def test_unsafe_code_stands_only_in_the_named_files() -> None:
    allowed = re.compile(r"#!\[allow\(unsafe_code\)\]")
    files = [path for path in (ROOT / "rust").rglob("*.rs") if "fake-nvml" not in path.parts]
    found = {str(path.relative_to(ROOT)) for path in files if allowed.search(path.read_text())}
    assert found <= UNSAFE, found - UNSAFE
    without = [path for path in files if re.search(r"\bunsafe\s*(\{|fn|impl)", path.read_text())]
    assert {str(path.relative_to(ROOT)) for path in without} <= UNSAFE


def package_files() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.name != "__init__.py")


@pytest.mark.parametrize("path", package_files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_package_imports_downwards_only(path: Path) -> None:
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if own in {"report", "export"}:
        assert set(neighbours(path)) <= {own, "report", "quantity"}, "a report knows the record alone"
        return
    for name in set(neighbours(path)) - {own}:
        if own in {"settings", "carbon"}:
            assert name in {"settings"}, f"{own} must not know {name}"
        assert rank(name, PACKAGE_ROWS) < rank(own, PACKAGE_ROWS), f"{own} must not know {name}"


def neighbours(path: Path) -> list[str]:
    """Parts of the package that are imported when the file is: not within functions, nor for type checkers alone."""
    parents = path.relative_to(PACKAGE).parts[:-1]
    found: list[str] = []
    for node in ast.parse(path.read_text()).body:
        if not isinstance(node, ast.ImportFrom) or node.level == 0:
            continue
        base = (*parents[: len(parents) + 1 - node.level], *(node.module or "").split("."))
        names = [part for part in base if part]
        found += [names[0]] if names else [alias.name for alias in node.names]
    return [name for name in found if (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").exists() or name == "_core"]


def test_one_file_alone_reads_what_the_kernel_says_of_processes_and_busy_time() -> None:
    readers = re.compile(r"\b(parse_process|parse_busy_ticks|usage_s)\(|/(task|children|cgroup\.procs|cpu\.stat)\b")
    found = {path.name for path in package_files() if readers.search(path.read_text())}
    assert found == {"attribution.py", "process_tree.py"}, "the texts are read in one, and understood in the other"
