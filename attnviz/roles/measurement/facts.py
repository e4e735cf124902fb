"""What is true of the rows of a batch whatever a head does: which keys are special, which repeat, how many are seen.

Computed once for a block of rows and used for every layer and head.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from attnviz.roles.tables.catalogue import REACH
from attnviz.tokenization.token import Token, has_letters

SHARES = (
    "first token",
    "special tokens",
    "punctuation",
    "duplicate token",
    "natural induction",
)
"""The roles that ask what share of a row's attention some keys get."""
SPREADS = ("broad", "narrow")
POINTS = ("rare words",)
"""Roles that ask whether a row's greatest weight is on one key, beside the offsets."""
_NEVER_RARE = 1 << 40
COLUMNS = (*SHARES, *SPREADS, *POINTS)


@dataclass(frozen=True, slots=True)
class Axis:
    """The tokens of one side of a batch, as tensors.

    Attributes:
        ids: (texts, longest); -1 in the padding.
        special: (texts, longest) boolean.
        punctuation: (texts, longest) boolean: no special token, and not a letter or digit in it.
        real: (texts, longest) boolean: no padding.
        rarity: (texts, longest) how often the token occurs in the corpus; very often, for special tokens and padding.
    """

    ids: Tensor
    special: Tensor
    punctuation: Tensor
    real: Tensor
    rarity: Tensor

    @classmethod
    def of(
        cls,
        tokens: Sequence[Sequence[Token]],
        frequencies: Mapping[int, int],
        device: torch.device,
    ) -> Axis:
        """The tokens of each text."""
        longest = max(map(len, tokens))
        padding = (-1, False, False, False, _NEVER_RARE)
        rows = [[_about(token, frequencies) for token in row] + [padding] * (longest - len(row)) for row in tokens]
        columns = zip(*(entry for row in rows for entry in row), strict=True)
        shape = (len(tokens), longest)
        return cls(*(torch.tensor(column, device=device).reshape(shape) for column in columns))


def _about(token: Token, frequencies: Mapping[int, int]) -> tuple[int, bool, bool, bool, int]:
    """What `Axis` holds of one token."""
    if token.special:
        return token.id, True, False, True, _NEVER_RARE
    return token.id, False, _is_punctuation(token.text), True, frequencies.get(token.id, 0)


