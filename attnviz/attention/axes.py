"""Which positions of a map are shown, which are taken together, and the map that this gives at any length of text.

    tokens ─ words ─ left out ─ averaged, or in groups of neighbours ─ Axis ─┐
    a head's weights, block by block ─────────────────────────────────────────┴─ what is shown and hidden of each row

A long text's map is never there as a whole: each block of rows is added up by the groups of its keys, and these sums by
the groups of its queries. The result is that of `AttentionMap.by_word`, `hide`, `average_queries` and
`pooled_maps.pool`, one after the other.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from attnviz.attention import dot_product
from attnviz.attention.attention_map import join_tokens
from attnviz.attention.cells import Cells
from attnviz.attention.pooled_maps import groups, pool_tokens
from attnviz.attention.streaming import Head, HeadRows, HeadVectors, exact
from attnviz.attention.workers import in_parallel
from attnviz.tokenization.token import Token, labels, word_groups, words

LEFT_OUT = -1


@dataclass(frozen=True, slots=True, eq=False)
class Axis:
    """What becomes of the positions of an axis.

    Attributes:
        tokens: what is shown of it: tokens, words, or groups of neighbours.
        group: int64 (positions,), which of `tokens` a position belongs to; `LEFT_OUT` for none.
        share: float64 (positions,), what part of its group's mean a position makes up; 0 where it is left out.
    """

    tokens: tuple[Token, ...]
    group: np.ndarray
    share: np.ndarray

    @classmethod
    def of(
        cls,
        tokens: tuple[Token, ...],
        size: int,
        *,
        by_word: bool = False,
        left_out: Collection[int] = (),
        averaged: Collection[int] = (),
    ) -> Axis:
        """The axis of these tokens with at most `size` entries.

        Args:
            tokens: of the text.
            size: most entries, 1 or more; neighbours are taken together where there are more.
            by_word: words in place of tokens. The two that follow count words then.
            left_out: which are not shown.
            averaged: which are shown, as one entry; those that are left out are not among them. Empty: all.

        >>> pieces = (Token(7, "un", False, 0, 0, 2), Token(9, "seen", False, 0, 2, 6), Token(8, "it", False, 1, 7, 9))
        >>> axis = Axis.of(pieces, 9, by_word=True, left_out={1})
        >>> [token.text for token in axis.tokens], axis.group.tolist(), axis.share.tolist()
        (['unseen'], [0, 0, -1], [0.5, 0.5, 0.0])
        """
        units = word_groups(tokens) if by_word else tuple((position,) for position in range(len(tokens)))
        named = words(tokens) if by_word else tokens
        shown = [unit for unit in range(len(units)) if unit not in set(left_out)]
        chosen = sorted(set(averaged) & set(shown))
        entries: tuple[Token, ...]
        if chosen:
            every = labels(named)
            shown, together = chosen, np.zeros(len(chosen), dtype=np.int64)
            entries = (join_tokens([named[unit] for unit in chosen], [every[unit] for unit in chosen]),)
        else:
            together = groups(len(shown), size)
            entries = pool_tokens(tuple(named[unit] for unit in shown), size)
        sizes = np.bincount(together, minlength=1)
        group = np.full(len(tokens), LEFT_OUT, dtype=np.int64)
        share = np.zeros(len(tokens))
        for unit, entry in zip(shown, together.tolist(), strict=True):
            positions = list(units[unit])
            group[positions] = entry
            share[positions] = 1.0 / (len(positions) * sizes[entry])
        return cls(entries, group, share)


def shown_and_hidden(head: Head, rows: Axis, columns: Axis) -> tuple[Tensor, Tensor]:
    """What is shown and what is hidden of each row, exactly, in memory that does not grow with the map.

    Args:
        head: whose.
        rows, columns: the axes of its queries and keys.

    Returns:
        float32 (rows, columns), the sum over a column's keys and the mean over a row's queries, and (rows,); both on
        the CPU. A row of both adds up to 1.

    >>> weights = torch.tensor([[0.5, 0.25, 0.25], [0.0, 0.5, 0.5]])
    >>> head = HeadRows(lambda rows: weights[rows], 3, None, 1e-6)
    >>> pieces = tuple(Token(7, text, False, i, 2 * i, 2 * i + 1) for i, text in enumerate("abc"))
    >>> shown_and_hidden(head, Axis.of(pieces[:2], 1), Axis.of(pieces, 9, left_out={0}))
    (tensor([[0.3750, 0.3750]]), tensor([0.2500]))
    """
    device = head.query.device if isinstance(head, HeadVectors) else torch.device("cpu")
    rounding = head.rounding if isinstance(head, HeadRows) else dot_product.COMPUTED
    needed = np.flatnonzero(rows.share)
    count = len(columns.tokens)
    total = torch.zeros(len(rows.tokens), count + 1, dtype=exact(torch.device("cpu")))
    if needed.size:
        queries = Cells.of(int(needed[0]), int(needed[-1]) + 1, 1)
        keys = Cells.of(0, head.keys, head.keys)
        head.prepare(queries, keys, whole=True)
        group = np.where(columns.group == LEFT_OUT, count, columns.group)

        def read(block: slice) -> Tensor:
            return _by_group(head, block, keys, group, count + 1)

        blocks = (block for block in head.row_blocks(queries) if rows.share[block].any())
        for block, sums in in_parallel(read, blocks, device):
            # What a row lacks of 1 went to a sink, or to nothing that is given here.
            missing = dot_product.hidden_share(sums, rounding)
            sums[:, count] += missing
            index = torch.from_numpy(np.maximum(rows.group[block], 0))
            total.index_add_(0, index, sums * torch.from_numpy(rows.share[block])[:, None])
    return total[:, :count].float(), total[:, count].float()


def _by_group(head: Head, block: slice, keys: Cells, group: np.ndarray, count: int) -> Tensor:
    """float64 (rows, count): a block of rows, its keys added up by their groups."""
    sums = torch.zeros(block.stop - block.start, count, dtype=torch.float64)
    for first, weights in head.weights(block, keys):
        own = group[first : first + weights.shape[1]]
        # Neighbours of a group are added up where they lie; a group may have other keys between its own.
        starts = np.flatnonzero(np.diff(own, prepend=own[0] - 1))
        runs = np.add.reduceat(weights.cpu().numpy(), starts, axis=1)
        sums.index_add_(1, torch.from_numpy(own[starts]), torch.from_numpy(runs).double())
    return sums
