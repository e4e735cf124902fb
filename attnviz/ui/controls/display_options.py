"""The switches for what a picture shows: words or tokens, hidden tokens, averaged rows; and how they change a map.

    the sentence's tokens ─ switches ─ Switches ─ .apply(map) ─ the map as it is shown

Tokens are chosen by the labels that they have in the sentence, for those stand in the address. A label that another
sentence had is kept, so that going back brings its choice back, and is without effect until then.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from attnviz.attention import pooled_maps
from attnviz.attention.attention_map import AttentionMap
from attnviz.attention.axes import Axis
from attnviz.figures.heads import MOST_ON_FULL_SCALE, Scale
from attnviz.models.recording import head_reader
from attnviz.tokenization.token import Token, labels, words
from attnviz.ui.controls.url_state import Say, keep_values
from attnviz.ui.shell.errors import as_markdown
from attnviz.ui.shell.messages import _, local_count, local_percent, ngettext

if TYPE_CHECKING:
    from attnviz.models.recording.recording import Recording

MOST_LISTED = 2000  # tokens of a text that can be chosen from a list
MOST_NAMED = 6  # hidden tokens that a summary lists by name
_MISSING_KEY = "attnviz_switches_said"


@dataclass(frozen=True)
class Switches:
    """What is shown of a map.

    Attributes:
        by_word: words instead of tokens.
        hide_special: special tokens are left out.
        hide: labels of other tokens, or words with `by_word`, that are left out, as queries and as keys.
        renormalise: each row is divided by what is left of it.
        rows: labels of queries; only their mean is shown. Empty: all queries, each for itself.
        per_head: each head's colours end at its own largest weight.
        hide_first: the first position is left out as a key; what it gets counts as hidden.
        even_colours: the colours of a long text go by the weight in even steps, not by its square root.
    """

    by_word: bool = False
    hide_special: bool = False
    hide: tuple[str, ...] = ()
    renormalise: bool = False
    rows: tuple[str, ...] = ()
    per_head: bool = False
    hide_first: bool = False
    even_colours: bool = False

    @property
    def scale(self) -> Scale:
        """The colour scale, as figures and exports call it."""
        return "head" if self.per_head else "shared"

    def scale_of(self, *maps: AttentionMap) -> Scale:
        """The colour scale that maps share, which follows the longest: there, weak weights get more of the colours."""
        is_long = any(map.weights.shape[1] > MOST_ON_FULL_SCALE for map in maps)
        return "root" if is_long and not self.even_colours and not self.per_head else self.scale

    def maps(
        self, recording: Recording, kind: str, layer: int, head: int | None = None, size: int = pooled_maps.MOST
    ) -> tuple[AttentionMap, ...]:
        """The map of a head, or those of all heads of a layer, as they are to be shown, at any length of text.

        Args:
            recording: of the text.
            kind, layer, head: which; all heads of the layer where head is None.
            size: most rows and columns; of a longer text, neighbours are taken together after all else.
        """
        if not pooled_maps.is_long(recording, kind):
            whole = recording.maps(kind, layer=layer) if head is None else [recording.map(kind, layer=layer, head=head)]
            return tuple(pooled_maps.pool(self.apply(map), size) for map in whole)
        if self.leaves_all:
            return head_reader.pooled_maps(recording, kind, layer, head, size)
        rows, columns = (
            self._axis(recording.query_tokens(kind), size, keys=False),
            self._axis(recording.key_tokens(kind), size, keys=True),
        )
        return head_reader.axis_maps(recording, kind, layer, head, rows, columns, renormalise=self.renormalise)

    @property
    def leaves_all(self) -> bool:
        """Whether maps are shown as they are, whatever their colours."""
        return replace(self, per_head=False, even_colours=False, renormalise=False) == Switches()

    def _axis(self, tokens: tuple[Token, ...], size: int, *, keys: bool) -> Axis:
        """What becomes of the positions of a long text."""
        units = words(tokens) if self.by_word else tokens
        left_out = {unit for unit, token in enumerate(units) if self.hide_special and token.special}
        averaged: set[int] = set()
        if self.hide or (self.rows and not keys):
            names = labels(units)
            left_out |= {unit for unit, name in enumerate(names) if name in self.hide}
            averaged = {unit for unit, name in enumerate(names) if name in self.rows and not keys}
        if keys and self.hide_first:
            # Where the first one is hidden already, nothing more is left out.
            left_out.add(0)
        return Axis.of(tokens, size, by_word=self.by_word, left_out=left_out, averaged=averaged)

    def apply(self, map: AttentionMap) -> AttentionMap:
        """The map as it is to be shown: words first, then hiding, then the mean of the chosen rows.

        Groups of a long text's tokens stay as they are. Labels that the map does not have are without effect, and so
        are rows of which none is left.
        """
        if pooled_maps.is_pooled(map.query_tokens) or pooled_maps.is_pooled(map.key_tokens):
            return map
        # By words it is the first word; where that is hidden already, nothing more is left out.
        first = [(token.word, token.special) for token in map.key_tokens[:1]]
        if self.by_word:
            map = map.by_word()
        chosen = {
            id(token) for token, label in zip(map.query_tokens, map.query_labels, strict=True) if label in self.rows
        }
        hidden = self._hidden_labels(map.query_tokens, map.key_tokens)
        if hidden:
            # By identity: two special tokens of a kind are equal, and have labels of their own all the same.
            map = map.hide(lambda token: id(token) in hidden, renormalise=self.renormalise)
        positions = [position for position, token in enumerate(map.query_tokens) if id(token) in chosen]
        if self.hide_first and [(token.word, token.special) for token in map.key_tokens[:1]] == first:
            map = map.without_first_key()
        return map.average_queries(positions) if positions else map

    def _hidden_labels(self, *axes: tuple[Token, ...]) -> dict[int, str]:
        """The identities of the tokens that are left out, with their labels."""
        if not self.hide and not self.hide_special:
            return {}
        return {
            id(token): label
            for tokens in axes
            for token, label in zip(tokens, _labels(tokens, by_word=False), strict=True)
            if label in self.hide or (self.hide_special and token.special)
        }

    def remarks(
        self, query_tokens: tuple[Token, ...], key_tokens: tuple[Token, ...], shown: Sequence[AttentionMap]
    ) -> list[str]:
        """What a summary says of tokens that the model wrote or that are hidden, and of averaged rows; else nothing.

        Args:
            query_tokens, key_tokens: of the maps before the switches changed them.
            shown: the maps after it.
        """
        if shown and any(token.generated for token in (*shown[0].query_tokens, *shown[0].key_tokens)):
            written = [_("underlined: written by the model")]
        else:
            written = []
        if not shown or pooled_maps.is_pooled(query_tokens) or pooled_maps.is_pooled(key_tokens):
            return written
        parts = written
        axes = [words(tokens) if self.by_word else tokens for tokens in (query_tokens, key_tokens)]
        hidden = list(dict.fromkeys(self._hidden_labels(*axes).values()))
        if hidden:
            share = sum(float(map.hidden_mass.mean()) for map in shown if map.weights.size) / len(shown)
            hidden_text = _("hidden: {0} – {1} of the attention").format(
                join_labels(hidden), local_percent(str(round(100 * share)))
            )
            parts.append(_("{0}, rows renormalised").format(hidden_text) if self.renormalise else hidden_text)
        if (
            shown[0].query_tokens
            and self.rows
            and any(label in self.rows for label in _labels(query_tokens, self.by_word))
        ):
            parts.append(_("rows averaged: {0}").format(shown[0].query_labels[0]))
        return parts

    def settings(self) -> dict[str, str]:
        """What an export says of the switches, by their names in the address; lists of labels as JSON."""
        return {
            "by_word": _flag(self.by_word),
            "hide_special": _flag(self.hide_special),
            "hide": json.dumps(self.hide, ensure_ascii=False),
            "renormalise": _flag(self.renormalise and (self.hide_special or bool(self.hide))),
            "rows": json.dumps(self.rows, ensure_ascii=False),
            "scale_per_head": _flag(self.per_head),
            "hide_first": _flag(self.hide_first),
            "even_colours": _flag(self.even_colours),
        }


def switch_controls(tokens_query: Sequence[Token], tokens_key: Sequence[Token], say: Say) -> Switches:
    """Draws the switches into the current container.

    Args:
        tokens_query, tokens_key: of the maps that are shown, all of them and no words yet; empty where there is no
            recording.
        say: told which tokens a link asks for that the sentence does not have.
    """
    by_word = st.toggle(_("Words"), key="by_word", bind="query-params", help=_("Pieces of a word taken together."))
    hide_special = st.toggle(
        _("Hide special tokens"),
        key="hide_special",
        bind="query-params",
        help=_("Leaves out tokens such as the end of the sentence; a bar at each row says what share went there."),
    )
    # A list of all words of a book would take the browser longer than it helps the reader.
    has_lists = max(len(tokens_query), len(tokens_key)) <= MOST_LISTED
    queries = _labels(tokens_query, by_word) if has_lists else ()
    labels = list(dict.fromkeys([*queries, *_labels(tokens_key, by_word)])) if has_lists else []
    if labels:
        _say_missing(labels, queries, say)
    hide: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    with st.popover(_popover_label(labels, queries), key="more", icon=":material/tune:", type="tertiary"):
        if has_lists:
            hide = _token_choice(
                "hide", _("Hide tokens"), labels, _("As queries and as keys, like the special tokens.")
            )
        renormalise = st.toggle(
            _("Renormalise"),
            key="renormalise",
            bind="query-params",
            help=_("Divides each row by what is left of it, so that it sums to 1. Without effect while all is shown."),
        )
        if has_lists:
            rows = _token_choice(
                "rows", _("Average rows"), queries, _("Shows the mean of these queries in place of all rows.")
            )
        else:
            keep_values("hide", "rows")
            st.caption(_("Single tokens are hidden and rows averaged in texts of up to {0} tokens.").format(
                local_count(MOST_LISTED)
            ))  # fmt: skip
        hide_first = first_switch()
        per_head = st.toggle(
            _("Scale per head"),
            key="scale_per_head",
            bind="query-params",
            help=_("The strongest colour is each head's own largest weight instead of 1."),
        )
        even_colours = colour_switch(len(tokens_key))
    return Switches(by_word, hide_special, hide, renormalise, rows, per_head, hide_first, even_colours)


def first_switch() -> bool:
    """Whether the first position is left out as a key."""
    return st.toggle(
        _("Hide first position"),
        key="hide_first",
        bind="query-params",
        help=_("Many heads rest there when they look for nothing. Left out, what else they do is easier to see."),
    )


def colour_switch(keys: int) -> bool:
    """Whether colours go by the weight in even steps; asked only where a text is so long that they would not.

    Args:
        keys: of the longest map that is shown.
    """
    if keys <= MOST_ON_FULL_SCALE:
        keep_values("even_colours")
        return False
    return st.toggle(
        _("Even colour steps"),
        key="even_colours",
        bind="query-params",
        help=_("Colours by the weight itself. Without it, a long text's colours go by the square root of the weight."),
    )


def _token_choice(key: str, label: str, labels: Sequence[str], help: str) -> tuple[str, ...]:
    """A list to choose tokens from; returns those of the chosen that the sentence has."""
    missing = [name for name in _chosen_labels(key) if name not in labels]
    chosen = st.multiselect(label, [*labels, *missing], key=key, bind="query-params", help=help, placeholder=_("none"))
    if missing and labels:
        st.caption(_("Not in this sentence: {0}").format(as_markdown(join_labels(missing))))
    return tuple(name for name in chosen if name in labels)


def _popover_label(labels: Sequence[str], queries: Sequence[str]) -> str:
    """What the button to the less used switches is called: what they do now, if anything."""
    parts = []
    hidden = sum(name in labels for name in _chosen_labels("hide"))
    if hidden:
        parts.append(ngettext("{0} hidden", "{0} hidden", hidden).format(hidden))
    if _is_on("renormalise") and (hidden or _is_on("hide_special")):
        parts.append(_("renormalised"))
    rows = sum(name in queries for name in _chosen_labels("rows"))
    if rows:
        parts.append(ngettext("{0} row", "{0} rows averaged", rows).format(rows))
    if _is_on("hide_first"):
        parts.append(_("first hidden"))
    if _is_on("scale_per_head"):
        parts.append(_("own scales"))
    return _(", ").join(parts) or _("More")


def _say_missing(labels: Sequence[str], queries: Sequence[str], say: Say) -> None:
    """Says, once in a session, what the link that opened it asks for and the sentence does not have."""
    if st.session_state.get(_MISSING_KEY):
        return
    st.session_state[_MISSING_KEY] = True
    missing = [
        *(name for name in _chosen_labels("hide") if name not in labels),
        *(name for name in _chosen_labels("rows") if name not in queries),
    ]
    if missing:
        say(_("The sentence has no {0}; what the link asks for there is without effect.").format(join_labels(missing)))


def _chosen_labels(key: str) -> list[str]:
    """The labels that a list has, or will have once it is drawn."""
    if key in st.session_state:
        return list(st.session_state[key] or ())
    return [name for name in dict.fromkeys(st.query_params.get_all(key)) if name]


def _is_on(key: str) -> bool:
    return bool(st.session_state.get(key, st.query_params.get(key, "").casefold() == "true"))


def _labels(tokens: Sequence[Token], by_word: bool) -> tuple[str, ...]:
    return labels(words(tokens) if by_word else tokens)


def first_remark(shown: Sequence[AttentionMap], with_first: Sequence[AttentionMap]) -> str:
    """What a summary says of the first position, which is hidden: the share of the attention that it takes.

    Args:
        shown: the maps as they are shown.
        with_first: the same with the first position.
    """
    shares = [
        one.hidden_mass.mean() - other.hidden_mass.mean()
        for one, other in zip(shown, with_first, strict=True)
        if one.weights.size
    ]
    share = max(0.0, float(np.mean(shares))) if shares else 0.0
    percent = local_percent("<1" if 0 < share < 0.005 else str(round(100 * share)))
    return _("first position hidden – {0} of the attention").format(percent)


def colour_remark(scale: Scale) -> list[str]:
    """What a summary says of colours that do not go by the weight itself; else nothing."""
    return [_("colours by the square root of the weight")] if scale == "root" else []


def join_labels(labels: Iterable[str]) -> str:
    """ "Der, den, Ball"; of many the first, and how many more."""
    labels = list(labels)
    more = len(labels) - MOST_NAMED
    if more <= 0:
        return _(", ").join(labels)
    first_labels = _(", ").join(labels[:MOST_NAMED])
    return ngettext("{0} and {1} more", "{0} and {1} more", more).format(first_labels, more)


def _flag(on: bool) -> str:
    return "true" if on else "false"
