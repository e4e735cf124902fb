"""Tables of roles that are kept on this computer, each under the fingerprint of the model that it is about.

They lie beside the models that Hugging Face's library keeps, so that a model that was measured once is known wherever
it is opened next. A bounded number is kept; the one that was used longest ago goes first.
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

from attnviz.errors import InputError
from attnviz.roles.tables.table import SUFFIX, RolesTable

MOST_TABLES = 32
MOST_BYTES = 256 * 1024 * 1024
"""Of all tables with their examples together."""


def folder() -> Path:
    """Where they lie."""
    from huggingface_hub import constants

    return Path(constants.HF_HOME) / "attnviz" / "roles"


def path_of(model: str) -> Path:
    """Where the table of a model lies, if there is one.

    Args:
        model: its fingerprint, as `attnviz.models.network.fingerprint` gives it.

    Raises:
        InputError: that is none.

    >>> path_of("9f86d081884c7d659a2feaa0c55ad015").name
    '9f86d081884c7d659a2feaa0c55ad015.json'
    """
    if not re.fullmatch(r"[0-9a-f]{32}", model):
        raise InputError("{0!r} is no fingerprint of a model: 32 hexadecimal digits are needed.", model)
    return folder() / f"{model}.json"


def keep(table: RolesTable) -> bool:
    """Keeps a table, and drops those used longest ago where there are too many; whether it could be written."""
    path = path_of(table.model)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Whoever reads meanwhile gets the old table or the new one, and never half of one.
        temporary = path.with_name(f"{os.getpid()}-{path.name}")
        table.save(temporary)
        path.with_suffix(SUFFIX).unlink(missing_ok=True)
        with contextlib.suppress(FileNotFoundError):
            temporary.with_suffix(SUFFIX).replace(path.with_suffix(SUFFIX))
        temporary.replace(path)
        _drop_old(path)
    except OSError:
        return False
    return True


def stored(model: str) -> RolesTable | None:
    """The table that is kept of a model; None where there is none that can be read."""
    path = path_of(model)
    try:
        table = RolesTable.load(path)
        os.utime(path)
    except (InputError, OSError, ValueError):
        return None
    return table if table.model == model else None


def stamp(model: str) -> tuple[int, int] | None:
    """Changes whenever another table of a model is kept; None where there is none."""
    try:
        state = path_of(model).stat()
    except OSError:
        return None
    return state.st_ino, state.st_size


def _drop_old(newest: Path) -> None:
    tables = sorted(newest.parent.glob("*.json"), key=lambda path: -path.stat().st_mtime_ns)
    size = 0
    for place, path in enumerate(tables):
        parts = [part for part in (path, path.with_suffix(SUFFIX)) if part.exists()]
        size += sum(part.stat().st_size for part in parts)
        if path != newest and (place >= MOST_TABLES or size > MOST_BYTES):
            for part in parts:
                part.unlink(missing_ok=True)
