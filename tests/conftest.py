"""What every test may ask for: an emulated machine."""

from emulator.plugin import *  # noqa: F403
