"""The switches for what a picture shows: words or tokens, hidden tokens, averaged rows; and how they change a map.

    the sentence's tokens ─ switches ─ Switches ─ .apply(map) ─ the map as it is shown

Tokens are chosen by the labels that they have in the sentence, for those stand in the address. A label that another
sentence had is kept, so that going back brings its choice back, and is without effect until then.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import streamlit as st

from attnviz.attention import pooled_maps
from attnviz.attention.attention_map import AttentionMap
from attnviz.figures.heads import MOST_ON_FULL_SCALE, Scale
from attnviz.tokenization.token import Token, labels, words
from attnviz.ui.controls.url_state import SWITCH_KEYS, Say, keep_values
from attnviz.ui.shell.errors import as_markdown
from attnviz.ui.shell.messages import _, local_percent, ngettext

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

    def scale_of(self, map: AttentionMap) -> Scale:
        """The colour scale of a map whose colours follow its length: of a long one, weak weights get more of them."""
        is_long = map.weights.shape[1] > MOST_ON_FULL_SCALE and not self.even_colours and not self.per_head
        return "root" if is_long else self.scale

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
        hidden = self._hidden_labels(map)
        if hidden:
            # By identity: two special tokens of a kind are equal, and have labels of their own all the same.
            map = map.hide(lambda token: id(token) in hidden, renormalise=self.renormalise)
        positions = [position for position, token in enumerate(map.query_tokens) if id(token) in chosen]
        if self.hide_first and [(token.word, token.special) for token in map.key_tokens[:1]] == first:
            map = map.without_first_key()
        return map.average_queries(positions) if positions else map

    def _hidden_labels(self, map: AttentionMap) -> dict[int, str]:
        """The identities of the tokens that are left out, with their labels."""
        return {
            id(token): label
            for tokens, labels in ((map.query_tokens, map.query_labels), (map.key_tokens, map.key_labels))
            for token, label in zip(tokens, labels, strict=True)
            if label in self.hide or (self.hide_special and token.special)
        }

    def remarks(self, original: AttentionMap, shown: Sequence[AttentionMap]) -> list[str]:
        """What a summary says of tokens that the model wrote or that are hidden, and of averaged rows; else nothing.

        Args:
            original: one of the maps before `apply`.
            shown: the maps after it.
        """
        if shown and any(token.generated for token in (*shown[0].query_tokens, *shown[0].key_tokens)):
            written = [_("underlined: written by the model")]
        else:
            written = []
        if not shown or pooled_maps.is_pooled(original.query_tokens) or pooled_maps.is_pooled(original.key_tokens):
            return written
        parts = written
        hidden = list(dict.fromkeys(self._hidden_labels(original.by_word() if self.by_word else original).values()))
        if hidden:
            share = sum(float(map.hidden_mass.mean()) for map in shown if map.weights.size) / len(shown)
            hidden_text = _("hidden: {0} – {1} of the attention").format(
                join_labels(hidden), local_percent(str(round(100 * share)))
            )
            parts.append(_("{0}, rows renormalised").format(hidden_text) if self.renormalise else hidden_text)
        if shown[0].query_tokens and any(label in self.rows for label in _labels(original.query_tokens, self.by_word)):
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


def switch_controls(
    tokens_query: Sequence[Token], tokens_key: Sequence[Token], say: Say, *, for_long_texts: bool = False
) -> Switches:
    """Draws the switches into the current container.

    Args:
        tokens_query, tokens_key: of the maps that are shown, all of them and no words yet; empty where there is no
            recording.
        say: told which tokens a link asks for that the sentence does not have.
        for_long_texts: whether the page has what makes long texts readable: the first position hidden, and colours by
            the square root.
    """
    if not for_long_texts:
        keep_values("hide_first", "even_colours")
    if _is_too_long(tokens_query) or _is_too_long(tokens_key):
        keep_values(*SWITCH_KEYS[: SWITCH_KEYS.index("scale_per_head")])
        hide_first = for_long_texts and _first_switch()
        per_head = _scale_switch()
        even_colours = for_long_texts and _colour_switch()
        st.caption(_("Words, hiding and averaging: for texts of up to {0} tokens.").format(pooled_maps.MOST))
        return Switches(per_head=per_head, hide_first=hide_first, even_colours=even_colours)
    by_word = st.toggle(_("Words"), key="by_word", bind="query-params", help=_("Pieces of a word taken together."))
    hide_special = st.toggle(
        _("Hide special tokens"),
        key="hide_special",
        bind="query-params",
        help=_("Leaves out tokens such as the end of the sentence; a bar at each row says what share went there."),
    )
    queries = _labels(tokens_query, by_word)
    labels = list(dict.fromkeys([*queries, *_labels(tokens_key, by_word)]))
    if labels:
        _say_missing(labels, queries, say)
    with st.popover(_popover_label(labels, queries), key="more", icon=":material/tune:", type="tertiary"):
        hide = _token_choice("hide", _("Hide tokens"), labels, _("As queries and as keys, like the special tokens."))
        renormalise = st.toggle(
            _("Renormalise"),
            key="renormalise",
            bind="query-params",
            help=_("Divides each row by what is left of it, so that it sums to 1. Without effect while all is shown."),
        )
        rows = _token_choice(
            "rows", _("Average rows"), queries, _("Shows the mean of these queries in place of all rows.")
        )
        hide_first = for_long_texts and _first_switch()
        per_head = _scale_switch()
        if for_long_texts and len(tokens_key) > MOST_ON_FULL_SCALE:
            even_colours = _colour_switch()
        else:
            even_colours = False
            keep_values("even_colours")
    return Switches(by_word, hide_special, hide, renormalise, rows, per_head, hide_first, even_colours)


def _first_switch() -> bool:
    return st.toggle(
        _("Hide first position"),
        key="hide_first",
        bind="query-params",
        help=_("Many heads rest there when they look for nothing. Left out, what else they do is easier to see."),
    )


def _colour_switch() -> bool:
    return st.toggle(
        _("Even colour steps"),
        key="even_colours",
        bind="query-params",
        help=_("Colours by the weight itself. Without it, a long text's colours go by the square root of the weight."),
    )


def _scale_switch() -> bool:
    return st.toggle(
        _("Scale per head"),
        key="scale_per_head",
        bind="query-params",
        help=_("The strongest colour is each head's own largest weight instead of 1."),
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


def _is_too_long(tokens: Sequence[Token]) -> bool:
    return len(tokens) > pooled_maps.MOST or pooled_maps.is_pooled(tokens)


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
