"""The panels of a comparison: what each of them shows, and all of them as one line of text in the address.

    encoder.L2.H5 encoder.L0.H3 cross.L1.mean encoder.max.H0 encoder.L3.rollout sentence="…" difference=A-C like=B

A panel is a kind of attention, a layer and a head; in place of the layer or the head stands how all of them are taken
together. What follows a panel in quotes, written as in JSON, is its own sentence, target or model; without them it has
those of the page. Panels are called A to F. Nothing here computes, except that `panel_map` asks for the right map.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from attnviz import aggregate
from attnviz.attention import pooled_maps
from attnviz.errors import InputError
from attnviz.ui.controls import url_state
from attnviz.ui.controls.display_options import Switches
from attnviz.ui.shell.messages import _, ngettext

if TYPE_CHECKING:
    from attnviz.attention.attention_map import AttentionMap
    from attnviz.models.recording.recording import Recording

LEAST, MOST = 2, 6  # panels
LETTERS = "ABCDEF"
TOGETHER = ("mean", "max")  # of heads or of layers
ROLLOUT = "rollout"
OWN = ("sentence", "target", "model")  # what a panel may have of its own
MOST_TEXT = 100_000  # characters; no browser sends an address that long
MOST_NAMED = 3  # unreadable pieces of a link that are quoted

_PIECE = re.compile(r'\s*(?:(?P<name>[a-z]+)=(?P<text>"(?:[^"\\]|\\.)*")|(?P<bare>\S+))', re.DOTALL)
_PANEL = re.compile(r"([a-z]{1,20})\.(?:l(\d{1,6})|(mean|max))\.(?:h(\d{1,6})|(mean|max|rollout))", re.IGNORECASE)
_PAIR = re.compile(r"difference=([a-f])-([a-f])", re.IGNORECASE)
_LIKE = re.compile(r"like=([a-f])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Panel:
    """What one panel shows.

    Attributes:
        kind: "encoder", "decoder" or "cross".
        layer: from 0, or "mean" or "max" over all layers.
        head: from 0, or "mean" or "max" over all heads, or "rollout" up to the layer.
        sentence, target, model: the panel's own; "" for those of the page. The page's target belongs to the page's
            sentence: a panel with a sentence of its own has its own target, or the model's output.
    """

    kind: str
    layer: int | str = 0
    head: int | str = 0
    sentence: str = ""
    target: str = ""
    model: str = ""

    @property
    def text(self) -> str:
        """As it stands in the address.

        >>> Panel("encoder", 2, "mean", sentence="Hi & bye").text
        'encoder.L2.mean sentence="Hi & bye"'
        """
        layer = f"L{self.layer}" if isinstance(self.layer, int) else self.layer
        head = f"H{self.head}" if isinstance(self.head, int) else self.head
        own = (f"{name}={json.dumps(getattr(self, name), ensure_ascii=False)}" for name in OWN if getattr(self, name))
        return " ".join([f"{self.kind}.{layer}.{head}", *own])


@dataclass(frozen=True, slots=True)
class Panels:
    """All panels of the page.

    Attributes:
        panels: two to six.
        compared: positions of the two whose difference is shown, first minus second.
        chosen: position of the one whose head others are likened to.
    """

    panels: tuple[Panel, ...]
    compared: tuple[int, int] = (0, 1)
    chosen: int = 0

    @property
    def text(self) -> str:
        """As it stands in the address; what `parse_text` reads.

        >>> Panels((Panel("encoder", 2, 5), Panel("cross", 0, "max"))).text
        'encoder.L2.H5 cross.L0.max'
        """
        parts = [panel.text for panel in self.panels]
        if self.compared != (0, 1):
            parts.append("difference={}-{}".format(*(LETTERS[index] for index in self.compared)))
        if self.chosen:
            parts.append(f"like={LETTERS[self.chosen]}")
        return " ".join(parts)

    def with_head(self, layer: int, head: int) -> Panels:
        """With a head of the chosen panel's recording beside it, and the difference between the two.

        Where all six are taken it stands in place of the last one that is not the chosen one; where a panel shows it
        already, that one is compared.
        """
        new = replace(self.panels[self.chosen], layer=layer, head=head)
        panels, chosen = list(self.panels), self.chosen
        if new in panels:
            position = panels.index(new)
        elif len(panels) < MOST:
            position = chosen + 1
            panels.insert(position, new)
        else:
            position = MOST - 1 if chosen != MOST - 1 else MOST - 2
            panels[position] = new
        compared = (chosen, position) if chosen != position else self.compared
        return Panels(tuple(panels), compared, chosen)


def parse_text(text: str, fill: Sequence[Panel]) -> tuple[Panels, list[str]]:
    """What the address asks for, and what of it could not be read.

    Args:
        text: as `Panels.text` writes it, or whatever somebody made of it.
        fill: two panels; the second, and the first, stand in where the text has fewer than two.

    Returns:
        The panels, which need not exist in any model yet, and remarks for the reader, one for each thing that was
        wrong and what is shown instead.
    """
    panels: list[Panel] = []
    pair: tuple[int, int] | None = None
    chosen: int | None = None
    unread: list[str] = []
    for piece, value in _pieces(text[:MOST_TEXT]):
        if value is not None and piece in OWN and panels:
            panels[-1] = replace(panels[-1], **{piece: value})
        elif value is None and (match := _PANEL.fullmatch(piece)):
            kind, layer, layers, head, heads = match.groups()
            panels.append(
                Panel(kind.lower(), int(layer) if layer else layers.lower(), int(head) if head else heads.lower())
            )
        elif value is None and (match := _PAIR.fullmatch(piece)):
            pair = (LETTERS.index(match[1].upper()), LETTERS.index(match[2].upper()))
        elif value is None and (match := _LIKE.fullmatch(piece)):
            chosen = LETTERS.index(match[1].upper())
        else:
            unread.append(piece if value is None else f"{piece}={json.dumps(value, ensure_ascii=False)}")

    remarks = []
    if unread:
        unread_list = _(", ").join(url_state.shorten(piece) for piece in unread[:MOST_NAMED])
        more = "" if len(unread) <= MOST_NAMED else " …"
        remarks.append(
            ngettext(
                "A part of the link's panels cannot be read and is left out: {0}. A panel looks like encoder.L2.H5.",
                "Parts of the link's panels cannot be read and are left out: {0}. A panel looks like encoder.L2.H5.",
                len(unread),
            ).format(unread_list + more)
        )
    if len(panels) > MOST:
        remarks.append(_("The link has {0} panels; the first {1} are shown.").format(len(panels), MOST))
        panels = panels[:MOST]
    if len(panels) < LEAST:
        if panels or unread:
            remarks.append(_("A comparison has at least two panels; {0} is shown as well.").format(
                _(", ").join(panel.text for panel in fill[len(panels) : LEAST])
            ))  # fmt: skip
        panels += fill[len(panels) : LEAST]
    count = len(panels)
    if pair and (pair[0] == pair[1] or max(pair) >= count):
        remarks.append(
            _("There is no difference {0} − {1} of these panels; A − B is shown instead.").format(
                *(LETTERS[index] for index in pair)
            )
        )
        pair = None
    if chosen is not None and chosen >= count:
        remarks.append(_("There is no panel {0}; heads like that of A are shown instead.").format(LETTERS[chosen]))
        chosen = None
    return Panels(tuple(panels), pair or (0, 1), chosen or 0), remarks


def parse_message(message: Any) -> Panels | None:
    """The panels as the page in the browser has them; None where that is no such thing."""
    try:
        panels = tuple(_parse_panel(one) for one in message["panels"])
        first, second = (int(index) for index in message["compared"])
        chosen = int(message["chosen"])
    except (KeyError, TypeError, ValueError):
        return None
    count = len(panels)
    if not LEAST <= count <= MOST or not all(0 <= index < count for index in (first, second, chosen)):
        return None
    return Panels(panels, (first, second) if first != second else (0, 1), chosen)


def fit_kind(panel: Panel, kinds: Sequence[str], model: str) -> tuple[Panel, list[str]]:
    """The panel with a kind of attention that the model has, and remarks for the reader on what was replaced."""
    if panel.kind in kinds:
        return panel, []
    remark = _("{0} has no {1} attention; its {2} attention is shown instead.")
    return replace(panel, kind=kinds[0]), [remark.format(model, panel.kind, kinds[0])]


def fit_range(panel: Panel, layers: int, heads: int) -> tuple[Panel, list[str]]:
    """The panel with a layer and a head that there are, and remarks for the reader on what was replaced."""
    remarks = []
    if isinstance(panel.layer, int) and panel.layer >= layers:
        remarks.append(
            _("The layers are 0 to {0}, there is no layer {1}; layer {0} is shown instead.").format(
                layers - 1, panel.layer
            )
        )
        panel = replace(panel, layer=layers - 1)
    if isinstance(panel.head, int) and panel.head >= heads:
        remarks.append(
            _("The heads are 0 to {0}, there is no head {1}; head {0} is shown instead.").format(heads - 1, panel.head)
        )
        panel = replace(panel, head=heads - 1)
    if panel.head == ROLLOUT and not isinstance(panel.layer, int):
        remarks.append(
            _("Attention rollout goes up to a layer, not over the {0} of them; layer {1} is shown instead.").format(
                panel.layer, layers - 1
            )
        )
        panel = replace(panel, layer=layers - 1)
    return panel, remarks


def panel_map(recording: Recording, panel: Panel, switches: Switches | None = None) -> AttentionMap:
    """The map that a panel shows, of a kind, layer and head that there are; pooled where the text is long.

    Args:
        recording: of the text.
        panel: what it shows.
        switches: what is left out and taken together of a long text; None for nothing. A short one's map is whole.

    Raises:
        InputError: there is no such aggregate, and why.
    """
    kind, layer, head = panel.kind, panel.layer, panel.head
    long = pooled_maps.is_long(recording, kind)
    changed = switches or Switches()
    if isinstance(layer, int) and isinstance(head, int):
        return changed.maps(recording, kind, layer, head)[0] if long else recording.map(kind, layer=layer, head=head)
    if head == ROLLOUT:
        if long:
            raise InputError(
                _(
                    "Attention rollout multiplies whole maps and is shown for up to {0} tokens; this text has {1}. "
                    "Shorten it, or choose a head, the mean or the maximum."
                ).format(pooled_maps.MOST, max(recording.size(kind)[2:]))
            )
        return aggregate.rollout(recording, kind, int(layer))
    layers = range(recording.size(kind)[0]) if isinstance(layer, str) else [layer]
    if isinstance(head, int):
        if long:
            return _aggregate(str(layer), [changed.maps(recording, kind, each, head)[0] for each in layers])
        return aggregate.over_layers(recording, kind, head, str(layer))
    if long:
        maps = [_aggregate(head, changed.maps(recording, kind, each)) for each in layers]
    else:
        maps = [aggregate.over_heads(recording, kind, each, head) for each in layers]
    return maps[0] if isinstance(layer, int) else _aggregate(layer, maps)


def _aggregate(how: str, maps: Sequence[AttentionMap]) -> AttentionMap:
    return aggregate.mean(maps) if how == "mean" else aggregate.maximum(maps)


def _pieces(text: str) -> Iterator[tuple[str, str | None]]:
    """("encoder.L2.H5", None), ("sentence", "Der Hund"), …; what is neither comes as it stands, with None."""
    for piece in _PIECE.finditer(text):
        if piece["bare"]:
            yield piece["bare"], None
            continue
        try:
            # strict: a line break that was not written as \n is meant all the same.
            value = json.loads(piece["text"], strict=False)
        except ValueError:
            yield piece[0].strip(), None
        else:
            yield piece["name"], _replace_surrogates(value)


def _parse_panel(message: Any) -> Panel:
    """One panel as the browser has it; raises KeyError, TypeError or ValueError where it is none."""
    own = [message[name] for name in OWN]
    if not all(isinstance(text, str) for text in own):
        raise TypeError("a panel's own sentence, target and model are texts")
    panel = Panel(message["kind"], message["layer"], message["head"])
    if not _PANEL.fullmatch(panel.text):
        raise ValueError("there is no such panel")
    return replace(panel, **{name: _replace_surrogates(text) for name, text in zip(OWN, own, strict=True)})


def _replace_surrogates(text: str) -> str:
    """Without halves of surrogate pairs, which cannot be sent to the browser."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
