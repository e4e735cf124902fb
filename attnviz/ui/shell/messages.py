"""Every text on the screen, in the reader's language.

Texts stand in the code in English, inside `_()`. The folder `attnviz/ui/locale` holds what they are in other languages,
one gettext catalogue each, made from the template `attnviz.pot`, which `attnviz.ui.shell.catalogue` writes.

The address decides the language (`?lang=de`), else what the reader picked, else what the browser asks for.
"""

from __future__ import annotations

import contextlib
import functools
import gettext
import re
import string
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import streamlit as st
from babel.numbers import format_compact_decimal, get_decimal_symbol, get_group_symbol

from attnviz.errors import Message
from attnviz.typography import set_minus

LOCALE = Path(__file__).resolve().parents[1] / "locale"
DOMAIN = "attnviz"

# What each language calls itself; a reader finds it without knowing the language that the page is in.
LANGUAGES = {"de": "Deutsch", "nl": "Nederlands", "zh_Hans": "简体中文", "zh_Hant": "繁體中文", "en": "English"}

BUNDLED = "bundled"  # what the engine calls the model that ships

_ADDRESS = "lang"
_CHOSEN = "attnviz_language"
_TRADITIONAL = {"hant", "tw", "hk", "mo"}

# The language of the run of a page that this thread is in: each session has a thread of its own. A page asks for it
# some five hundred times, and looking it up in Streamlit's state each time is a tenth of the whole run.
_run = threading.local()


def _(message: str) -> str:
    """The message in the reader's language."""
    return _catalogue(language()).gettext(message)


def ngettext(one: str, several: str, count: int) -> str:
    """The form that fits the count: languages have one to six of them."""
    return _catalogue(language()).ngettext(one, several, count)


def translate(message: str) -> str:
    """What the engine says, in the reader's language; a text that is no `Message` stays as it is."""
    if not isinstance(message, Message):
        return message
    message = message.on_page or message
    template = _catalogue(language()).gettext(message.template)
    return _LocalFormatter().format(template, *map(_local_value, message.values)) if message.values else template


class _LocalFormatter(string.Formatter):
    """Writes numbers with the reader's signs."""

    def format_field(self, value: Any, spec: str) -> str:
        text = super().format_field(value, spec)
        return local_number(text) if isinstance(value, (int, float)) and not isinstance(value, bool) else text


def _local_value(value: Any) -> Any:
    """A value of a message, where it is a word of the engine: a part of the message, a kind of attention, a model."""
    if isinstance(value, Message):
        return translate(value)
    return model_label(kind_name(value)) if isinstance(value, str) else value


def language() -> str:
    """The reader's language, a key of `LANGUAGES`; English where nobody asked for one that the app has."""
    return getattr(_run, "language", None) or _asked_language()


@contextlib.contextmanager
def texts_in(language: str) -> Iterator[None]:
    """Texts in a language that is not a reader's own choice: for what is made ready before anybody has come.

    Args:
        language: a key of `LANGUAGES`.

    >>> with texts_in("de"):
    ...     _("Sentence")
    'Satz'
    """
    before = getattr(_run, "language", None)
    _run.language = language
    try:
        yield
    finally:
        _run.language = before


def _asked_language() -> str:
    return st.session_state.get(_CHOSEN) or known_language(st.context.locale) or "en"


def local_number(text: str) -> str:
    """A number as Python writes it, with a real minus and the reader's signs for decimals and thousands: "−0,42"."""
    return set_minus(text).translate(_number_signs(language()))


def local_count(count: float) -> str:
    """A count as the reader's language says it: "1,568" and "37.7 million", in German "1.568" and "37,7 Millionen"."""
    if count < 1_000_000:
        return local_number(f"{count:,.0f}")
    # Babel has the Chinese units, which go by ten thousands, as its short form only.
    form: Literal["short", "long"] = "short" if language().startswith("zh") else "long"
    return str(format_compact_decimal(count, format_type=form, locale=language(), fraction_digits=1))


