"""How maps, recordings and pictures show themselves in a Jupyter notebook: as drawings, without server or script."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from attnviz.export.layout import arrange
from attnviz.export.picture import Picture
from attnviz.export.svg import CAPTION_WIDTH, drawing
from attnviz.export.text import escaped
from attnviz.maps import AttentionMap
from attnviz.tokens import Token, labels

if TYPE_CHECKING:
    from attnviz.recording import Recording

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
            return _drawn(Picture((what,)))
        return _drawn(what) if isinstance(what, Picture) else _recording(what)
    except Exception:
        _logger.warning("%s could not be drawn", type(what).__name__, exc_info=True)
        return None


def _drawn(picture: Picture) -> str:
    svg = drawing(picture, arrange(picture, CAPTION_WIDTH))
    fitting = '<svg style="max-width:100%;height:auto"'
    return f"<div>{svg.replace('<svg', fitting, 1)}</div>"


def _recording(recording: Recording) -> str:
    kind = recording.kinds[0]
    layers, heads, queries, keys = recording.size(kind)
    layer = layers // 2
    shown = min(heads, MOST_HEADS)
    long = max(queries, keys) > MOST_POSITIONS
    maps = tuple(_pooled(recording, kind, layer, head) for head in range(shown)) if long else None
    maps = maps or recording.maps(kind, layer=layer)[:shown]
    which = f"heads 0 to {shown - 1} of {heads}" if shown < heads else f"all {heads} heads"
    together = ", neighbouring tokens taken together" if long else ""
    said = f"{kind} attention, layer {layer} of 0 to {layers - 1}, {which}, {keys:,} tokens{together}"
    tokens = labels(recording.key_tokens(kind)[:MOST_TOKENS])
    more = f" … and {keys - MOST_TOKENS:,} more" if keys > MOST_TOKENS else ""
    listed = " ".join(f'<code style="white-space:pre">{escaped(label)}</code>' for label in tokens)
    # What a long text's head gives to one group is next to nothing on a scale up to 1.
    picture = Picture(maps, scale="head" if long else "shared")
    model = escaped(recording.model or "a model")
    return (
        f"<div><p><b>Recording</b> of {model}: {', '.join(recording.kinds)}.<br>{listed}{more}</p>"
        f"<p>{escaped(said[0].upper() + said[1:])}</p>{_drawn(picture)}</div>"
    )


def _pooled(recording: Recording, kind: str, layer: int, head: int) -> AttentionMap:
    """A head of a long text: attention to a group is all that its tokens get, from it what they give on average."""
    mean = recording.pooled(kind, layer=layer, head=head, size=MOST_POSITIONS).numpy()
    queries, keys = recording.size(kind)[2:]
    groups = np.arange(keys) * mean.shape[1] // keys  # as `Recording.pooled` divides them
    return AttentionMap.of(
        mean * np.bincount(groups, minlength=mean.shape[1]),
        _ranges(queries, mean.shape[0]),
        _ranges(keys, mean.shape[1]),
        kind=kind,
        layer=layer,
        head=head,
        model=recording.model,
    )


def _ranges(count: int, groups: int) -> tuple[Token, ...]:
    """A token for each group, called by the positions in it: "0–3"."""
    starts = [-(-group * count // groups) for group in range(groups + 1)]
    names = [
        f"{start}" if end - start == 1 else f"{start}–{end - 1}" for start, end in zip(starts, starts[1:], strict=False)
    ]
    return tuple(Token(-1, name, False, group, None, None) for group, name in enumerate(names))
