"""Every page in German, the longest language, and in another one: no English is left, and everything has room.

What a page says is compared with the catalogue word by word, and text by text with the English ones. So a text that
never went through the catalogue is found, and one that is the same in both languages by mistake. Whether all languages
have all texts is tested with the catalogues; here each state of a page goes over to one more language in turn.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from babel.messages.pofile import read_po
from playwright.sync_api import Page
from support.browsing import RESTS, settled_box
from support.bundled import bundled_model
from support.languages import pick_language, wait_for_language
from support.layout import layout_faults
from support.tabs import Tabs
from support.visible_texts import Said, collect, collect_tips, words

from attnviz import examples
from attnviz.ui.screens.context.controls import OPENING_PAIRS, PAIRS
from attnviz.ui.screens.story.payload.journey import OTHER_SENTENCES
from attnviz.ui.shell.messages import LANGUAGES, LOCALE

# The same in every language: names of file formats, of what is measured in, and of things in a formula or a link.
INTERNATIONAL = {"attnviz", "html", "svg", "png", "csv", "npz", "softmax", "token", "tokens", "id", "ids", "out", "en"}
INTERNATIONAL |= {"txt", "md", "jsonl", "conllu"}  # kinds of files
# Names of grammatical relations in Universal Dependencies, and who names and collects sentences.
INTERNATIONAL |= {"amod", "appos", "aux", "case", "compound", "cop", "det", "flat", "nmod", "nsubj", "obj", "xcomp"}
INTERNATIONAL |= {"universal", "dependencies", "tatoeba", "cc", "by", "fr", "org"}
OTHER_LANGUAGES = [language for language in LANGUAGES if language != "en"]
CUT_WORD = re.compile(r"\w+…")
DECIMAL_POINT = re.compile(r"(?<![\d.])(?<!CC BY )\d+\.(?!\d{3}\b)\d+(?![\d.])")  # 12.000 are twelve thousand

HYPHEN_MINUS = re.compile(r"(?<![\w.)-])-\d")


def click(*selectors: str) -> Callable[[Page], None]:
    """Opens what is not open yet."""

    def act(page: Page) -> None:
        for selector in selectors:
            page.locator(selector).first.click()

    return act


OPENED_HEAD = "/?kind=cross&layer=2&head=3&by_word=true&hide_special=true&hide=Hund&renormalise=true"
EXPORT = ".attnviz-take-button >> nth=1"
MENU = ".st-key-more button"

# Address, what to open there, and what says that the page is complete.
STATES: dict[str, tuple[str, Callable[[Page], None] | None, str]] = {
    "heads, menus": ("/", click(EXPORT, MENU), ".st-key-rows"),
    "heads, one open": (OPENED_HEAD, None, ".st-key-opened .js-plotly-plot"),
    "heads, a link with wrong values": ("/?kind=sideways&layer=99&head=77&hide=nix", None, ".attnviz-ready"),
    "heads, no sentence": ("/?sentence=%20", None, "[data-testid=stAlert]"),
    "heads, a wrong folder": ("/?model=/no/such/folder", None, "[data-testid=stAlert]"),
    "overview": ("/overview?find=previous", None, ".attnviz-ready"),
    "compare": ("/compare?panels=encoder.L0.rollout+encoder.L2.mean+cross.L1.max", None, ".attnviz-ready"),
    "tokens": ("/steps?step=1", None, ".attnviz-ready"),
    "scores": ("/steps?step=4", None, ".attnviz-ready"),
    "softmax": ("/steps?step=5&temperature=4", None, ".attnviz-ready"),
    "a layer's block": ("/steps?step=7", None, ".attnviz-ready"),
    "by hand": ("/simple_attention?matrices=true&scaled=true&causal=true&dropout=true", None, ".attnviz-ready"),
    "embeddings": ("/embeddings?kind=decoder", None, ".attnviz-ready"),
    "in context": ("/context", None, ".attnviz-ready"),
    "translate": ("/translate", None, ".attnviz-ready"),
    "translate, sampling": ("/translate?method=sample", None, ".attnviz-ready"),
    "what if": (
        "/what_if?kind=cross&change=temperature&heat=1&importance=true&off=decoder.L0.H0",
        None,
        ".attnviz-ready",
    ),
    "why this word": ("/attribution?all_methods=true&trust=true", None, ".attnviz-ready"),
    "what heads do": ("/roles?role=obj", None, ".attnviz-ready"),
    "long text": ("/long_text?passage=3", None, ".attnviz-links-table"),
    "how it works": ("/story?scene=5", None, ".attnviz-ready"),
}


# The states whose layout is measured: one of each page at least.
MEASURED = {
    "heads, one open", "overview", "compare", "scores", "by hand", "embeddings", "in context", "translate", "what if",
    "why this word", "what heads do", "long text", "how it works",
}  # fmt: skip
WIDTHS = (1366, 768, 390)
PROJECTOR = (1280, 720)


def allowed_words(language: str) -> tuple[set[str], dict[str, str]]:
    """The words of a language's catalogue; and the English texts that are not the same in it."""
    own: set[str] = set()
    parts: set[str] = set()
    other: dict[str, str] = {}
    with (LOCALE / language / "LC_MESSAGES" / "attnviz.po").open("rb") as file:
        catalogue = read_po(file, locale=language)
    for message in catalogue:
        english = message.id if isinstance(message.id, (list, tuple)) else [message.id]
        translated = message.string if isinstance(message.string, (list, tuple)) else [message.string]
        for text in translated:
            own |= words(text)
            parts.update(re.split(r"[\n|]", text))
        other.update({text: same for text, same in zip(english, translated, strict=False) if text != same})
    for part in parts:
        other.pop(part, None)  # a translation that is English for something else
    return own, other


