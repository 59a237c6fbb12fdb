"""File-shaped meters as a Python user sees them: by name, with their label, counted or refused."""

from __future__ import annotations

from pathlib import Path

import pytest

import eco2ai_fast as eco


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """A computer with a firmware meter, a graphics processor of unknown table, and a sensor that nobody knows."""
    files = {
        "proc/stat": "cpu  10 0 10 1000 0 0 0 0 0 0\n",
        "proc/meminfo": "MemTotal:       16000000 kB\n",
        "sys/class/hwmon/hwmon0/name": "power_meter\n",
        "sys/class/hwmon/hwmon0/power1_average": "180000000\n",
        "sys/class/hwmon/hwmon1/name": "corsairpsu\n",
        "sys/class/hwmon/hwmon1/power1_input": "1\n",
        "sys/class/drm/card0/device/hwmon/hwmon2/name": "amdgpu\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "sys/class/drm/card0/device/gpu_metrics").write_bytes(bytes([120, 0, 9, 1]) + bytes(116))
    return tmp_path


def test_a_meter_that_nobody_here_has_run_says_so_wherever_it_is_shown(node: Path) -> None:
    meter = eco.Meter(sysroot=node)
    psys = next(domain for domain in meter.domains if domain.id == "psys")
    found = next(finding for finding in meter.findings if finding.domain == "psys")
    assert "from documentation" in psys.detail and "from documentation" in found.detail
    assert (psys.source, psys.counted, psys.provenance) == ("hwmon", True, "measured")


def test_models_of_what_a_meter_of_the_whole_contains_are_shown_beside_it(node: Path) -> None:
    with eco.measure(meter=eco.Meter(sysroot=node)) as m:
        pass
    assert m.modelled_j == 0 and m.energy_j == m.domains["psys"].energy_j > 0
    assert {name: domain.counted for name, domain in m.domains.items()} == {
        "package-0": False,
        "dram": False,
        "psys": True,
    }
    assert m.missing == ()


def test_what_is_not_known_is_refused_by_its_name(node: Path) -> None:
    refused = [
        finding.detail for finding in eco.Meter(sysroot=node).findings if finding.availability == "not supported"
    ]
    assert any("corsairpsu" in detail for detail in refused)
    assert any("v9.1" in detail for detail in refused)


def test_files_can_be_asked_for_by_name_and_their_absence_is_said(tmp_path: Path, node: Path) -> None:
    assert [domain.id for domain in eco.Meter(sysroot=node, sources="file").domains] == ["psys"]
    with pytest.raises(eco.SourceError, match="no hwmon device, graphics card or battery"):
        eco.Meter(sysroot=tmp_path / "empty", sources="file")
