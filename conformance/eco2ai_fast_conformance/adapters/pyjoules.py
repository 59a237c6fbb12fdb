"""pyJoules: all domains that it finds, its own choice."""

from pyJoules.device import DeviceFactory
from pyJoules.energy_meter import EnergyMeter

NAME = "pyJoules"
UNITS = {"cpu": [("package_", 1e-6)], "cpu+ram": [("package_", 1e-6), ("dram_", 1e-6)], "gpu": [("nvidia_gpu_", 1e-3)]}


def start(meter):
    global energy_meter
    energy_meter = EnergyMeter(DeviceFactory.create_devices())
    energy_meter.start()


def stop(meter):
    energy_meter.stop()
    sample = energy_meter.get_trace()[0].energy.items()
    counted = [value * unit_j for prefix, unit_j in UNITS[meter] for name, value in sample if name.startswith(prefix)]
    return sum(counted) if counted else None
