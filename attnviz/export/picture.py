"""`Picture`: exactly what is shown, as all that an export needs to know, and what it says about itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from attnviz import display
from attnviz.attention.attention_map import AttentionMap
from attnviz.errors import InputError
from attnviz.figures.compare import describe_difference, top_of_difference
from attnviz.figures.describe import describe_with
from attnviz.figures.heads import Scale, top_of_scale
from attnviz.figures.style import Theme
from attnviz.tokenization import token
from attnviz.tokenization.token import Token
from attnviz.typography import set_minus

if TYPE_CHECKING:
    from attnviz.measures.distances import Difference

Style = Literal["heatmap", "lines"]

_NAMED = 4  # of the panels in a repr


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """Maps as they are shown, one or several side by side.

    Attributes:
        panels: the maps in reading order, and differences of maps.
        style: "heatmap", or "lines" between the words of the queries and those of the keys.
        columns: panels in a row; None for a grid that is about twice as wide as high.
        scale: "shared" has the colours from 0 to 1 for all weights and from -1 to 1 for all differences; "head" ends
            each panel's at its own largest.
        theme: the background that the colours are for.
        title: over the picture; where it is "", the setting "sentence", if there is one.
        settings: what was switched on, as a name and a value each, such as {"by_word": "true"}; every export carries
            them, and the picture says those that are neither "", nor "false", nor "[]".
        language: of the words in it, as web pages write it: "en", "zh-Hant". It is not stored, nor what follows.
        decimal: the decimal sign of the numbers that it writes.
        texts: what it writes in place of `attnviz.export.texts.TEXTS`, and of the names of models.

    Raises:
        InputError: there is no panel, or an option has no such value.

    Example:
        >>> save(Picture(recording.maps("encoder", layer=2), title="Der Hund sah den Ball."), "heads.svg")
    """

    panels: tuple[AttentionMap | Difference, ...]
    style: Style = "heatmap"
    columns: int | None = None
    scale: Scale = "shared"
    theme: Theme = "light"
    title: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    language: str = "en"
    decimal: str = "."
    texts: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.panels:
            raise InputError("A picture needs at least one map, and there is none. Hand over `panels=(map,)`.")
        for name, value, allowed in (
            ("style", self.style, get_args(Style)),
            ("scale", self.scale, get_args(Scale)),
            ("theme", self.theme, get_args(Theme)),
        ):
            if value not in allowed:
                raise InputError(
                    "The {0} of a picture is {1}, not {2!r}.", name, " or ".join(map(repr, allowed)), value
                )
        if self.columns is not None and self.columns < 1:
            raise InputError("A picture has at least 1 column, not {0}.", self.columns)

    def __repr__(self) -> str:
        count = len(self.panels)
        more = f" … and {count - _NAMED} more" if count > _NAMED else ""
        return f"Picture({', '.join(panel.name for panel in self.panels[:_NAMED])}{more})"

    def say(self, text: str, *values: object) -> str:
        """One of `TEXTS` in the picture's language, with its values."""
        return self.texts.get(text, text).format(*values)

    def name_of(self, panel: AttentionMap | Difference) -> str:
        """What a panel is called: "L2 H5", "L2 mean"; its words in the picture's language."""
        return " ".join(self.texts.get(word, word) for word in panel.name.split(" "))

    def _repr_html_(self) -> str | None:
        return display.notebook_html(self)

    def _repr_png_(self) -> bytes | None:
        return display.notebook_png(self)


def is_difference(panel: AttentionMap | Difference) -> bool:
    """Whether it goes below 0."""
    return not isinstance(panel, AttentionMap)


def hidden_mass(panel: AttentionMap | Difference) -> np.ndarray | None:
    """float32 (query,): what share of each row is not shown; None where nothing is hidden, or for a difference."""
    hidden = panel.hidden_mass if isinstance(panel, AttentionMap) else None
    return hidden if hidden is not None and bool((hidden > 0).any()) else None


def has_root(picture: Picture) -> bool:
    """Whether the colours of weights go by their square root; the strength of lines never does."""
    return picture.scale == "root" and picture.style == "heatmap"


def top_of_panel(panel: AttentionMap | Difference, scale: Scale) -> float:
    """The weight, or the size of a difference, that has the strongest colour in this panel (see `top_of_scale`)."""
    largest = top_of_scale([panel], scale) if isinstance(panel, AttentionMap) else top_of_difference(panel, scale)
    return largest if np.isfinite(largest) else 1.0


def shared_tops(picture: Picture) -> dict[bool, float]:
    """Not on the scale "head": the weight, and with True the size of a difference, that has the strongest colour.

    Many faint lines add up where they cross, so those of a long text end at 1 as well.
    """
    tops = {False: 1.0, True: 1.0}
    for signed in tops if picture.style == "heatmap" else ():
        panels = [panel for panel in picture.panels if is_difference(panel) == signed]
        tops[signed] = max((top_of_panel(panel, "shared") for panel in panels), default=1.0)
    return tops


