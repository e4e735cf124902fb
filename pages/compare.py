"""Compare: two to six heads side by side, the difference of two of them, and the heads that are like one of them."""

from __future__ import annotations

import time
from dataclasses import astuple, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import streamlit as st

from attnviz.attention import pooled_maps
from attnviz.errors import AttnvizError, EmptyError, InputError
from attnviz.export import Picture
from attnviz.measures import head_measures
from attnviz.ui.components.export_menu import take_along
from attnviz.ui.components.ready import figures_ready, run_name, theme
from attnviz.ui.controls import display_options, inputs
from attnviz.ui.controls.page_header import opening
from attnviz.ui.screens.compare import panels, similar_heads
from attnviz.ui.screens.compare.panel_cards import Card, Compared, panel_cards
from attnviz.ui.screens.compare.panels import LETTERS, Panel, Panels
from attnviz.ui.screens.heads.opened_head import numbers
from attnviz.ui.shell import errors, models
from attnviz.ui.shell.messages import _, language, ngettext
from attnviz.ui.shell.router import through_router

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from attnviz.attention.attention_map import AttentionMap
    from attnviz.measures.head_measures import Difference
    from attnviz.models.recording import Recording
    from attnviz.tokenization.tokenizer import Token
    from attnviz.ui.controls.display_options import Switches

KEY = "panels"  # in the address and, as the same text, in the session
_WRITTEN = "attnviz_panels_written"  # what the address has from us, what it had before, and since when
_FIRST = "attnviz_panels_first"  # what was shown before anybody changed a panel
_SHOWN = "attnviz_panels_shown"  # what the last run showed, with all that was replaced
_EDIT = "attnviz_panels_edit"  # the number of the browser's last message
_EDITED = "attnviz_panels_edited"  # whether it came since the last run

HEARD = 1.0  # seconds until the browser has surely heard of a new address
COLUMNS = 3  # panels in a row of the exported picture, as on a wide screen


@dataclass(frozen=True)
class Page:
    """What panels have that have none of their own."""

    sentence: str
    target: str | None
    model: str
    place: DeltaGenerator  # for a loading model's progress


class Source(NamedTuple):
    """What a panel looks at."""

    loaded: models.Loaded
    recording: Recording
    text: tuple[str, str | None]  # what was recorded, with its target

    def likeness(self, kind: str, switches: Switches | None = None) -> similar_heads.Likeness:
        """How alike the recording's heads are, computed once; see `alike.likeness`."""
        key = ("likeness", *self.text, kind, switches)
        return self.loaded.cache.get(key, lambda: similar_heads.likeness(self.recording, kind, switches))

    def is_likeness_quick(self, kind: str) -> bool:
        """Whether `likeness` takes no time worth asking about, or was computed before."""
        return ("likeness", *self.text, kind, None) in self.loaded.cache or similar_heads.is_quick(self.recording, kind)


def main() -> None:
    inputs.hold("kind", "layer", "head")
    top = opening()
    figures = st.container(key="figures")

    page = Page(top.sentence, inputs.target(), top.name, top.progress)
    found = errors.attempt(figures, lambda: looked_up(current(page, top.say), page, top.say))
    if found is None:
        inputs.hold("target", *display_options.SWITCH_KEYS)
        return
    shown, sources, wholes, cards = found
    st.session_state[_SHOWN] = shown
    with top.boxes:
        target_box(shown, sources)
    with top.controls:
        switches = display_options.switches(*tokens(wholes), top.say)

    def show() -> None:
        run, drawn = draw(figures, page, shown, sources, wholes, [dressed(card, switches) for card in cards], switches)
        if drawn:
            figures_ready(run, top.sentence, figures=drawn)

    errors.attempt(figures, show)


# Which panels -------------------------------------------------------------------------------------------------------


def current(page: Page, say: inputs.Say) -> Panels:
    """The panels that are asked for: by the reader, else by the link, else the first view."""
    plain = two_heads(page, st.query_params.get("kind"), None)
    text = st.session_state.get(KEY)
    address = st.query_params.get(KEY)
    if not st.session_state.pop(_EDITED, False) and address and address not in not_news():
        text = address  # a link's first run, or the browser's way back
    # The first view begins with the head that was open on another page, if there is one.
    kind, layer, head = (st.session_state.get(name) for name in ("kind", "layer", "head"))
    opened = (layer, head) if isinstance(layer, int) and isinstance(head, int) else None
    came = (page.model, kind, opened)
    untouched, came_then = st.session_state.get(_FIRST, ("", came))
    if not text or (text == untouched and came != came_then):
        text = (two_heads(page, kind, opened) if kind or opened else plain).text
        st.session_state[_FIRST] = (text, came)
    asked, remarks = panels.read(text, plain.panels)
    for remark in remarks:
        say(remark)
    st.session_state[KEY] = text
    write(None if text == plain.text else text)
    return asked


