"""Figures say what they show: read from `fig.data` and `fig.layout`, as a browser would draw them."""

from __future__ import annotations

import tomllib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from attnviz.attention.attention_map import AttentionMap
from attnviz.figures import describe, draw_head, draw_heads, draw_overview, style
from attnviz.tokenization.token import Token

ROOT = Path(__file__).resolve().parents[2]
THEMES = ("light", "dark")
QUERIES, KEYS = 5, 7  # they differ, so that a swapped axis shows


def tokens(*texts: str) -> tuple[Token, ...]:
    return tuple(Token(place + 5, text, text.startswith("<"), place, None, None) for place, text in enumerate(texts))


def example(layer: int = 2, head: int = 5, seed: int = 0) -> AttentionMap:
    weights = np.random.default_rng(seed).dirichlet(np.ones(KEYS), QUERIES)
    queries = tokens("The", "dog", "saw", "the", "ball")
    keys = tokens("Der", "Hund", "sah", "den", "Ball", ".", "</s>")
    return AttentionMap.of(weights, queries, keys, kind="cross", layer=layer, head=head)


def hidden() -> AttentionMap:
    return example().hide(lambda token: token.special)


# Colours ------------------------------------------------------------------------------------------------------------


def lab(colour: str) -> np.ndarray:
    """CIELAB under D65 (CIE 15, with the sRGB primaries of IEC 61966-2-1)."""
    channels = np.array([int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    to_xyz = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    x, y, z = (np.cbrt(v) if v > 0.008856 else 7.787 * v + 16 / 116 for v in to_xyz @ linear / [0.95047, 1, 1.08883])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("theme", THEMES)
def test_equal_differences_of_weight_look_equally_large(theme: str) -> None:
    colours = [lab(colour) for colour in style.sequential_colours(theme)]
    steps = np.array([np.linalg.norm(after - before) for before, after in pairwise(colours)])
    assert steps.min() > 5
    assert np.ptp(steps) < 0.15 * steps.mean()


@pytest.mark.parametrize("theme", THEMES)
def test_lightness_alone_tells_weights_apart(theme: str) -> None:
    lightness = np.array([lab(colour)[0] for colour in style.sequential_colours(theme)])
    assert (np.diff(lightness) < 0).all() if theme == "light" else (np.diff(lightness) > 0).all()


@pytest.mark.parametrize("theme", THEMES)
def test_zero_is_the_background(theme: str) -> None:
    settings = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))["theme"][theme]
    palette = style.PALETTES[theme]
    assert settings["backgroundColor"] == palette.background
    assert (settings["textColor"], settings["primaryColor"]) == (palette.text, palette.accent)
    assert style.sequential(theme)[0] == [0.0, palette.background]
    assert style.sequential(theme)[-1][0] == 1.0
    assert dict(style.diverging(theme))[0.5] == palette.background


@pytest.mark.parametrize("theme", THEMES)
def test_the_diverging_scale_rises_alike_on_both_sides(theme: str) -> None:
    lightness = np.array([lab(colour)[0] for _, colour in style.diverging(theme)])
    middle = len(lightness) // 2
    assert np.abs(lightness[:middle] - lightness[:middle:-1]).max() < 12
    sides = np.diff(lightness[: middle + 1]), np.diff(lightness[: middle - 1 : -1])
    assert all((side > 0).all() if theme == "light" else (side < 0).all() for side in sides)


# One head -----------------------------------------------------------------------------------------------------------


def test_a_head_shows_its_weights_with_queries_down_and_keys_across() -> None:
    map = example()
    figure = draw_head(map)
    heatmap = figure.data[0]
    np.testing.assert_array_equal(heatmap.z, map.weights)
    assert heatmap.z.shape == (QUERIES, KEYS)
    assert list(figure.layout.yaxis.ticktext) == ["The", "dog", "saw", "the", "ball"]
    assert list(figure.layout.xaxis.ticktext) == ["Der", "Hund", "sah", "den", "Ball", ".", "&lt;/s&gt;"]
    top, bottom = figure.layout.yaxis.range[1], figure.layout.yaxis.range[0]
    assert top < bottom  # the first query is the highest row
    assert (figure.layout.xaxis.title.text, figure.layout.yaxis.title.text) == ("key", "query")


def test_a_head_names_its_quantity_and_has_the_range_0_to_1() -> None:
    heatmap = draw_head(example()).data[0]
    assert heatmap.colorbar.title.text == "attention weight"
    assert (heatmap.zmin, heatmap.zmax) == (0.0, 1.0)


