"""The drawing of an export: its labels, names, ranges and colours, and that no text leaves it."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser
from support.pictures import GERMAN, HEADS, PICTURES, SVG, a_map, assert_same, parsed, texts, tokens

from attnviz.attention.attention_map import AttentionMap
from attnviz.export import Picture, read, to_svg
from attnviz.export.svg import colours, drawing, text
from attnviz.figures import style
from attnviz.figures.heads import shared_top
from attnviz.measures.distances import Difference, difference


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
    expected = colours.ramp("light")[colours.colour_steps(map.weights, shared_top(211))]
    assert np.array_equal(np.asarray(pixels), expected)
    said = texts(root)
    assert "≥ 0.08" in said  # where the colours end
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


def test_colours_by_the_square_root_have_a_legend_and_are_named() -> None:
    weights = np.array([0.0, 1 / 16, 0.25, 1.0])
    assert colours.colour_steps(weights, 1.0, root=True).tolist() == [0, 64, 128, 255]
    map = PICTURES["heads of a layer"].panels[0]
    picture = Picture((map,), scale="root", settings={"hide_first": "true", "even_colours": "false"})
    shown = texts(parsed(picture))
    assert any("colours by the square root of the weight" in text for text in shown)
    assert any("first position hidden" in text for text in shown)
    assert "0.25" in shown, "the middle of the bar stands for a quarter of its end"
    lines = Picture((map,), scale="root", style="lines")
    assert not any("square root" in text for text in texts(parsed(lines))), "lines have no colours"
