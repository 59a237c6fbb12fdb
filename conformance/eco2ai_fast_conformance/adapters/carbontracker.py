"""carbontracker: one epoch, its default interval; its energy before it multiplies by a PUE."""

from carbontracker.tracker import CarbonTracker

NAME = "carbontracker"
JOULES_PER_KWH = 3.6e6


def start(meter):
    global tracker, thread
    tracker = CarbonTracker(epochs=1, epochs_before_pred=0)
    thread = tracker.tracker  # the tracker lets go of it at the last epoch's end
    tracker.epoch_start()


def stop(meter):
    tracker.epoch_end()
    name = meter.split("+")[0]  # its CPU contains the memory's counters
    counted = [sum(c.energy_usage(thread.epoch_times)) for c in thread.components if c.name == name and c.power_usages]
    return sum(counted) * JOULES_PER_KWH if counted else None