def decimal_sign() -> str:
    """What stands before the decimals in the reader's language."""
    return get_decimal_symbol(language())


def local_formula(formula: str) -> str:
    """A formula in LaTeX with the reader's decimal sign; in braces, or LaTeX would leave room behind a comma."""
    sign = decimal_sign()
    return formula if sign == "." else re.sub(r"(?<=\d)\.(?=\d)", f"{{{sign}}}", formula)


def local_percent(text: str) -> str:
    """A number as Python writes it, with the percent sign as the reader's language sets it."""
    return _("{0} %").format(local_number(text))


def kind_name(kind: str) -> str:
    """A kind of attention, as it stands in a sentence; the address and the API have their own word for it."""
    names = {"encoder": _("encoder"), "decoder": _("decoder"), "cross": _("cross")}
    return names.get(kind, kind)


def kind_title(kind: str) -> str:
    """A kind of attention, as it stands alone or begins a line: "Encoder", "Cross"."""
    name = kind_name(kind)
    return name[:1].upper() + name[1:]


def model_label(name: str) -> str:
    """What a model is called on the screen."""
    return _("Bundled translation model") if name == BUNDLED else name


def head_name(name: str) -> str:
    """The name of a map or of a difference, "L2 mean" or "L2 H5 − L0 max", with its words in the reader's language."""
    words = {"mean": _("mean"), "max": _("max"), "rollout": _("rollout")}
    return " ".join(words.get(word) or model_label(kind_name(word)) for word in name.split(" "))


def language_name(code: str) -> str:
    """A language in the reader's own; the code of ISO 639-1 where it has no name here."""
    names = {
        "de": _("German"),
        "en": _("English"),
        "nl": _("Dutch"),
        "zh": _("Chinese"),
        "fr": _("French"),
        "es": _("Spanish"),
        "it": _("Italian"),
        "pt": _("Portuguese"),
        "ja": _("Japanese"),
        "ko": _("Korean"),
        "ru": _("Russian"),
    }
    return names.get(code, code)


@functools.lru_cache(maxsize=64)
def known_language(name: str | None) -> str | None:
    """The language of the app that a browser or an address means, or None.

    Chinese is written in two ways: Taiwan, Hong Kong and Macau write the traditional characters.

    >>> [known_language(name) for name in ("de-AT", "zh-TW", "zh-Hant-HK", "zh", "zh_CN", "fr", None)]
    ['de', 'zh_Hant', 'zh_Hant', 'zh_Hans', 'zh_Hans', None, None]
    """
    first, *more = (name or "").replace("-", "_").casefold().split("_")
    if first == "zh":
        return "zh_Hant" if _TRADITIONAL & set(more) and "hans" not in more else "zh_Hans"
    return first if first in LANGUAGES else None


def web_name(language: str) -> str:
    """A language as web pages and addresses write it.

    >>> web_name("zh_Hans")
    'zh-Hans'
    """
    return language.replace("_", "-")


def choose_language(language: str) -> None:
    """Has the page in a language from now on; for callbacks, which run before the page does."""
    st.session_state[_CHOSEN] = _run.language = language
    st.query_params[_ADDRESS] = web_name(language)


def keep_language() -> None:
    """Lets a language that was asked for follow to every page, and so into each copied link; begins each run.

    Streamlit takes what it does not know out of the address when another page is opened.
    """
    requested = known_language(st.query_params.get(_ADDRESS))
    if requested:
        st.session_state[_CHOSEN] = requested
    elif _CHOSEN in st.session_state:
        st.query_params[_ADDRESS] = web_name(st.session_state[_CHOSEN])
    _run.language = _asked_language()


@functools.lru_cache(maxsize=64)
def _catalogue(language: str) -> gettext.NullTranslations:
    return gettext.translation(DOMAIN, LOCALE, languages=[language], fallback=True)


@functools.lru_cache(maxsize=64)
def _number_signs(language: str) -> dict[int, str]:
    return str.maketrans({".": get_decimal_symbol(language), ",": get_group_symbol(language)})
