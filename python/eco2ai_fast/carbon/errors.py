"""What can go wrong when a factor is looked up; each error says what the user can do."""

from __future__ import annotations


class FactorError(ValueError):
    """The base of every error of this sub-package."""


class UnknownZoneError(FactorError):
    """No shipped table knows this place.

    `asked` is what was looked for, `origin` who asked, `close` the nearest names that are known.
    """

    def __init__(self, asked: str, origin: str, close: list[str], why: str = "") -> None:
        super().__init__(asked, origin, close, why)
        self.asked = asked
        self.origin = origin
        self.close = close
        self.why = why

    def __str__(self) -> str:
        why = f": {self.why}" if self.why else ""
        hint = f". Close: {', '.join(self.close)}" if self.close else ""
        return (
            f"unknown grid zone {self.asked!r} (from {self.origin}){why}{hint}. "
            "Give an ISO code (FR, US-CA), a country's name, a zone id (US-CAL-CISO) or a cloud region "
            "(aws:eu-west-3); `eco2ai-fast zones` lists them."
        )


class AmbiguousZoneError(UnknownZoneError):
    """The name belongs to several places; `close` holds all of them."""


class NoFactorError(FactorError):
    """The place is known, but no table holds a factor of the basis and the year asked for."""


class NoDirectFactorError(NoFactorError):
    """The place has no direct (scope 2) factor."""


class FactorsFileError(FactorError):
    """The user's own table cannot be read; the message names file, line and column."""