def write(text: str | None) -> None:
    """Keeps the panels in the address, which needs none of what it opens with by itself."""
    before = st.query_params.get(KEY)
    if before != text:
        if text is None:
            del st.query_params[KEY]
        else:
            st.query_params[KEY] = text
        st.session_state[_WRITTEN] = (text, before, time.monotonic())
    elif st.session_state.get(_WRITTEN, ("",))[0] != text:
        st.session_state[_WRITTEN] = (text, text, time.monotonic())


def not_news() -> tuple[str | None, ...]:
    """What the address may be without anybody having changed it: as it was written, and for a moment as it was before,
    as the browser asks on until it has heard."""
    text, before, when = st.session_state.get(_WRITTEN, (None, None, 0.0))
    return (text, before) if time.monotonic() - when < HEARD else (text,)


def two_heads(page: Page, kind: str | None, opened: tuple[int, int] | None) -> Panels:
    """Two heads that differ: an opened one and the head least like it, else the two that have least in common."""
    loaded = load(page.model, page)
    kind = kind if kind in loaded.kinds else loaded.kinds[0]
    try:
        here = source(Panel(kind), page, set())
    except AttnvizError:
        # What is wrong with the sentence is said where the panels are; a later sentence has the same panels.
        return Panels((Panel(kind), Panel(kind, 0, 1)))
    layers, heads, _queries, _keys = here.recording.size(kind)
    if not here.is_likeness_quick(kind):
        return Panels((Panel(kind), Panel(kind, layers - 1, heads - 1)))
    known = here.likeness(kind)
    pair = known.farthest_pair()
    if opened in known.heads:
        pair = (opened, known.heads[int(known.divergences[known.heads.index(opened)].argmax())])
    return Panels(tuple(Panel(kind, layer, head) for layer, head in pair))


def edit(message: object) -> None:
    """Takes over what the browser says that the panels shall be."""
    asked = panels.received(message)
    if asked is not None and isinstance(message, dict):
        number = message.get("edit")
        st.session_state[_EDIT] = number if isinstance(number, int) else 0
        change(asked)


def put(layer: int, head: int) -> None:
    """Puts a head beside the chosen panel."""
    change(st.session_state[_SHOWN].put(layer, head))


def change(asked: Panels) -> None:
    st.session_state[KEY] = asked.text
    st.session_state[_SHOWN] = asked
    st.session_state[_EDITED] = True


# What they look at --------------------------------------------------------------------------------------------------


def source(panel: Panel, page: Page, in_use: set[str]) -> Source:
    """The model and the recording of a panel, and this kind of attention computed; `in_use` are the models so far."""
    name = model_of(panel, page)
    if name not in in_use and len(in_use) >= models.MODELS:
        raise InputError(
            _(
                "At most {0} models are compared at a time, and this one would be one more. Choose one of those that "
                "the other panels have."
            ).format(models.MODELS)
        )
    in_use.add(name)
    loaded = load(name, page)
    sentence = panel.sentence or page.sentence
    if not sentence.strip():
        raise EmptyError(_("Type a sentence above, or pick one of the examples."))
    text = (sentence, target_of(panel, page) if "cross" in loaded.kinds else None)
    recording = loaded.record(*text)
    if panel.kind in loaded.kinds:
        recording.size(panel.kind)
    return Source(loaded, recording, text)


def load(name: str, page: Page) -> models.Loaded:
    model, revision = inputs.model_and_revision(name)
    return models.load(model, page.place, revision=revision)


def model_of(panel: Panel, page: Page) -> str:
    name = panel.model.strip() or page.model
    alias = ("", inputs.BUNDLED, inputs.model_label(inputs.BUNDLED).casefold())
    return inputs.BUNDLED if name.casefold() in alias else name


def target_of(panel: Panel, page: Page) -> str | None:
    """The panel's own target, else the page's, which belongs to the page's sentence; None for the model's own."""
    return panel.target or (None if panel.sentence else page.target)


def looked_up(
    asked: Panels, page: Page, say: inputs.Say
) -> tuple[Panels, list[Source | None], list[AttentionMap | None], list[Card]]:
    """What each panel shows: as it can be shown, what it looks at, its whole map, and its card, still without a map."""
    found: list[Panel] = []
    sources: list[Source | None] = []
    wholes: list[AttentionMap | None] = []
    cards: list[Card] = []
    said: dict[str, list[str]] = {}  # remarks, with the letters of the panels that they are about
    in_use: set[str] = set()
    for letter, panel in zip(LETTERS, asked.panels, strict=False):
        kinds: tuple[str, ...] = (panel.kind,)
        size, here, whole, error = None, None, None, ""
        try:
            here = source(panel, page, in_use)
            kinds = here.loaded.kinds
            panel, remarks = panels.fitted(panel, kinds, inputs.model_label(model_of(panel, page)))
            size = here.recording.size(panel.kind)[:2]
            panel, more = panels.in_range(panel, *size)
            for remark in (*remarks, *more):
                said.setdefault(remark, []).append(letter)
            whole = panels.map_of(here.recording, panel)
        except AttnvizError as problem:
            error = str(problem)
        found.append(panel)
        sources.append(here)
        wholes.append(whole)
        cards.append(Card(panel, kinds, size, whole, error, note(panel), "cross" in kinds))
    for remark, letters in said.items():
        say(f"{', '.join(letters)}: {remark}")
    return replace(asked, panels=tuple(found)), sources, wholes, cards


