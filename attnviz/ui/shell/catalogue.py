"""Brings the catalogues of texts up to date with the texts in the code.

    python -m attnviz.ui.shell.catalogue              # after changing a text or a translation
    python -m attnviz.ui.shell.catalogue de zh_Hans   # the same, and begins the languages that have no catalogue yet

The command collects every text inside `_()` and `ngettext()`, and the templates of the engine's errors and messages,
into the template `locale/attnviz.pot`. It then brings
each `locale/<language>/LC_MESSAGES/attnviz.po` in line with the template: translations stay, new texts are added
without one, texts that the code no longer has go. English is filled with the texts themselves. Last, each `.po` is
compiled to the `.mo` that the app reads; a text without a translation is left out there and appears in English.

The files hold neither dates nor the lines that use a text, and their entries are sorted. So two branches that add texts
change different lines, and running the command twice changes nothing. Where two branches meet in a `.mo`, which git
cannot merge, run the command again after merging the rest.
"""

from __future__ import annotations

import argparse
import ast
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir, extract_from_file
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

import attnviz
from attnviz import errors
from attnviz.errors import AttnvizError, Message
from attnviz.ui.shell.messages import DOMAIN, LOCALE

ROOT = Path(attnviz.__file__).resolve().parents[1]
SOURCE_LANGUAGE = "en"

# The functions that translate, and which of their arguments are texts; None is Babel's word for the first one alone.
_KEYWORDS: dict[str, tuple[int, ...] | None] = {"_": None, "ngettext": (1, 2)}

# What the engine makes its texts with; the app translates them (`messages.translate`). Where the argument is no plain
# string, it is a text that a page has translated already.
MESSAGES = frozenset(
    name for name, item in vars(errors).items() if isinstance(item, type) and issubclass(item, (Message, AttnvizError))
)


class _StableCatalog(Catalog):
    """A catalogue whose header names only what gettext reads, so that the file changes only when a text does."""

    @property
    def mime_headers(self) -> list[tuple[str, str]]:
        """Language and plural forms (neither in the template), and how the file is encoded."""
        encoding = [("MIME-Version", "1.0"), ("Content-Type", "text/plain; charset=utf-8")]
        encoding.append(("Content-Transfer-Encoding", "8bit\n"))  # each line of a header ends, the last one too
        if self.locale is None:
            return encoding
        return [("Language", str(self.locale_identifier)), ("Plural-Forms", self.plural_forms), *encoding]


def translating_calls(source: bytes, names: Collection[str]) -> Iterator[tuple[int, str, list[str | None]]]:
    """The calls of the named functions in a Python source: line, name, and arguments (None where not a plain string).

    Babel's own reader of Python works on tokens. Before Python 3.12 a whole f-string is one token, so it misses calls
    inside f-strings; and it joins the two texts of `_("a" if x else "b")` into one. The syntax tree is exact in both.

    >>> list(translating_calls(b'title(ngettext("a word", "{0} words", n))', ["_", "ngettext"]))
    [(1, 'ngettext', ['a word', '{0} words', None])]
    """
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name):
            name = node.func.id
        elif isinstance(node.func, ast.Attribute) and isinstance(node.func.value, (ast.Name, ast.Attribute)):
            name = node.func.attr  # `messages._("Head")`
        else:
            continue
        if name in names:
            values = [argument.value if isinstance(argument, ast.Constant) else None for argument in node.args]
            yield node.lineno, name, [value if isinstance(value, str) else None for value in values]


def collect_template(root: Path = ROOT) -> Catalog:
    """Every text that `app.py`, `pages/` and `attnviz/` below `root` pass to `_()` or `ngettext()`, at any depth.

    Raises ValueError, with file and line, where the text is not a plain string: it could not be collected, and would
    never be translated.
    """
    template = _StableCatalog(header_comment="# What attnviz says on the screen.", fuzzy=False)
    method: Any = _translatable_calls  # Babel also takes a function here, which its annotations do not say
    keywords = {**_KEYWORDS, **dict.fromkeys(MESSAGES)}
    texts = [entry[1] for entry in extract_from_file(method, root / "app.py", keywords)]
    for folder in ("pages", "attnviz"):
        entries = extract_from_dir(root / folder, [("**.py", method)], None, keywords, directory_filter=_holds_code)
        texts += [entry[2] for entry in entries]
    for text in texts:
        template.add(text)
    return template