def test_a_heads_own_scale_ends_at_its_largest_weight() -> None:
    map = example()
    heatmap = draw_head(map, scale="head").data[0]
    assert (heatmap.zmin, heatmap.zmax) == (0.0, pytest.approx(map.weights.max()))


@pytest.mark.parametrize("count", [61, 145, 447])
def test_the_colours_of_a_long_text_end_at_a_multiple_of_the_even_share(count: int) -> None:
    words = tokens(*(f"w{place}" for place in range(count)))
    maps = [AttentionMap.of(np.full((count, count), 1 / count), words, words, layer=0, head=head) for head in (0, 1)]
    assert draw_head(maps[0]).data[0].zmax == draw_heads(maps).data[0].zmax == pytest.approx(16 / count)
    overview = draw_overview(maps).data[0]
    assert overview.z[0][0] / overview.zmax == pytest.approx(1 / 16)
    assert draw_head(maps[0], scale="head").data[0].zmax == pytest.approx(1 / count)
    short = AttentionMap.of(np.full((60, 60), 1 / 60), words[:60], words[:60], layer=0, head=0)
    assert draw_head(short).data[0].zmax == 1.0


def test_a_long_label_leaves_room_for_the_map() -> None:
    words = tokens("a & b " * 20, "dog")
    figure = draw_head(AttentionMap.of(np.eye(2), words, words))
    assert figure.layout.yaxis.ticktext[0] == "a &amp; b a &amp; b a &amp; b a &amp; b…"
    assert words[0].text.strip() in figure.data[0].text[0][0].replace("&amp;", "&")


def test_hover_reads_as_a_sentence() -> None:
    map = example()
    heatmap = draw_head(map).data[0]
    assert heatmap.text[2][1] == f"saw → Hund {map.weights[2, 1]:.2f}"
    assert heatmap.hovertemplate == "%{text}<extra></extra>"


def test_the_share_that_is_hidden_stands_at_the_right_of_each_row() -> None:
    assert len(draw_head(example()).data) == 1
    map = hidden()
    heatmap, bars = draw_head(map).data
    right_edge = heatmap.z.shape[1] - 0.5
    assert bars.base > right_edge
    assert list(bars.y) == list(range(QUERIES))
    np.testing.assert_allclose([share for _, share in bars.customdata], map.hidden_mass, rtol=1e-6)
    ratio = np.asarray(bars.x) / map.hidden_mass
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-5)
    assert "hidden" in bars.hovertemplate


def test_tokens_are_drawn_as_they_are_and_not_as_markup() -> None:
    map = AttentionMap.of([[1.0]], tokens("<b>&amp;"), tokens("a&b"))
    figure = draw_head(map)
    assert list(figure.layout.yaxis.ticktext) == ["&lt;b&gt;&amp;amp;"]
    assert figure.data[0].text[0][0] == "&lt;b&gt;&amp;amp; → a&amp;b 1.00"


def test_a_long_text_gets_as_many_labels_as_fit_and_no_text_for_every_cell() -> None:
    count = 300
    words = tuple(Token(7, f"word{place}", False, place, None, None) for place in range(count))
    figure = draw_head(AttentionMap.of(np.eye(count), words, words))
    assert 0 < len(figure.layout.xaxis.tickvals) <= 48
    assert figure.data[0].text is None
    assert "%{z:.2f}" in figure.data[0].hovertemplate


def test_names_can_be_in_another_language() -> None:
    names = style.Names(query="Anfrage", key="Schlüssel", weight="Gewicht", hidden="verborgen")
    figure = draw_head(hidden(), names=names)
    assert (figure.layout.xaxis.title.text, figure.layout.yaxis.title.text) == ("Schlüssel", "Anfrage")
    assert figure.data[0].colorbar.title.text == "Gewicht"
    assert "verborgen" in figure.data[1].hovertemplate


@pytest.mark.parametrize("theme", THEMES)
def test_each_theme_has_its_colours(theme: str) -> None:
    figure = draw_head(example(), theme=theme)
    assert [list(stop) for stop in figure.data[0].colorscale] == style.sequential(theme)
    assert figure.layout.font.color == style.PALETTES[theme].text


def test_an_empty_map_is_an_empty_figure() -> None:
    assert draw_head(AttentionMap.of(np.zeros((0, 0)), (), ())).data[0].z.size == 0


