"""A written text as steps: what each token was chosen from, and what its prediction looked at.

    Writer or fill ─ Steps ─ .map(kind, layer, head)      rows are steps
                        └── .distribution(position), .shaped_distribution(position)

Whose row is it? In a decoder, position t reads token t and predicts token t + 1. A row of these maps therefore belongs
to the token that it predicts: it is labelled "cat → sits" where "cat" was read and "sits" predicted. In a masked model
the gap itself is the query: "[MASK] → sits".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from attnviz.attention.attention_map import AttentionMap
from attnviz.errors import InputError
from attnviz.generation.fill_mask import Filled
from attnviz.generation.result import Written
from attnviz.generation.sampling import Distribution, Method, Shaped
from attnviz.generation.writer import Task, Writer
from attnviz.models.recording.recording import Recording
from attnviz.tokenization import tokenizer as tokenization
from attnviz.tokenization.token import Token, labels


class Steps:
    """The steps of one written text.

    Attributes:
        task: "translate", "continue" or "fill".
        written: the text, with how it ended.
        method: how it was chosen.
        recording: of the whole text; where gaps were filled, of the pass that predicted the last of them.
        tokens: what the steps predict, in the order of writing.
        before: what stands before them: the source that a decoder continues, the start token of a translation, or the
            masked text.
        positions: of the gaps in the masked text; empty where nothing was masked.
    """

    def __init__(self, task: Task, written: Written, method: Method) -> None:
        self.task = task
        self.written = written
        self.method = method
        self.positions: tuple[int, ...] = ()
        self.tokens: tuple[Token, ...] = ()
        self.before: tuple[Token, ...] = ()
        self._recordings: tuple[Recording, ...] = ()
        self._rows: tuple[int, ...] = ()
        self._writer: Writer | None = None
        self._tokenizer: object = None

    @classmethod
    def of_text(cls, writer: Writer, written: Written, method: Method, recording: Recording) -> Steps:
        """The steps of what a writer wrote; `recording` is `writer.record(written.ids)`."""
        steps = cls("translate" if writer.pair else "continue", written, method)
        before = writer.start if writer.pair else writer.source
        every = tokenization.from_ids(writer.model.tokenizer, [*before, *written.ids])
        steps.before, steps.tokens = every[: len(before)], every[len(before) :]
        steps._recordings = (recording,) * len(written.ids)
        steps._rows = tuple(range(writer.first_row, writer.first_row + len(written.ids)))
        steps._writer, steps._tokenizer = writer, writer.model.tokenizer
        return steps

    @classmethod
    def of_gaps(cls, filled: Filled, method: Method, tokenizer: object) -> Steps:
        """The steps of filled gaps."""
        steps = cls("fill", filled.written, method)
        steps.before = filled.recordings[0].query_tokens("encoder")
        ids = [token.id for token in steps.before]
        for position, index in zip(filled.positions, filled.written.ids, strict=True):
            ids[position] = index
        filled_tokens = tokenization.from_ids(tokenizer, ids)
        steps.tokens = tuple(filled_tokens[position] for position in filled.positions)
        steps.positions = steps._rows = filled.positions
        steps._recordings, steps._tokenizer = filled.recordings, tokenizer
        return steps

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def recording(self) -> Recording:
        """Of the whole text, or of the pass that predicted the last gap."""
        return self._recordings[-1]

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of attention of the model."""
        return self.recording.kinds

    @property
    def own(self) -> str:
        """The kind whose queries are the steps and whose keys are the text itself."""
        return "encoder" if self.task == "fill" else "decoder"

    def distribution(self, position: int) -> Distribution:
        """The model's prediction for the token at a position: from the very pass whose attention is shown."""
        logits = self._recordings[position].logits
        assert logits is not None  # only models with a language head get here
        return Distribution(logits[self._rows[position]])

    def constrained_distribution(self, position: int) -> Distribution:
        """The prediction after the checkpoint's own rules, such as a penalty for repetition."""
        distribution = self.distribution(position)
        return (
            distribution if self._writer is None else self._writer.constrain(self.written.ids[:position], distribution)
        )

    def shaped_distribution(self, position: int) -> Shaped:
        """The prediction as the method (its temperature, its top-k or top-p) reshapes it."""
        return self.method.shape(self.constrained_distribution(position))

    def survivors(self, position: int) -> frozenset[int]:
        """The tokens at a position with which the beam went on; before it began, the one token that was given."""
        prefix_length, ids = self.written.prefix_length, self.written.ids
        if position < prefix_length:
            return frozenset((ids[position],))
        looked = self.written.beams[position - prefix_length]
        return frozenset(
            one.ids[-1] for one in looked if one.state != "dropped" and one.ids[:-1] == ids[prefix_length:position]
        )

    def text(self, ids: Sequence[int]) -> str:
        """What written tokens stand for, in one line."""
        return "".join(token.text for token in tokenization.from_ids(self._tokenizer, ids)).strip()

    @cached_property
    def row_labels(self) -> tuple[str, ...]:
        """ "read → predicted" for each step."""
        if self.task == "fill":
            read: Sequence[Token] = [self.before[position] for position in self.positions]
        else:
            read = [*self.before[-1:], *self.tokens[:-1]]
        pairs = zip(labels(read), labels(self.tokens), strict=True)
        return tuple(f"{_plain(one)} → {_plain(other)}" for one, other in pairs)

    def map(self, kind: str, layer: int, head: int | None = None) -> AttentionMap:
        """The attention of the steps, or of the source to itself.

        Args:
            kind: "cross" has the source as keys, a decoder's own attention what is written, a masked model's the
                text. "encoder" of an encoder–decoder has no steps: its queries are the source's tokens.
            layer, head: from 0; the mean over the layer's heads where head is None.

        Returns:
            A row for each step, labelled "read → predicted"; so rows are never joined to words or hidden, only keys.
        """
        if kind not in self.kinds:
            raise InputError("{0} has {1} attention, not {2!r}.", self.recording.model, " and ".join(self.kinds), kind)
        recording = self.recording
        if self.task == "translate" and kind == "encoder":
            weights, hidden = self._amounts(recording, kind, layer, head)
            return self._build_map(weights, hidden, recording.query_tokens(kind), kind, layer, head)
        if self.task == "fill":
            passes = [self._amounts(item, kind, layer, head) for item in self._recordings]
            weights = np.stack([one[row] for (one, _), row in zip(passes, self._rows, strict=True)])
            hidden = np.stack([one[row] for (_, one), row in zip(passes, self._rows, strict=True)])
        else:
            weights, hidden = (values[list(self._rows)] for values in self._amounts(recording, kind, layer, head))
        steps = tuple(
            Token(index, label, False, step, None, None)
            for step, (index, label) in enumerate(zip(self.written.ids, self.row_labels, strict=True))
        )
        return self._build_map(weights, hidden, steps, kind, layer, head)

    def visible_keys(self, kind: str) -> AttentionMap:
        """As `map`, with 1 for each key that a step could look at, whether it did or not."""
        map = self.map(kind, 0, 0)
        if kind != "decoder":
            return dataclasses.replace(map, weights=np.ones_like(map.weights))
        rows = np.array(self._rows)[:, None]
        return dataclasses.replace(map, weights=(np.arange(map.weights.shape[1]) <= rows).astype(np.float32))

    def _amounts(self, recording: Recording, kind: str, layer: int, head: int | None) -> tuple[np.ndarray, np.ndarray]:
        """(query, key) weights and the (query,) shares that are hidden; the mean of both where head is None."""
        if head is not None:
            return recording.map(kind, layer=layer, head=head).amounts()
        maps = recording.maps(kind, layer=layer)
        return np.mean([map.weights for map in maps], axis=0), np.mean([map.hidden_mass for map in maps], axis=0)

    def _build_map(
        self,
        weights: np.ndarray,
        hidden: np.ndarray,
        queries: tuple[Token, ...],
        kind: str,
        layer: int,
        head: int | None,
    ) -> AttentionMap:
        recording = self.recording
        return AttentionMap.of(
            weights,
            queries,
            self.before if self.task == "fill" else recording.key_tokens(kind),
            hidden_mass=hidden,
            kind=kind,
            layer=layer,
            head=head,
            aggregate="mean" if head is None else "",
            model=recording.model,
            number=recording.layer_number(kind, layer),
        )


def _plain(label: str) -> str:
    """A label without the number that tells it from others like it: here its place does."""
    return label.rstrip("₀₁₂₃₄₅₆₇₈₉") or label
