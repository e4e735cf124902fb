"""The buttons "Copy link" and "Export": a link to the page, and files of exactly what it shows.

The page makes a file only when somebody asks for it, and then only this part of the page runs again. PNG is drawn by
the reader's browser from the SVG, so that it has the fonts that the reader sees.
"""

from __future__ import annotations

import base64
import logging
import re
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import streamlit as st

from attnviz.errors import AttnvizError
from attnviz.ui.components.component import define
from attnviz.ui.shell.messages import BUNDLED, _, decimal_sign, language, model_label, translate, web_name

if TYPE_CHECKING:
    from attnviz.export import Picture

_logger = logging.getLogger("attnviz")
_component = define(__file__)

MEDIA = {
    "svg": "image/svg+xml",
    "png": "image/svg+xml",  # what is sent; the browser makes the PNG of it
    "html": "text/html",
    "csv": "text/csv",
    "npz": "application/octet-stream",
}
PICTURES, NUMBERS = ("svg", "png", "html"), ("csv", "npz")
LONGEST_NAME = 80
LONGEST_LINK = 8_000  # characters; the app takes 65,536, servers that stand before it often no more than these


def export_menu(
    make: Callable[[], Picture], *, name: str, key: str = "take", lines: Callable[[], Picture] | None = None
) -> None:
    """Draws the buttons "Copy link" and "Export" into the current container.

    Args:
        make: the picture that is on the screen; called when somebody asks for a file, and not before.
        name: of the files, without an ending: "attnviz-L2-H5-encoder".
        key: of the component on its page.
        lines: the same as lines, where the page shows it so as well.
    """
    # What was asked for in an earlier run of the page is done with.
    st.session_state.pop(_request_key(key), None)
    _buttons(make, file_name(name), key, lines)


def copy_link(*, key: str = "take") -> None:
    """Draws the button "Copy link" alone, for pages whose pictures are no attention maps."""
    _component(key=key, data={"groups": [], "file": None, "longest": LONGEST_LINK, "texts": _texts()})


@st.fragment
def _buttons(make: Callable[[], Picture], name: str, key: str, lines: Callable[[], Picture] | None) -> None:
    """In a fragment, so that making a file does not draw the page again."""
    request = st.session_state.pop(_request_key(key), None)
    kinds: dict[str, tuple[str, Callable[[], Picture]]] = {"heatmap": (_("Heatmap"), make)}
    if lines is not None:
        kinds["lines"] = (_("Lines"), lines)
    groups = [
        {"title": title if lines is not None else _("Picture"), "style": style, "formats": PICTURES}
        for style, (title, _make) in kinds.items()
    ]
    groups.append({"title": _("Numbers"), "style": "heatmap", "formats": NUMBERS})
    data: dict[str, Any] = {
        "groups": groups,
        "file": _file_response(request, kinds, name) if request else None,
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
        "export": _("Export"),
        "making": _("Making {0} …"),
        "saved": _("{0} was saved."),
        "failed": _("The browser could not draw the PNG. Take the SVG instead."),
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
    answer = {"call": request.get("call"), "format": suffix}
    try:
        content = file_content(in_language(kinds[style][1]()), suffix)
    except AttnvizError as error:
        return {**answer, "error": translate(error.message)}
    except Exception:
        # A mistake of ours: the details are for the terminal.
        _logger.exception("a picture could not be exported")
        message = _("Something went wrong that should not have. The terminal that runs attnviz says more.")
        return {**answer, "error": message}
    ending = f"-lines.{suffix}" if style == "lines" else f".{suffix}"
    return {
        **answer,
        "name": name + ending,
        "media": MEDIA[suffix],
        "content": base64.b64encode(content).decode("ascii"),
    }


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
