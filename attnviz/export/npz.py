"""The picture's numbers as numpy arrays in one file, and back."""

from __future__ import annotations

import io
import zipfile
import zlib

import numpy as np

from attnviz.errors import DamagedError, InputError
from attnviz.export.metadata import as_json, from_json, shapes
from attnviz.export.picture import Picture, key_labels, query_labels
from attnviz.export.svg.text import legal_text


def to_npz(picture: Picture) -> bytes:
    """The numbers as numpy arrays, compressed; readable with `allow_pickle=False`.

    For each panel, counted from 0, the file has `weights_0` (float32 (query, key)), `queries_0` and `keys_0` (its
    labels) and, for a map, `hidden_mass_0` (float32 (query,)). `picture` is a text: JSON with model, layer, head,
    tokens, switches and all else (see attnviz.export.data).

    Example:
        >>> file = np.load(io.BytesIO(to_npz(picture)), allow_pickle=False)
        >>> file["weights_0"].shape, file["keys_0"].tolist()
        ((7, 7), ['Der', 'Hund', 'sah', 'den', 'Ball', '.', '</s>'])
    """
    arrays: dict[str, np.ndarray] = {"picture": np.array(as_json(picture, weights=False))}
    for index, panel in enumerate(picture.panels):
        arrays[f"weights_{index}"] = panel.weights
        if hasattr(panel, "hidden_mass"):
            arrays[f"hidden_mass_{index}"] = panel.hidden_mass
        arrays[f"queries_{index}"] = np.array([legal_text(label) for label in query_labels(panel)], dtype=np.str_)
        arrays[f"keys_{index}"] = np.array([legal_text(label) for label in key_labels(panel)], dtype=np.str_)
    stream = io.BytesIO()
    np.savez_compressed(stream, allow_pickle=False, **arrays)
    return stream.getvalue()


def from_npz(data: bytes) -> Picture:
    """The picture whose arrays these are.

    Raises:
        InputError: the file has not all of them, or is damaged.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            text = str(file["picture"][()])
            weights = {index: file[f"weights_{index}"] for index, _ in enumerate(shapes(text))}
    except (EOFError, KeyError, OSError, ValueError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        if isinstance(error, InputError):
            raise
        raise DamagedError(
            "The file is damaged, or not written by attnviz ({0}: {1}).",
            type(error).__name__,
            error,
        ) from error
    return from_json(text, weights)
