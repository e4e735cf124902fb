"""Exported pictures in the reader's language: titles, axes, legends, captions and numbers; never the data in them."""

from __future__ import annotations

import re

import pytest
from support.pictures import a_map, tokens

from attnviz.export import Picture, to_csv, to_html, to_svg
from attnviz.export.texts import TEXTS
from attnviz.ui.components import export_menu
from attnviz.ui.shell import messages

WORD = re.compile(r"[A-Za-z]{3,}")
SETTINGS = {"by_word": "true", "hide_special": "true", "hide": '["den"]', "rows": '["sah"]'}


def picture(**options: str) -> Picture:
    words = tokens("Der", "sah", "den")
    panels = tuple(
        a_map(words, words, seed=head, layer=1, head=head, kind="encoder", model="bundled") for head in (0, 1)
    )
    return Picture(panels, scale="head", settings=SETTINGS, **options)


def shown(svg: str) -> str:
    """What is read in a picture: its texts, its title and its description."""
    return " · ".join(re.findall(r"<(?:text|title|desc)[^>]*>(.*?)</(?:text|title|desc)>", svg))


def in_language(monkeypatch: pytest.MonkeyPatch, language: str) -> Picture:
    for module in (messages, export_menu):
        monkeypatch.setattr(module, "language", lambda: language)
    return export_menu.in_language(picture())


@pytest.mark.parametrize(("language", "own"), [("de", "Aufmerksamkeitsgewicht"), ("zh_Hant", "注意力權重")])
def test_no_english_is_in_the_picture_of_another_language(
    monkeypatch: pytest.MonkeyPatch, language: str, own: str
) -> None:
    translated = in_language(monkeypatch, language)
    said = shown(to_svg(translated))
    assert own in said and "bundled" not in said
    english = {word for text in TEXTS for word in WORD.findall(text)}
    assert not set(WORD.findall(said)) & english - set(WORD.findall(" ".join(translated.texts.values())))
    page = to_html(translated)
    assert f'<html lang="{messages.web_name(language)}">' in page
    # Programs read the numbers of a table as they always are.
    assert to_csv(translated).splitlines()[-1] == to_csv(picture()).splitlines()[-1]


def test_decimals_have_the_sign_of_the_language(monkeypatch: pytest.MonkeyPatch) -> None:
    translated = in_language(monkeypatch, "de")
    assert re.search(r"\d,\d\d", shown(to_svg(translated))) and not re.search(r"\d\.\d\d", shown(to_svg(translated)))
    assert '"decimal":","' in to_html(translated)


def test_each_script_has_its_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    traditional = to_svg(in_language(monkeypatch, "zh_Hant"))
    assert "Noto Sans CJK TC" in traditional and "Noto Sans CJK SC" not in traditional
    assert 'xml:lang="zh-Hant"' in traditional
    assert "Noto Sans CJK SC" in to_svg(in_language(monkeypatch, "zh_Hans"))


def test_a_picture_is_english_where_nobody_says_otherwise() -> None:
    said = shown(to_svg(picture()))
    assert "by words · special tokens hidden · hidden: den · rows averaged: sah" in said
    assert (
        "attention weight, of each panel&apos;s largest" in said or "attention weight, of each panel's largest" in said
    )
    assert '<html lang="en">' in to_html(picture())
