"""Are the fixture machines what their script writes, and do they say what they claim?"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
COUNTED = json.loads((FIXTURES / "counted.json").read_text())
WITH_METERS = sorted(set(COUNTED) - {"vm-nothing", "container-masked"})


def entries(root):
    """Every file and link under root: path to content or target."""
    paths = [path for path in root.rglob("*") if path.is_symlink() or path.is_file()]
    return {
        str(p.relative_to(root)): f"-> {p.readlink()}" if p.is_symlink() else p.read_text() for p in paths
    }


def zones(machine):
    """Zone directories by id."""
    return {p.name: p for p in (FIXTURES / machine / "sys/class/powercap").iterdir() if ":" in p.name}


def read(path):
    return path.read_text().strip()


def test_the_script_writes_exactly_the_committed_trees(tmp_path):
    subprocess.run([sys.executable, FIXTURES / "make.py", tmp_path], check=True)
    for machine in COUNTED:
        assert entries(tmp_path / machine) == entries(FIXTURES / machine)
    assert (tmp_path / "counted.json").read_text() == (FIXTURES / "counted.json").read_text()
    assert {p.parent.name for p in FIXTURES.glob("*/proc")} == set(COUNTED)


def test_the_readme_names_every_machine():
    readme = (FIXTURES / "README.md").read_text()
    assert [machine for machine in COUNTED if f"| `{machine}` |" not in readme] == []


@pytest.mark.parametrize("machine", WITH_METERS)
def test_counted_readings_are_those_of_the_files(machine):
    shown = {zone: int(read(path / "energy_uj")) for zone, path in zones(machine).items()}
    assert COUNTED[machine].items() <= shown.items()
    assert COUNTED[machine] != {}


@pytest.mark.parametrize("machine", WITH_METERS)
def test_every_package_and_its_dram_are_counted_once_and_nothing_else(machine):
    names = [read(zones(machine)[zone] / "name") for zone in COUNTED[machine]]
    packages = [name.removesuffix("-die-0") for name in names if name.startswith("package")]
    ids = (FIXTURES / machine / "sys/devices/system/cpu").glob("cpu*/topology/physical_package_id")
    assert sorted(packages) == sorted({f"package-{read(path)}" for path in ids})
    assert {name for name in names if not name.startswith("package")} <= {"dram"}


@pytest.mark.parametrize("machine", WITH_METERS)
def test_readings_stay_below_their_range(machine):
    for path in zones(machine).values():
        assert int(read(path / "energy_uj")) <= int(read(path / "max_energy_range_uj"))


@pytest.mark.parametrize(
    "path, unit_nj",
    [
        ("intel-client/sys/class/powercap/intel-rapl:0", 61035),
        ("amd-1s/sys/class/powercap/intel-rapl:0", 15258),
        ("server-2s-dram/sys/class/powercap/intel-rapl:0:0", 15300),
    ],
)
def test_ranges_follow_from_the_kernels_units(path, unit_nj):
    assert int(read(FIXTURES / path / "max_energy_range_uj")) == 0xFFFFFFFF * unit_nj // 1000


def test_no_link_dangles_but_the_masked_ones():
    dangling = {
        p.relative_to(FIXTURES).parts[0] for p in FIXTURES.rglob("*") if p.is_symlink() and not p.exists()
    }
    assert dangling == {"container-masked"}
