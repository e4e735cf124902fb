"""Loads what the panels show: for each its model, its recording and its map, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from attnviz.attention import pooled_maps
from attnviz.errors import AttnvizError, EmptyError, InputError
from attnviz.serving.limits import limits
from attnviz.serving.requests import note_error
from attnviz.ui.components.heads.role_wording import role_notes
from attnviz.ui.controls import inputs, url_state
from attnviz.ui.controls.page_header import Text
from attnviz.ui.screens.compare import panels, similar_heads
from attnviz.ui.screens.compare.panel_cards import Card
from attnviz.ui.screens.compare.panels import LETTERS, Panel, Panels
from attnviz.ui.shell import model_names, models
from attnviz.ui.shell.errors import error_text
from attnviz.ui.shell.messages import _
from attnviz.ui.shell.role_tables import role_table

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from attnviz.attention.attention_map import AttentionMap
    from attnviz.models.model import Model
    from attnviz.models.recording.recording import Recording
    from attnviz.tokenization.token import Token
    from attnviz.ui.controls.display_options import Switches


@dataclass(frozen=True)
class PageDefaults:
    """The sentence, target, second sentence and model of panels that have none of their own."""

    sentence: str
    target: str | None
    pair: str | None
    model: str
    progress: DeltaGenerator  # for a loading model's progress
    # The models that refused this sentence, and why.
    refused: list[tuple[Model, AttnvizError]] = field(default_factory=list, compare=False)


class Source(NamedTuple):
    """What a panel looks at."""

    loaded: models.Loaded
    recording: Recording
    text: Text  # what was recorded

    def head_distances(self, kind: str, switches: Switches | None = None) -> similar_heads.HeadDistances:
        """How alike the recording's heads are, computed once; see `head_distances`."""
        key = ("likeness", *self.text, kind, switches)
        return self.loaded.cache.get(key, lambda: similar_heads.head_distances(self.recording, kind, switches))

    def is_distance_quick(self, kind: str) -> bool:
        """Whether `head_distances` takes no time worth asking about, or was computed before."""
        return ("likeness", *self.text, kind, None) in self.loaded.cache or similar_heads.is_quick(self.recording, kind)


# What they look at --------------------------------------------------------------------------------------------------


def load_source(panel: Panel, page: PageDefaults, in_use: set[str]) -> Source:
    """The model and the recording of a panel, and this kind of attention computed; `in_use` are the models so far."""
    name = panel_model(panel, page)
    if name not in in_use and len(in_use) >= limits().models_loaded:
        raise InputError(
            _(
                "At most {0} models are compared at a time, and this one would be one more. Choose one of those that "
                "the other panels have."
            ).format(limits().models_loaded)
        )
    in_use.add(name)
    loaded = load_model(name, page)
    sentence = panel.sentence or page.sentence
    if not sentence.strip():
        raise EmptyError(_("Type a sentence above, or pick one of the examples."))
    text = Text(
        sentence,
        panel_target(panel, page) if "cross" in loaded.kinds else None,
        page.pair if loaded.reads_pairs and not panel.sentence else None,
    )
    try:
        recording = loaded.record(*text)
        if panel.kind in loaded.kinds:
            recording.size(panel.kind)
    except AttnvizError as error:
        if not panel.sentence:
            page.refused.append((loaded.model, error))
        raise
    return Source(loaded, recording, text)


def load_model(name: str, page: PageDefaults) -> models.Loaded:
    """A model by its name, perhaps with a revision."""
    model, revision = model_names.model_and_revision(name)
    try:
        loaded = models.load(model, page.progress, revision=revision)
    except AttnvizError:
        inputs.note_loading(name, False)
        raise
    inputs.note_loading(name, True)
    return loaded


def panel_model(panel: Panel, page: PageDefaults) -> str:
    """The model of a panel: its own, or the page's where it names none."""
    name = panel.model.strip() or page.model
    alias = ("", model_names.BUNDLED, model_names.model_label(model_names.BUNDLED).casefold())
    return model_names.BUNDLED if name.casefold() in alias else name


def panel_target(panel: Panel, page: PageDefaults) -> str | None:
    """The panel's own target, else the page's, which belongs to the page's sentence; None for the model's own."""
    return panel.target or (None if panel.sentence else page.target)


