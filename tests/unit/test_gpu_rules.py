"""The codes by which the package tells a GPU's rules apart are those of the core."""

from eco2ai_fast import _core
from eco2ai_fast.gpucurves import FORGOTTEN, NO_ENERGY


def test_codes_from_the_first_without_energy_on_are_the_cores() -> None:
    words = _core.gpu_rules()
    assert len(words) == NO_ENERGY + 3
    assert "not updated since" in words[NO_ENERGY]
    assert "before what is remembered" in words[FORGOTTEN]
