"""Exports: what is drawn, that the numbers travel in it, and that they come back as they were."""

from __future__ import annotations

import base64
import csv
import io
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from attnviz.attention.attention_map import AttentionMap
from attnviz.attention.pooled_maps import is_pooled, pool
from attnviz.errors import AttnvizError, FontError, InputError
from attnviz.export import SUFFIXES, Picture, csv_table, png, read, save, to_csv, to_html, to_npz, to_png, to_svg
from attnviz.export.svg import colours, drawing, text
from attnviz.figures import style
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
WRITERS: dict[str, Callable[[Picture], str | bytes]] = {
    "svg": to_svg, "html": to_html, "csv": to_csv, "npz": to_npz,
}  # fmt: skip


def content(picture: Picture, format: str) -> bytes:
    made = WRITERS[format](picture)
    return made.encode("utf-8") if isinstance(made, str) else made


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


# There and back ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", WRITERS)
@pytest.mark.parametrize("name", PICTURES)
def test_reading_an_export_back_gives_the_picture(name: str, format: str) -> None:
    picture = PICTURES[name]
    again = read(content(picture, format))
    assert len(again.panels) == len(picture.panels)
    for one, other in zip(picture.panels, again.panels, strict=True):
        assert_same(one, other)
    for option in ("style", "columns", "scale", "theme", "title"):
        assert getattr(again, option) == getattr(picture, option)
    assert dict(again.settings) == dict(picture.settings)
    assert content(again, format) == content(picture, format)


