"""Quantities as a person reads them: three or four digits and a prefix, never an exponent."""

from __future__ import annotations

_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "u"), (1e-9, "n"))


def si(value: float, unit: str, digits: int = 3) -> str:
    """`si(12345.6, "J")` is "12.3 kJ"; what is no number is "unknown"."""
    if value != value:
        return "unknown"
    if value == 0:
        return f"0 {unit}"
    # Round first: 999.96 J is 1.00 kJ, not 1000 J.
    rounded = float(f"{abs(value):.{digits}g}")
    scale, prefix = next((one for one in _PREFIXES if rounded >= one[0]), _PREFIXES[-1])
    return f"{'-' if value < 0 else ''}{plain(rounded / scale, digits)} {prefix}{unit}"


def plain(value: float, digits: int = 3) -> str:
    """The number in `digits` significant digits without an exponent: "0.0000123", "1230"."""
    if value != value:
        return "unknown"
    text = f"{value:.{digits}g}"
    if "e" not in text:
        return _padded(text, digits)
    _, exponent = text.split("e")
    return f"{value:.{max(0, digits - 1 - int(exponent))}f}"


def percent(share: float) -> str:
    """`percent(0.123)` is "12 %"; only exactly everything is "100 %"."""
    if share != share:
        return "unknown"
    text = f"{100 * share:.3g}"
    return "99.9 %" if float(text) >= 100 > 100 * share else f"{text} %"


def _padded(text: str, digits: int) -> str:
    """Zeros that say how exact the number is: 1.5 in three digits is "1.50"."""
    significant = len(text.lstrip("-0.").replace(".", ""))
    missing = digits - significant
    if missing <= 0 or text.strip("-0.") == "":
        return text
    return text + ("" if "." in text else ".") + "0" * missing
