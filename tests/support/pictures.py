"""Pictures of every sort that an export may hold, and what the tests of exports read in a drawing."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np

from attnviz.attention.attention_map import AttentionMap
from attnviz.attention.pooled_maps import pool
from attnviz.export import Picture, to_svg
from attnviz.measures.distances import Difference, difference
from attnviz.tokenization.token import Token

SVG = "{http://www.w3.org/2000/svg}"


def tokens(*texts: str, special: tuple[str, ...] = ("</s>",)) -> tuple[Token, ...]:
    """Tokens as a tokenizer gives them; a text with "|" in it is one word in pieces."""
    made: list[Token] = []
    word, at = 0, 0
    for one in texts:
        if one in special:
            made.append(Token(len(made), one, True, None, None, None))
            continue
        for piece in one.split("|"):
            made.append(Token(len(made), piece, False, word, at, at + len(piece)))
            at += len(piece)
        word += 1
    return tuple(made)


def a_map(queries: tuple[Token, ...], keys: tuple[Token, ...], seed: int = 0, **origin: object) -> AttentionMap:
    scores = np.random.default_rng(seed).normal(size=(len(queries), len(keys))) * 2
    weights = np.exp(scores)
    weights /= weights.sum(axis=1, keepdims=True)
    known = {"kind": "encoder", "layer": 2, "head": 5, "model": "bundled"}
    return AttentionMap.of(weights, queries, keys, **{**known, **origin})


GERMAN = tokens("Der", " Hund", " sah", " den", " Fuß|ball", ".", "</s>")
ENGLISH = tokens("The", " dog", " saw", " the", " ball", "</s>")
CHINESE = tokens("学", "习", "语", "言", "。", "</s>")
HOSTILE = tokens(
    *("<b>", "&amp;", '"', "'", "]]>", "</script>", "\\u003c", "--", ",", ";", "#", "#tag"),
    *("=1+1", "+", "-", "@cmd", "'=", "＝x", "\n", "\r\n", "\t", "  ", "\x01", "\ufeff", "\ufffe", "\ud800"),
    *("a\u200bb", "\u202eabc", "👨\u200d👩\u200d👧", "é", "e\u0301", "مرحبا"),
)
AGGREGATE = a_map(GERMAN, GERMAN, 7, layer=None, head=None, aggregate="L0–3 max")
HEADS = tuple(a_map(GERMAN, GERMAN, head, head=head) for head in range(8))

PICTURES = {
    "one head": Picture((a_map(GERMAN, GERMAN),)),
    "lines": Picture((a_map(ENGLISH, GERMAN, kind="cross"),), style="lines", theme="dark"),
    "heads of a layer": Picture(HEADS, title="Der Hund sah den Fußball.", settings={"sentence": "Der Hund"}),
    "own scales": Picture(HEADS[:3], columns=2, scale="head", theme="dark"),
    "other sizes": Picture(
        (a_map(GERMAN, GERMAN), a_map(CHINESE, CHINESE, model="other/model"), a_map(ENGLISH, GERMAN))
    ),
    "difference": Picture((HEADS[0], HEADS[1], difference(HEADS[0], HEADS[1])), columns=3, scale="head"),
    "difference as lines": Picture((difference(HEADS[0], HEADS[1]),), style="lines"),
    "hidden and divided": Picture(
        (a_map(GERMAN, GERMAN).by_word().hide(lambda token: token.special, renormalise=True),),
        settings={"by_word": "true", "hide_special": "true", "hide": '["den"]', "renormalise": "true", "rows": "[]"},
    ),
    "hidden": Picture((a_map(GERMAN, GERMAN).hide(lambda token: token.special),)),
    "hidden, lines": Picture((a_map(GERMAN, GERMAN).hide(lambda token: token.special),), style="lines"),
    "averaged rows": Picture((a_map(GERMAN, GERMAN).average_queries([1, 2]),)),
    "aggregate": Picture((AGGREGATE,)),
    "Chinese": Picture((a_map(CHINESE, CHINESE),), title="学习语言。"),
    "hostile": Picture(
        (a_map(HOSTILE, HOSTILE, model="=<&\"'>\ud800"),),
        title="<svg onload=alert(1)> & \x00 \ud800 ]]>",
        settings={"<&\n": '"\n# data: \ud800', "=cmd": "=cmd", "empty": ""},
    ),
    "pooled": Picture((pool(a_map(GERMAN, GERMAN), 3),)),
    "all hidden": Picture((a_map(GERMAN, GERMAN).hide(lambda token: True),)),
    "keys hidden": Picture((AttentionMap.of(np.zeros((6, 0)), ENGLISH, (), hidden_mass=np.ones(6)),)),
    "no attention at all": Picture((AttentionMap.of(np.zeros((8, 8)), GERMAN, GERMAN),), scale="head"),
    "not numbers": Picture((AttentionMap.of(np.full((6, 6), np.nan), CHINESE, CHINESE),)),
}


def parsed(picture: Picture) -> ElementTree.Element:
    return ElementTree.fromstring(to_svg(picture).encode())


def texts(root: ElementTree.Element) -> list[str]:
    """What the <text> elements say, without the whole labels that a viewer shows at the pointer."""
    said = []
    for element in root.iter(f"{SVG}text"):
        title = element.find(f"{SVG}title")
        whole = "" if title is None else "".join(title.itertext())
        said.append("".join(element.itertext()).removesuffix(whole))
    return said


def assert_same(one: AttentionMap | Difference, other: AttentionMap | Difference) -> None:
    assert type(one) is type(other)
    np.testing.assert_allclose(other.weights, one.weights, rtol=0, atol=1e-6)
    assert np.array_equal(other.weights, one.weights, equal_nan=True)
    assert other.weights.dtype == np.float32
    assert (other.query_tokens, other.key_tokens) == (one.query_tokens, one.key_tokens)
    assert (other.query_labels, other.key_labels, other.name) == (one.query_labels, one.key_labels, one.name)
    if isinstance(one, AttentionMap) and isinstance(other, AttentionMap):
        assert np.array_equal(other.hidden_mass, one.hidden_mass)
        for name in ("kind", "layer", "head", "model", "renormalised", "aggregate"):
            assert getattr(other, name) == getattr(one, name), name
    elif isinstance(one, Difference) and isinstance(other, Difference):
        assert other.divergence == one.divergence
        assert_same(one.a, other.a)
        assert_same(one.b, other.b)
