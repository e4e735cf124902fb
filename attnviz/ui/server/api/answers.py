"""What the API answers: plain values for JSON, or an SVG. Each function computes; it runs in a thread of its own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from attnviz.errors import TooLongError
from attnviz.serving.offered import may_choose_freely
from attnviz.ui.server.api.parameters import Fields, Heads, Look, Read
from attnviz.ui.shell import models
from attnviz.ui.shell.model_names import BUNDLED, model_and_revision, offered_models

if TYPE_CHECKING:
    from attnviz.attention.attention_map import AttentionMap
    from attnviz.models.recording.recording import Recording
    from attnviz.tokenization.token import Token

MOST_WEIGHTS = 1_000_000  # in one answer, which is then some 12 MB of text
DECIMALS = 8
ONE_HEAD, MANY_HEADS = 256, 64  # the most rows and columns of a picture


def model_list() -> dict[str, Any]:
    """The models that may be asked for; of those in memory what they have, as nothing is loaded to answer this."""
    loaded = {item.model.name: item for item in models.loaded_models()}
    names = dict.fromkeys([BUNDLED, *offered_models(), *loaded]) if may_choose_freely() else offered_models()
    return {"models": [_model_facts(name, loaded.get(name)) for name in names]}


def _model_facts(name: str, loaded: models.Loaded | None) -> dict[str, Any]:
    if loaded is None:
        return {"name": name, "loaded": False}
    heads = loaded.model.recorder.plan.heads
    return {
        "name": name,
        "loaded": True,
        "kinds": list(loaded.kinds),
        "heads": {kind: list(heads[kind]) for kind in loaded.kinds},
        "translates": "cross" in loaded.kinds,
        "reads_pairs": loaded.reads_pairs,
    }


def attention(fields: Fields) -> str:
    """The weights of a head, or of all heads of a layer, with the tokens of both axes."""
    read, heads, pool = fields.read(), fields.heads(), fields.pool()
    fields.finish()
    recording = _record(read)
    kind = heads.kind or recording.kinds[0]
    answer: dict[str, Any] = {"model": read.model, "kind": kind, "layer": heads.layer, "head": heads.head}
    if pool is None:
        _check_size(recording, kind, heads)
        weights = recording.weights(kind, layer=heads.layer, head=heads.head)
    else:
        region = recording.pooled_region(kind, heads.layer, heads.head, pool.size, pool.reduce)
        weights = region.values
        answer |= {"reduce": pool.reduce, "query_edges": region.row_edges.tolist()}
        answer |= {"key_edges": region.column_edges.tolist()}
    answer["query_tokens"] = _token_list(recording.query_tokens(kind))
    answer["key_tokens"] = _token_list(recording.key_tokens(kind))
    answer["weights"] = weights.double().round(decimals=DECIMALS).tolist()
    return json.dumps(answer, separators=(",", ":"))


def translation(fields: Fields) -> str:
    """A text in the other language."""
    model, text = fields.text("model") or BUNDLED, fields.needed_text("text")
    fields.finish()
    loaded = _load(model)
    said = loaded.cache.get(("translation", text), lambda: loaded.model.translate(text))
    return json.dumps({"model": model, "text": text, "translation": said})


def picture(fields: Fields) -> str:
    """A head, or all heads of a layer, as an SVG with its numbers in it, in the language of this run."""
    read, heads, look = fields.read(), fields.heads(), fields.look()
    fields.finish()
    from attnviz.export import Picture, to_svg
    from attnviz.ui.components.export_menu import in_language

    recording = _record(read)
    kind = heads.kind or recording.kinds[0]
    if heads.head is None:
        maps: Sequence[AttentionMap] = recording.pooled_maps(kind, layer=heads.layer, size=MANY_HEADS)
    else:
        maps = [recording.pooled_map(kind, layer=heads.layer, head=heads.head, size=ONE_HEAD)]
    drawn = Picture(
        tuple(_shown(map, look) for map in maps),
        style=look.style,
        scale=look.scale,
        theme=look.theme,
        title=" ".join(read.text.split()),
        settings={name: "true" for name in ("by_word", "hide_special") if getattr(look, name)},
    )
    return to_svg(in_language(drawn))


def _shown(map: AttentionMap, look: Look) -> AttentionMap:
    """Words first, then hiding, as in the app."""
    map = map.by_word() if look.by_word else map
    return map.hide(lambda token: token.special) if look.hide_special else map


def _load(name: str) -> models.Loaded:
    source, revision = model_and_revision(name)
    return models.load(source, revision=revision)


def _record(read: Read) -> Recording:
    return _load(read.model).record(read.text, read.target, read.pair)


def _check_size(recording: Recording, kind: str, heads: Heads) -> None:
    """Raises TooLongError where nobody could want all the weights as text."""
    _layers, _heads, queries, keys = recording.size(kind)
    count = (recording.heads(kind, heads.layer) if heads.head is None else 1) * queries * keys
    if count > MOST_WEIGHTS:
        raise TooLongError(
            "These are {0:,} weights, and one answer holds {1:,} at most. Ask for one `head`, or for fewer cells with "
            "`pool`, 1 to 512.",
            count,
            MOST_WEIGHTS,
        )


def _token_list(tokens: Sequence[Token]) -> list[dict[str, Any]]:
    from attnviz.tokenization.token import labels

    names = labels(tokens)
    return [
        {
            "id": token.id, "text": token.text, "label": label, "special": token.special, "word": token.word,
            "start": token.start, "end": token.end, "generated": token.generated,
        }
        for token, label in zip(tokens, names, strict=True)
    ]  # fmt: skip
