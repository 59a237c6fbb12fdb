"""joule-profiler: around a program that ends when it is told to; from powercap, since that is what is emulated."""

import json
import os
import subprocess
import time

NAME = "joule-profiler"
ROUTES = ("powercap",)
PROGRAM = os.environ["ECO2AI_FAST_VERSUS_JOULE_PROFILER"]
VERSION = subprocess.run([PROGRAM, "--version"], stdout=subprocess.PIPE, check=True).stdout.decode().split()[-1]
DOMAINS = {"cpu": ("PACKAGE-",), "cpu+ram": ("PACKAGE-", "DRAM-")}


def start(meter):
    global process
    options = ["--output-format", "json", "-o", "joules.json", "-D", "profiler.rapl_backend=powercap"]
    inside = ["sh", "-c", "touch begun; read end"]
    process = subprocess.Popen([PROGRAM, *options, "profile", "--use-root", "--", *inside], stdin=subprocess.PIPE)
    while not os.path.exists("begun") and process.poll() is None:  # noqa: PTH110
        time.sleep(0.001)


def stop(meter):
    process.communicate(b"\n")
    with open("joules.json") as file:
        metrics = json.load(file)["phases"][0]["metrics"]
    counted = [one["value"] for one in metrics if one["name"].startswith(DOMAINS[meter])]
    return sum(counted) / 1e6 if counted else None