def leftovers(said: set[Said], tokens: set[str], language: str) -> list[str]:
    """What is not in the language, and where it stands."""
    own, english = allowed_words(language)
    pairs = [sentence for first, second, _word in PAIRS for sentence in (first, second)]
    pairs += OTHER_SENTENCES
    sentences = (*examples.FIRST_EXAMPLES.values(), *examples.HOME_EXAMPLES, *examples.OTHER_EXAMPLES, *pairs)
    known = own | tokens | INTERNATIONAL | words(" ".join([*sentences, *LANGUAGES.values()]))
    found = []
    for item in said:
        strange = words(CUT_WORD.sub("", item.text)) - known
        if strange and not item.token:
            found.append(f"{sorted(strange)} in {item.text[:90]!r} ({item.where})")
        if item.text in english and not item.token and not words(item.text) <= tokens:
            found.append(f"{item.text!r} is English ({item.where})")
        if language in ("de", "nl") and not item.token and DECIMAL_POINT.search(item.text):
            found.append(f"a point before decimals in {item.text[:90]!r} ({item.where})")
        if not item.token and HYPHEN_MINUS.search(item.text):
            found.append(f"a hyphen for a minus in {item.text[:90]!r} ({item.where})")
    return sorted(found)


def language_faults(page: Page, address: str, language: str) -> list[str]:
    """What the page says now that is not in its language; pieces of its sentences are tokens wherever they stand."""
    said, tokens = collect(page)
    for sentence in (examples.FIRST_EXAMPLES[language], *OPENING_PAIRS[language][:2]):
        recording = bundled_model().record(sentence)
        for token in (*recording.key_tokens("encoder"), *recording.query_tokens("decoder")):
            tokens |= words(token.text)
    return leftovers(said, tokens | words(address), language)


def room_faults(page: Page, language: str) -> list[str]:
    """What has no room on a laptop's and a telephone's screen; in German also on a tablet's and in large type."""
    page.mouse.move(1, 1)
    widths = WIDTHS if language == "de" else (WIDTHS[0], WIDTHS[-1])
    faults = [f"{width} px, {fault}" for width in widths for fault in layout_faults(page, width)]
    if language == "de":
        page.keyboard.press("p")
        faults += [f"large type, {fault}" for fault in layout_faults(page, *PROJECTOR)]
        page.keyboard.press("p")
    page.set_viewport_size({"width": WIDTHS[0], "height": 900})
    return faults


@pytest.mark.parametrize("name", STATES)
def test_a_page_in_other_languages_has_no_english_and_room_for_all(tabs: Tabs, name: str) -> None:
    """Opens a page in German and has it go over to another language: a page load takes longer than that."""
    address, act, complete = STATES[name]
    page = tabs.open(locale="de", still=True)
    faults: list[str] = []
    page.goto(address)
    others = [language for language in OTHER_LANGUAGES if language != "de"]
    for language in ("de", others[list(STATES).index(name) % len(others)]):
        if language != "de":
            page.keyboard.press("Escape")  # menus that lie over the corner
            pick_language(page, language)
        page.locator(complete if act is None else ".attnviz-ready").first.wait_for(state="attached")
        wait_for_language(page, language)
        if act:
            act(page)
            page.locator(complete).first.wait_for(state="attached")
        found = language_faults(page, address, language)
        if found:
            page.wait_for_timeout(2000)  # a component that comes after the rest still had the other language
            found = language_faults(page, address, language)
        if language == "de" and name in ("heads, one open", "overview", "translate, sampling"):
            found += leftovers(collect_tips(page), words(address), language)
        if name in MEASURED:
            found += room_faults(page, language)
        faults += [f"{language}: {fault}" for fault in found]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("locale", ["de", "nl", "en-GB"])
def test_the_controls_of_heads_take_one_line_on_a_laptop(tabs: Tabs, locale: str) -> None:
    page = tabs.open(locale=locale)
    page.goto("/")
    page.locator(".attnviz-ready").wait_for(state="attached")
    page.wait_for_function(RESTS)
    more, switch = settled_box(page.locator(MENU)), settled_box(page.locator(".st-key-hide_special"))
    assert more["x"] > switch["x"] and abs(more["y"] - switch["y"]) < switch["height"]


def test_a_leftover_would_be_found() -> None:
    assert leftovers({Said("Show the weights of this head", "x text")}, set(), "de")
    assert leftovers({Said("Layer", "x aria-label")}, set(), "nl")
    assert leftovers({Said("0.42", "x text")}, set(), "de")
    assert leftovers({Said("-3", "x text")}, set(), "de")
    assert not leftovers({Said("Schicht 2: Hund 0,42", "x text")}, {"hund"}, "de")
