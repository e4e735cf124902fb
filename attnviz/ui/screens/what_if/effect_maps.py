"""The component that shows the map of the unchanged run, the difference, and the map of the changed run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.figures import describe
from attnviz.figures.compare import describe_difference, top_of_difference
from attnviz.figures.heads import Scale, top_of_scale
from attnviz.ui.components.component import define, encode
from attnviz.ui.components.heads.map_data import Axes, difference_data, map_data, weight_name
from attnviz.ui.components.page.ready import run_name
from attnviz.ui.shell.messages import _, decimal_sign, kind_title, local_number

if TYPE_CHECKING:
    from attnviz.attention.attention_map import AttentionMap
    from attnviz.measures.distances import Difference

_component = define(__file__, parts=["tip", "heatmap", "map_cards"])

Buckets = dict[str, list[list[int]]]
"""By "queries" and "keys": of each token its bucket in each round of hashing."""


def effect_maps(
    before: AttentionMap,
    difference: Difference,
    after: AttentionMap,
    *,
    run: str,
    key: str,
    summary: str,
    scale: Scale,
    buckets: Buckets | None = None,
) -> None:
    """Draws the three maps.

    Args:
        before, after: of the two runs, with the same tokens.
        difference: after minus before.
        run: the name of what the page shows now, for `figures_ready`.
        key: of the component on its page.
        summary: what is shown, in a line above.
        scale: "shared" has the colour range 0 to 1, and -1 to 1 for the difference; "head" ends each map's at its own
            largest; "root" is "shared" with the colours of weights by their square root.
        buckets: of the changed head's hashing; None where it has none.
    """
    axes = Axes()
    top = top_of_scale([before, after], "shared")
    largest = top_of_difference(difference, scale)
    shown = local_number(f"{largest:.2f}") if largest != 1.0 else "1"
    described = describe_difference(difference, decimal=decimal_sign(), name=_("Difference"))
    cards: list[dict[str, Any]] = [
        {"key": "before", "title": _("Unchanged"), "text": _text(_("Unchanged"), before), **map_data(before, axes)},
        {
            "key": "difference",
            "title": _("Difference"),
            "text": described,
            "low": _("−{0}: less than before").format(shown),
            "high": _("+{0}: more than before").format(shown),
            **difference_data(difference, scale, axes),
        },
        {"key": "after", "title": _("Changed"), "text": _text(_("Changed"), after), **map_data(after, axes)},
    ]
    if buckets is not None:
        cards[-1]["buckets"] = buckets
    data: dict[str, Any] = {
        "cards": cards,
        "axes": axes.entries,
        "summary": summary,
        "quantity": weight_name(scale),
        "perHead": scale == "head",
        "root": scale == "root",
        "numbers": True,
        "top": top,
        "texts": {
            "all": "1" if top == 1.0 else _("{0} and more").format(local_number(f"{top:.2f}")),
            "ownMax": _("each panel's largest"),
            "max": _("max {0}"),
            "hidden": _("hidden {0}"),
        },
    }
    _component(key=key, data={"run": run, "picture": run_name(*data.values()), **data})


def _text(title: str, map: AttentionMap) -> str:
    return f"{title}: {describe(map, most=10, decimal=decimal_sign())}"


def distance_maps(
    distances: Mapping[str, np.ndarray], tokens: Mapping[str, Sequence[str]], *, run: str, key: str
) -> None:
    """Draws how far the hidden states moved, a row for what enters the stack and one for each layer.

    Args:
        distances: by stack, "encoder" or "decoder", (layers + 1, tokens), 0 or more.
        tokens: by stack, their labels.
        run: as above.
        key: of the component on its page.
    """
    axes: list[dict[str, list[str]]] = []
    cards = []
    for kind, distance in distances.items():
        rows = [_("input"), *(f"L{layer}" for layer in range(len(distance) - 1))]
        axes += [{"labels": rows, "words": rows}, {"labels": list(tokens[kind]), "words": list(tokens[kind])}]
        top = float(distance.max()) or 1.0
        row, column = (int(at) for at in np.unravel_index(int(distance.argmax()), distance.shape))
        cards.append(
            {
                "key": kind,
                "title": kind_title(kind),
                "text": f"{kind_title(kind)}: {rows[row]} {tokens[kind][column]} {local_number(f'{top:.2f}')}",
                "queries": len(axes) - 2,
                "keys": len(axes) - 1,
                "weights": encode(distance / top),
                "factor": round(top, 5),
            }
        )
    data: dict[str, Any] = {
        "cards": cards,
        "axes": axes,
        "summary": _("The length of the difference, as a share of the vector’s own length before"),
        "quantity": _("distance"),
        "perHead": True,
        "numbers": True,
        "top": 1.0,
        "texts": {"all": "", "ownMax": _("each panel's largest"), "max": _("max {0}"), "hidden": ""},
    }
    _component(key=key, data={"run": run, "picture": run_name(*data.values()), **data})
