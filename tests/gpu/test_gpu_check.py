"""The check of a real card, tried on a fake one whose every property is known."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pynvml")

TOOL = Path(__file__).resolve().parent.parent.parent / "tools" / "gpu_check.py"
SQUARE = {"shape": "square", "low_w": 200, "high_w": 400, "period_s": 0.33}


def check(on_fake: Any, device: dict[str, object], scale: float) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(on_fake({"devices": [device]}, sys.executable, TOOL, "--scale", str(scale)))
    return answer


def test_periods_phases_and_slopes_of_a_known_card_are_found(on_fake: Any) -> None:
    gauge = {"window_ms": 25, "phase_ms": 30, "noise_w": 1}
    answer = check(on_fake, {"name": "Known", "wave": SQUARE, "counter": {"phase_ms": 10}, "instant": gauge}, 0.15)
    found = answer["updates_idle"]
    assert found["period_ms"]["counter"]["median"] == pytest.approx(100, abs=3)
    assert found["instant_after_counter_ms"]["median"] == pytest.approx(20, abs=3)
    assert answer["idle"]["counter_w"] == pytest.approx(300, rel=0.1)
    assert answer["idle"]["average_w"] == pytest.approx(300, rel=0.1)
    assert answer["samples"]["count"] == 120
    assert answer["samples"]["apart_ms"]["median"] == pytest.approx(100, abs=3)
    assert set(answer["two_pollers"]) == {"0", "1", "2"}
    assert answer["card"]["name"] == "Known"


def test_without_a_cuda_driver_the_sections_with_a_load_say_so(on_fake: Any) -> None:
    answer = check(on_fake, {"wave": SQUARE}, 0.01)
    skipped = answer["skipped"]
    if "updates_load" not in skipped:
        pytest.skip("this machine has a CUDA driver")
    assert {"updates_load", "load", "part_time", "part_time_control", "launch_us"} <= set(skipped)
    assert all("CUDA" in reason for reason in skipped.values()), skipped


def test_a_card_without_a_counter_is_checked_as_far_as_it_goes(on_fake: Any) -> None:
    answer = check(on_fake, {"counter": None, "average": None, "instant": {"noise_w": 1}}, 0.05)
    assert answer["updates_idle"]["fields"] == ["instant"]
    assert "idle" in answer["skipped"]


def test_a_swing_tells_a_part_time_counter_from_an_integrator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(TOOL.parent))
    import gpu_check

    assert gpu_check.swing([225.0, 226.0, 224.5]) < 0.01
    assert gpu_check.swing([600.0, 100.0, 100.0]) == pytest.approx(5.0)
