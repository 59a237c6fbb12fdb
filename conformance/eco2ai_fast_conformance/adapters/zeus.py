"""zeus: a ZeusMonitor window over all that it finds. Without torch there is nothing to synchronise with."""

from zeus.monitor import ZeusMonitor

NAME = "zeus"


def start(meter):
    global monitor
    monitor = ZeusMonitor()
    monitor.begin_window("window", sync_execution=False)


def stop(meter):
    measured = monitor.end_window("window", sync_execution=False)
    parts = {"cpu": measured.cpu_energy, "ram": measured.dram_energy, "gpu": measured.gpu_energy}
    counted = [energy_j for part in meter.split("+") for energy_j in (parts[part] or {}).values()]
    return sum(counted) if counted else None
