"""The component that shows panels side by side, with the difference of two of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from attnviz.figures import describe
from attnviz.figures.compare import describe_difference, top_of_difference
from attnviz.figures.heads import Scale, top_of_scale
from attnviz.ui.components.component import define
from attnviz.ui.components.heads.map_data import Axes, difference_data, map_data, weight_name
from attnviz.ui.components.page.ready import run_name
from attnviz.ui.screens.compare.panels import LEAST, LETTERS, MOST, ROLLOUT, Panel, Panels
from attnviz.ui.shell.messages import _, decimal_sign, head_name, kind_title, local_number

if TYPE_CHECKING:
    from attnviz.attention.attention_map import AttentionMap
    from attnviz.measures.distances import Difference

_component = define(__file__, parts=["tip", "heatmap", "map_cards", "panel_menu", "difference_card"])

ABOVE = 540  # CSS pixels of a laptop's screen that the page needs beside the pictures of one row of panels


@dataclass(frozen=True)
class Card:
    """A panel with its map, or with the error that came in its place, unless the page says that once for all panels.

    Attributes:
        panel: what it shows.
        kinds: of attention, that its model has.
        size: (layers, heads); None where they are not known.
        map: None where there is none.
        error: why there is none.
        note: its own sentence, target and model, in a line; empty where it has the page's.
        has_target: whether its model reads a target.
        numbers: what its model itself calls the layers; empty where they are not known.
        role: what the head was measured to do over many texts; empty where that is not known.
    """

    panel: Panel
    kinds: tuple[str, ...]
    size: tuple[int, int] | None = None
    map: AttentionMap | None = None
    error: str = ""
    note: str = ""
    has_target: bool = False
    numbers: tuple[int, ...] = ()
    role: str = ""


@dataclass(frozen=True)
class Comparison:
    """The difference of two panels, or why there is none; its card stays away where there is neither.

    Attributes:
        difference: first minus second.
        error: why there is none.
        by_words: whether words were compared in place of tokens.
    """

    difference: Difference | None = None
    error: str = ""
    by_words: bool = False


def panel_cards(
    panels: Panels,
    cards: Sequence[Card],
    compared: Comparison,
    *,
    run: str,
    key: str,
    edit: int,
    summary: str,
    scale: Scale,
    page: dict[str, str],
    models: Sequence[str],
    on_edit: Callable[[object], None],
) -> None:
    """Draws a card for each panel, and one for the difference.

    Args:
        panels: what is shown; the controls stand at it.
        cards: one for each of them.
        compared: the difference.
        run: the name of what the page shows now, for `figures_ready`.
        key: of the component on its page.
        edit: the number of the last message that `on_edit` got.
        summary: what is shown, in a line above the cards.
        scale: "shared" has the colour range 0 to 1, and -1 to 1 for the difference; "head" ends each panel's at its
            own largest.
        page: what panels have that have none of their own: "sentence", "target", "model".
        models: names to choose from.
        on_edit: called with what the browser says that the panels shall be, before the page runs again.
    """
    axes = Axes()
    top = top_of_scale([card.map for card in cards if card.map], "shared")
    data: dict[str, Any] = {
        "run": run,
        "edit": edit,
        "state": {
            "panels": [asdict(panel) for panel in panels.panels],
            "compared": list(panels.compared),
            "chosen": panels.chosen,
        },
        "cards": [_card_data(card, axes) for card in cards],
        "difference": _difference_data(panels, compared, scale, axes),
        "axes": axes.entries,
        "summary": summary,
        "perHead": scale == "head",
        "root": scale == "root",
        "letters": LETTERS,
        "least": LEAST,
        "most": MOST,
        "above": ABOVE,
        "page": page,
        "models": list(models),
        "top": top,
        "texts": _texts(top, scale),
    }
    shown = ("cards", "difference", "axes", "summary", "perHead", "root", "top", "page", "models", "texts")
    data["picture"] = run_name(*(data[name] for name in shown))

    def handle_edit() -> None:
        on_edit(st.session_state[key].get("edit"))

    _component(key=key, data=data, on_edit_change=handle_edit)


def _card_data(card: Card, axes: Axes) -> dict[str, Any]:
    panel, map = card.panel, card.map
    layers, heads = card.size or (None, None)
    data: dict[str, Any] = {
        "name": head_name(map.name if map else _name(panel)),
        "kinds": list(card.kinds),
        "layers": layers,
        "numbers": list(card.numbers or range(layers or 0)),
        "heads": heads,
        "note": card.note,
        "role": card.role,
        "error": card.error,
        "hasTarget": card.has_target,
        "text": card.error or head_name(_name(panel)),
    }
    if map:
        description = describe(map, decimal=decimal_sign(), name=head_name(map.name))
        data["text"] = f"{kind_title(panel.kind)} {description}"
        data |= map_data(map, axes)
    return data


def _name(panel: Panel) -> str:
    """What a panel is called that has no map."""
    layer = f"L{panel.layer}" if isinstance(panel.layer, int) else panel.layer
    return f"{layer} H{panel.head}" if isinstance(panel.head, int) else f"{layer} {panel.head}"


def _difference_data(panels: Panels, compared: Comparison, scale: Scale, axes: Axes) -> dict[str, Any]:
    first, second = (LETTERS[position] for position in panels.compared)
    name = f"{first} − {second}"
    difference = compared.difference
    if difference is None:
        text = f"{name}: {compared.error}" if compared.error else name
        return {"name": name, "text": text, "error": compared.error, "divergence": ""}
    top = top_of_difference(difference, scale)
    shown = local_number(f"{top:.2f}") if scale == "head" or top != 1.0 else "1"
    low, high = _("−{0}: more in {1}"), _("+{0}: more in {1}")
    if scale != "head" and top != 1.0:  # of long texts: larger differences have the same colours
        low, high = _("−{0} and beyond: more in {1}"), _("+{0} and beyond: more in {1}")
    divergence = divergence_text(difference.divergence, compared.by_words)
    described = describe_difference(difference, decimal=decimal_sign(), name=head_name(difference.name))
    return {
        "name": name,
        "text": f"{name}, {described}. {divergence}",
        "error": "",
        "divergence": divergence,
        **difference_data(difference, scale, axes),
        "low": low.format(shown, second),
        "high": high.format(shown, first),
    }


def divergence_text(divergence: float, by_words: bool = False) -> str:
    """The divergence in [0, 1] with words for it."""
    if divergence < 0.005:
        verdict = _("The same: {0}")
    elif divergence < 0.1:
        verdict = _("Nearly the same: {0}")
    elif divergence < 0.3:
        verdict = _("Similar: {0}")
    elif divergence < 0.6:
        verdict = _("Different: {0}")
    else:
        verdict = _("Very different: {0}")
    explanation = _("(0 is the same, 1 nothing in common: Jensen–Shannon divergence, mean over the rows)")
    if by_words:
        explanation = _("(0 is the same, 1 nothing in common: Jensen–Shannon divergence, mean over the rows, by words)")
    return f"{verdict.format(local_number(f'{divergence:.2f}'))} {explanation}"


def _texts(top: float, scale: Scale) -> dict[str, Any]:
    return {
        "weight": weight_name(scale),
        "all": "1" if top == 1.0 else _("{0} and more").format(local_number(f"{top:.2f}")),
        "ownMax": _("each panel's largest"),
        "max": _("max {0}"),
        "hidden": _("hidden {0}"),
        "add": _("Add panel"),
        "choose": _("Show heads like this one"),
        "left": _("Move left"),
        "right": _("Move right"),
        "other": _("Other sentence or model"),
        "close": _("Drop panel"),
        "kind": _("Attention"),
        "kinds": {kind: kind_title(kind) for kind in ("encoder", "decoder", "cross")},
        "layer": _("Layer"),
        "head": _("Head"),
        "layers": {
            "one": _("Layer {0}"),
            "all": {"mean": _("Mean of layers"), "max": _("Max of layers")},
        },
        "heads": {
            "one": _("Head {0}"),
            "all": {"mean": _("Mean of heads"), "max": _("Max of heads"), ROLLOUT: _("Rollout")},
        },
        "own": [_("Sentence of this panel"), _("Target of this panel"), _("Model of this panel")],
        "apply": _("Apply"),
        "same": _("As on the page"),
        "pair": [_("Difference: of this panel"), _("Difference: minus this panel")],
    }