@pytest.mark.parametrize("format", WRITERS)
def test_equal_pictures_give_equal_files(format: str) -> None:
    for make in (lambda: Picture(HEADS[:2], title="a"), lambda: PICTURES["difference"]):
        assert content(make(), format) == content(make(), format)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_saving_takes_the_format_from_the_name(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"Füße und 学习{suffix.upper()}"
    path.write_bytes(b"what was there before")
    save(PICTURES["one head"], path)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    if suffix != ".png":
        assert_same(read(path).panels[0], PICTURES["one head"].panels[0])
        assert_same(read(str(path)).panels[0], PICTURES["one head"].panels[0])


@pytest.mark.parametrize(
    ("name", "said"), [("a.pdf", "ends with '.pdf'"), ("a", "has no ending"), (".svg", "no ending")]
)
def test_other_names_are_refused_with_those_that_can_be_written(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(InputError, match=rf"{said}\. A picture can be written as \.svg, \.png, \.html, \.csv, \.npz"):
        save(PICTURES["one head"], tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written: No such file or directory"):
        save(PICTURES["one head"], tmp_path / "missing" / "a.svg")
    (tmp_path / "a.svg").mkdir()
    (tmp_path / "a.svg" / "inside").touch()
    with pytest.raises(InputError, match="cannot be written"):
        save(PICTURES["one head"], tmp_path / "a.svg")
    assert [file.name for file in tmp_path.iterdir()] == ["a.svg"]
    with pytest.raises(InputError, match="cannot be written"):
        save(PICTURES["one head"], tmp_path / "a\0b.svg")


def test_an_error_while_writing_keeps_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.svg"
    path.write_text("before")
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(InputError, match="No space left on device"):
        save(PICTURES["one head"], path)
    assert path.read_text() == "before"
    assert len(list(tmp_path.iterdir())) == 1


# What is no export ---------------------------------------------------------------------------------------------------


def damaged() -> dict[str, bytes]:
    good = {format: content(PICTURES["heads of a layer"], format) for format in WRITERS}
    rows = good["csv"].decode().splitlines(keepends=True)
    return {
        "nothing": b"",
        "text": b"Der Hund sah den Ball.",
        "bytes": bytes(range(256)),
        "another SVG": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
        "another page": b"<!doctype html><title>x</title>",
        "half the data of an SVG": good["svg"][: good["svg"].index(b"weights") + 99],
        "half a page": good["html"][: len(good["html"]) * 3 // 4],
        "half an npz": good["npz"][: len(good["npz"]) // 2],
        "an npz of others": _npz(a=np.zeros(3)),
        "an npz of objects": _npz(picture=np.array([{}], dtype=object)),
        "an npz with other weights": _npz(
            **{**dict(np.load(io.BytesIO(good["npz"]))), "weights_0": np.zeros((2, 3), np.float32)}
        ),
        "an npz without a panel": _npz(
            **{k: v for k, v in np.load(io.BytesIO(good["npz"])).items() if k != "weights_3"}
        ),
        "half a table": "".join(rows[: len(rows) // 2]).encode(),
        "a table without its head": "".join(row for row in rows if not row.startswith("#")).encode(),
        "a table with a broken head": good["csv"].replace(b"# data: ", b"# data: !", 1),
        "a table with a word for a number": "".join([*rows[:-1], rows[-1].replace(",0.", ",nought.")]).encode(),
        "a table with a row too far": "".join([*rows, rows[-1].replace("7,", "99,", 1)]).encode(),
        "a table with a row before the first": "".join([*rows, "-1" + rows[-1][1:]]).encode(),
        "other JSON": b'<x id="attnviz-data">{"format": "other", "version": 1}</x>',
        "a list": b'<x id="attnviz-data">[1]</x>',
        "deep": b'<x id="attnviz-data">' + b"[" * 100_000 + b"</x>",
        "huge": to_svg(PICTURES["one head"]).replace('"shape":[8,8]', '"shape":[99999999,99999999]').encode(),
        "no panels": to_svg(PICTURES["one head"]).encode().replace(b'"panels":[{', b'"panels":[],"x":[{'),
        "another axis": to_svg(PICTURES["one head"]).encode().replace(b'"query_tokens":0', b'"query_tokens":7'),
        "a wrong option": to_svg(PICTURES["one head"]).encode().replace(b'"theme":"light"', b'"theme":"pink"'),
    }


def _npz(**arrays: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


@pytest.mark.parametrize("name", damaged())
def test_what_is_damaged_or_something_else_is_refused_with_a_sentence(name: str) -> None:
    with pytest.raises(InputError, match=r"[A-Z].*\."):
        read(damaged()[name])


def test_a_png_cannot_be_read_and_says_what_can() -> None:
    with pytest.raises(InputError, match=r"PNG has no numbers in it\. Read the picture's \.svg"):
        read(to_png(PICTURES["one head"], 1))


@pytest.mark.parametrize("suffix", WRITERS)
def test_groups_of_neighbours_are_still_groups(suffix: str) -> None:
    made = WRITERS[suffix](PICTURES["pooled"])
    (map,) = read(made.encode() if isinstance(made, str) else made).panels
    assert [token.count for token in map.key_tokens] == [3, 3, 2] and is_pooled(map.query_tokens)


def test_tokens_without_a_count_are_read_as_ever() -> None:
    """Files from before tokens had a count look the same where nothing is pooled."""
    written = to_svg(PICTURES["one head"])
    assert '[0,"Der",false,0,0,3]' in written.replace("&quot;", '"')
    (map,) = read(written.encode()).panels
    assert all(token.count == 1 for token in map.key_tokens)
    # A group of that time: its id is -2, and nothing says of how many.
    old = written.replace('[0,"Der",false,0,0,3]', '[-2,"Der Hund",false,0,null,null]')
    (map,) = read(old.encode()).panels
    assert map.key_labels[0] == "Der Hund"


def test_a_newer_format_says_so() -> None:
    newer = to_svg(PICTURES["one head"]).replace('"version":1', '"version":2')
    with pytest.raises(InputError, match="version 2 of its format, and this attnviz reads version 1"):
        read(newer.encode())


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.csv' cannot be read: No such file"):
        read(tmp_path / "nowhere.csv")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"panels": ()}, "needs at least one map"),
        ({"style": "pie"}, "style of a picture is 'heatmap' or 'lines', not 'pie'"),
        ({"scale": "log"}, "scale of a picture is 'shared' or 'head', not 'log'"),
        ({"theme": "blue"}, "theme of a picture is 'light' or 'dark', not 'blue'"),
        ({"columns": 0}, "at least 1 column, not 0"),
    ],
)
def test_impossible_pictures_are_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Picture(**{"panels": HEADS, **options})  # type: ignore[arg-type]


# The drawing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PICTURES)
def test_every_label_stands_in_the_drawing_as_text(name: str) -> None:
    picture = PICTURES[name]
    said = texts(parsed(picture))
    for panel in picture.panels:
        if panel.weights.size:
            for label in {*panel.query_labels, *panel.key_labels}:
                assert text.legal_text(label) in said
    assert "query" in said or not any(panel.weights.size for panel in picture.panels)


@pytest.mark.parametrize("name", [name for name in PICTURES if name != "not numbers"])
def test_the_drawing_has_names_ranges_and_a_text_alternative(name: str) -> None:
    picture = PICTURES[name]
    root = parsed(picture)
    said = texts(root)
    differences = [panel for panel in picture.panels if isinstance(panel, Difference)]
    assert any(one.startswith("difference of attention weights") for one in said) == bool(differences)
    assert any(one.startswith("attention weight") for one in said) == (len(differences) < len(picture.panels))
    assert "0" in said
    title, described = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title is not None and title.text
    assert described is not None and described.text is not None
    assert all(panel.name in described.text for panel in picture.panels)
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == f"{title.get('id')} {described.get('id')}"


@pytest.mark.parametrize("name", PICTURES)
def test_no_text_leaves_the_picture(name: str) -> None:
    root = parsed(PICTURES[name])
    wide, high = float(root.get("width", 0)), float(root.get("height", 0))
    for element in root.iter(f"{SVG}text"):
        if element.get("transform"):
            continue
        said = "".join("".join(part.itertext()) if part.tag != f"{SVG}title" else "" for part in [element])
        x, y, size = (float(element.get(name, "nan")) for name in ("x", "y", "font-size"))
        if np.isnan(size):
            continue  # a number within its cell
        before = {"end": 1.0, "middle": 0.5}.get(element.get("text-anchor", ""), 0.0)
        length = text.width(said, size) if element.find(f"{SVG}title") is None else 0.0
        assert x - before * length >= 0, said
        assert x + (1 - before) * length <= wide, said
        assert size * 0.7 <= y <= high, said


def test_the_state_is_said_in_the_picture() -> None:
    said = " · ".join(texts(parsed(PICTURES["hidden and divided"])))
    for part in (
        "model bundled",
        "encoder attention",
        "by words",
        "special tokens hidden",
        "hidden: den",
        "rows renormalised",
    ):
        assert part in said
    assert "rows averaged" not in said
    assert "one scale for all panels" in texts(parsed(PICTURES["heads of a layer"]))[-1]
    assert "each panel on its own scale" in texts(parsed(PICTURES["own scales"]))[-1]


def test_the_sentence_stands_over_a_picture_without_a_title() -> None:
    picture = Picture(HEADS[:1], settings={"sentence": "Der Hund  sah\nden Ball.", "target": "The dog."})
    said = texts(parsed(picture))
    assert said[0] == "Der Hund sah den Ball."
    assert "target: The dog." in said[-1]
    assert not any("sentence" in one for one in said)


def test_headings_name_what_is_not_the_same_for_all() -> None:
    said = texts(parsed(PICTURES["other sizes"]))
    assert [one for one in said if one.startswith("L2 H5")] == [
        "L2 H5 · bundled",
        "L2 H5 · other/model",
        "L2 H5 · bundled",
    ]
    assert "encoder attention" in said[-1]
    compared = difference(HEADS[0], HEADS[1])
    said = texts(parsed(PICTURES["difference"]))
    assert any(f"JS divergence {compared.divergence:.2f}" in one for one in said)


def distance(one: str, other: str) -> int:
    """The largest difference of a channel, of 255."""
    return max(abs(a - b) for a, b in zip(bytes.fromhex(one[1:]), bytes.fromhex(other[1:]), strict=True))


def test_cells_have_the_colours_of_the_figures() -> None:
    weights = np.array([[0.0, 1.0, 0.0], [0.25, 0.25, 0.5]])
    picture = Picture((AttentionMap.of(weights, tokens("a", "b"), tokens("x", "y", "z")),))
    fills = {path.get("fill", "") for path in parsed(picture).iter(f"{SVG}path")} - {"none"}
    scale = style.sequential_colours("light")
    assert len(fills) == 3  # nothing is drawn where nothing is
    for wanted in (scale[-1], scale[8], scale[4]):
        assert min(distance(wanted, fill) for fill in fills) <= 3


def test_a_panels_own_scale_ends_at_its_largest_weight() -> None:
    queries, keys = tokens("a"), tokens("x", "y")
    maps = tuple(AttentionMap.of([[top, 0.25]], queries, keys, head=head) for head, top in enumerate((0.5, 0.625)))
    strongest = style.sequential_colours("light")[-1]
    for scale, found in (("shared", False), ("head", True)):
        root = parsed(Picture(maps, scale=scale))  # type: ignore[arg-type]
        assert (strongest in {path.get("fill") for path in root.iter(f"{SVG}path")}) == found
    said = texts(root)
    assert said.count("L0 H0 · max 0.50") == 1
    assert "max" in said and "attention weight, of each panel's largest" in said
    assert {"0", "0.50"} <= set(texts(parsed(Picture(maps[:1], scale="head"))))


def test_differences_are_orange_below_zero_and_blue_above() -> None:
    queries, keys = tokens("a"), tokens("x", "y")
    one, other = (AttentionMap.of([row], queries, keys) for row in ([1.0, 0.0], [0.0, 1.0]))
    root = parsed(Picture((difference(one, other),)))
    below, above = style.diverging("light")[0][1], style.diverging("light")[-1][1]
    assert {below, above} <= {path.get("fill") for path in root.iter(f"{SVG}path")}
    assert {"+1.00", "−1.00", "−1", "0", "1"} <= set(texts(root))


def test_numbers_can_be_read_on_every_colour() -> None:
    for theme in ("light", "dark"):
        for diverging in (False, True):
            shares = colours.ramp(theme, diverging) / 255.0  # type: ignore[arg-type]
            linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
            behind = linear @ np.array([0.2126, 0.7152, 0.0722])
            ink = np.array([colour == "#ffffff" for colour in colours.ink(theme, diverging)])  # type: ignore[arg-type]
            assert np.where(ink, 1.05 / (behind + 0.05), (behind + 0.05) / 0.05).min() >= 4.5


def test_the_share_of_each_row_that_is_hidden_stands_beside_it() -> None:
    map = a_map(GERMAN, GERMAN).hide(lambda token: token.special)
    for style_ in ("heatmap", "lines"):
        said = texts(parsed(Picture((map,), style=style_)))  # type: ignore[arg-type]
        assert "hidden" in said
        for share in map.hidden_mass:
            assert f"{share:.2f}" in said


def test_lines_are_as_strong_as_weights() -> None:
    weights = np.array([[0.0, 0.75, 0.25], [0.5, 0.5, 0.0]])
    picture = Picture((AttentionMap.of(weights, tokens("a", "b"), tokens("x", "y", "z")),), style="lines")
    drawn = {
        (int(path.get("data-query", "")), int(path.get("data-key", ""))): float(path.get("stroke-opacity", ""))
        for path in parsed(picture).iter(f"{SVG}path")
        if path.get("data-query")
    }
    assert drawn == {(0, 1): 0.75, (0, 2): 0.25, (1, 0): 0.5, (1, 1): 0.5}


def test_of_very_many_lines_the_weakest_are_left_out_and_the_picture_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "MOST_LINES", 10)
    root = parsed(Picture((AttentionMap.of(np.full((5, 7), 1 / 7), GERMAN[:5], GERMAN[:7]),), style="lines"))
    assert len([path for path in root.iter(f"{SVG}path") if path.get("data-query")]) == 10
    assert "without the weakest 25 lines" in texts(root)[-1]


def test_a_large_map_is_an_image_with_a_pixel_for_each_weight_and_its_labels_stay_text() -> None:
    words = tokens(*(f" Wort{place}" for place in range(211)))
    map = a_map(words, words)
    picture = Picture((map,))
    root = parsed(picture)
    image = root.find(f".//{SVG}image")
    assert image is not None
    encoded = image.get("{http://www.w3.org/1999/xlink}href", "")
    pixels = Image.open(io.BytesIO(base64.b64decode(encoded.removeprefix("data:image/png;base64,")))).convert("RGB")
    assert pixels.size == (211, 211)
    expected = colours.ramp("light")[colours.colour_steps(map.weights, 1.0)]
    assert np.array_equal(np.asarray(pixels), expected)
    said = texts(root)
    assert len([one for one in said if one.startswith("Wort")]) >= 2 * 48
    assert_same(read(to_svg(picture).encode()).panels[0], map)


def test_long_labels_end_with_an_ellipsis_and_are_whole_at_the_pointer() -> None:
    word = "Donaudampfschifffahrtsgesellschaftskapitänsmütze"
    root = parsed(Picture((a_map(tokens(word, "a"), tokens("x", word)),)))
    shortened = [one for one in texts(root) if one.startswith("Donau")]
    assert len(shortened) == 2 and all(one.endswith("…") and len(one) > 12 for one in shortened)
    assert [title.text for title in root.iter(f"{SVG}title")].count(word) == 2


def test_panels_of_the_same_rows_share_their_labels() -> None:
    said = texts(parsed(Picture(HEADS, columns=4)))
    assert said.count("Hund") == 2 + 8  # at the left of each row of panels, and above each panel


def test_text_is_never_narrower_than_it_is_taken_for(browser: Browser) -> None:
    page = browser.new_page()
    page.goto("about:blank")
    for said in (
        "Donaudampfschifffahrtsgesellschaft",
        "WWW mmm",
        "Größe, Höhe",
        "学习语言",
        "illicit fjord",
        "L2 H5 · 0.42",
    ):
        for font in ("Liberation Sans", "DejaVu Sans"):
            drawn = page.evaluate(
                "([said, font]) => { const c = document.createElement('canvas').getContext('2d');"
                "c.font = `100px '${font}'`; return c.measureText(said).width; }",
                [said, font],
            )
            assert drawn <= 1.1 * text.width(said, 100), (said, font)
    page.close()


# PNG -----------------------------------------------------------------------------------------------------------------


def test_a_png_has_the_size_of_the_drawing_and_its_colours() -> None:
    picture = PICTURES["one head"]
    root = parsed(picture)
    for factor in (1, 2.5):
        image = Image.open(io.BytesIO(to_png(picture, factor))).convert("RGB")
        assert image.size == (round(int(root.get("width", 0)) * factor), round(int(root.get("height", 0)) * factor))
        seen = {colour for _, colour in image.getcolors(1 << 24) or []}
        assert len(seen) > 50
        assert tuple(bytes.fromhex(style.PALETTES["light"].background[1:])) in seen


@pytest.mark.parametrize("factor", [0, -1, float("nan"), float("inf"), 1e9])
def test_impossible_sizes_are_refused(factor: float) -> None:
    with pytest.raises(InputError, match="pixels"):
        to_png(PICTURES["one head"], factor)


def test_a_character_without_a_font_is_an_error_and_no_empty_box() -> None:
    nowhere = "\U00012345"  # cuneiform
    picture = Picture((a_map(tokens("a", nowhere), tokens("a", nowhere)),))
    if not png._missing([nowhere]):
        pytest.skip("this machine has a font for cuneiform")
    with pytest.raises(FontError, match=rf"no font for {nowhere}.*Take \.svg or \.html.*fonts-noto") as caught:
        to_png(picture)
    assert isinstance(caught.value, AttnvizError)


def test_a_machine_without_any_font_makes_no_blank_text(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = png.resvg_py.svg_to_bytes
    monkeypatch.setattr(png.resvg_py, "svg_to_bytes", lambda **options: draw(**options, skip_system_fonts=True))
    monkeypatch.setattr(png, "_drawable", set())
    with pytest.raises(FontError, match="has no font for"):
        to_png(PICTURES["one head"])


def test_fonts_are_looked_for_character_by_character() -> None:
    assert png._missing(["a", "\u0378"]) == ["\u0378"]


# CSV and npz ---------------------------------------------------------------------------------------------------------


def test_the_table_says_how_pandas_keeps_words_that_look_missing() -> None:
    words = tokens("None", "null", "NA", "nan")
    text = to_csv(Picture((a_map(words, words),)))
    (how,) = re.findall(r"# in pandas: (.*)", text)
    table = eval(f"pd.{how}", {"pd": pd, "file": io.StringIO(text.removeprefix("\ufeff"))})
    assert len(table) == 16 and set(table["query_token"]) == {"None", "null", "NA", "nan"} == set(table["key_token"])


def test_pandas_reads_the_table(tmp_path: Path) -> None:
    picture = PICTURES["hostile"]
    path = tmp_path / "a.csv"
    save(picture, path)
    frame = pd.read_csv(path, comment="#", keep_default_na=False)
    assert tuple(frame.columns) == csv_table.COLUMNS
    map = picture.panels[0]
    count = len(HOSTILE)
    assert len(frame) == count**2
    np.testing.assert_allclose(frame["weight"].to_numpy().reshape(count, count), map.weights, rtol=1e-7)
    labels = [re.sub(r"^'(?='*[=+\-@＝＋－＠])", "", label) for label in frame["key_token"][:count]]
    assert labels == [text.legal_text(label) for label in map.key_labels]


def test_no_cell_of_the_table_is_a_formula() -> None:
    rows = list(
        csv.reader(line for line in to_csv(PICTURES["hostile"]).splitlines() if not line.startswith(("#", "\ufeff")))
    )
    cells = [cell for row in rows[1:] for cell in (row[1], row[2], row[3], row[8], row[10])]
    assert not [cell for cell in cells if cell[:1] in "=+-@＝＋－＠" and cell]
    assert {"'=1+1", "''=", "'-", "'＝x"} <= set(cells)


def test_the_table_says_what_it_is() -> None:
    made = to_csv(PICTURES["hidden and divided"])
    assert made.startswith("\ufeff# attnviz")
    assert {"# by_word: true", '# hide: ["den"]'} <= set(made.splitlines())
    rows = list(csv.DictReader(line for line in made.splitlines() if not line.startswith(("#", "\ufeff"))))
    map = PICTURES["hidden and divided"].panels[0]
    assert isinstance(map, AttentionMap)
    for row in rows:
        query, key = int(row["query"]), int(row["key"])
        assert np.float32(row["weight"]) == map.weights[query, key]
        assert np.float32(row["hidden"]) == map.hidden_mass[query]
        assert (row["query_token"], row["key_token"]) == (map.query_labels[query], map.key_labels[key])
        assert (row["name"], row["model"], row["kind"], row["layer"], row["head"]) == (
            "L2 H5",
            "bundled",
            "encoder",
            "2",
            "5",
        )


def test_a_table_is_read_in_any_order_and_as_a_spreadsheet_saves_it() -> None:
    picture = PICTURES["heads of a layer"]
    lines = to_csv(picture).splitlines()
    head = [line for line in lines if line.lstrip("\ufeff").startswith("#")]
    names, *rows = lines[len(head) :]
    saved = [f"{line},,,,,,,,,,,," for line in head] + [names, *sorted(rows, reverse=True)]
    again = read("\r\n".join(saved).encode())
    for one, other in zip(picture.panels, again.panels, strict=True):
        assert_same(one, other)


def test_more_rows_than_a_spreadsheet_opens_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_table, "MOST_ROWS", 10)
    with pytest.raises(InputError, match=r"would have 64 rows, and spreadsheets open 10\. Take \.npz"):
        to_csv(PICTURES["one head"])


def test_numpy_reads_the_arrays_without_pickles() -> None:
    picture = PICTURES["difference"]
    with np.load(io.BytesIO(to_npz(picture)), allow_pickle=False) as file:
        assert set(file) == {
            "picture", *(f"{name}_{index}" for index in range(3) for name in ("weights", "queries", "keys")),
            "hidden_mass_0", "hidden_mass_1",
        }  # fmt: skip
        assert np.array_equal(file["weights_2"], picture.panels[2].weights)
        assert tuple(file["keys_0"].tolist()) == picture.panels[0].key_labels


# HTML in a browser ---------------------------------------------------------------------------------------------------


def opened(browser: Browser, folder: Path, picture: Picture, **options: object) -> tuple[Page, list[str]]:
    """The page as a reader opens it from a folder, and everything that it asked for or complained about."""
    path = folder / "page.html"
    save(picture, path)
    page = browser.new_page(**options)  # type: ignore[arg-type]
    seen: list[str] = []
    page.on("request", lambda request: seen.append(request.url))
    page.on("console", lambda message: seen.append(message.text))
    page.on("pageerror", lambda error: seen.append(str(error)))
    page.goto(path.as_uri())
    assert seen == [path.as_uri()]
    return page, seen


def cell(page: Page, picture: Picture, panel: int, query: int, key: int) -> tuple[float, float]:
    """Where the middle of a cell is on the screen."""
    return page.evaluate(
        """([panel, query, key]) => {
            const { x, y, cellWidth, cellHeight } = panels[panel];
            const box = svg.getBoundingClientRect();
            const scale = box.width / svg.viewBox.baseVal.width;
            const [right, down] = [x + (key + 0.5) * cellWidth, y + (query + 0.5) * cellHeight];
            return [box.left + right * scale, box.top + down * scale];
        }""",
        [panel, query, key],
    )


def test_the_page_asks_for_nothing_and_says_the_number_under_the_pointer(browser: Browser, tmp_path: Path) -> None:
    picture = PICTURES["hidden"]
    map = picture.panels[0]
    page, seen = opened(browser, tmp_path, picture)
    page.mouse.move(*cell(page, picture, 0, 2, 1))
    said = page.locator("#tip").inner_text()
    assert said.splitlines()[0] == f"sah → Hund {map.weights[2, 1]:.2f}"
    assert said.splitlines()[1].startswith("hidden ")
    page.mouse.move(1, 1)
    assert page.locator("#tip").is_hidden()
    assert len(seen) == 1
    page.close()


@pytest.mark.parametrize("name", ["one head", "lines", "difference", "hostile", "not numbers", "keys hidden"])
def test_the_page_can_be_used_with_the_keyboard_alone(browser: Browser, tmp_path: Path, name: str) -> None:
    picture = PICTURES[name]
    page, seen = opened(browser, tmp_path, picture)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "picture"
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "PageDown", "ArrowUp"):
        page.keyboard.press(key)
    tip = page.locator("#tip")
    assert tip.is_visible() == bool(picture.panels[0].weights.size)
    page.keyboard.press("Escape")
    assert tip.is_hidden()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    page.keyboard.press("Enter")
    page.locator("table").wait_for()
    queries, keys = picture.panels[0].weights.shape
    assert page.locator("tbody tr").count() == queries
    assert page.locator("tbody td").count() >= queries * keys
    assert len(seen) == 1, seen
    page.close()


def test_the_table_of_the_page_has_the_numbers(browser: Browser, tmp_path: Path) -> None:
    picture = PICTURES["hidden"]
    map = picture.panels[0]
    assert isinstance(map, AttentionMap)
    page, _ = opened(browser, tmp_path, picture)
    page.locator("summary").click()
    assert page.locator("thead th").all_inner_texts() == ["", *map.key_labels, "hidden"]
    shown = [row.locator("td").all_inner_texts() for row in page.locator("tbody tr").all()]
    wanted = np.column_stack([map.weights, map.hidden_mass])
    np.testing.assert_allclose(np.array(shown, dtype=float), wanted, atol=0.0051)
    page.close()


def test_lines_of_a_word_alone(browser: Browser, tmp_path: Path) -> None:
    picture = PICTURES["lines"]
    page, _ = opened(browser, tmp_path, picture)
    page.locator("#picture").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert page.locator("#tip").inner_text().startswith("dog: ")
    clear = page.locator("path[data-query]:not(.faint)")
    assert clear.count() > 0
    assert page.locator('path[data-query="1"]:not(.faint)').count() == clear.count()
    page.close()


def test_the_page_fits_a_telephone(browser: Browser, tmp_path: Path) -> None:
    page, _ = opened(browser, tmp_path, PICTURES["heads of a layer"], viewport={"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator("#picture svg").bounding_box()["width"] > 700  # type: ignore[index]
    page.close()


# What it loads -------------------------------------------------------------------------------------------------------


def test_importing_exports_loads_neither_torch_nor_streamlit() -> None:
    program = "import attnviz.export, sys; print(*{'torch', 'transformers', 'streamlit', 'pandas'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.split() == []
