"""All heads of all layers as one picture: their maps at the size of a tile, and the component that draws them.

    recording ─ tiles ─ a small map for each head ─ heads_mosaic ─ one canvas

Of long inputs, neighbouring positions are taken together until a map has about as many cells as its tile has pixels.
Attention to a group is all that its tokens get, attention from a group what its tokens give on average: rows still sum
to 1, and a narrow line through the map stays as strong as it is.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from attnviz.attention.attention_map import AttentionMap
from attnviz.figures.describe import describe_with
from attnviz.figures.heads import Scale, top_of_scale
from attnviz.ui.components.component import define, encode
from attnviz.ui.components.heads.map_data import weight_name
from attnviz.ui.components.page.ready import run_name
from attnviz.ui.controls.display_options import Switches
from attnviz.ui.shell.messages import _, decimal_sign, local_number

if TYPE_CHECKING:
    from attnviz.models.recording.recording import Recording


_component = define(__file__, parts=["tip", "heatmap"])

ABOVE = 400  # CSS pixels of a laptop's screen that the page needs for what stands above the tiles
ACROSS = 1280  # CSS pixels that the tiles of a layer share on a laptop's screen
MOST_CELLS = 1_200_000  # of all tiles together: at a byte each they are 1.6 MB on their way to the browser
MOST_FINE = 350_000  # of all tiles together that travel with five digits instead of two

At = tuple[int, int]  # layer, head


@dataclass(frozen=True, slots=True)
class Note:
    """What stands below a tile.

    Attributes:
        text: short, for the eye: "prev 0.81"; "" for nothing.
        description: the same for the text alternative: "previous token 0.81".
        bar: in [0, 1], the length of the bar between tile and text; None for no bar.
    """

    text: str = ""
    description: str = ""
    bar: float | None = None


# The maps -----------------------------------------------------------------------------------------------------------


def tile_side(layers: int, heads: int) -> int:
    """Cells of a tile on an axis at most: about its pixels on a laptop's screen, fewer where there are very many tiles.

    >>> tile_side(6, 12), tile_side(32, 32)
    (106, 34)
    """
    shown = min(128, max(32, ACROSS // heads))
    return max(8, min(shown, math.isqrt(MOST_CELLS // (layers * heads))))


def positions_per_cell(recording: Recording, kind: str) -> int:
    """How many neighbouring positions a tile's cell takes together at most; 1 where none are."""
    layers, heads, queries, keys = recording.size(kind)
    return math.ceil(max(queries, keys) / tile_side(layers, heads))


def tiles(
    recording: Recording, kind: str, switches: Switches, progress: Callable[[float], None] = lambda done: None
) -> tuple[AttentionMap, ...]:
    """The maps of all heads, layer by layer, as they are to be shown and at the size of a tile.

    Args:
        recording: of the sentence.
        kind: "encoder", "decoder" or "cross".
        switches: what is left out and taken together.
        progress: told after each layer what part of all of them is done, in (0, 1].
    """
    layers, heads, _queries, _keys = recording.size(kind)
    size = tile_side(layers, heads)
    all_maps: list[AttentionMap] = []
    for layer in range(layers):
        if switches.leaves_all:
            maps = recording.pooled_maps(kind, layer=layer, size=size)
        else:
            maps = switches.maps(recording, kind, layer, size=size)
        all_maps.extend(maps)
        progress((layer + 1) / layers)
    return tuple(all_maps)


# The picture --------------------------------------------------------------------------------------------------------


