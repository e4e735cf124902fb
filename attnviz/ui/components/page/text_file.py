"""What stands at a box for texts: a button that takes a text file, and a line for what went wrong or is too long.

A file may also be dropped onto the box. It is read in the browser and put into the box as if it were typed, so it takes
no other way to the server than a typed text does. A text that is too long for an address is kept in the browser's tab,
so that it is there again after a reload, and other tabs of this browser get it from there while the tab is open
(`ui/controls/long_texts`).
"""

from __future__ import annotations

from collections.abc import Sequence

from attnviz.ui.components.component import define
from attnviz.ui.shell.messages import _, local_count

MOST_BYTES = 1_000_000  # of a text in UTF-8: a novel of 150,000 words
MOST_TAB_CHARACTERS = 2_000_000  # of all texts that the browser's tab keeps; browsers give some 2.5 million

_text_file = define(__file__)


TEXT_TYPES = (".txt", ".md")
"""Endings of the names of files with a text to read."""


def text_file(
    key: str,
    *,
    name: str | None,
    missing: bool,
    characters: int,
    button: bool = True,
    types: Sequence[str] = TEXT_TYPES,
) -> None:
    """Draws it; called in the container of the box, below it.

    Args:
        key: of the box.
        name: what stands for its text in the address; None where the address holds the text.
        missing: whether that is a text which a link left out and which is not in the box.
        characters: how many the text in the box has.
        button: False for a box whose texts are short: a file can be dropped there too, but no button says so.
        types: endings of the files that the button offers.
    """
    _text_file(
        key=f"{key}_file",
        data={
            "box": key, "name": name, "missing": missing, "button": button, "most": MOST_BYTES,
            "mostKept": MOST_TAB_CHARACTERS, "types": list(types), "texts": _texts(name, characters, types),
        },
    )  # fmt: skip


def _texts(name: str | None, characters: int, types: Sequence[str]) -> dict[str, str]:
    """What it says; {0} is the name of a file."""
    stated = (name or "").split("-")[0]
    endings = _(", ").join(types)
    left_out = local_count(int(stated)) if stated.isdecimal() and len(stated) < 10 else "?"  # a link may say anything
    return {
        "choose": _("Choose a text file ({0}), or drop one onto the box").format(endings),
        "long": _("{0} characters: too long for a link. A copied link leaves the text out.").format(
            local_count(characters)
        ),
        "gone": _(
            "This link leaves its text out ({0} characters); only the tab where it was typed has it. Paste it here, or "
            "choose its file."
        ).format(left_out),
        "several": _("Only one file fits here. Choose one."),
        "empty": _("“{0}” is empty."),
        "large": _("“{0}” is larger than 1 MB, the most that is read here. Choose a part of it."),
        "paste": _("With what you pasted, the text would be larger than 1 MB, the most that is read here."),
        "picture": _("“{0}” is a picture. Text files are read here: {1}.").replace("{1}", endings),
        "pasted picture": _("You pasted a picture. Only text is read here."),
        "UTF-16": _("“{0}” is stored as UTF-16. Save it as UTF-8 and choose it again."),
        "encoding": _("“{0}” is not stored as UTF-8. Save it with that encoding and choose it again."),
        "binary": _("“{0}” is not text. Save it as plain text (.txt) and choose that."),
        "unread": _("“{0}” could not be read. Choose it again."),
    }
