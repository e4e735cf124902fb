"""Writes the template for translators and the English catalogue from the texts in the code.

    python -m attnviz.ui.catalogue

The template, `locale/attnviz.pot`, is what a translator copies to `locale/<language>/LC_MESSAGES/attnviz.po`; the same
command then compiles every `.po` that it finds to the `.mo` that the app reads.
"""

from __future__ import annotations

import ast
import struct
from collections.abc import Iterator
from pathlib import Path

from attnviz.ui.messages import DOMAIN, LOCALE

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = LOCALE / f"{DOMAIN}.pot"
ENGLISH = LOCALE / "en" / "LC_MESSAGES" / f"{DOMAIN}.po"

Message = tuple[str, str | None]  # the text, and its plural where it has one

_HEADER = "Content-Type: text/plain; charset=UTF-8\\n"
_PLURALS = "Plural-Forms: nplurals=2; plural=(n != 1);\\n"


def sources() -> list[Path]:
    """The files whose texts reach the screen."""
    return [ROOT / "app.py", *sorted((ROOT / "pages").glob("*.py")), *sorted((ROOT / "attnviz" / "ui").glob("*.py"))]


def messages() -> dict[Message, list[str]]:
    """Every text inside `_()` or `ngettext()`, with the files that use it."""
    found: dict[Message, list[str]] = {}
    for path in sources():
        for message in _in_file(path):
            users = found.setdefault(message, [])
            place = path.relative_to(ROOT).as_posix()
            if place not in users:
                users.append(place)
    return found


def template() -> str:
    """The contents that `attnviz.pot` has to have."""
    entries = [_entry("", None, _HEADER + _PLURALS)]
    for (text, plural), users in messages().items():
        comment = "".join(f"#: {place}\n" for place in users)
        entries.append(comment + _entry(_quoted(text), None if plural is None else _quoted(plural), ""))
    return "\n".join(entries)


def english() -> str:
    """The English catalogue: each text is its own translation."""
    entries = [_entry("", None, _HEADER + _PLURALS)]
    for text, plural in messages():
        entries.append(_entry(_quoted(text), None if plural is None else _quoted(plural), _quoted(text)))
    return "\n".join(entries)


def compiled(po: str) -> bytes:
    """A catalogue as gettext reads it (GNU gettext manual, "The Format of GNU MO Files")."""
    pairs = sorted((key.encode(), value.encode()) for key, value in _parsed(po) if value)
    keys = b"".join(key + b"\0" for key, _ in pairs)
    values = b"".join(value + b"\0" for _, value in pairs)
    head = 28
    key_at, value_at = head + 16 * len(pairs), head + 16 * len(pairs) + len(keys)
    key_table, value_table = b"", b""
    for key, value in pairs:
        key_table += struct.pack("<II", len(key), key_at)
        value_table += struct.pack("<II", len(value), value_at)
        key_at += len(key) + 1
        value_at += len(value) + 1
    fields = (0x950412DE, 0, len(pairs), head, head + 8 * len(pairs), 0, 0)
    return struct.pack("<7I", *fields) + key_table + value_table + keys + values


def write() -> None:
    """Brings template, English and all compiled catalogues up to date."""
    ENGLISH.parent.mkdir(parents=True, exist_ok=True)
    TEMPLATE.write_text(template(), encoding="utf-8")
    ENGLISH.write_text(english(), encoding="utf-8")
    for po in sorted(LOCALE.glob(f"*/LC_MESSAGES/{DOMAIN}.po")):
        po.with_suffix(".mo").write_bytes(compiled(po.read_text(encoding="utf-8")))


def _in_file(path: Path) -> Iterator[Message]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
            continue
        texts = [part.value for part in node.args if isinstance(part, ast.Constant) and isinstance(part.value, str)]
        if node.func.id == "_" and len(texts) == 1:
            yield texts[0], None
        elif node.func.id == "ngettext" and len(texts) == 2:
            yield texts[0], texts[1]


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _entry(text: str, plural: str | None, translation: str) -> str:
    if plural is None:
        return f'msgid "{text}"\nmsgstr "{translation}"\n'
    other = plural if translation else ""
    return f'msgid "{text}"\nmsgid_plural "{plural}"\nmsgstr[0] "{translation}"\nmsgstr[1] "{other}"\n'


def _parsed(po: str) -> Iterator[tuple[str, str]]:
    """Keys and values as a .mo file has them: singular and plural, and the plural's forms, joined by a null byte."""
    for block in po.split("\n\n"):
        parts: dict[str, str] = {}
        name = ""
        for line in block.splitlines():
            if line.startswith("#"):
                continue
            word, _, rest = line.partition(" ")
            if not line.startswith('"'):
                name, line = word, rest
            # A Python string literal has the same escapes.
            parts[name] = parts.get(name, "") + str(ast.literal_eval(line))
        if "msgid" in parts:
            key = parts["msgid"] + ("\0" + parts["msgid_plural"] if "msgid_plural" in parts else "")
            yield key, "\0".join(value for name, value in parts.items() if name.startswith("msgstr"))


if __name__ == "__main__":
    write()
