"""Does the copy without rights deny what the kernel denies?"""

import importlib.util
import os
import subprocess
from pathlib import Path

import pytest

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
spec = importlib.util.spec_from_file_location("rights", FIXTURES / "rights.py")
rights = importlib.util.module_from_spec(spec)
spec.loader.exec_module(rights)


def run_as_other(*command):
    options = rights.NOBODY if os.geteuid() == 0 else {}
    return subprocess.run(command, capture_output=True, text=True, **options)


@pytest.mark.parametrize(
    "name, denied", [("energy_uj", True), ("name", False), ("max_energy_range_uj", False)]
)
def test_only_the_energy_is_denied(name, denied):
    with rights.without_rights(FIXTURES / "container-no-rights") as tree:
        read = run_as_other("cat", tree / "sys/class/powercap/intel-rapl:0" / name)
    assert ("Permission denied" in read.stderr) == denied
    assert (read.returncode != 0) == denied
