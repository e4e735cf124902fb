"""An export as a PNG: its size, its colours, and that no character becomes an empty box."""

from __future__ import annotations

import io

import pytest
from PIL import Image
from support.pictures import PICTURES, a_map, parsed, tokens

from attnviz.errors import AttnvizError, FontError, InputError
from attnviz.export import Picture, png, to_png
from attnviz.figures import style


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
