"""The buttons "Copy link" and "Export": a link to the page, and files of exactly what it shows.

The page makes a file only when somebody asks for it, and then only this part of the page runs again. PNG is drawn by
the reader's browser from the SVG, so that it has the fonts that the reader sees. What a page shows besides attention
maps, the browser draws as it stands there; its numbers are those that `numbers_table` writes.
"""

from __future__ import annotations

import base64
import logging
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import streamlit as st

from attnviz.errors import AttnvizError
from attnviz.ui.components.component import define
from attnviz.ui.components.page.ready import theme
from attnviz.ui.shell.messages import BUNDLED, _, decimal_sign, language, model_label, translate, web_name

if TYPE_CHECKING:
    from attnviz.export import Picture
    from attnviz.export.tables import Table

_logger = logging.getLogger("attnviz")
_component = define(__file__, parts=["page_picture"])

MEDIA = {
    "svg": "image/svg+xml",
    "png": "image/svg+xml",  # what is sent; the browser makes the PNG of it
    "html": "text/html",
    "csv": "text/csv",
    "npz": "application/octet-stream",
}
PICTURES, NUMBERS = ("svg", "png", "html"), ("csv", "npz")
OF_PAGE = ("png", "html")
LONGEST_NAME = 80
LONGEST_LINK = 8_000  # characters; the app takes 65,536, servers that stand before it often no more than these


@dataclass(frozen=True)
class PageFigures:
    """What a page shows besides attention maps.

    Attributes:
        name: of the files, without an ending: "attnviz-embeddings-encoder".
        title: of the picture, in the reader's language: the page, what of it, and the text.
        tables: its numbers; called when somebody asks for a file, and not before.
        facts: what else is to be known, such as the model.
    """

    name: str
    title: str
    tables: Callable[[], Sequence[Table]]
    facts: Sequence[str] = ()


def export_menu(
    make: Callable[[], Picture] | None = None,
    *,
    name: str = "",
    key: str = "take",
    lines: Callable[[], Picture] | None = None,
    page: PageFigures | None = None,
) -> None:
    """Draws the buttons "Copy link" and "Export" into the current container.

    Args:
        make: the attention maps that are on the screen; called when somebody asks for a file, and not before. None
            where the page has none.
        name: of the files, without an ending: "attnviz-L2-H5-encoder".
        key: of the component on its page.
        lines: the same as lines, where the page shows it so as well.
        page: all figures of the page, where they are not the maps alone.
    """
    # What was asked for in an earlier run of the page is done with.
    st.session_state.pop(_request_key(key), None)
    _buttons(make, file_name(name), key, lines, page)


@st.fragment
def _buttons(
    make: Callable[[], Picture] | None,
    name: str,
    key: str,
    lines: Callable[[], Picture] | None,
    page: PageFigures | None,
) -> None:
    """In a fragment, so that making a file does not draw the page again."""
    request = st.session_state.pop(_request_key(key), None)
    kinds: dict[str, tuple[str, Callable[[], Picture]]] = {}
    if make is not None:
        kinds["heatmap"] = (_("Heatmap"), make)
    if lines is not None:
        kinds["lines"] = (_("Lines"), lines)
    groups: list[dict[str, Any]] = []
    if page is not None:
        groups += [
            {"title": _("This page"), "style": "page", "formats": OF_PAGE},
            {"title": _("Numbers of this page"), "style": "page", "formats": NUMBERS},
        ]
    plain = _("Picture") if page is None else _("Attention map")
    groups += [
        {"title": title if lines is not None else plain, "style": style, "formats": PICTURES}
        for style, (title, _make) in kinds.items()
    ]
    if kinds:
        title = _("Numbers") if page is None else _("Numbers of the map")
        groups.append({"title": title, "style": "heatmap", "formats": NUMBERS})
    file = None
    if request and request.get("style") == "page":
        file = _page_response(request, page) if page else None
    elif request:
        file = _file_response(request, kinds, name)
    data: dict[str, Any] = {
        "groups": groups,
        "file": file,
        "page": page and {"name": file_name(page.name), "title": page.title, "facts": list(page.facts)},
        "longest": LONGEST_LINK,
        "texts": _texts(),
    }

    def store_request() -> None:
        st.session_state[_request_key(key)] = st.session_state[key].get("want")

    _component(key=key, data=data, on_want_change=store_request)


