"""Text for pictures that are drawn where no font can be asked: how wide it gets at most, and what XML may hold."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from attnviz.tokenization.token import Token

# Widely installed and nearly equally wide; then what has Chinese, Japanese, Korean and emoji.
_LATIN = "Helvetica Neue, Helvetica, Arial, Liberation Sans, Noto Sans, DejaVu Sans"
_WIDE = "Noto Sans CJK SC, PingFang SC, Microsoft YaHei, Hiragino Sans, Malgun Gothic"
_TRADITIONAL = "Noto Sans CJK TC, PingFang TC, Microsoft JhengHei, Hiragino Sans, Malgun Gothic"
_EMOJI = "Noto Color Emoji, Apple Color Emoji, Segoe UI Emoji"
FONT = f"{_LATIN}, {_WIDE}, {_EMOJI}, sans-serif"
# A program that lacks one character in the first font it has may take another font for the whole text, and any at that.
_FONT_WIDE = f"{_WIDE}, {_EMOJI}, {_LATIN}, sans-serif"
_FONT_SIGNS = f"DejaVu Sans, Segoe UI Symbol, Apple Symbols, Noto Sans Symbols, {_LATIN}, {_WIDE}, sans-serif"

# Advance widths in em of the fonts above, rounded up.
_WIDTHS = {
    character: width
    for width, characters in (
        (0.26, "ijl'|"),
        (0.32, " !,./:;I[]\\ft"),
        (0.38, '()-r`"{}‐–‧·'),
        (0.48, "*^"),
        (0.54, "ckszJvxy"),
        (0.60, "abdeghnopqu0123456789_?$#L"),
        (0.68, "+<=>~FTZABEKPSVXY&"),
        (0.80, "CDHNRUGOQw"),
        (0.92, "mM%"),
        (1.06, "W@…→⏎⇥␣"),
    )
    for character in characters
}
_GENEROUS = 1.08  # DejaVu Sans, which many machines without the others have, is wider
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def in_language(svg: str, language: str) -> str:
    """A drawing that says which language it is in, with the fonts that write its own forms of Chinese characters."""
    if language == "en":
        return svg
    svg = svg.replace("<svg ", f'<svg xml:lang="{escape_text(language)}" ', 1)
    return svg.replace(_WIDE, _TRADITIONAL) if language == "zh-Hant" else svg


def underlined(token: Token) -> str:
    """The attribute that underlines the label of a token that the model wrote; "" for what somebody typed."""
    return ' text-decoration="underline"' if token.generated else ""


def legal_text(text: str) -> str:
    """The text with U+FFFD for what XML 1.0 (section 2.2, "Characters") cannot hold, lone surrogates among it.

    >>> legal_text("a\\x00b")
    'a�b'
    """
    return _NOT_XML.sub("\ufffd", text)


def escape_text(text: str) -> str:
    """The text as XML and HTML take it, between tags or within an attribute's quotes.

    >>> escape_text('<a & "b">')
    '&lt;a &amp; &quot;b&quot;&gt;'
    """
    return escape(legal_text(text), {'"': "&quot;", "\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})


def fonts(text: str) -> list[tuple[str, str]]:
    """The text in parts, each with the fonts that are likely to have it.

    >>> [part for _, part in fonts("Hund₂ 学习")]
    ['Hund', '₂', ' ', '学习']
    """
    parts: list[tuple[str, str]] = []
    for character in text:
        category = unicodedata.category(character)
        if category[0] == "M" or category == "Cf":
            font = parts[-1][0] if parts else FONT  # belongs to the character before it
        elif unicodedata.east_asian_width(character) in "WF":
            font = _FONT_WIDE
        elif category in ("No", "So", "Sm", "Sk") and character > "\xff":
            font = _FONT_SIGNS
        else:
            font = FONT
        if parts and parts[-1][0] == font:
            parts[-1] = font, parts[-1][1] + character
        else:
            parts.append((font, character))
    return parts


def width(text: str, size: float) -> float:
    """How wide a line of text gets at most, in the unit of the font's size.

    >>> width("Hund", 10) < width("学习", 15)
    True
    """
    return size * _GENEROUS * sum(map(_width_in_em, text))


def _width_in_em(character: str) -> float:
    known_width = _WIDTHS.get(character)
    if known_width is not None:
        return known_width
    category = unicodedata.category(character)
    if category in ("Mn", "Me", "Cf") or "\ufe00" <= character <= "\ufe0f":
        return 0.0
    if character >= "\U0001f000":
        return 1.3  # emoji stand over the em a little
    if unicodedata.east_asian_width(character) in "WF":
        return 1.0
    base = unicodedata.normalize("NFD", character)[0]
    return _WIDTHS.get(base, 0.85)


def shorten(text: str, size: float, room: float) -> str:
    """The text, or as much of it as fits, with an ellipsis; never cut before a mark that belongs to a letter.

    >>> shorten("Donaudampfschifffahrt", 10, 60)
    'Donauda…'
    """
    if width(text, size) <= room:
        return text
    while text and width(f"{text}…", size) > room:
        text = text[:-1]
        while text and (unicodedata.category(text[-1])[0] == "M" or text[-1] == "\u200d"):
            text = text[:-1]
    return f"{text}…"


def wrap(parts: Sequence[str], size: float, room: float, between: str = " · ") -> list[str]:
    """Lines of whole parts; a part that alone is wider than the room is broken between words, or at last within.

    >>> wrap(["model bundled", "encoder", "L2 H5"], 10, 120)
    ['model bundled', 'encoder · L2 H5']
    """
    lines: list[str] = []
    line = ""
    for part in parts:
        joined = f"{line}{between}{part}" if line else part
        if width(joined, size) <= room:
            line = joined
            continue
        if line:
            lines.append(line)
        *full, line = _break_text(part, size, room)
        lines.extend(full)
    return [*lines, line] if line else lines


def _break_text(text: str, size: float, room: float) -> list[str]:
    lines = [""]
    for word in re.findall(r"\S+\s*|\s+", text):
        if width((lines[-1] + word).rstrip(), size) > room and lines[-1]:
            lines.append("")
        for character in word:
            if width((lines[-1] + character).rstrip(), size) > room and lines[-1]:
                lines.append("")
            lines[-1] += character
    return [line.rstrip() for line in lines]
