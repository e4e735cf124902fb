"""What is shown of the steps' attention: which place of it, and the switches that change its maps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from attnviz.ui.controls.display_options import Switches

if TYPE_CHECKING:
    from attnviz.attention.attention_map import AttentionMap
    from attnviz.figures.heads import Scale
    from attnviz.generation.steps import Steps


@dataclass(frozen=True)
class AttentionView:
    """What is shown of the steps.

    Attributes:
        kind: the place of attention whose map of all steps is shown.
        layer, head: from 0; the mean over the heads where head is None.
        by_word: words instead of tokens, as keys.
        hide: whether special tokens are left out, as keys; a gap stays.
        hide_first: whether the first position is left out, as a key.
        even_colours: whether the colours of a long text go by the weight itself, not by its square root.
    """

    kind: str
    layer: int
    head: int | None
    by_word: bool = False
    hide: bool = False
    hide_first: bool = False
    even_colours: bool = False

    def scale(self, map: AttentionMap) -> Scale:
        """The colours of a map as they are shown."""
        return Switches(even_colours=self.even_colours).scale_of(map)

    def with_first(self) -> AttentionView:
        """The same with the first position."""
        return replace(self, hide_first=False)

    def map(self, steps: Steps, kind: str) -> AttentionMap:
        """The weights of one kind as they are shown."""
        return self._select_keys(steps, steps.map(kind, min(self.layer, steps.recording.size(kind)[0] - 1), self.head))

    def visible_counts(self, steps: Steps, kind: str) -> list[int]:
        """How many of the shown keys each step could look at."""
        return (self._select_keys(steps, steps.visible_keys(kind)).weights > 0).sum(axis=1).tolist()

    def _select_keys(self, steps: Steps, map: AttentionMap) -> AttentionMap:
        gap = steps.before[steps.positions[0]].id if steps.positions else None
        if self.hide:
            map = map.hide(lambda token: token.special and token.id != gap)
        if self.by_word:
            map = map.by_word()
        return map.without_first_key() if self.hide_first else map
