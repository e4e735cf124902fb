"""Texts that other programs have stumbled over, as tokens, title and settings of a picture: just texts everywhere."""

from __future__ import annotations

import csv
import io
import re
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from support.maps import map_of, random_rows

from attnviz import Token
from attnviz.errors import FontError
from attnviz.export import Picture, notebook, to_csv, to_html, to_npz, to_png, to_svg
from attnviz.export.csv_table import from_csv
from attnviz.export.npz import from_npz
from attnviz.measures.distances import difference

TEXTS = (
    "</script><img src=x onerror=alert(1)>", "<script>alert(1)</script>", "</svg><svg onload=alert(1)>", "]]><!--",
    '" onmouseover="alert(1)', "javascript:alert(1)", "&lt;b&gt;&#x3c;", "{0}{1!r}%s", "</title></style><b>",
    "=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "'=1+1", "＝1", "\t=1+1", "\r=1+1", " =1+1", ";=1+1",
    "\x00", "\x1b[31m", "\ud800", "\ufffe", "\u202eabc\u202c", "\u2066x", "\ufeff", "\u2028", "a" * 1_000,
    "\U0001f469\u200d\U0001f467" * 40, "é" + "\u0301" * 300, "\n\n", "a,b;c\td", "", " ",
)  # fmt: skip
ROWS = 3  # queries, which are the same texts: enough to see each in both places
TOKENS = tuple(Token(number, text, False, number, None, None) for number, text in enumerate(TEXTS))
TITLE = "".join(TEXTS)
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module", params=["heatmap", "lines"])
def picture(request: pytest.FixtureRequest) -> Picture:
    weights = random_rows(ROWS, len(TOKENS))
    map = map_of(weights, TOKENS[:ROWS], TOKENS, model=TEXTS[0])
    other = map_of(weights[::-1], TOKENS[:ROWS], TOKENS, model=TEXTS[9])
    settings = {"sentence": TITLE, "target": TEXTS[0], "hide": TEXTS[9]}
    return Picture((map, difference(map, other)), style=request.param, title=TITLE, settings=settings)


class Page(HTMLParser):
    """Counts the tags of a page, and gathers the names of their attributes and where they lead."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: dict[str, int] = {}
        self.attributes: set[str] = set()
        self.addresses: set[str] = set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags[tag] = self.tags.get(tag, 0) + 1
        self.attributes |= {name for name, _value in attributes}
        self.addresses |= {str(value) for name, value in attributes if name in ("href", "src", "xlink:href", "action")}


def check_markup(text: str, harmless: str) -> None:
    """The text has the same kinds of elements as one of harmless tokens, and nothing in it runs or leads anywhere."""
    page, usual = Page(text), Page(harmless)
    assert set(page.tags) <= set(usual.tags) | {"tspan", "title"}
    assert page.tags.get("script", 0) == usual.tags.get("script", 0)
    assert not {name for name in page.attributes if name.startswith("on")}
    assert not {address for address in page.addresses if not address.startswith("#")}


def harmless(picture: Picture) -> Picture:
    """The same picture of words."""
    words = tuple(Token(token.id, f"w{token.id}", False, token.word, None, None) for token in TOKENS)
    map = map_of(picture.panels[0].weights, words[:ROWS], words)
    return Picture((map, difference(map, map)), style=picture.style, title="words", settings={"sentence": "words"})


def test_svg(picture: Picture) -> None:
    drawn = to_svg(picture)
    root = ElementTree.fromstring(drawn)
    names = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert not names & {"script", "img", "image", "foreignObject", "a", "use", "animate", "set"}
    check_markup(drawn, to_svg(harmless(picture)))
    assert "alert(1)" in "".join(root.itertext())


def test_html_and_what_a_notebook_shows(picture: Picture) -> None:
    page = to_html(picture)
    check_markup(page, to_html(harmless(picture)))
    assert "default-src 'none'" in page
    check_markup(notebook.show(picture.panels[0]), notebook.show(harmless(picture).panels[0]))


def test_csv_has_no_formulas_and_no_broken_rows(picture: Picture) -> None:
    table = to_csv(picture)
    lines = [line for line in table.removeprefix("\ufeff").split("\n") if not line.startswith("#")]
    rows = list(csv.reader(io.StringIO("\n".join(lines)), strict=True))
    rows = [row for row in rows if row]
    assert {len(row) for row in rows} == {13} and len(rows) == 1 + 2 * ROWS * len(TOKENS)
    cells = {cell for row in rows for cell in row if not re.fullmatch(r"-?[\d.e-]+", cell)}
    assert not {cell for cell in cells if cell[:1] in "=+-@＝＋－＠\t\r\n" and cell}
    assert "\x00" not in table and "\x1b" not in table


def test_the_numbers_come_back_with_their_tokens(picture: Picture) -> None:
    def texts(read: Picture) -> list[str]:
        return [token.text for token in read.panels[0].key_tokens]

    expected = list(TEXTS)
    back: list[Any] = [from_csv(to_csv(picture)), from_npz(to_npz(picture))]
    for read in back:
        assert [one.encode("utf-8", "replace") for one in texts(read)] == [
            one.encode("utf-8", "replace") for one in expected
        ]
        np.testing.assert_allclose(read.panels[0].weights, picture.panels[0].weights, atol=1e-7)


def test_png_of_all_texts_that_this_machine_has_fonts_for() -> None:
    def draw(tokens: tuple[Token, ...]) -> bytes:
        map = map_of(random_rows(ROWS, len(tokens)), tokens[:ROWS], tokens)
        return to_png(Picture((map,), title="".join(token.text for token in tokens)))

    tokens = TOKENS
    for _ in TOKENS:
        try:
            assert draw(tokens).startswith(b"\x89PNG")
            break
        except FontError as error:  # which names some of those that there is no font for
            signs = str(error).removeprefix("This machine has no font for ").partition(" and would")[0].split()
            control = {chr(ord(sign) - 0x2400) for sign in signs if "␀" <= sign <= "␟"}  # drawn as signs of their own
            remaining = tuple(token for token in tokens if not {*signs, *control} & set(token.text))
            assert len(remaining) < len(tokens), error
            tokens = remaining
    assert len(tokens) >= len(TOKENS) - 8
