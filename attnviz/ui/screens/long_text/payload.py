"""What the map and the text get: regions, passages with their numbers, links."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from attnviz.tokenization.passages import Passage, passages, text_of
from attnviz.ui.screens.long_text import wording
from attnviz.ui.screens.long_text.address import Region
from attnviz.ui.screens.long_text.regions import Shown, packed, read_passage, read_region, received, region_data

if TYPE_CHECKING:
    from attnviz.attention.links import Link
    from attnviz.models.recording.recording import Recording
    from attnviz.tokenization.token import Token
    from attnviz.ui.shell.models import Loaded

MOST_LINKS = 12
AROUND = 6  # tokens on either side of a link's end, as far as its sentence goes
_LOOKING: set[Hashable] = set()  # heads whose links are being computed


@dataclass(eq=False)
class HeadMap:
    """One head of a recording, with the passages of its text; what is computed stays in the model's cache.

    Attributes:
        loaded, recording: of the model.
        text: what was typed.
        target: what was typed for the decoder, if anything was.
        kind, layer, head: which map.
        way: the colours' scale: "lift", "share" or "root".
        key: of the text, for the cache.
    """

    loaded: Loaded
    recording: Recording
    text: str
    target: str | None
    kind: str
    layer: int
    head: int
    way: str
    key: Hashable

    @property
    def reduce(self) -> str:
        """What the engine calls the numbers of the scale."""
        return "lift" if self.way == "lift" else "share"

    @property
    def counts(self) -> tuple[int, int]:
        """Queries and keys."""
        return self.recording.size(self.kind)[2:]

    @property
    def whole(self) -> Region:
        """All of it."""
        queries, keys = self.counts
        return Region(0, queries, 0, keys)

    @cached_property
    def key_passages(self) -> tuple[Passage, ...]:
        """The passages of the columns."""
        return self._passages("keys")

    @cached_property
    def query_passages(self) -> tuple[Passage, ...]:
        """The passages of the rows."""
        return self.key_passages if self.kind != "cross" else self._passages("queries")

    def _passages(self, side: str) -> tuple[Passage, ...]:
        is_target = self.kind == "decoder" and "cross" in self.recording.kinds or side == "queries"
        tokens = self.recording.query_tokens(self.kind) if side == "queries" else self.recording.key_tokens(self.kind)

        def divide() -> tuple[Passage, ...]:
            text = self.target if is_target else self.text
            last = max((token.end or 0 for token in tokens if not token.special), default=0)
            if text is None or len(text) < last or any(token.generated for token in tokens):
                text = text_of(tokens)
            return passages(text, tokens)

        return self.loaded.cache.get(("passages", self.key, self.kind, side), divide)

    def region(self, region: Region) -> Shown:
        """The numbers of a region."""
        compute = partial(read_region, self.recording, self.kind, self.layer, self.head, region, self.reduce)
        return self.loaded.cache.get(("region", *self._name, self.reduce, region), compute)

    def region_data(self, region: Region) -> dict[str, Any]:
        """The same for the browser."""
        tokens = self.recording.query_tokens(self.kind), self.recording.key_tokens(self.kind)
        return self.loaded.cache.get(
            ("region data", *self._name, self.reduce, region), lambda: region_data(self.region(region), *tokens)
        )

    def passage_colours(self, passage: int | None, *, is_received: bool) -> dict[str, Any]:
        """A number for each passage: what one looks at, or what looks at it; None: how much each is looked at.

        Beside `passage`, `received` and what they say in words (`says`), `lifts`, where 1 is an even spread, and, for
        a passage, `shares`; both packed.
        """
        chosen_from = self.key_passages if is_received else self.query_passages
        says = wording.passage_says(chosen_from, passage, received=is_received)
        data: dict[str, Any] = {"passage": passage, "received": is_received, "says": says}
        if passage is None:
            shown = (
                read_region(self.recording, self.kind, self.layer, self.head, self.whole, "lift")
                if self.reduce != "lift"
                else self.region(self.whole)
            )
            return data | {"lifts": packed(received(shown, self.key_passages))}
        others = self.query_passages if is_received else self.key_passages
        shares, lifts = self.loaded.cache.get(
            ("passage", *self._name, passage, is_received),
            lambda: read_passage(
                self.recording, self.kind, self.layer, self.head, chosen_from[passage], others, received=is_received
            ),
        )
        return data | {"lifts": packed(lifts), "shares": packed(shares)}

    def links(self) -> tuple[Link, ...]:
        """The strongest weights away from where nearly every head looks."""
        return self.loaded.cache.get(
            ("links", *self._name), lambda: self.recording.links(self.kind, self.layer, self.head, MOST_LINKS)
        )

    def links_in_background(self) -> tuple[Link, ...] | None:
        """The same, once they are computed; begins to compute them where nobody has."""
        if self.has_links:
            return self.links()
        if self._name not in _LOOKING:
            _LOOKING.add(self._name)
            threading.Thread(target=self._look, name="attnviz-links", daemon=True).start()
        return None

    def _look(self) -> None:
        try:
            self.links()
        finally:
            _LOOKING.discard(self._name)

    @property
    def has_links(self) -> bool:
        """Whether they are computed."""
        return ("links", *self._name) in self.loaded.cache

    @property
    def _name(self) -> tuple[Hashable, ...]:
        return self.key, self.kind, self.layer, self.head


def link_rows(head: HeadMap, links: Sequence[Link]) -> list[dict[str, Any]]:
    """Each link with the words around both of its ends."""
    rows = []
    for link in links:
        ends = []
        for passages_of, tokens, at in (
            (head.query_passages, head.recording.query_tokens(head.kind), link.query),
            (head.key_passages, head.recording.key_tokens(head.kind), link.key),
        ):
            passage = wording.passage_at(passages_of, at)
            word = _whole_words(tokens, at, at + 1)
            first, stop = _whole_words(tokens, max(passage.start, at - AROUND), min(passage.stop, at + AROUND + 1))
            before, middle, after = (
                "".join(token.text for token in part)
                for part in (tokens[first : word[0]], tokens[slice(*word)], tokens[word[1] : stop])
            )
            ends.append({"before": before.lstrip(), "token": middle, "after": after.rstrip(), "position": at})
        rows.append({"weight": wording.percent(link.weight), "query": ends[0], "key": ends[1]})
    return rows


def _whole_words(tokens: Sequence[Token], start: int, stop: int) -> tuple[int, int]:
    """The range of tokens, as far as their words go: no reader wants half of one."""
    while start > 0 and tokens[start].word is not None and tokens[start - 1].word == tokens[start].word:
        start -= 1
    while stop < len(tokens) and tokens[stop].word is not None and tokens[stop - 1].word == tokens[stop].word:
        stop += 1
    return start, stop
