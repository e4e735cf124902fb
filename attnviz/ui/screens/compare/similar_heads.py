"""The component that lists the heads most and least like one head, and draws all heads as points, alike ones near."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from attnviz.measures import scaling
from attnviz.measures.distances import divergences
from attnviz.ui.components.component import define
from attnviz.ui.components.page.ready import run_name
from attnviz.ui.shell.messages import _, local_number

if TYPE_CHECKING:
    from attnviz.export.tables import Table
    from attnviz.models.recording.recording import Recording
    from attnviz.ui.controls.display_options import Switches

_component = define(__file__)

NAMED = 4  # heads in each of the two lists
MOST_WORK = 200_000_000  # weights of all heads together; some seconds, for which the reader is asked first


@dataclass(frozen=True)
class HeadDistances:
    """How alike the heads of a recording are.

    Attributes:
        heads: (layer, head) of each.
        divergences: (head, head) in [0, 1], Jensen–Shannon, base 2, mean over rows.
        positions: (head, 2), each head's position on the map of heads: near means alike.
        numbers: what the model itself calls the layers.
    """

    heads: tuple[tuple[int, int], ...]
    divergences: np.ndarray
    positions: np.ndarray
    numbers: tuple[int, ...]

    def order(self, index: int) -> np.ndarray:
        """The other heads, the nearest first."""
        others = np.argsort(self.divergences[index], kind="stable")
        return others[others != index]

    def farthest_pair(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """The two heads that have least in common, the earlier one first."""
        first, second = divmod(int(np.argmax(self.divergences)), len(self.heads))
        return self.heads[min(first, second)], self.heads[max(first, second)]


def head_distances(recording: Recording, kind: str, switches: Switches | None = None) -> HeadDistances:
    """Computes how alike the heads of a recording are in one kind of attention.

    Args:
        switches: what is done to each map before; None for nothing.
    """
    layers = range(recording.size(kind)[0])
    apart = divergences(recording, kind, switches.apply if switches else None)
    return HeadDistances(
        tuple((layer, head) for layer in layers for head in range(recording.heads(kind, layer))),
        apart,
        scaling.multidimensional_scaling(apart),
        tuple(recording.layer_number(kind, layer) for layer in layers),
    )


def distance_table(distances: HeadDistances, chosen: tuple[int, int] | None, name: str) -> Table:
    """The map of heads as numbers: where each dot is, and how far each head is from the chosen one.

    Args:
        chosen: layer and head; None leaves the distances out.
        name: what the table is called.
    """
    from attnviz.export.tables import Table

    columns: dict[str, list[Any]] = {
        _("head"): [f"L{distances.numbers[layer]} H{head}" for layer, head in distances.heads],
        "x": distances.positions[:, 0].tolist(),
        "y": distances.positions[:, 1].tolist(),
    }
    if chosen in distances.heads:
        columns[_("divergence")] = distances.divergences[distances.heads.index(chosen)].tolist()
    return Table(name, columns)


def is_quick(recording: Recording, kind: str) -> bool:
    """Whether `head_distances` takes no time worth asking about."""
    return math.prod(recording.size(kind)) <= MOST_WORK


def similar_heads(
    distances: HeadDistances,
    chosen: tuple[int, int] | None,
    shown: Mapping[tuple[int, int], str],
    *,
    run: str,
    key: str,
    title: str,
    note: str,
    on_put: Callable[[int, int], None],
) -> None:
    """Draws the lists and the map.

    Args:
        distances: between the heads of the chosen panel's recording.
        chosen: layer and head of the chosen panel; None where it shows no single head, and then there are no lists.
        shown: the letters of the panels that show a head of this recording.
        run: the name of what the page shows now, for `figures_ready`.
        key: of the component on its page.
        title: over the lists.
        note: under the title.
        on_put: called with layer and head of what was clicked, before the page runs again.
    """
    chosen_index = distances.heads.index(chosen) if chosen in distances.heads else None
    order = distances.order(chosen_index).tolist() if chosen_index is not None else []
    list_length = min(NAMED, len(order) // 2) or len(order)
    far = distances.divergences[chosen_index].tolist() if chosen_index is not None else [None] * len(distances.heads)
    heads = [
        {
            "layer": layer,
            "head": head,
            "name": f"L{distances.numbers[layer]} H{head}",
            "x": round(float(x), 5),
            "y": round(float(y), 5),
            "far": None if distance is None else round(distance, 4),
        }
        for (layer, head), (x, y), distance in zip(distances.heads, distances.positions, far, strict=True)
    ]
    near = order[:list_length]
    data = {
        "run": run,
        "title": title,
        "note": note,
        "text": _text(heads, near, title),
        "heads": heads,
        "layers": list(distances.numbers),
        "near": near,
        "far": order[len(order) - list_length :][::-1] if len(order) > 1 else [],
        "chosen": chosen_index,
        "shown": [shown.get(head, "") for head in distances.heads],
        "positions": run_name(distances.positions.tolist(), distances.heads),
        "texts": {
            "lists": [_("Nearest"), _("Farthest")],
            "layer": _("Layer {0}"),
            "put": _("Put it beside the panel"),
            "caption": _("Every head is a dot: near means alike, and directions mean nothing. Click one to see it."),
        },
    }
    data["picture"] = run_name(data["title"], data["note"], heads, data["chosen"], data["shown"], data["texts"])

    def handle_put() -> None:
        head = st.session_state[key].get("put")
        if isinstance(head, list) and tuple(head) in distances.heads:
            on_put(*head)

    _component(key=key, data=data, on_put_change=handle_put)


def _text(heads: list[dict[str, object]], near: list[int], title: str) -> str:
    """What the map shows, in words."""
    summary = _("{0} heads placed by their divergences").format(len(heads))
    if not near:
        return summary
    return f"{summary}. {title}: " + _(", ").join(
        f"{heads[index]['name']} {local_number(format(heads[index]['far'], '.2f'))}" for index in near
    )
