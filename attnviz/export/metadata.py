"""Turns a `Picture` into JSON and back: all of it for SVG and HTML, all but the weights for CSV and npz.

    {"format": "attnviz picture", "version": 1, "style": "heatmap", …,
     "axes": [[[id, text, special, word, start, end, count], …], …],
     "panels": [{"type": "map", "query_tokens": 0, "key_tokens": 0, "weights": {"shape": [7, 7], "base64": "…"},
                 "hidden_mass": {"shape": [7], "base64": "…"}, "kind": "encoder", "layer": 2, "head": 5, …},
                {"type": "difference", "name": "L2 H5 − L1 H3", "a": {"type": "map", …}, …}, …]}

Axes are tuples of tokens, which panels share. Numbers are base64 of little-endian float32, row by row, so that they
come back as they were; CSV and npz keep the weights outside: there `{"shape": [7, 7]}` is all that is said of them.
A token's count is left out where it is 1, as in all files of attnviz before tokens had one.
"""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.attention.attention_map import AttentionMap
from attnviz.errors import DamagedError, InputError
from attnviz.export.picture import Picture
from attnviz.tokenization.token import Token

if TYPE_CHECKING:
    from attnviz.measures.distances import Difference

FORMAT, VERSION = "attnviz picture", 1
MOST_WEIGHTS = 2**29  # 2 GB: a file that is damaged, or meant to do damage, may speak of any number

_OPTIONS = ("style", "columns", "scale", "theme", "title")


# What reading plain data that are not as they should be ends in.
_WRONG = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError)


def as_json(picture: Picture, *, weights: bool = True) -> str:
    """One line of ASCII that may stand in XML and in a script as it is.

    Args:
        weights: whether they are in it; else only their shapes.
    """
    axes: list[tuple[Token, ...]] = []
    plain = {
        "format": FORMAT,
        "version": VERSION,
        **{name: getattr(picture, name) for name in _OPTIONS},
        "settings": dict(picture.settings),
        "axes": axes,
        "panels": [_panel(panel, axes, weights) for panel in picture.panels],
    }
    plain["axes"] = [[_token(token) for token in axis] for axis in axes]
    text = json.dumps(plain, ensure_ascii=True, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def from_json(text: str, weights: Mapping[int, np.ndarray] | None = None) -> Picture:
    """The picture that `as_json` was given.

    Args:
        weights: of each panel, where they are not in the text.

    Raises:
        InputError: the text is no such JSON, or weights are missing or do not fit.
    """
    plain = _parse_checked(text)
    try:
        axes = [tuple(Token(*token) for token in axis) for axis in plain["axes"]]
        panels = tuple(
            _restore_panel(panel, axes, (weights or {}).get(index)) for index, panel in enumerate(plain["panels"])
        )
        options = {name: plain[name] for name in _OPTIONS}
        return Picture(panels, **options, settings={str(name): str(it) for name, it in plain["settings"].items()})
    except _WRONG as error:
        raise _damage_error(error) from error


def shapes(text: str) -> list[tuple[int, int]]:
    """(query, key) of each panel's weights; raises InputError where the text is no picture's JSON."""
    plain = _parse_checked(text)
    try:
        panel_shapes = [
            (int(rows), int(columns)) for rows, columns in (panel["weights"]["shape"] for panel in plain["panels"])
        ]
    except _WRONG as error:
        raise _damage_error(error) from error
    if (
        any(min(shape) < 0 for shape in panel_shapes)
        or sum(rows * columns for rows, columns in panel_shapes) > MOST_WEIGHTS
    ):
        raise DamagedError("The data of the picture are damaged (weights of the shapes {0}).", panel_shapes)
    return panel_shapes


def _parse_checked(text: str) -> dict[str, Any]:
    try:
        plain = json.loads(text)
        name, version = plain["format"], plain["version"]
    except _WRONG as error:
        raise _damage_error(error) from error
    if name != FORMAT:
        raise DamagedError("This is JSON of the format {0!r}, not {1!r}.", name, FORMAT)
    if version != VERSION:
        raise InputError(
            "This picture is of version {0} of its format, and this attnviz reads version {1}. Read it with the "
            "attnviz that wrote it, or a newer one.",
            version,
            VERSION,
        )
    return plain


def _damage_error(error: Exception) -> InputError:
    if isinstance(error, InputError):
        return error
    return DamagedError("The data of the picture are damaged ({0}: {1}).", type(error).__name__, error)


def _panel(panel: AttentionMap | Difference, axes: list[tuple[Token, ...]], weights: bool) -> dict[str, Any]:
    """The fields of a map or of a difference, which may hold maps itself."""
    plain: dict[str, Any] = {"type": "map" if isinstance(panel, AttentionMap) else "difference"}
    for field in dataclasses.fields(panel):
        value = getattr(panel, field.name)
        if field.name == "number" and value is None:
            continue  # as in all files before layers had a number of their own
        if isinstance(value, np.ndarray):
            plain[field.name] = {"shape": value.shape}
            if weights or field.name != "weights":
                plain[field.name]["base64"] = _encode_array(value)
        elif isinstance(value, AttentionMap):
            plain[field.name] = _panel(value, axes, True)
        elif _is_axis(field.name):
            if value not in axes:
                axes.append(value)
            plain[field.name] = axes.index(value)
        else:
            plain[field.name] = value.item() if isinstance(value, np.generic) else value
    return plain


def _token(token: Token) -> tuple[Any, ...]:
    values = dataclasses.astuple(token)
    return values if token.generated else values[:-1] if token.count > 1 else values[:-2]


def _is_axis(name: str) -> bool:
    return name in ("query_tokens", "key_tokens")


def _restore_panel(
    plain: Mapping[str, Any], axes: list[tuple[Token, ...]], weights: np.ndarray | None
) -> AttentionMap | Difference:
    if plain["type"] == "map":
        make: Any = AttentionMap
    else:
        from attnviz.measures.distances import Difference

        make = Difference
    values: dict[str, Any] = {}
    for name, value in plain.items():
        if name == "type":
            continue
        if _is_axis(name):
            values[name] = axes[value]
        elif isinstance(value, dict) and "type" in value:
            values[name] = _restore_panel(value, axes, None)
        elif isinstance(value, dict):
            shape = tuple(value["shape"])
            array = _decode_array(value["base64"], shape) if "base64" in value else weights
            if array is None or array.shape != shape:
                raise DamagedError("The picture lacks numbers of a panel: its {0}, of the shape {1}.", name, shape)
            values[name] = np.asarray(array, dtype=np.float32)
        else:
            values[name] = value
    if values["weights"].shape != (len(values["query_tokens"]), len(values["key_tokens"])):
        raise DamagedError("Weights of the shape {0} do not fit the tokens of their panel.", values["weights"].shape)
    return make(**values)


def _encode_array(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array, dtype="<f4").tobytes()).decode()


def _decode_array(text: str, shape: tuple[int, ...]) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text, validate=True), dtype="<f4").reshape(shape).astype(np.float32)
