"""What the reader asks the page for, and the run that is changed so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from attnviz import aggregate
from attnviz.attention import pooled_maps
from attnviz.ui.screens.what_if.changes import Change, Head, interventions

if TYPE_CHECKING:
    from attnviz.attention.attention_map import AttentionMap
    from attnviz.interventions.ablation import To
    from attnviz.models.recording.recording import Recording
    from attnviz.ui.controls.display_options import Switches
    from attnviz.ui.controls.page_header import Text
    from attnviz.ui.shell.models import Loaded


@dataclass(frozen=True)
class Asked:
    """What is changed and what is shown of it.

    Attributes:
        kind, layer, head: of attention; no head: the mean of the layer's.
        switches: how maps are shown.
        kept: changes in the list.
        change: the one that is being set.
        off: heads that are switched off.
        stand_in: for their output.
        importance: whether all heads are measured.
    """

    kind: str
    layer: int
    head: int | None
    switches: Switches
    kept: tuple[Change, ...]
    change: Change
    off: tuple[Head, ...]
    stand_in: To
    importance: bool

    @property
    def changes(self) -> tuple[Change, ...]:
        """The kept ones and the one that is being set."""
        return (*self.kept, self.change)


def changed_run(loaded: Loaded, before: Recording, text: Text, asked: Asked) -> Recording:
    """The recording with the changes, on the tokens of the unchanged one; that one itself where nothing is changed."""
    others = {one.other for one in asked.changes if one.name == "pattern" and one.other.strip()}
    patterns = {other: loaded.record(other, None) for other in sorted(others)}
    made = interventions(asked.changes, asked.off, asked.stand_in, patterns)
    if not made:
        return before

    def record() -> Recording:
        return loaded.model.record_changed(before, made)

    after = loaded.cache.get(("recording", *text, made), record)
    _ = [after.size(kind) for kind in after.kinds]  # the decoder runs now, so that an error is told here
    return after


def shown_map(recording: Recording, asked: Asked) -> AttentionMap:
    """The head that is open, or the mean of the layer's heads."""
    if asked.head is not None:
        return asked.switches.maps(recording, asked.kind, asked.layer, asked.head)[0]
    if pooled_maps.is_long(recording, asked.kind):
        return aggregate.mean(asked.switches.maps(recording, asked.kind, asked.layer))
    return asked.switches.apply(aggregate.over_heads(recording, asked.kind, asked.layer))