# All heads ----------------------------------------------------------------------------------------------------------


def test_heads_stand_side_by_side_in_one_trace() -> None:
    maps = [example(head=head, seed=head) for head in range(3)]
    figure = draw_heads(maps, columns=2)
    (heatmap,) = figure.data
    step_x, step_y = KEYS + 1, QUERIES + 1
    for place, map in enumerate(maps):
        top, left = place // 2 * step_y, place % 2 * step_x
        np.testing.assert_array_equal(heatmap.z[top : top + QUERIES, left : left + KEYS], map.weights)
        assert heatmap.text[top + 1][left + 2] == f"dog → sah {map.weights[1, 2]:.2f}"
    assert np.isnan(heatmap.z[QUERIES]).all() and np.isnan(heatmap.z[:, KEYS]).all()
    assert np.isfinite(heatmap.z).sum() == 3 * QUERIES * KEYS


def test_heads_are_labelled_and_share_one_scale() -> None:
    figure = draw_heads([example(head=head, seed=head) for head in range(3)], columns=2)
    assert [note.text for note in figure.layout.annotations] == ["L2 H0", "L2 H1", "L2 H2"]
    assert (figure.data[0].zmin, figure.data[0].zmax) == (0.0, 1.0)
    assert figure.data[0].colorbar.title.text == "attention weight"
    assert list(figure.layout.xaxis.ticktext) == ["Der", "Hund", "sah", "den", "Ball", ".", "&lt;/s&gt;"] * 2
    assert list(figure.layout.yaxis.ticktext) == ["The", "dog", "saw", "the", "ball"] * 2
    assert (figure.layout.xaxis.title.text, figure.layout.yaxis.title.text) == ("key", "query")


def test_heads_on_their_own_scales_say_so() -> None:
    maps = [example(head=head, seed=head) for head in range(2)]
    figure = draw_heads(maps, scale="head", columns=2)
    assert np.nanmax(figure.data[0].z[:, :KEYS]) == pytest.approx(1.0)
    assert [note.text for note in figure.layout.annotations] == [
        f"L2 H{map.head} · max {map.weights.max():.2f}" for map in maps
    ]
    assert figure.data[0].colorbar.title.text != "attention weight"


def test_heads_of_different_sizes_do_not_stand_side_by_side() -> None:
    with pytest.raises(ValueError, match="same queries and keys"):
        draw_heads([example(), hidden()])
    with pytest.raises(ValueError, match="no head"):
        draw_heads([])


# In words -----------------------------------------------------------------------------------------------------------


def test_a_description_names_the_strongest_weights_first() -> None:
    weights = np.array([[0.1, 0.9], [0.55, 0.45]])
    map = AttentionMap.of(weights, tokens("a", "b"), tokens("c", "d"), layer=1, head=3)
    assert describe(map) == "L1 H3: a → d 0.90, b → c 0.55, b → d 0.45"
    assert describe(map, most=1) == "L1 H3: a → d 0.90"


def test_a_description_is_the_same_every_time() -> None:
    map = AttentionMap.of(np.full((3, 3), 1 / 3), tokens("a", "b", "c"), tokens("a", "b", "c"))
    assert describe(map, most=2) == "L0 H0: a → a 0.33, a → b 0.33"


def test_a_description_of_nothing_is_the_name() -> None:
    assert describe(AttentionMap.of(np.zeros((0, 0)), (), (), layer=4, head=1)) == "L4 H1"


def test_small_maps_have_their_numbers_in_the_cells_and_large_ones_have_none() -> None:
    assert draw_head(example()).data[0].texttemplate == "%{z:.2f}"
    many = tokens(*(f"w{place}" for place in range(40)))
    large = AttentionMap.of(np.full((40, 40), 1 / 40), many, many)
    assert draw_head(large).data[0].texttemplate is None


def test_colours_by_the_square_root_leave_weights_and_colour_bar_as_they_are() -> None:
    (even,), (root,) = (draw_head(example(), scale=scale).data for scale in ("shared", "root"))
    assert (np.array(root.z) == np.array(even.z)).all() and (root.zmin, root.zmax) == (even.zmin, even.zmax)
    positions = np.array([[one[0], other[0]] for one, other in zip(even.colorscale, root.colorscale, strict=True)])
    np.testing.assert_allclose(positions[:, 0] ** 2, positions[:, 1])
    assert [stop[1] for stop in even.colorscale] == [stop[1] for stop in root.colorscale]