def _texts() -> dict[str, str]:
    return {
        "copy": _("Copy link"),
        "copied": _("Copied"),
        "by_hand": _("Copy the address from the address bar: the browser did not let the page do it."),
        "long": _("Copied. The link is very long: some programs and servers cut it off. An HTML export holds it all."),
        "frame": _("In another page"),
        "copy_frame": _("Copy embed code"),
        "copied_frame": _("Copied. Paste it into the HTML of your page."),
        "export": _("Export"),
        "making": _("Making {0} …"),
        "saved": _("{0} was saved."),
        "failed": _("The browser could not draw the PNG. Take the SVG instead."),
        "page_failed": _("The browser could not draw this page. Take its numbers, or a screenshot."),
    }


def in_language(picture: Picture) -> Picture:
    """The picture with its words and numbers in the reader's language; tables for programs keep their own."""
    from attnviz.export.texts import TEXTS

    texts = {text: translate(text) for text in TEXTS} | {BUNDLED: model_label(BUNDLED)}
    return replace(picture, language=web_name(language()), decimal=decimal_sign(), texts=texts)


def _file_response(
    request: dict[str, Any], kinds: dict[str, tuple[str, Callable[[], Picture]]], name: str
) -> dict[str, Any] | None:
    """The file that the browser asked for, or what went wrong."""
    suffix, style = request.get("format"), request.get("style")
    if suffix not in MEDIA or style not in kinds:
        return None
    ending = f"-lines.{suffix}" if style == "lines" else f".{suffix}"
    return _answer(request, name + ending, lambda: file_content(in_language(kinds[style][1]()), suffix))


def _page_response(request: dict[str, Any], page: PageFigures) -> dict[str, Any] | None:
    """The page's numbers as a file, or what went wrong; of an HTML file the browser adds the picture."""
    from attnviz.export import tables

    suffix, title, facts = request.get("format"), page.title, page.facts

    def write() -> bytes:
        numbers = page.tables()
        if suffix == "npz":
            return tables.tables_to_npz(numbers, title=title, facts=facts)
        if suffix == "csv":
            return tables.tables_to_csv(numbers, title=title, facts=facts).encode("utf-8")
        page_of_numbers = tables.tables_to_html(
            numbers, title=title, facts=facts, language=web_name(language()), decimal=decimal_sign(), theme=theme()
        )
        return page_of_numbers.encode("utf-8", "replace")

    if suffix not in ("html", *NUMBERS):
        return None
    answer = _answer(request, f"{file_name(page.name)}.{suffix}", write)
    return {**answer, "picture": tables.PICTURE} if suffix == "html" else answer


def _answer(request: dict[str, Any], name: str, write: Callable[[], bytes]) -> dict[str, Any]:
    """What the browser gets of a file that it asked for."""
    suffix = str(request.get("format"))
    answer = {"call": request.get("call"), "format": suffix}
    try:
        content = write()
    except AttnvizError as error:
        return {**answer, "error": translate(error.message)}
    except Exception:
        # A mistake of ours: the details are for the terminal.
        _logger.exception("a picture could not be exported")
        message = _("Something went wrong that should not have. The terminal that runs attnviz says more.")
        return {**answer, "error": message}
    return {**answer, "name": name, "media": MEDIA[suffix], "content": base64.b64encode(content).decode("ascii")}


def file_content(picture: Picture, suffix: str) -> bytes:
    """The file of a picture; for "png" the SVG that the browser draws."""
    from attnviz import export

    if suffix == "npz":
        return export.to_npz(picture)
    write = {"html": export.to_html, "csv": export.to_csv}.get(suffix, export.to_svg)
    return write(picture).encode("utf-8")


def file_name(text: str) -> str:
    """A name that every system takes: letters, digits, dots and hyphens.

    >>> file_name("attnviz L0–3 max/cross: Füße")
    'attnviz-L0-3-max-cross-Füße'
    """
    plain = unicodedata.normalize("NFC", text)
    return re.sub(r"[^\w.]+", "-", plain).strip("-.")[:LONGEST_NAME] or "attnviz"


def _request_key(key: str) -> str:
    return f"attnviz_{key}_asked"
