"""What tests of one part may ask for: settings that are not the user's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from eco2ai_fast import settings


@pytest.fixture
def own_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration directory of the test's own, no variable of ours set, nothing configured: the file to be."""
    for name in list(os.environ):
        if name.startswith("ECO2AI_FAST_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr(settings, "_configured", {})
    return tmp_path / "eco2ai_fast" / "config.toml"