def resolve_panels(
    requested: Panels, page: PageDefaults, say: url_state.Say
) -> tuple[Panels, list[Source | None], list[AttentionMap | None], list[Card]]:
    """The panels as they can be shown, and of each its source, its map before the switches, and the card with it."""
    resolved: list[Panel] = []
    sources: list[Source | None] = []
    full_maps: list[AttentionMap | None] = []
    cards: list[Card] = []
    letters_by_remark: dict[str, list[str]] = {}  # remarks, with the letters of the panels that they are about
    in_use: set[str] = set()
    for letter, panel in zip(LETTERS, requested.panels, strict=False):
        kinds: tuple[str, ...] = (panel.kind,)
        size, source, full_map, error, role = None, None, None, "", ""
        numbers: tuple[int, ...] = ()
        try:
            source = load_source(panel, page, in_use)
            kinds = source.loaded.kinds
            panel, remarks = panels.fit_kind(panel, kinds, model_names.model_label(panel_model(panel, page)))
            size = source.recording.size(panel.kind)[:2]
            numbers = tuple(inputs.layer_numbers(source.recording, panel.kind))
            panel, more = panels.fit_range(panel, *size)
            for remark in (*remarks, *more):
                letters_by_remark.setdefault(remark, []).append(letter)
            full_map = panels.panel_map(source.recording, panel)
            role = panel_role(source, panel)
        except AttnvizError as problem:
            note_error(problem)
            error = error_text(problem)
        resolved.append(panel)
        sources.append(source)
        full_maps.append(full_map)
        cards.append(Card(panel, kinds, size, full_map, error, panel_note(panel), "cross" in kinds, numbers, role))
    for remark, letters in letters_by_remark.items():
        say(f"{', '.join(letters)}: {remark}")
    return replace(requested, panels=tuple(resolved)), sources, full_maps, cards


def panel_role(source: Source, panel: Panel) -> str:
    """What a panel's head was measured to do; empty where its model was not measured, or it shows several heads."""
    if not isinstance(panel.layer, int) or not isinstance(panel.head, int):
        return ""
    words = role_notes(role_table(source.loaded), panel.kind).get((panel.layer, panel.head))
    return words.deed if words else ""


def panel_note(panel: Panel) -> str:
    """The panel's own sentence, target and model, in a line; empty where it has the page's."""
    model = [model_names.model_label(panel.model)] if panel.model else []
    texts = [f"“{text}”" for text in (panel.sentence, panel.target) if text]
    return " · ".join([" → ".join(texts)] * bool(texts) + model)


def apply_switches(card: Card, source: Source | None, switches: Switches) -> Card:
    """The card with its map as the switches have it."""
    if card.map is None or source is None:
        return card
    if is_long(card.map) and not switches.leaves_all:
        map = panels.panel_map(source.recording, card.panel, switches)
    else:
        map = switches.apply(card.map)
    if map.weights.size:
        return replace(card, map=map)
    return replace(card, map=None, error=_("All of its tokens are hidden. Show some of them again."))


def switch_tokens(
    shown: Panels, sources: list[Source | None], full_maps: list[AttentionMap | None]
) -> tuple[tuple[Token, ...], tuple[Token, ...]]:
    """Query and key tokens for the switches: those of the first panel, and words that only other panels have."""
    axes = [
        (source.recording.query_tokens(panel.kind), source.recording.key_tokens(panel.kind))
        for panel, source, map in zip(shown.panels, sources, full_maps, strict=True)
        if source and map
    ]
    return _merge_tokens([queries for queries, _keys in axes]), _merge_tokens([keys for _queries, keys in axes])


def is_long(map: AttentionMap) -> bool:
    """Whether a map's queries or keys are groups of a long text's tokens."""
    return any(pooled_maps.is_pooled(side) for side in (map.query_tokens, map.key_tokens))


def _merge_tokens(axes: list[tuple[Token, ...]]) -> tuple[Token, ...]:
    """The tokens of the first axis, and of each other one the words whose text none before it has."""
    merged = list(axes[0]) if axes else []
    for axis in axes[1:]:
        if axis == axes[0]:
            continue
        texts = {token.text.strip() for token in merged}
        new = {token.word for token in axis if not token.special and token.text.strip() not in texts}
        after = max((token.word for token in merged if token.word is not None), default=-1) + 1
        for token in axis:
            fresh = token.word in new if not token.special else token.text.strip() not in texts
            if fresh and len(merged) < pooled_maps.MOST:
                merged.append(token if token.word is None else replace(token, word=after + token.word))
    return tuple(merged)


def letters_by_head(
    shown: Panels, sources: list[Source | None], source: Source, kind: str
) -> dict[tuple[int | str, int | str], str]:
    """The panels that show a head of this recording: (layer, head) and their letters."""
    letters: dict[tuple[int | str, int | str], str] = {}
    for panel, panel_source, letter in zip(shown.panels, sources, LETTERS, strict=False):
        if (
            panel_source
            and (panel_source.loaded.key, panel_source.text) == (source.loaded.key, source.text)
            and panel.kind == kind
        ):
            layer_and_head = (panel.layer, panel.head)
            letters[layer_and_head] = letters.get(layer_and_head, "") + letter
    return letters
