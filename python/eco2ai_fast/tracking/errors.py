"""What a tracker raises and warns of. The names are eco2AI's, so that scripts that catch them still do."""

from __future__ import annotations


class FileDoesNotExistsError(Exception):
    """There is no such file to summarise."""


class NotNeededExtensionError(Exception):
    """A file name does not end in .csv."""


class NoCountryCodeError(Exception):
    """A region was named without its country."""


class IncorrectPricingDict(Exception):
    """A tariff that does not cover the day once, in order."""


class IncorrectMethodSequenceError(Exception):
    """A method was called out of turn."""


class TrackerWarning(UserWarning):
    """Something that the figures of a tracker do not tell by themselves."""


class NoCPUinTableWarning(Warning):
    """No table knows the TDP of this processor."""


class NoNeededLibrary(Warning):
    """A library that would be needed is missing. Kept for scripts that filter it; nothing here needs one."""


class NoGPUWarning(Warning):
    """A GPU is there and is not measured."""
