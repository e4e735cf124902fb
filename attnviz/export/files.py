"""Writing pictures to files and reading them back; the suffix says the format."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from pathlib import Path

from attnviz.errors import DamagedError, InputError, Message
from attnviz.export.csv_table import from_csv, to_csv
from attnviz.export.html import to_html
from attnviz.export.metadata import from_json
from attnviz.export.npz import from_npz, to_npz
from attnviz.export.picture import Picture
from attnviz.export.png import to_png
from attnviz.export.svg.drawing import to_svg

_WRITERS: dict[str, Callable[[Picture], str | bytes]] = {
    ".svg": to_svg,
    ".png": to_png,
    ".html": to_html,
    ".csv": to_csv,
    ".npz": to_npz,
}
SUFFIXES = tuple(_WRITERS)

_DATA = re.compile(r'id="attnviz-data"[^>]*>([^<]*)<')


def save(picture: Picture, path: Path | str) -> None:
    """Writes the picture to a file: .svg, .png, .html, .csv or .npz.

    A file that is there already is replaced at once, when the new one is complete.

    Raises:
        InputError: the name ends otherwise, the folder is not there, or the file cannot be written.
        FontError: for .png, this machine has no font for some characters.

    Example:
        >>> save(Picture((recording.map("encoder", layer=2, head=5),)), "head.svg")
    """
    path = Path(path)
    made = _WRITERS[check_suffix(path)](picture)
    content = made.encode("utf-8") if isinstance(made, str) else made
    part = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        try:
            with part.open("xb") as file:
                file.write(content)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            "{0!r} cannot be written: {1}. Name a file in a folder that you may write to.",
            str(path),
            reason,
        ) from error


def check_suffix(path: Path) -> str:
    """The format that a file's name asks for; raises InputError where there is no such format."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        ending = Message("ends with {0!r}", path.suffix) if path.suffix else Message("has no ending")
        raise InputError("{0!r} {1}. A picture can be written as {2}.", path.name, ending, ", ".join(SUFFIXES))
    return suffix


def read(data: bytes | Path | str) -> Picture:
    """The picture that was exported as SVG, HTML, CSV or npz, with the very numbers.

    Args:
        data: what was in the file, or the file's path.

    Raises:
        InputError: it was not exported by attnviz, it is damaged, or it is a PNG, which has no numbers in it.

    Example:
        >>> read(to_svg(picture).encode()).panels[0].weights.shape
        (7, 7)
    """
    if not isinstance(data, bytes):
        path = Path(data)
        try:
            data = path.read_bytes()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(
                "{0!r} cannot be read: {1}. Name a file that attnviz exported.",
                str(path),
                reason,
            ) from error
    if data.startswith(b"PK\x03\x04"):
        return from_npz(data)
    if data.startswith(b"\x89PNG"):
        raise InputError("A PNG has no numbers in it. Read the picture's .svg, .html, .csv or .npz instead.")
    text = data.decode("utf-8", "replace")
    if text.lstrip('\ufeff"').startswith("#"):
        return from_csv(text)
    match = _DATA.search(text)
    if match is None:
        raise DamagedError(
            "These are not the contents of a file that attnviz exported, or the data were taken out of it. "
            "The .svg, .html, .csv and .npz files that it writes can be read."
        )
    return from_json(match[1])
