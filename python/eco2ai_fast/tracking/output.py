"""Where a tracker's rows go: the CSV, the journal beside it while the run lasts, the encoded twin. Never raises."""
# os.path, since pathlib would cost the import more than this module does:
# ruff: noqa: PTH100, PTH122

from __future__ import annotations

import os
import warnings

from . import csvfile, journal
from .errors import TrackerWarning
from .row import encode, line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class Output:
    """The files of one run. The path is fixed at its start: a program may change its directory."""

    __slots__ = ("_encoded_path", "_journal", "_path", "_quiet")

    def __init__(self, file_name: str, encode_file: str | None, *, quiet: bool) -> None:
        self._path = _absolute(file_name)
        self._encoded_path = _absolute(encode_file) if encode_file else None
        self._quiet = quiet
        self._journal: journal.Journal | None = None

    def open(self, cells: Sequence[str]) -> None:
        """Recovers what killed runs left, and begins the journal of this one."""
        try:
            for run_id in journal.recover(self._path, self._append):
                self._warn(f"{self._path}: added the row of run {run_id}, which was killed")
        except OSError as error:
            self._warn(f"the rows of killed runs stay in their journals beside {self._path}: {error}")
        try:
            self._journal = journal.Journal(self._path, cells[0], csvfile.encoded(line(cells)))
        except OSError as error:
            self._warn(f"no journal beside {self._path}, so that a kill loses the row of this run: {error}")

    def refresh(self, cells: Sequence[str]) -> None:
        """Raises OSError, for the refresher alone."""
        if self._journal:
            self._journal.write(csvfile.encoded(line(cells)))

    def append(self, cells: Sequence[str], *, durable: bool = False) -> bool:
        """Adds a row to the CSV, and to its encoded twin if there is one; whether the CSV has it.

        `durable`: not even a power cut takes it from the CSV.
        """
        try:
            self.refresh(cells)
            self._append(self._path, cells, durable=durable)
        except OSError as error:
            self._warn_of_loss(f"the row {line(cells)!r} is not in {self._path}: {error}")
            return False
        if self._encoded_path:
            try:
                csvfile.append(self._encoded_path, [encode(cell) for cell in cells])
            except OSError as error:
                self._warn_of_loss(f"no row in {self._encoded_path}: {error}")
        return True

    def close(self, *, keep_journal: bool = False) -> None:
        """Ends the journal; it stays for the next start where the row could not be added."""
        kept, self._journal = self._journal, None
        if kept and keep_journal:
            kept.leave()
        elif kept:
            try:
                kept.close()
            except OSError as error:
                self._warn(f"cannot remove {kept.path}: {error}")

    def _append(self, path: str, cells: Sequence[str], *, durable: bool = False) -> None:
        """A table with other columns is left as it is: the row goes into a file of its own beside it."""
        try:
            csvfile.append(path, cells, lambda: journal.pending(path), durable=durable)
        except csvfile.OtherColumnsError as error:
            beside = f"{os.path.splitext(path)[0]}.eco2ai.csv"
            self._warn(f"{error}: rows go to {beside}")
            csvfile.append(beside, cells, durable=durable)

    def _warn(self, message: str) -> None:
        if not self._quiet:
            warnings.warn(message, TrackerWarning, stacklevel=5)

    @staticmethod
    def _warn_of_loss(message: str) -> None:
        """A row that is lost is told of even with ignore_warnings: eco2AI would have raised."""
        warnings.warn(message, TrackerWarning, stacklevel=5)


def _absolute(path: str) -> str:
    try:
        return os.path.abspath(path)
    except OSError:  # the working directory was removed: what is opened there will say so
        return path