def heads_mosaic(
    maps: Sequence[AttentionMap],
    notes: Sequence[Note],
    *,
    run: str,
    key: str,
    summary: str,
    scale: Scale = "shared",
    marked: frozenset[At] | None = None,
    off: frozenset[At] = frozenset(),
    action: str = "",
    on_open: Callable[[int, int], None],
) -> None:
    """Draws a tile for each head, layers from top to bottom and heads from left to right.

    Args:
        maps: those of all heads, layer by layer; they have the same tokens.
        notes: what stands below each.
        run: the name of what the page shows now, for `figures_ready`.
        key: of the component on its page.
        summary: what is shown, in a line above the tiles.
        scale: "shared" has the colour range 0 to 1; "head" ends each head's at its own largest weight; "root" is
            "shared" with colours by the square root of the weight.
        marked: heads that stand out while the others step back; None where none does.
        off: heads that are switched off, which are pale and struck through.
        action: what a click on a tile does, for the text alternative; "": it opens the head.
        on_open: called with the layer and the head of a tile that was clicked, before the page runs again.
    """
    first = maps[0]
    queries, keys = first.query_labels, first.key_labels
    heads = 1 + max(map.head or 0 for map in maps)
    # Of a model whose layers differ in their heads, some cells of the grid stay empty.
    index_by_head = {(map.layer, map.head): index for index, map in enumerate(maps)}
    rows = {map.layer: f"L{map.layer_number}" for map in maps}
    cell_indices = [index_by_head.get((layer, head)) for layer in rows for head in range(heads)]
    blank = AttentionMap.of(np.zeros_like(first.weights), first.query_tokens, first.key_tokens)
    maps = [blank if index is None else maps[index] for index in cell_indices]
    notes = [Note() if index is None else notes[index] for index in cell_indices]
    stacked = np.stack([map.weights for map in maps])
    fine = stacked.size <= MOST_FINE
    weights = encode(stacked) if fine else _encode_roughly(stacked)
    masses = np.stack([map.hidden_mass for map in maps])
    hidden = encode(masses) if (masses > 0).any() else None
    top = top_of_scale(maps, "shared")
    shown = {
        "summary": summary,
        "rows": list(rows.values()),
        "queries": queries,
        "keys": keys,
        "heads": heads,
        "weights": weights,
        "fine": fine,
        "hidden": hidden,
        "perHead": scale == "head",
        "root": scale == "root",
        "top": top,
        "above": ABOVE,
        "names": [map.name if map is not blank else "" for map in maps],
        "descriptions": [
            _tile_text(map, note, queries, keys) if map is not blank else ""
            for map, note in zip(maps, notes, strict=True)
        ],
        "most": [round(float(map.weights.max(initial=0.0)), 4) for map in maps],
        "notes": [note.text for note in notes],
        "bars": [note.bar if note.bar is None else round(note.bar, 3) for note in notes],
        "marked": None if marked is None else [(map.layer, map.head) in marked for map in maps],
        "off": [(map.layer, map.head) in off for map in maps] if off else None,
        "texts": {
            "weight": weight_name(scale),
            "max": _("max"),
            "all": "1" if top == 1.0 else _("{0} and more").format(local_number(f"{top:.2f}")),
            "hidden": _("hidden {0}"),
            "open": action or _("Open this head"),
            "query": _("query"),
            "key": _("key"),
            "about": _("about {0}"),
        },
    }
    data: dict[str, Any] = {"run": run, "picture": run_name(*shown.values()), **shown}

    def handle_open() -> None:
        at = st.session_state[key].get("open")
        if isinstance(at, dict) and isinstance(at.get("tile"), int) and 0 <= at["tile"] < len(maps):
            map = maps[at["tile"]]
            if map is not blank:
                on_open(map.layer or 0, map.head or 0)

    _component(key=key, data=data, on_open_change=handle_open)


def _tile_text(map: AttentionMap, note: Note, queries: tuple[str, ...], keys: tuple[str, ...]) -> str:
    text = describe_with(map, queries, keys, decimal=decimal_sign())
    return f"{text}. {note.description}" if note.description else text


def _encode_roughly(weights: np.ndarray) -> str:
    """Numbers in [0, 1] as base64 of a byte each: steps of their square root, so that small ones keep two digits."""
    steps = np.rint(np.sqrt(np.clip(weights, 0.0, 1.0)) * 255).astype(np.uint8)
    return base64.b64encode(steps.tobytes()).decode("ascii")
