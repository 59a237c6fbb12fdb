"""perf stat on the energy events of the kernel's power PMU."""

import shutil
import signal
import subprocess

NAME = "perf"
ROUTES = ("perf",)
EVENTS = {"cpu": "power/energy-pkg/", "cpu+ram": "power/energy-pkg/,power/energy-ram/"}
if shutil.which("perf") is None:
    raise ImportError("perf is not installed")
VERSION = subprocess.run(["perf", "version"], stdout=subprocess.PIPE, check=True).stdout.decode().split()[-1]


def start(meter):
    global process
    command = ["perf", "stat", "--all-cpus", "--field-separator=,", "--event=" + EVENTS[meter]]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, universal_newlines=True)


def stop(meter):
    process.send_signal(signal.SIGINT)
    rows = [line.split(",") for line in process.communicate()[1].splitlines() if "power/" in line]
    counted = [float(row[0]) for row in rows if row[0].replace(".", "").isdigit()]
    return sum(counted) if counted else None
