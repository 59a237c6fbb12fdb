"""How a shipped table is read: one text file, its source in its head, one row per line.

The form: `#key<TAB>value` lines (source, licence, attribution, version, basis, method), one line of column
names, then rows of tab-separated cells; the first cell is the key, an empty cell is unknown. A file is read
once, at the first question, and only split into lines: a row is taken apart when it is asked for.
"""
# os.path, since pathlib would cost more than reading all tables:
# ruff: noqa: PTH118, PTH120

from __future__ import annotations

import os

DATA_DIR = os.path.join(os.path.dirname(__file__), "data")


class Table:
    """One data file: `meta` from its head, `lines` by key."""

    __slots__ = ("columns", "lines", "meta", "name")

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        lines = text.rstrip("\n").split("\n")
        head = 0
        meta: dict[str, str] = {}
        while lines[head].startswith("#"):
            key, _, value = lines[head][1:].partition("\t")
            meta[key] = value
            head += 1
        self.meta = meta
        self.columns = lines[head].split("\t")
        self.lines = {line.partition("\t")[0]: line for line in lines[head + 1 :]}

    def __contains__(self, key: str) -> bool:
        return key in self.lines

    def column(self, name: str) -> list[str]:
        """One cell of every row, in the order of `lines`."""
        index = self.columns.index(name)
        return [line.split("\t", index + 1)[index] for line in self.lines.values()]

    def row(self, key: str) -> dict[str, str]:
        """The cells of one row by column name. KeyError when there is none."""
        return dict(zip(self.columns, self.lines[key].split("\t"), strict=True))


_loaded: dict[str, Table] = {}


def table(name: str) -> Table:
    """The shipped table `data/NAME.tsv`, read at its first use and kept."""
    found = _loaded.get(name)
    if found is None:
        with open(os.path.join(DATA_DIR, f"{name}.tsv"), encoding="utf-8") as file:
            found = _loaded[name] = Table(name, file.read())
    return found