def read_catalogue(path: Path, language: str) -> Catalog:
    """The translations in a `.po` file. The plural forms are those of the language, whatever the file's header says."""
    with path.open("rb") as file:
        stored = read_po(file, locale=language, abort_invalid=True)
    catalogue = _new_catalogue(language, stored.header_comment)
    for message in stored:
        if message.id:
            catalogue[message.id] = message
    return catalogue


def update_catalogue(catalogue: Catalog, template: Catalog) -> None:
    """Gives a catalogue the template's texts: translations stay, new texts have none, texts no longer used go.

    A text that has gained or lost its plural keeps its translation but is marked fuzzy, for a translator to look at.
    Nothing is guessed from similar texts.
    """
    # Babel puts the entries themselves into the catalogue. Of their own, so that translating them in one language does
    # not translate them in the next.
    own = Catalog()
    for message in template:
        if message.id:
            own.add(message.id)
    catalogue.update(own, no_fuzzy_matching=True, update_creation_date=False)


def write_catalogue(catalogue: Catalog, path: Path) -> None:
    """Writes a `.po` or `.pot` file: sorted by text, one line each."""
    for message in catalogue:
        # Babel takes the "% o" of "{0} % of it" for a placeholder. Ours are all in braces.
        message.flags.discard("python-format")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_po(file, catalogue, width=0, no_location=True, sort_output=True, ignore_obsolete=True)


def compile_catalogue(catalogue: Catalog, path: Path) -> None:
    """Writes the `.mo` file that gettext reads, with the texts that are translated in full and not marked fuzzy."""
    complete = _new_catalogue(str(catalogue.locale_identifier), catalogue.header_comment)
    for message in catalogue:
        # Babel would fill missing plural forms with English ones, chosen by position: in Chinese, which has one form,
        # "1 head" for any number. Left out, gettext takes the English form that fits the number.
        forms = message.string if isinstance(message.string, (list, tuple)) else [message.string]
        if message.id and forms and all(forms):
            complete[message.id] = message
    with path.open("wb") as file:
        write_mo(file, complete)


def write(root: Path = ROOT, locale: Path = LOCALE, begin: Collection[str] = ()) -> None:
    """Brings the template and every language's catalogue in `locale` up to date with the code below `root`.

    `begin` names languages to start a catalogue for, as Unicode writes them ("de", "zh_Hans"). Raises ValueError or
    babel.UnknownLocaleError for one that does not exist.
    """
    template = collect_template(root)
    languages = {path.parts[-3] for path in locale.glob(f"*/LC_MESSAGES/{DOMAIN}.po")}
    languages |= {SOURCE_LANGUAGE, *(str(Locale.parse(name)) for name in begin)}
    write_catalogue(template, locale / f"{DOMAIN}.pot")
    for language in sorted(languages):
        path = locale / language / "LC_MESSAGES" / f"{DOMAIN}.po"
        catalogue = read_catalogue(path, language) if path.exists() else _new_catalogue(language)
        update_catalogue(catalogue, template)
        if language == SOURCE_LANGUAGE:
            for message in catalogue:
                if message.id:
                    message.string = message.id
        write_catalogue(catalogue, path)
        compile_catalogue(catalogue, path.with_suffix(".mo"))


def _new_catalogue(language: str, comment: str | None = None) -> Catalog:
    locale = Locale.parse(language)
    comment = comment or f"# What attnviz says on the screen, in {locale.english_name}."
    return _StableCatalog(locale=locale, header_comment=comment, fuzzy=False)


def _holds_code(folder: str) -> bool:
    return Path(folder).name != "__pycache__"


def _translatable_calls(
    file: BinaryIO, keywords: Collection[str], comment_tags: Collection[str], options: Mapping[str, Any]
) -> Iterator[tuple[int, str, list[str | None], list[str]]]:
    """Finds texts for Babel, in the form that it asks of an extraction method."""
    for line, name, texts in translating_calls(file.read(), keywords):
        needed = _KEYWORDS.get(name) or (1,)
        if name in MESSAGES and (not texts or not texts[0]):
            continue
        if len(texts) < len(needed) or not all(texts[: len(needed)]):
            raise ValueError(
                f"{file.name}, line {line}: {name}() needs its text as a plain string, not an expression, an f-string "
                "or an empty string. Write the text out, with {0} where a value goes, and .format() after the call."
            )
        yield line, name, texts, []


def main() -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(description="Bring the catalogues of texts up to date with the code.")
    parser.add_argument("begin", nargs="*", metavar="language", help='a language to begin, such as "de" or "zh_Hans"')
    write(begin=parser.parse_args().begin)


if __name__ == "__main__":
    main()
