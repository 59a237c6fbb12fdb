"""eco2AI: its tracker with a country given, since it asks the network otherwise; its parts, which its file adds up."""

from eco2ai import Tracker

NAME = "eco2ai"
JOULES_PER_KWH = 3.6e6


def start(meter):
    global tracker
    tracker = Tracker(alpha_2_code="FR")
    tracker.start()


def stop(meter):
    tracker.stop()
    parts = {"cpu": [tracker._cpu], "cpu+ram": [tracker._cpu, tracker._ram], "gpu": [tracker._gpu]}[meter]
    return sum(part._consumption for part in parts) * JOULES_PER_KWH
