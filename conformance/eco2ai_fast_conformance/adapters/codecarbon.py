"""CodeCarbon: its tracker without network, as its README starts it."""

from codecarbon import OfflineEmissionsTracker

NAME = "codecarbon"
JOULES_PER_KWH = 3.6e6


def start(meter):
    global tracker
    tracker = OfflineEmissionsTracker(country_iso_code="FRA", save_to_file=False)
    tracker.start()


def stop(meter):
    tracker.stop()
    return sum(getattr(tracker.final_emissions_data, part + "_energy") for part in meter.split("+")) * JOULES_PER_KWH
