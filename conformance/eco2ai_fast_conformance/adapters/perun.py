"""perun: a function under its decorator, which ends when it is told to; its defaults."""

import threading

from perun import perun, register_callback
from perun.data_model.data import MetricType

NAME = "perun"
METRICS = {"cpu": "CPU_ENERGY", "ram": "DRAM_ENERGY", "gpu": "GPU_ENERGY"}
entered, told_to_leave, found = threading.Event(), threading.Event(), {}


@perun()
def region():
    register_callback(lambda node: found.update(node.metrics))
    entered.set()
    told_to_leave.wait()


def start(meter):
    global thread
    thread = threading.Thread(target=region)
    thread.start()
    while not entered.wait(0.1) and thread.is_alive():
        pass


def stop(meter):
    told_to_leave.set()
    thread.join()
    parts = [found.get(MetricType[METRICS[part]]) for part in meter.split("+")]
    counted = [getattr(part, "value", getattr(part, "sum", None)) for part in parts if part is not None]
    return float(sum(counted)) if counted else None
