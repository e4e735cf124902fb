"""Parts of a long measurement on the disk, so that one that was interrupted goes on where it stopped.

FOLDER/run.json                    what is measured, with which settings
FOLDER/parts/00000.parquet         the sums of a part; it is written last, and whole or not at all
FOLDER/parts/00000.examples.parquet
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet

from attnviz.errors import InputError
from attnviz.roles.measurement.parts import PartResult
from attnviz.roles.measurement.statistics import Sums
from attnviz.roles.tables.examples import ExamplesIndex

_COUNTS = ("texts", "tokens", "skipped")


def open_folder(folder: Path, about: Mapping[str, object]) -> None:
    """Makes the folder of a measurement, or checks that the one there is of the same.

    Args:
        folder: of the measurement.
        about: what decides its numbers: the model, the corpus, the settings.

    Raises:
        InputError: there is another measurement in it.
    """
    (folder / "parts").mkdir(parents=True, exist_ok=True)
    path, content = folder / "run.json", json.dumps(about, indent=1, sort_keys=True)
    if not path.exists():
        path.write_text(content, encoding="utf-8")
    elif path.read_text(encoding="utf-8") != content:
        raise InputError(
            "{0} holds parts of another measurement: another model, corpus or setting. Take an empty folder.",
            str(folder),
        )


def has_part(folder: Path, number: int) -> bool:
    """Whether a part is done."""
    return _path(folder, number).exists()


def save_part(folder: Path, number: int, result: PartResult) -> None:
    """Writes a part, in one step as far as anybody can see."""
    ExamplesIndex.of(result.examples).save(_path(folder, number).with_suffix(".examples.parquet"))
    columns: dict[str, list[object]] = {"kind": [], "counted": [], "name": [], "shape": [], "values": []}
    for counted, group in (("roles", result.roles), ("offsets", result.offsets)):
        for kind, sums in group.items():
            for name, array in vars(sums).items():
                entry = (kind, counted, name, list(array.shape), array.reshape(-1).tolist())
                for column, value in zip(columns.values(), entry, strict=True):
                    column.append(value)
    metadata = {name: str(getattr(result, name)) for name in _COUNTS}
    table = pyarrow.table(columns).replace_schema_metadata(metadata)
    unfinished = _path(folder, number).with_suffix(f".{os.getpid()}.unfinished")
    pyarrow.parquet.write_table(table, unfinished, compression="zstd")
    os.replace(unfinished, _path(folder, number))


def load_part(folder: Path, number: int) -> PartResult:
    """Reads what `save_part` wrote."""
    table = pyarrow.parquet.read_table(_path(folder, number))
    metadata = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
    groups: dict[str, dict[str, dict[str, np.ndarray]]] = {"roles": {}, "offsets": {}}
    for row in table.to_pylist():
        array = np.array(row["values"], dtype=np.float64).reshape(row["shape"])
        groups[row["counted"]].setdefault(row["kind"], {})[row["name"]] = array
    result = PartResult()
    for name in _COUNTS:
        setattr(result, name, int(metadata[name]))
    result.roles = {kind: Sums(**arrays) for kind, arrays in groups["roles"].items()}
    result.offsets = {kind: Sums(**arrays) for kind, arrays in groups["offsets"].items()}
    result.examples = ExamplesIndex.load(_path(folder, number).with_suffix(".examples.parquet")).items()
    return result


def _path(folder: Path, number: int) -> Path:
    return folder / "parts" / f"{number:06d}.parquet"
