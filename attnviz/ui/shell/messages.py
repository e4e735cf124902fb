"""Every text on the screen, in the language of the browser.

Texts stand in the code in English, inside `_()`. The folder `attnviz/ui/locale` holds what they are in other languages,
one gettext catalogue each, made from the template `attnviz.pot`, which `attnviz.ui.shell.catalogue` writes. A language
without a catalogue gets English.
"""

from __future__ import annotations

import functools
import gettext
from pathlib import Path

import streamlit as st

LOCALE = Path(__file__).resolve().parents[1] / "locale"
DOMAIN = "attnviz"


def _(message: str) -> str:
    """The message in the reader's language."""
    return _catalogue(language()).gettext(message)


def ngettext(one: str, several: str, count: int) -> str:
    """The form that fits the count: languages have one to six of them."""
    return _catalogue(language()).ngettext(one, several, count)


def language() -> str:
    """What the browser asks for, as gettext spells it: "pt_BR" for "pt-BR"."""
    return (st.context.locale or "en").replace("-", "_")


@functools.lru_cache(maxsize=64)
def _catalogue(language: str) -> gettext.NullTranslations:
    # The name comes from the browser: only letters and underscores may become part of a path.
    plain = language if language.replace("_", "").isalnum() else "en"
    return gettext.translation(DOMAIN, LOCALE, languages=[plain, plain.split("_")[0]], fallback=True)
