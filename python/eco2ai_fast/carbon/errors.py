"""What can go wrong when a factor is looked up; each error says what the user can do."""

from __future__ import annotations


class FactorError(ValueError):
    """The base of every error of this sub-package."""


class UnknownZoneError(FactorError):
    """No shipped table knows this place.

    `asked` is what was looked for, `close` the nearest names that are known.
    """

    def __init__(self, asked: str, close: list[str], origin: str = "argument") -> None:
        self.asked = asked
        self.close = close
        self.origin = origin
        hint = f"; close: {', '.join(close)}" if close else ""
        super().__init__(
            f"unknown grid zone {asked!r} (from {origin}){hint}. "
            "Give an ISO country code (FR), a country name or a zone id; `eco2ai-fast zones` lists them."
        )

    def __reduce__(self) -> tuple[type[UnknownZoneError], tuple[str, list[str], str]]:
        return type(self), (self.asked, self.close, self.origin)


class NoFactorError(FactorError):
    """The place is known, but no shipped table holds a factor of the basis asked for."""


class NoDirectFactorError(NoFactorError):
    """The place has no direct (scope 2) factor among the shipped tables."""