@functools.lru_cache(maxsize=1 << 16)
def _is_punctuation(text: str) -> bool:
    return bool(text.strip()) and not has_letters(text)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is true of a block of rows.

    Attributes:
        rows: which.
        counted: (texts, rows) boolean: the rows that count; no padding, no special token, and more than one key seen.
        keys: (texts, rows, keys, SHARES) float: 1 for the keys of each role, in the rows that count for it.
        rarest: (texts, rows) the key that is rarest in the corpus of those seen.
        possible: (texts, rows, offsets) boolean: there is a key at that offset, and it is seen.
        place: (rows,) where the rows are.
        logarithm: (texts, rows) of the number of keys seen.
        spread: (texts, rows) boolean: rows that count for "broad".
        number: (texts, COLUMNS) rows of each text that count for each role.
        even: (texts, COLUMNS) what attention spread evenly scores in them.
        offset_number, offset_even: (texts, offsets) the same for each offset.
    """

    rows: slice
    counted: Tensor
    keys: Tensor
    rarest: Tensor
    possible: Tensor
    place: Tensor
    logarithm: Tensor
    spread: Tensor
    number: Tensor
    even: Tensor
    offset_number: Tensor
    offset_even: Tensor

    @classmethod
    def of(cls, queries: Axis, keys: Axis, allowed: Tensor, rows: slice, *, related: bool) -> Facts:
        """The facts of some rows.

        Args:
            queries, keys: the tokens of both sides.
            allowed: (texts, rows, keys) boolean: which keys each row sees.
            rows: which.
            related: whether both sides are the same tokens; offsets and repeated tokens mean something only there.
        """
        device = allowed.device
        seen = allowed.sum(dim=-1)  # (texts, rows)
        counted = queries.real[:, rows] & ~queries.special[:, rows] & (seen > 1)
        inverse = 1.0 / seen.clamp(min=1)
        place = torch.arange(*rows.indices(queries.ids.shape[1]), device=device)
        column = torch.arange(allowed.shape[2], device=device)
        none = torch.zeros_like(allowed)
        again, behind = none, none
        if related:
            plain = ~keys.special[:, None]
            other = (column != place[:, None]) & allowed & plain
            same = (queries.ids[:, rows, None] == keys.ids[:, None]) & (column != place[:, None]) & plain
            again = same & allowed
            # The key behind a token like the row's own; the row itself is no answer to the row before it.
            behind = torch.nn.functional.pad(same[:, :, :-1], (1, 0)) & other
        groups = torch.stack(
            [
                (column == 0).expand_as(allowed) & allowed,
                keys.special[:, None] & allowed,
                keys.punctuation[:, None] & allowed,
                again,
                behind,
            ],
            dim=-1,
        )
        size = groups.sum(dim=2)  # (texts, rows, SHARES)
        counts = counted[:, :, None] & (size > 0) & (size < seen[:, :, None])
        keys_of_role = (groups & counts[:, :, None]).float()
        spread = counted & (seen > 2)
        logarithm = seen.clamp(min=2).float().log()
        half = (seen.clamp(min=2).float() / 2).log() / logarithm
        candidates = keys.rarity[:, None].expand_as(allowed).masked_fill(~allowed, 1 << 41)
        rare = candidates.amin(dim=-1)
        # Where several are as rare, none is the rarest; in a small corpus many tokens occur once.
        alone = (candidates == rare[..., None]).sum(dim=-1) == 1
        has_rare = counted & (rare < _NEVER_RARE) & alone
        number = torch.cat(
            [
                counts.sum(dim=1),
                spread.sum(dim=1)[:, None],
                counted.sum(dim=1)[:, None],
                has_rare.sum(dim=1)[:, None],
            ],
            dim=-1,
        )
        even = torch.cat(
            [
                (counts * size * inverse[:, :, None]).sum(dim=1),
                (spread * half).sum(dim=1)[:, None],
                (counted * inverse).sum(dim=1)[:, None],
                (has_rare * inverse).sum(dim=1)[:, None],
            ],
            dim=-1,
        )
        target = place[:, None] + torch.arange(-REACH, REACH + 1, device=device)  # (rows, offsets)
        inside = (target >= 0) & (target < allowed.shape[2]) & related
        possible = allowed.gather(2, target.clamp(0, allowed.shape[2] - 1).expand(len(allowed), *target.shape))
        possible = possible & inside & counted[:, :, None]
        return cls(
            rows=rows,
            counted=counted,
            keys=keys_of_role,
            rarest=torch.where(has_rare, candidates.argmin(dim=-1), -2),
            possible=possible,
            place=place,
            logarithm=logarithm,
            spread=spread,
            number=number,
            even=even,
            offset_number=possible.sum(dim=1),
            offset_even=(possible * inverse[:, :, None]).sum(dim=1),
        )


@dataclass(frozen=True, slots=True)
class Scores:
    """What every head scores in each text.

    Attributes:
        roles: (texts, heads, COLUMNS).
        offsets: (texts, heads, offsets) how many rows have their greatest weight there.
        greatest, where: (texts, heads, rows) of each row; `where` is -1 where no key has more than every other.
    """

    roles: Tensor
    offsets: Tensor
    greatest: Tensor
    where: Tensor


def score(weights: Tensor, facts: Facts) -> Scores:
    """Reads a block of rows.

    Args:
        weights: (texts, heads, rows, keys).
        facts: of the same rows.
    """
    texts, heads, rows, keys = weights.shape
    shares = weights.reshape(texts, heads, rows * keys) @ facts.keys.reshape(texts, rows * keys, -1)
    greatest, where = weights.max(dim=-1)  # (texts, heads, rows)
    tied = (weights >= greatest[..., None] * (1 - 1e-5)).sum(dim=-1) > 1
    where = where.masked_fill(tied, -1)
    entropy = -(weights * weights.clamp(min=1e-30).log()).sum(dim=-1)
    broad = (entropy / facts.logarithm[:, None] * facts.spread[:, None]).sum(dim=-1)
    narrow = (greatest * facts.counted[:, None]).sum(dim=-1)
    rare = (where == facts.rarest[:, None]).sum(dim=-1)
    roles = torch.cat([shares, torch.stack([broad, narrow, rare.to(broad.dtype)], dim=-1)], dim=-1)
    away = (where - facts.place).masked_fill(where < 0, keys + REACH + 1)
    steps = torch.arange(-REACH, REACH + 1, device=weights.device)
    hits = (away[..., None] == steps) & facts.possible[:, None]  # (texts, heads, rows, offsets)
    return Scores(roles, hits.sum(dim=2), greatest, where)


def role_weight(weights: Tensor, facts: Facts, role: str, offset: int) -> Tensor:
    """How much of each row's attention goes to the keys that a role asks for, in [0, 1].

    Args:
        weights: (texts, rows, keys) of one head.
        facts: of the same rows.
        role: one of `SHARES` or `POINTS`, or that of an offset.
        offset: in tokens, where the role is one of an offset.

    Returns:
        (texts, rows); 0 where a row has no such key.
    """
    if role in SHARES:
        return (weights * facts.keys[..., SHARES.index(role)]).sum(dim=-1)
    if role in POINTS:
        key, possible = facts.rarest, facts.rarest >= 0
    else:
        key, possible = (facts.place + offset).expand(weights.shape[:2]), facts.possible[..., offset + REACH]
    inside = key.clamp(0, weights.shape[-1] - 1)
    return weights.gather(2, inside[..., None])[..., 0] * possible
