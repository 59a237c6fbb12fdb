"""Real processes: two busy ones and an idle one, and children that ended, get what they used."""

from __future__ import annotations

import os
import subprocess
import sys

from eco2ai_fast import attribution, process_tree

# Works for so many seconds of CPU time, half of it in a child that ends and is waited for; then waits for a line.
WORK = """
import os, subprocess, sys, time
def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end: pass
seconds = float(sys.argv[1])
if len(sys.argv) > 2:
    burn(seconds)
else:
    if seconds:
        subprocess.run([sys.executable, "-c", WORK, str(seconds / 2), "child"])
        burn(seconds / 2)
    print(flush=True)
    input()
"""


def start(seconds: float) -> subprocess.Popen[bytes]:
    script = f"WORK = {WORK!r}\n{WORK}"
    return subprocess.Popen([sys.executable, "-c", script, str(seconds)], stdin=-1, stdout=-1)


def test_shares_follow_cpu_time_and_sum_to_the_machine() -> None:
    busy_s = process_tree.busy_s()
    assert busy_s is not None
    workers = [start(seconds) for seconds in (3.0, 1.5, 0.0)]
    begun_s = [tree_s(worker.pid) for worker in workers]
    for worker in workers:
        assert worker.stdout is not None
        worker.stdout.readline()
    used_s = [tree_s(worker.pid) - begin_s for worker, begin_s in zip(workers, begun_s, strict=True)]
    end_s = process_tree.busy_s()
    assert end_s is not None
    truths_s = [_ended(worker) for worker in workers]

    whole_s = end_s - busy_s
    shares = attribution.shares(whole_s, used_s)
    assert shares is not None
    for share, truth_s in zip(shares, truths_s, strict=True):
        assert abs(share - truth_s / whole_s) <= 0.03
    assert truths_s[0] > 2.9 and truths_s[1] > 1.4 and truths_s[2] < 0.3
    # What nobody of these used is the rest; all of it is the machine.
    parts_j = [attribution.attributed_j([("package-0", "package", 100.0)], share)["package-0"] for share in shares]
    rest_j = 100.0 * (whole_s - sum(used_s)) / whole_s
    assert rest_j >= 0 and abs(sum(parts_j) + rest_j - 100.0) < 1e-9


def tree_s(pid: int) -> float:
    own = process_tree.process(pid)
    assert own is not None
    return process_tree.cpu_s([own, *process_tree.living_below(pid)])


def _ended(worker: subprocess.Popen[bytes]) -> float:
    """CPU time that the kernel counted for a process and the children it waited for."""
    assert worker.stdin is not None and worker.stdout is not None
    worker.stdin.write(b"\n")
    worker.stdin.close()
    worker.stdout.close()
    _, status, usage = os.wait4(worker.pid, 0)
    worker.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime
