"""Old names installed in this process: what the import system then says of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import eco2ai_fast

OWN_NAMES = ("measure", "Measurement", "configure", "Tracker", "track", "carbon")


def facts(script: str, tmp_path: Path) -> Any:
    """What a fresh process prints as JSON."""
    environment = os.environ | {"XDG_CONFIG_HOME": str(tmp_path)}
    command = [sys.executable, "-c", f"import json\n{script}"]
    return json.loads(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


def test_installed_modules_have_specs_and_come_from_the_table(tmp_path: Path) -> None:
    found = facts(
        """
import eco2ai_fast.compat
eco2ai_fast.compat.install()
eco2ai_fast.compat.install()
import sys, eco2ai, importlib, importlib.util
import eco2ai.tools.tools_cpu
from eco2ai.emission_track import Tracker
from eco2ai import *
importlib.reload(eco2ai)
names = sorted(name for name in sys.modules if name.split(".")[0] == "eco2ai")
print(json.dumps([
    {name: sys.modules[name].__spec__.name for name in names},
    Tracker is eco2ai.Tracker is eco2ai_fast.Tracker,
    importlib.util.find_spec("eco2ai.utils").name,
    importlib.util.find_spec("eco2ai.nothing"),
    hasattr(eco2ai, "nothing"),
    sum(isinstance(one, eco2ai_fast.compat.installer.TableFinder) for one in sys.meta_path),
]))
""",
        tmp_path,
    )
    loaded = ["eco2ai", "eco2ai.emission_track", "eco2ai.tools", "eco2ai.tools.tools_cpu"]
    assert found == [{name: name for name in loaded}, True, "eco2ai.utils", None, False, 1]


def test_original_that_was_imported_before_gives_way(tmp_path: Path) -> None:
    (tmp_path / "eco2ai").mkdir()
    (tmp_path / "eco2ai" / "__init__.py").write_text("Tracker = 'original'")
    found = facts(
        f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
import eco2ai
before = eco2ai.Tracker
import eco2ai_fast.compat
eco2ai_fast.compat.install("eco2ai")
import eco2ai
print(json.dumps([before, eco2ai.Tracker is eco2ai_fast.Tracker]))
""",
        tmp_path,
    )
    assert found == ["original", True]


def test_package_without_table_is_refused() -> None:
    from eco2ai_fast import compat

    with pytest.raises(ValueError, match="eco2ai"):
        compat.install("codecarbon_of_tomorrow")


def test_old_names_are_reached_from_our_package_and_ours_are_shown() -> None:
    from eco2ai_fast.compat import eco2ai as table

    assert tuple(name for name in eco2ai_fast.__all__ if name in OWN_NAMES) == OWN_NAMES
    assert not {"set_params", "emission_track", "CPU"} & set(dir(eco2ai_fast))
    for name in table.MODULES["eco2ai"]:
        assert hasattr(eco2ai_fast, name), name
    assert eco2ai_fast.emission_track.Tracker is eco2ai_fast.Tracker
    assert issubclass(eco2ai_fast.tools.tools_gpu.NoGPUWarning, Warning)


def test_import_of_the_package_loads_nothing_of_tracker_or_compat(tmp_path: Path) -> None:
    loaded = facts("import sys, eco2ai_fast\nprint(json.dumps(list(sys.modules)))", tmp_path)
    assert not [name for name in loaded if "tracker" in name or "tracking" in name or "compat" in name]


def test_every_place_in_the_table_exists() -> None:
    from eco2ai_fast.compat import eco2ai as table
    from eco2ai_fast.compat.installer import resolve

    for names in table.MODULES.values():
        for place in names.values():
            resolve(place)
