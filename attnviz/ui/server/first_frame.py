"""The story's first picture within the page itself, so that it is there before any program has been loaded.

Streamlit's page is empty until its program has been fetched, has opened a connection, and the server has run the page:
a second on a good computer, several on a telephone. The story begins with the sentence as it was typed. That picture
needs no program, so the page brings it along, and the story goes on from it.
"""

from __future__ import annotations

import functools
import html
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from streamlit import file_util

from attnviz.examples import FIRST_EXAMPLES
from attnviz.ui.shell.messages import BUNDLED, _, known_language, texts_in, web_name

_BESIDE = Path(__file__).with_suffix("")
_STORY_STYLE = Path(__file__).resolve().parents[1] / "screens" / "story" / "stage" / "stage.css"
_COLOURS = ("textColor", "backgroundColor", "secondaryBackgroundColor", "primaryColor", "borderColor")
# What a link to the story may ask for without another first picture.
_SAME_PICTURE = {"sentence", "model", "lang", "word"}


def story_route(base_path: str = "") -> Route:
    """The address of the story, which answers with Streamlit's page and the first picture in it.

    Args:
        base_path: the part of the address that the whole app stands under; Streamlit's `server.baseUrlPath`.

    Example:
        >>> story_route().path
        '/story'
    """

    async def answer(request: Request) -> Response:
        wanted = first_picture(request.query_params, request.headers.get("accept-language", ""))
        page = _streamlit_page()
        if wanted is not None:
            page = page.replace("</body>", f"{_first_frame(*wanted)}</body>", 1)
        return HTMLResponse(page, headers={"Cache-Control": "no-cache"})

    base = base_path.strip("/")
    return Route(f"/{base}/story" if base else "/story", answer)


def first_picture(parameters: Mapping[str, str], accepted: str) -> tuple[str, str] | None:
    """The language and the sentence that the story begins with; None where its first picture is not known beforehand.

    Args:
        parameters: of the address.
        accepted: the languages that the browser asks for, as its header `Accept-Language` has them.

    >>> first_picture({"lang": "nl"}, "de-DE,de;q=0.9")
    ('nl', 'De kat zit op de mat.')
    >>> first_picture({"sentence": "My own."}, "de-DE") is None
    True
    """
    first = accepted.split(",")[0].split(";")[0].strip()
    language = known_language(parameters.get("lang")) or known_language(first) or "en"
    sentence = (parameters.get("sentence") or FIRST_EXAMPLES[language]).strip()
    known = sentence in FIRST_EXAMPLES.values() and parameters.get("model", BUNDLED) == BUNDLED
    return (language, sentence) if known and set(parameters) <= _SAME_PICTURE else None


@functools.cache
def _streamlit_page() -> str:
    return (Path(file_util.get_static_dir()) / "index.html").read_text(encoding="utf-8")


@functools.lru_cache(maxsize=len(FIRST_EXAMPLES) ** 2)
def _first_frame(language: str, sentence: str) -> str:
    """The picture as HTML; hidden from screen readers, which get the page that follows."""
    from attnviz.ui.screens.story.openings import opening_numbers
    from attnviz.ui.screens.story.scenes import scene_texts

    numbers = opening_numbers(sentence)
    if numbers is None:
        return ""
    with texts_in(language):
        label = _("Sentence")
        captions = "".join(_caption(number, scene, numbers) for number, scene in enumerate(scene_texts(numbers), 1))
    text = html.escape(sentence)
    style = _BESIDE.with_suffix(".css").read_text(encoding="utf-8") + _STORY_STYLE.read_text(encoding="utf-8")
    return (
        f"<style>{_theme('light')}{_theme('dark')}{style}</style>"
        f'<div id="attnviz-first-frame" lang="{web_name(language)}" aria-hidden="true">'
        f'<div class="attnviz-first-label">{html.escape(label)}</div><div class="attnviz-first-box">{text}</div>'
        f'<div class="attnviz-story"><div class="attnviz-story-captions">{captions}</div>'
        f'<div class="attnviz-story-frame attnviz-first-picture"><span>{text}</span></div></div></div>'
        f"{_program()}"
    )


def _program() -> str:
    return f"<script>{_BESIDE.with_suffix('.js').read_text(encoding='utf-8')}</script>"


def pages_with_scripts() -> tuple[str, str]:
    """HTML with every script that stands in a page of the app itself: Streamlit's own, and the first picture's."""
    return _streamlit_page(), _program()


def _caption(number: int, scene: Mapping[str, Any], numbers: Mapping[str, Any]) -> str:
    """What is said about a scene, as story_captions.js writes it; all but the first only take their room."""
    here = " attnviz-story-here" if number == 1 else ""
    between = "" if re.search(r"[\u4e00-\u9fff]", scene["title"]) else " "
    formula = f'<span class="attnviz-story-formula">{html.escape(scene["formula"])}</span>' if scene["formula"] else ""
    link = f'<a class="attnviz-story-link">{html.escape(scene["link"])} →</a>' if scene["link"] else ""
    return (
        f'<div class="attnviz-story-caption{here}"><div class="attnviz-story-head"><h3 class="attnviz-story-title">'
        f'<span class="attnviz-story-number">{number} </span>{_filled(scene["title"], numbers)}</h3>'
        f'<div class="attnviz-story-more">{formula}{link}</div></div>'
        f'<p class="attnviz-story-sentences">{_filled(between.join(scene["sentences"]), numbers)}</p></div>'
    )


def _filled(template: str, numbers: Mapping[str, Any]) -> str:
    """The text with its places filled; only the first scene is read, in the others a word is as good as another."""
    word = numbers["tokens"][numbers["word"]]["label"]
    head = numbers["head"]
    values = (word, word, "0.00", head["name"], head["width"], "0.00", len(numbers["heads"]), len(numbers["tokens"]),
              word, word)  # fmt: skip
    return html.escape(template.format(*values))


def _theme(name: str) -> str:
    """The colours and the font of `.streamlit/config.toml`, under the names that Streamlit's components know."""
    colours = {_css_name(option): st.get_option(f"theme.{name}.{option}") for option in _COLOURS}
    variables = "".join(f"{variable}:{colour};" for variable, colour in colours.items() if colour)
    return f".attnviz-first-{name}{{{variables}--st-font:{st.get_option('theme.font')};color:var(--st-text-color)}}"


def _css_name(option: str) -> str:
    """A name of Streamlit's as style sheets write it.

    >>> _css_name("textColor")
    '--st-text-color'
    """
    return "--st-" + re.sub(r"[A-Z]", lambda letter: f"-{letter[0].lower()}", option)
