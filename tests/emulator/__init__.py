"""A machine whose energy counters follow a known power; README.md tells how to use it.

Its Python side stands where the conformance runner ships it, so that `emulator.machine`, `emulator.shapes` and
`emulator.truth` are that package's files and not copies.
"""

from pathlib import Path

CONFORMANCE = Path(__file__).resolve().parents[2] / "conformance"
__path__.append(str(CONFORMANCE / "eco2ai_fast_conformance" / "emulated"))
