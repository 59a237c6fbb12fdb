"""A control group (version 2) of the kernel's own: what it counts, and when it is not ours."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.root

MOUNT = "mount -t cgroup2 none /sys/fs/cgroup"
# Joins the group named by its first argument, then measures a child that ends without being waited for.
SCRIPT = """
import os, signal, sys, time
group = f"/sys/fs/cgroup/{sys.argv[1]}"
with open(f"{group}/cgroup.procs", "w") as file:
    file.write(str(os.getpid()))
import eco2ai_fast as eco
signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # its time is in no rusage
with eco.measure(scope="process") as m:
    child = os.fork()
    if not child:
        while time.process_time() < 0.4: pass
        os._exit(0)
    try:
        os.waitpid(child, 0)
    except ChildProcessError:
        pass
print(m.process.route, m.process.cpu_s)
"""


def in_own_mounts(command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a shell command where the control groups of version 2 stand at their usual place."""
    shell = ["unshare", "-m", "sh", "-c", f"{MOUNT} || exit 1\n{command}", "sh", *arguments]
    return subprocess.run(shell, capture_output=True, text=True, timeout=60)


@pytest.fixture
def group() -> Iterator[str]:
    """A control group of the test's own, with another below it."""
    if not shutil.which("unshare") or in_own_mounts("test -e /sys/fs/cgroup/cpu.stat").returncode:
        pytest.skip("control groups of version 2 cannot be mounted here")
    name = f"eco2ai_fast_{os.getpid()}"
    if in_own_mounts(f"mkdir /sys/fs/cgroup/{name} /sys/fs/cgroup/{name}/below").returncode:
        pytest.skip("no control group can be made here")
    yield name
    in_own_mounts(f"rmdir /sys/fs/cgroup/{name}/below /sys/fs/cgroup/{name}")


def measured(group: str, tmp_path: Path, before: str = ":") -> tuple[str, float]:
    (tmp_path / "job.py").write_text(SCRIPT)
    run = f'{before}; "$1" "$2" "$3"; code=$?; kill $other 2>/dev/null; wait; exit $code'
    done = in_own_mounts(run, sys.executable, str(tmp_path / "job.py"), group)
    assert done.returncode == 0, done.stderr
    route, cpu_s = done.stdout.split()
    return route, float(cpu_s)


def test_group_of_ones_own_counts_a_child_that_nobody_waited_for(group: str, tmp_path: Path) -> None:
    route, cpu_s = measured(group, tmp_path)
    assert route == "cgroup"
    assert 0.38 <= cpu_s < 2


def test_group_with_somebody_else_in_a_group_below_is_not_ones_own(group: str, tmp_path: Path) -> None:
    stranger = f"sleep 60 & other=$!; echo $other > /sys/fs/cgroup/{group}/below/cgroup.procs"
    route, _ = measured(group, tmp_path, stranger)
    assert route == "processes"