def title(picture: Picture) -> str:
    """What stands over the picture: its title, or the sentence that its settings name."""
    return " ".join((picture.title.strip() or picture.settings.get("sentence", "")).split())


def name(picture: Picture) -> str:
    """What the file is called where a title is needed."""
    return title(picture) or ", ".join(picture.name_of(panel) for panel in picture.panels)


def describe_panel(picture: Picture, panel: AttentionMap | Difference) -> str:
    """What a panel shows, in words: "L2 H5: sah → Hund 0.42, …"."""
    decimal, name = picture.decimal, picture.name_of(panel)
    if isinstance(panel, AttentionMap):
        return describe_with(panel, query_labels(panel), key_labels(panel), decimal=decimal, name=name)
    return describe_difference(panel, decimal=decimal, name=name)


def query_labels(panel: AttentionMap | Difference) -> tuple[str, ...]:
    """The labels of the rows."""
    return _labels(panel.query_tokens)


def key_labels(panel: AttentionMap | Difference) -> tuple[str, ...]:
    """The labels of the columns."""
    return _labels(panel.key_tokens)


@lru_cache(maxsize=16)
def _labels(tokens: tuple[Token, ...]) -> tuple[str, ...]:
    """All heads of a layer have the same ones, and naming long texts takes a while."""
    return token.labels(tokens)


def heading(picture: Picture, panel: AttentionMap | Difference) -> str:
    """What stands above a panel: its name, and of model and kind what is not the same for all.

    >>> heading(Picture((encoder_map, cross_map)), cross_map)
    'L2 H5 · cross'
    """
    parts = [picture.name_of(panel)]
    if isinstance(panel, AttentionMap):
        parts += [
            picture.texts.get(value, value)
            for name in ("kind", "model")
            if _common(picture, name) is None and (value := getattr(panel, name))
        ]
    else:
        parts.append(picture.say("JS divergence {0}", number(panel.divergence, picture.decimal)))
    if picture.scale == "head" and len(picture.panels) > 1:
        parts.append(picture.say("max {0}", number(top_of_panel(panel, "head"), picture.decimal)))
    return " · ".join(parts)


def facts(picture: Picture) -> list[str]:
    """What the caption says: model, kind, switches and scale.

    >>> facts(Picture((map,), settings={"by_word": "true", "hide": "[]"}))
    ['model bundled', 'encoder attention', 'by words']
    """
    phrases = []
    if model := _common(picture, "model"):
        phrases.append(picture.say("model {0}", picture.texts.get(model, model)))
    if kind := _common(picture, "kind"):
        phrases.append(picture.say("{0} attention", picture.texts.get(kind, kind)))
    phrases += [part for name, value in picture.settings.items() if (part := _setting(picture, name, value))]
    if any(token.generated for panel in picture.panels for token in (*panel.query_tokens, *panel.key_tokens)):
        phrases.append(picture.say("underlined: written by the model"))
    if any(isinstance(panel, AttentionMap) and panel.renormalised for panel in picture.panels):
        phrases.append(picture.say("rows renormalised"))
    if len(picture.panels) > 1:
        own = picture.scale == "head"
        phrases.append(picture.say("each panel on its own scale" if own else "one scale for all panels"))
    if has_root(picture):
        phrases.append(picture.say("colours by the square root of the weight"))
    return phrases


def number(weight: float, decimal: str = ".") -> str:
    """ "0.42"; three digits where two would say 0.00 about something that is not nothing."""
    rounded = f"{weight:.2f}"
    shown = f"{weight:.3f}" if rounded in ("0.00", "-0.00") and abs(weight) >= 0.0005 else rounded
    return set_minus(shown).replace(".", decimal)


# The app's switches by their names in the address; what headings, title and caption say anyway is not said again.
_SWITCHES = {
    **dict.fromkeys(
        ("sentence", "model", "kind", "layer", "head", "panels", "renormalise", "scale_per_head", "even_colours"), ""
    ),
    "by_word": "by words",
    "hide_special": "special tokens hidden",
    "hide": "hidden: {0}",
    "rows": "rows averaged: {0}",
    "hide_first": "first position hidden",
}


def _setting(picture: Picture, name: str, value: str) -> str:
    """A switch in words; "" where it is off."""
    template = _SWITCHES.get(name, name.replace("_", " ").replace("{", "{{").replace("}", "}}"))
    if not template:
        return ""
    try:
        chosen = json.loads(value)
    except ValueError:
        chosen = value
    text = ", ".join(map(str, chosen)) if isinstance(chosen, list) else value
    if chosen is True:
        return picture.say(template.removesuffix(": {0}"))
    if not text or chosen is False:
        return ""
    return picture.say(template if "{0}" in template else f"{template}: {{0}}", text)


def _common(picture: Picture, name: str) -> str | None:
    """What an attribute is where it is the same for all maps, those of differences too; else None."""
    maps = [
        map for panel in picture.panels for map in ([panel] if isinstance(panel, AttentionMap) else [panel.a, panel.b])
    ]
    values = {getattr(map, name) for map in maps}
    return values.pop() if len(values) == 1 else None
