"""A sentence on how to read a picture, above it until the reader has put it away.

It is put away with one click and stays away in that browser; nothing is sent to the server. What it says has to stand
somewhere else as well, such as in the help of a control, for the reader who wants it back.
"""

from __future__ import annotations

from attnviz.ui.components.component import define
from attnviz.ui.shell.messages import _

_hint = define(__file__)


def reading_hint(text: str, *, name: str, link: tuple[str, str] | None = None) -> None:
    """Draws the sentence into the current container, unless it was put away in this browser.

    Args:
        text: what it says, without markup.
        name: what the browser remembers it by; also the key of the component on its page.
        link: where the newcomer can learn more, behind the sentence: a text, and the address that it leads to.
    """
    _hint(key=f"hint_{name}", data={"name": name, "text": text, "link": link, "close": _("Got it")})
