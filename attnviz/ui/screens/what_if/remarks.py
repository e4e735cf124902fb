"""What is to be said of the maps: what they show, what share of the pairs is computed, and who shares a bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnviz.tokenization.token import labels
from attnviz.ui.screens.what_if import wording
from attnviz.ui.shell.messages import _, kind_title

if TYPE_CHECKING:
    from attnviz.attention.attention_map import AttentionMap
    from attnviz.interventions import Effect
    from attnviz.measures.distances import Difference
    from attnviz.models.recording.recording import Recording
    from attnviz.ui.screens.what_if.asked import Asked
    from attnviz.ui.screens.what_if.effect_maps import Buckets

LEAST = 0.0005  # of a difference that is shown
ROUNDS = 3  # of hashing whose buckets are listed


def remarks(effect: Effect, asked: Asked, difference: Difference) -> str:
    """What is shown, whether it differs, what share of the pairs is computed, and what a long text would save."""
    after, change = effect.after, asked.change
    head = _("mean of the heads") if asked.head is None else f"H{asked.head}"
    parts = [f"{kind_title(asked.kind)} L{after.layer_number(asked.kind, asked.layer)} {head}"]
    if (asked.kind, asked.layer, asked.head) in asked.off:
        parts.append(_("this head is off: its weights are shown, and nothing reads what they give"))
    elif after is not effect.before and float(abs(difference.weights).max(initial=0.0)) < LEAST:
        parts.append(_("none of these weights differs: what is changed acts elsewhere, or behind this layer"))
    if after is not effect.before:
        parts.append(_("computed: {0} of all pairs of the model").format(wording.percent(effect.density)))
    for one in asked.changes:
        if one.name in ("window", "strided"):
            causal = after.kinds == ("decoder",) or one.kind == "decoder"
            parts.append(wording.spared_sentence(*(int(number) for number in one.numbers), causal=causal))
    if change.name == "pattern" and not change.other.strip():
        length = len(effect.before.key_tokens(effect.before.kinds[0]))
        parts.append(_("Type the sentence whose pattern is to be taken, with {0} tokens as here.").format(length))
    if any(one.name == "hashing" and one.kind == asked.kind for one in asked.changes):
        parts.append(_bucket_remark(after, asked))
    return _("; ").join(parts)


def _bucket_remark(after: Recording, asked: Asked) -> str:
    buckets = head_buckets(after, asked)
    if buckets is None:
        return _("open a head to see who shares a bucket")
    names = labels(after.key_tokens(asked.kind))
    rounds = list(zip(*buckets["keys"], strict=True))[:ROUNDS]
    listed = " / ".join(wording.bucket_sentence(names, one) for one in rounds)
    return _("keys in one bucket: {0}").format(listed)


def head_buckets(after: Recording, asked: Asked) -> Buckets | None:
    """The buckets of the tokens in the head that is open; None where none is, or its attention is not hashed."""
    from attnviz.interventions import Hashing

    if asked.head is None:
        return None
    size = after.size(asked.kind)
    for item in reversed(after.interventions):
        where = item.where
        if (
            isinstance(item, Hashing)
            and where.kind == asked.kind
            and asked.layer in where.layers(size[0])
            and asked.head in where.heads(size[1])
        ):
            queries = after.queries(asked.kind, layer=asked.layer, head=asked.head)
            keys = after.keys(asked.kind, layer=asked.layer, head=asked.head)
            return {"queries": item.bucket(queries).T.tolist(), "keys": item.bucket(keys).T.tolist()}
    return None


def drawn_buckets(map: AttentionMap, after: Recording, asked: Asked) -> Buckets | None:
    """As `head_buckets`, where the map shows all tokens one by one."""
    if len(map.query_tokens) != after.size(asked.kind)[2] or len(map.key_tokens) != after.size(asked.kind)[3]:
        return None
    return head_buckets(after, asked)