def note(panel: Panel) -> str:
    """What of its own a panel has."""
    model = [inputs.model_label(panel.model)] if panel.model else []
    texts = [f"“{text}”" for text in (panel.sentence, panel.target) if text]
    return " · ".join([" → ".join(texts)] * bool(texts) + model)


def dressed(card: Card, switches: Switches) -> Card:
    """The card with its map as the switches have it."""
    if card.map is None:
        return card
    map = switches.of(card.map)
    if map.weights.size:
        return replace(card, map=map)
    return replace(card, map=None, error=_("All of its tokens are hidden. Show some of them again."))


def tokens(wholes: list[AttentionMap | None]) -> tuple[tuple[Token, ...], tuple[Token, ...]]:
    """Queries and keys for the switches: of the first panel, and words that only other panels have."""
    maps = [map for map in wholes if map is not None]
    short = [map for map in maps if not _long(map)] or maps[:1]
    return _union([map.query_tokens for map in short]), _union([map.key_tokens for map in short])


def _long(map: AttentionMap) -> bool:
    return any(pooled_maps.is_pooled(side) for side in (map.query_tokens, map.key_tokens))


def _union(axes: list[tuple[Token, ...]]) -> tuple[Token, ...]:
    """The tokens of the first axis, and of each other one the words whose text none before it has."""
    found = list(axes[0]) if axes else []
    for axis in axes[1:]:
        if axis == axes[0]:
            continue
        texts = {token.text.strip() for token in found}
        new = {token.word for token in axis if not token.special and token.text.strip() not in texts}
        after = max((token.word for token in found if token.word is not None), default=-1) + 1
        for token in axis:
            fresh = token.word in new if not token.special else token.text.strip() not in texts
            if fresh and len(found) < pooled_maps.MOST:
                found.append(token if token.word is None else replace(token, word=after + token.word))
    return tuple(found)


def target_box(shown: Panels, sources: list[Source | None]) -> None:
    """The box for the decoder's sentence, where a panel shows what the decoder does with the page's sentence."""
    for panel, here in zip(shown.panels, sources, strict=True):
        if here and panel.kind != "encoder" and "cross" in here.loaded.kinds and not (panel.sentence or panel.target):
            spoken = here.recording.query_tokens("decoder")
            own = "".join(token.text for token in spoken if not token.special).strip()
            inputs.target_box("" if inputs.target() else own)
            return
    inputs.hold("target")


# What is drawn ------------------------------------------------------------------------------------------------------


def draw(
    place: DeltaGenerator,
    page: Page,
    shown: Panels,
    sources: list[Source | None],
    wholes: list[AttentionMap | None],
    cards: list[Card],
    switches: Switches,
) -> tuple[str, int]:
    """Draws everything; returns the name of what is shown and how many figures that are, 0 where no panel has one."""
    difference = compared(shown, cards)
    keys = [here and here.loaded.key for here in sources]
    run = run_name(
        shown.text, page.sentence, page.target, keys, astuple(switches), [card.error for card in cards], language(),
        theme(),
    )  # fmt: skip
    any_map = any(card.map for card in cards)
    if not any_map:
        for error in dict.fromkeys(card.error for card in cards):
            place.error(errors.as_markdown(error), icon=":material/error:")
    with place:
        if any_map:
            with st.container(key="take_corner"):
                take_along(partial(picture, page, cards, difference, switches), name="attnviz-compare")
        panel_cards(
            shown,
            cards,
            difference,
            run=run,
            key="cards",
            edit=st.session_state.get(_EDIT, 0),
            summary=summary(wholes, cards, switches),
            scale=switches.scale,
            page={
                "sentence": page.sentence,
                "target": page.target or "",
                "model": inputs.model_label(page.model),
            },
            models=[model for model in inputs.used_models() if model != page.model],
            on_edit=edit,
        )
        if not any_map:
            return run, 0
        figures = 1
        if cards[shown.chosen].map:
            figures += draw_alike(shown, sources, page, switches, run)
        table(shown, cards, difference)
        return run, figures


