"""Where the tests of the emulator find it: as the package `emulator` under tests/."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from emulator.plugin import *  # noqa: F403
