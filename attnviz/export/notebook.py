"""How maps, recordings and pictures show themselves in a Jupyter notebook: as drawings, without server or script."""

from __future__ import annotations

import dataclasses
import logging
from itertools import accumulate
from typing import TYPE_CHECKING

from attnviz.attention.attention_map import AttentionMap
from attnviz.attention.pooled_maps import is_pooled
from attnviz.export.picture import Picture
from attnviz.export.svg.drawing import CAPTION_WIDTH, drawing
from attnviz.export.svg.layout import arrange
from attnviz.export.svg.text import escape_text
from attnviz.tokenization.token import Token, labels

if TYPE_CHECKING:
    from attnviz.models.recording import Recording


MOST_HEADS = 12  # of a recording's layer
MOST_TOKENS = 200  # that are listed
MOST_POSITIONS = 64  # of a head of a recording; of a longer text, neighbours are taken together

_logger = logging.getLogger("attnviz")


def show(what: AttentionMap | Recording | Picture) -> str | None:
    """HTML for Jupyter: a map as a heatmap, a recording as its tokens and the heads of its middle layer.

    Returns:
        A fragment with an SVG in it, which carries a text alternative; None, for which Jupyter takes the repr, where it
        cannot be drawn: a value that cannot be shown must not stop a notebook.

    Example:
        >>> show(recording.map("encoder", layer=2, head=5))[:4]
        '<div'
    """
    try:
        if isinstance(what, AttentionMap):
            return _drawing_html(Picture((what,)))
        return _drawing_html(what) if isinstance(what, Picture) else _recording_html(what)
    except Exception:
        _logger.warning("%s could not be drawn", type(what).__name__, exc_info=True)
        return None


def _drawing_html(picture: Picture) -> str:
    svg = drawing(picture, arrange(picture, CAPTION_WIDTH))
    fitting = '<svg style="max-width:100%;height:auto"'
    return f"<div>{svg.replace('<svg', fitting, 1)}</div>"


def _recording_html(recording: Recording) -> str:
    kind = recording.kinds[0]
    layers, heads, queries, keys = recording.size(kind)
    layer = layers // 2
    shown = min(heads, MOST_HEADS)
    long = max(queries, keys) > MOST_POSITIONS
    maps = tuple(
        _by_position(recording.pooled_map(kind, layer=layer, head=head, size=MOST_POSITIONS)) for head in range(shown)
    )
    which = f"heads 0 to {shown - 1} of {heads}" if shown < heads else f"all {heads} heads"
    together = ", neighbouring tokens taken together" if long else ""
    said = f"{kind} attention, layer {layer} of 0 to {layers - 1}, {which}, {keys:,} tokens{together}"
    tokens = labels(recording.key_tokens(kind)[:MOST_TOKENS])
    more = f" … and {keys - MOST_TOKENS:,} more" if keys > MOST_TOKENS else ""
    listed = " ".join(f'<code style="white-space:pre">{escape_text(label)}</code>' for label in tokens)
    # What a long text's head gives to one group is next to nothing on a scale up to 1.
    picture = Picture(maps, scale="head" if long else "shared")
    model = escape_text(recording.model or "a model")
    return (
        f"<div><p><b>Recording</b> of {model}: {', '.join(recording.kinds)}.<br>{listed}{more}</p>"
        f"<p>{escape_text(said[0].upper() + said[1:])}</p>{_drawing_html(picture)}</div>"
    )


def _by_position(map: AttentionMap) -> AttentionMap:
    """A pooled map whose groups are called by the positions in them, which needs less room than their text."""
    return dataclasses.replace(map, query_tokens=_ranges(map.query_tokens), key_tokens=_ranges(map.key_tokens))


def _ranges(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
    """The same tokens called "0–3", "4–7" where they stand for groups; tokens of their own keep their text."""
    if not is_pooled(tokens):
        return tokens
    stops = accumulate(token.count for token in tokens)
    return tuple(
        dataclasses.replace(token, text=f"{stop - 1}" if token.count == 1 else f"{stop - token.count}–{stop - 1}")
        for token, stop in zip(tokens, stops, strict=True)
    )