def compared(shown: Panels, cards: list[Card]) -> Compared:
    """The difference of the two panels that are compared."""
    first, second = (cards[place].map for place in shown.compared)
    if first is None or second is None:
        letters = [LETTERS[place] for place in shown.compared if cards[place].map is None]
        return Compared(error=_("There is nothing to compare with: no map in {0}.").format(", ".join(letters)))
    try:
        found = head_measures.difference(first, second)
    except AttnvizError as error:
        return Compared(error=str(error))
    return Compared(found, by_words=found.a is not first)


def summary(wholes: list[AttentionMap | None], cards: list[Card], switches: Switches) -> str:
    """What is shown, in a line."""
    maps = [card.map for card in cards if card.map]
    if not maps:
        return ""
    parts = [
        _("each panel on its own colour scale") if switches.per_head else _("one colour scale for all"),
    ]
    if any(_long(map) for map in maps):
        parts.append(_("neighbours taken together, words and special tokens as they come"))
    whole = next((map for map in wholes if map and not _long(map)), None)
    if whole:
        parts += switches.says(whole, maps)
    count = ngettext("{0} panel", "{0} panels", len(cards)).format(len(cards))
    return "; ".join([f"{count}, {parts[0]}", *parts[1:]])


def draw_alike(shown: Panels, sources: list[Source | None], page: Page, switches: Switches, run: str) -> int:
    """Draws the heads like that of the chosen panel; returns how many figures that are."""
    panel, here = shown.panels[shown.chosen], sources[shown.chosen]
    if here is None or panel.kind not in here.recording.kinds:
        return 0
    layers, heads, queries, keys = here.recording.size(panel.kind)
    if not here.is_likeness_quick(panel.kind):
        st.caption(_("Placing {0} heads by what they do with {1} tokens takes a while.").format(layers * heads, keys))
        if not st.button(_("Place all heads"), key="place_heads", icon=":material/scatter_plot:"):
            return 0
    # As the maps are shown, so that its numbers are those of the difference; nothing is hidden of long texts.
    leaves = replace(switches, per_head=False)
    whole = leaves == display_options.Switches() or pooled_maps.is_long(here.recording, panel.kind)
    known = here.likeness(panel.kind, None if whole else leaves)
    single = isinstance(panel.layer, int) and isinstance(panel.head, int)
    title = _("Heads like {0}: {1}").format(LETTERS[shown.chosen], f"L{panel.layer} H{panel.head}")
    said = _("By Jensen–Shannon divergence, for “{0}”.").format(_short(panel.sentence or page.sentence))
    if not single:
        title = _("All heads")
        said = _("Panel {0} shows several heads together; choose one with a single head to see those like it.").format(
            LETTERS[shown.chosen]
        )
    similar_heads.heads_alike(
        known,
        (panel.layer, panel.head) if single else None,
        letters(shown, sources, here, panel.kind),
        run=run,
        key="alike",
        title=title,
        note=said,
        on_put=put,
    )
    return 1


def letters(shown: Panels, sources: list[Source | None], here: Source, kind: str) -> dict[tuple[int, int], str]:
    """The panels that show a head of this recording: (layer, head) and their letters."""
    found: dict[tuple[int, int], str] = {}
    for panel, its, letter in zip(shown.panels, sources, LETTERS, strict=False):
        if its and (its.loaded.key, its.text) == (here.loaded.key, here.text) and panel.kind == kind:
            place = (panel.layer, panel.head)
            found[place] = found.get(place, "") + letter
    return found


def table(shown: Panels, cards: list[Card], difference: Compared) -> None:
    """The numbers of all pictures; made when somebody looks."""
    expander = st.expander(_("Numbers"), key="numbers", on_change="rerun")
    if not expander.open:
        return
    with expander:
        for letter, card in zip(LETTERS, cards, strict=False):
            if card.map:
                st.caption(errors.as_markdown(f"{letter}: {card.panel.kind} {card.map.name}"))
                numbers(card.map)
        if difference.difference:
            first, second = (LETTERS[place] for place in shown.compared)
            st.caption(errors.as_markdown(f"{first} − {second}"))
            map = difference.difference.a
            numbers(replace(map, weights=difference.difference.weights, hidden_mass=np.zeros_like(map.hidden_mass)))


def picture(page: Page, cards: list[Card], difference: Compared, switches: Switches) -> Picture:
    """What the panels show, for an export."""
    shown: list[AttentionMap | Difference] = [card.map for card in cards if card.map]
    if difference.difference:
        shown.append(difference.difference)
    settings = {"sentence": page.sentence, "model": page.model, "panels": st.session_state[KEY]}
    if page.target:
        settings["target"] = page.target
    return Picture(
        tuple(shown),
        columns=min(COLUMNS, len(shown)),
        scale=switches.scale,
        theme=theme(),
        settings=settings | switches.settings(),
    )


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]}…"


through_router()
main()
