"""A trace in forms that others read, a block of rows at a time: numpy's .npz, and Parquet."""

from __future__ import annotations

import json
import os

import numpy as np

from .tracefile import COLUMNS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
    from zipfile import ZipFile

    from .traces import Trace
    from .tracestore import Rows


def write_npz(trace: Trace, path: str | os.PathLike[str]) -> None:
    """`head` (JSON), `anchors` and for each domain `<id>/<column>`. Raises OSError."""
    from zipfile import ZIP_DEFLATED, ZipFile

    path = os.fspath(path)
    # As numpy.savez does.
    with ZipFile(path if path.endswith(".npz") else f"{path}.npz", "w", ZIP_DEFLATED, allowZip64=True) as archive:
        for name, values in (("head", np.array(json.dumps(trace.head))), ("anchors", trace.anchors)):
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(values), allow_pickle=False)
        for one, rows in trace.curves.items():
            for place, column in enumerate(COLUMNS):
                _write_column(archive, f"{one}/{column}.npy", rows, place)


def _write_column(archive: ZipFile, name: str, rows: Rows, place: int) -> None:
    with archive.open(name, "w", force_zip64=True) as member:
        form = {"descr": "<u8", "fortran_order": False, "shape": (rows.count,)}
        np.lib.format.write_array_header_1_0(member, form)
        for block in rows.blocks():
            member.write(np.ascontiguousarray(block[:, place]).tobytes())


def write_parquet(trace: Trace, path: str | os.PathLike[str]) -> None:
    """One table of all changes, ordered by domain. Raises ImportError without pyarrow, OSError."""
    from importlib import import_module

    pyarrow: Any = import_module("pyarrow")
    parquet: Any = import_module("pyarrow.parquet")
    ids = list(trace.curves)
    fields = [("domain", pyarrow.dictionary(pyarrow.int32(), pyarrow.string())), *((one, "uint64") for one in COLUMNS)]
    schema = pyarrow.schema(fields, {b"eco2ai_fast": json.dumps(trace.head).encode()})
    with parquet.ParquetWriter(os.fspath(path), schema) as writer:
        for number, rows in enumerate(trace.curves.values()):
            for block in rows.blocks():
                domain = pyarrow.DictionaryArray.from_arrays(np.full(len(block), number, "i4"), ids)
                columns = [pyarrow.array(column) for column in np.ascontiguousarray(block.T)]
                writer.write_table(pyarrow.table([domain, *columns], schema=schema))
