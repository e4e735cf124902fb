"""The catalogues of texts: every text of the screens is in the template, and translations survive updates."""

from __future__ import annotations

import ast
import gettext
import io
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel import UnknownLocaleError
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

from attnviz.ui.shell import catalogue, messages
from attnviz.ui.shell.messages import DOMAIN, LOCALE

ROOT = Path(__file__).resolve().parents[3]
SOURCES = [ROOT / "app.py", *sorted((ROOT / "pages").rglob("*.py")), *sorted((ROOT / "attnviz").rglob("*.py"))]
TRANSLATING = {"_": 1, "ngettext": 2}  # how many texts each takes


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def uses(path: Path) -> Iterator[tuple[ast.Name, ast.AST, bool]]:
    """Where a file uses `_` or `ngettext`: the name, what it stands in, and whether it runs while the file loads."""

    def visit(node: ast.AST, loading: bool) -> Iterator[tuple[ast.Name, ast.AST, bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Name) and child.id in TRANSLATING and isinstance(child.ctx, ast.Load):
                yield child, node, loading
            inside = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and child in node.body
            yield from visit(child, loading and not inside and not isinstance(node, ast.Lambda))

    yield from visit(ast.parse(path.read_text(encoding="utf-8")), loading=True)


def read_template() -> Catalog:
    with (LOCALE / f"{DOMAIN}.pot").open("rb") as file:
        return read_po(file)


def translations(locale: Path, language: str) -> gettext.NullTranslations:
    return gettext.translation(DOMAIN, locale, languages=[language])


def project(folder: Path, *calls: str) -> Path:
    """A project whose texts stand as deep as a project can have them: in an f-string in a module of a sub-folder."""
    deep = folder / "attnviz" / "ui" / "screens" / "_heads"
    deep.mkdir(parents=True, exist_ok=True)
    (folder / "pages").mkdir(exist_ok=True)
    (folder / "app.py").write_text("")
    (deep / "grid.py").write_text("\n".join(f'f"**{{{call}}}**"' for call in calls), encoding="utf-8")
    return folder


def write_translation(locale: Path, language: str, *entries: str) -> Path:
    path = locale / language / "LC_MESSAGES" / f"{DOMAIN}.po"
    path.parent.mkdir(parents=True)
    header = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"'
    path.write_text("\n\n".join([header, *entries]) + "\n", encoding="utf-8")
    return path


# The texts of the code -----------------------------------------------------------------------------------------------


def test_texts_are_translated_in_files_at_any_depth() -> None:
    assert sum(1 for path in SOURCES for _ in uses(path)) > 600


@pytest.mark.parametrize("path", [path for path in SOURCES if any(uses(path))], ids=relative)
def test_every_text_is_in_the_template(path: Path) -> None:
    template = read_template()
    for name, node, loading in uses(path):
        place = f"{relative(path)}, line {name.lineno}: "
        # Handed on as a value, it could be called with any text.
        assert isinstance(node, ast.Call) and node.func is name, f"{place}{name.id} is not called"
        texts = [text.value for text in node.args[: TRANSLATING[name.id]] if isinstance(text, ast.Constant)]
        assert len(texts) == TRANSLATING[name.id], f"{place}a text of {name.id}() is not a plain string"
        message = template.get(texts[0])
        assert message, f"{place}{texts[0]!r} is not in the template; run python -m attnviz.ui.shell.catalogue"
        if name.id == "ngettext":
            assert message.id == tuple(texts), f"{place}the template has another plural"
        assert not loading, f"{place}taken while the module loads, the text keeps the first reader's language"


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_the_translating_functions_go_by_their_names(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert not [part.asname for part in node.names if part.name in TRANSLATING and part.asname]
            if path.name != "catalogue.py":
                # `messages._()` would be in the template, but not be seen by the test above.
                assert not [part.name for part in node.names if part.name == messages.__name__.split(".")[-1]]


def test_the_catalogues_are_up_to_date(tmp_path: Path) -> None:
    locale = tmp_path / "locale"
    shutil.copytree(LOCALE, locale)
    catalogue.write(locale=locale)
    files = {path.relative_to(LOCALE): path.read_bytes() for path in LOCALE.rglob("*") if path.is_file()}
    assert {path.relative_to(locale) for path in locale.rglob("*") if path.is_file()} == set(files)
    for path, content in files.items():
        assert (locale / path).read_bytes() == content, f"{path} is old; run python -m attnviz.ui.shell.catalogue"


def test_a_text_in_an_f_string_in_a_sub_folder_is_collected(tmp_path: Path) -> None:
    template = catalogue.collect_template(project(tmp_path, "_('Sum')", "ngettext('a word', '{0} words', 2)"))
    assert [message.id for message in template if message.id] == ["Sum", ("a word", "{0} words")]


@pytest.mark.parametrize(
    "call", ["_(text)", "_('a' if x else 'b')", "_('a' + x)", "_()", "_('')", "ngettext('a', b, 2)"]
)
def test_a_text_that_is_no_plain_string_is_refused(tmp_path: Path, call: str) -> None:
    with pytest.raises(ValueError, match=r"grid\.py, line 2: \w+\(\) needs its text as a plain string"):
        catalogue.collect_template(project(tmp_path, "_('Sum')", call))


# Updating and compiling ----------------------------------------------------------------------------------------------


def test_an_update_keeps_translations_adds_new_texts_and_drops_old_ones(tmp_path: Path) -> None:
    root, locale = project(tmp_path, "_('Sentence')", "_('Sentences')"), tmp_path / "locale"
    kept, old = 'msgid "Sentence"\nmsgstr "Satz"', 'msgid "Gone"\nmsgstr "Weg"'
    path = write_translation(locale, "de", f"# A remark of the translator.\n{kept}", old)
    catalogue.write(root, locale)
    text = path.read_text(encoding="utf-8")
    # "Sentences" is close to "Sentence", but its translation is not guessed.
    entries = ["# A remark of the translator.", kept, "", 'msgid "Sentences"', 'msgstr ""', "", ""]
    assert text.endswith("\n".join(entries))
    assert "Weg" not in text and "fuzzy" not in text
    german = translations(locale, "de")
    assert [german.gettext(english) for english in ("Sentence", "Sentences")] == ["Satz", "Sentences"]


def test_files_change_only_where_a_text_does(tmp_path: Path) -> None:
    locale = tmp_path / "locale"
    catalogue.write(project(tmp_path, "_('b')", "_('d')"), locale, begin=["nl"])
    before = {path: path.read_bytes() for path in sorted(locale.rglob("*")) if path.is_file()}
    catalogue.write(project(tmp_path, "_('d')", "_('b')"), locale)
    assert {path: path.read_bytes() for path in before} == before
    catalogue.write(project(tmp_path, "_('d')", "_('c')", "_('b')"), locale)
    path = locale / "nl" / "LC_MESSAGES" / f"{DOMAIN}.po"
    assert path.read_bytes() == before[path].replace(b'msgid "d"', b'msgid "c"\nmsgstr ""\n\nmsgid "d"')


@pytest.mark.parametrize(
    ("language", "forms", "expected"),
    [
        ("de", ["{0} Kopf", "{0} Köpfe"], ["{0} Kopf", "{0} Köpfe"]),
        ("nl", ["{0} hoofd", "{0} hoofden"], ["{0} hoofd", "{0} hoofden"]),
        ("zh_Hans", ["{0} 个头"], ["{0} 个头", "{0} 个头"]),
        ("zh_Hant", ["{0} 個頭"], ["{0} 個頭", "{0} 個頭"]),
        ("zh_Hans", [""], ["{0} head", "{0} heads"]),
        ("de", ["{0} Kopf", ""], ["{0} head", "{0} heads"]),
    ],
)
def test_each_language_has_its_plural_forms(
    tmp_path: Path, language: str, forms: list[str], expected: list[str]
) -> None:
    root, locale = project(tmp_path, "ngettext('{0} head', '{0} heads', 2)"), tmp_path / "locale"
    catalogue.write(root, locale, begin=[language])
    path = locale / language / "LC_MESSAGES" / f"{DOMAIN}.po"
    text = path.read_text(encoding="utf-8")
    assert len(re.findall(r"^msgstr\[", text, re.MULTILINE)) == len(forms)
    for number, form in enumerate(forms):
        text = text.replace(f'msgstr[{number}] ""', f'msgstr[{number}] "{form}"')
    path.write_text(text, encoding="utf-8")
    catalogue.write(root, locale)
    assert path.read_text(encoding="utf-8") == text
    spoken = translations(locale, language)
    assert [spoken.ngettext("{0} head", "{0} heads", count) for count in (1, 5)] == expected


def test_a_text_that_gains_a_plural_is_marked_and_shown_in_english(tmp_path: Path) -> None:
    locale = tmp_path / "locale"
    path = write_translation(locale, "de", 'msgid "word"\nmsgstr "Wort"')
    catalogue.write(project(tmp_path, "ngettext('word', 'words', 2)"), locale)
    assert "fuzzy" in path.read_text(encoding="utf-8") and "Wort" in path.read_text(encoding="utf-8")
    assert translations(locale, "de").ngettext("word", "words", 2) == "words"


def test_an_unknown_language_is_not_begun(tmp_path: Path) -> None:
    with pytest.raises(UnknownLocaleError):
        catalogue.write(project(tmp_path, "_('Sum')"), tmp_path / "locale", begin=["qq"])
    assert not (tmp_path / "locale").exists()


# What the app reads --------------------------------------------------------------------------------------------------


def test_english_says_each_text_as_the_code_does() -> None:
    english = gettext.GNUTranslations(io.BytesIO((LOCALE / "en" / "LC_MESSAGES" / f"{DOMAIN}.mo").read_bytes()))
    for message in read_template():
        if isinstance(message.id, tuple):
            one, several = message.id
            assert [english.ngettext(one, several, count) for count in (1, 0, 2)] == [one, several, several]
        elif message.id:
            assert english.gettext(message.id) == message.id


def test_each_call_asks_for_the_readers_language_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_translation(tmp_path, "de", 'msgid "Sum"\nmsgstr "Summe"')
    catalogue.write(project(tmp_path, "_('Sum')"), tmp_path)
    monkeypatch.setattr(messages, "LOCALE", tmp_path)
    messages._catalogue.cache_clear()
    answers = []
    for language in ("de", "en", "nl"):
        monkeypatch.setattr(messages, "language", lambda language=language: language)
        answers.append(messages._("Sum"))
    messages._catalogue.cache_clear()
    assert answers == ["Summe", "Sum", "Sum"]
