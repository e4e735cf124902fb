"""What the engine says, in the reader's language: each of its errors is a template that the catalogues have."""

from __future__ import annotations

import ast
import copy
import pickle
from pathlib import Path

import pytest
import torch
from babel.messages.pofile import read_po
from support.pages import open_page

import attnviz
from attnviz import errors
from attnviz.errors import InputError, MemoryShortError, Message
from attnviz.models.recording.errors import memory_error
from attnviz.models.recording.record_options import Needs, RecordOptions
from attnviz.ui.shell import messages
from attnviz.ui.shell.catalogue import MESSAGES
from attnviz.ui.shell.messages import DOMAIN, LOCALE, translate

ROOT = Path(attnviz.__file__).resolve().parent
ENGINE = [path for path in sorted(ROOT.rglob("*.py")) if ROOT / "ui" not in path.parents and path.name != "errors.py"]


def calls(path: Path) -> list[ast.Call]:
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    calls = [node for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    return [call for call in calls if call.func.id in MESSAGES]


def texts_on(app: object) -> str:
    kinds = ("error", "info", "warning", "caption", "markdown")
    return "\n".join(element.value for kind in kinds for element in getattr(app, kind)).replace("\\", "")


def test_every_class_of_error_is_collected() -> None:
    assert {"AttnvizError", "InputError", "TooLongError", "DamagedError", "Message"} <= MESSAGES
    assert len([path for path in ENGINE if calls(path)]) > 20
    for path in ENGINE:
        defined = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.ClassDef)]
        for node in defined:
            bases = {base.id for base in node.bases if isinstance(base, ast.Name)}
            assert not bases & MESSAGES, f"{node.name} in {path.name} belongs into errors.py, or it is not collected"


@pytest.mark.parametrize("path", [path for path in ENGINE if calls(path)], ids=lambda path: path.name)
def test_every_error_of_the_engine_is_a_template_of_the_catalogue(path: Path) -> None:
    with (LOCALE / f"{DOMAIN}.pot").open("rb") as file:
        template = read_po(file)
    for call in calls(path):
        where = f"{path.name}, line {call.lineno}"
        first = call.args[0] if call.args else None
        # A text that is put together cannot be looked up; its parts go behind the template.
        assert isinstance(first, ast.Constant) and isinstance(first.value, str), f"{where}: no template"
        assert template.get(first.value), f"{where} is not in the catalogue; run python -m attnviz.ui.shell.catalogue"


def test_python_shows_english() -> None:
    error = InputError("The {0} has layers 0 to {1}, not {2}.", "encoder", 3, 7)
    assert str(error) == "The encoder has layers 0 to 3, not 7."
    assert (error.message.template, error.message.values) == (
        "The {0} has layers 0 to {1}, not {2}.",
        ("encoder", 3, 7),
    )
    assert str(InputError("{braces} stay where no value follows")) == "{braces} stay where no value follows"
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert str(twin) == str(error) and twin.message.values == error.message.values


def test_words_and_numbers_of_a_message_follow_the_language(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "language", lambda: "de")
    too_long = Message(
        "{0} has {1:,} tokens, and {2} has positions for {3:,}. Shorten it by {4}, or choose a model for longer texts.",
        Message("The text"), 1200, "bundled", 512, Message("{0:,} tokens", 688),
    )  # fmt: skip
    said = translate(too_long)
    assert said.startswith("Der Text hat 1.200 Tokens, das Modell (Mitgeliefertes Übersetzungsmodell) hat Positionen")
    assert "688 Tokens" in said and "bundled" not in said
    assert translate("text of a page") == "text of a page"


@pytest.mark.parametrize("language", ["en", "de", "nl", "zh_Hans", "zh_Hant"])
def test_a_page_says_of_short_memory_what_is_done_on_the_page(monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    monkeypatch.setattr(messages, "language", lambda: language)
    fewer_layers, no_output = Needs(((0, 4, 4), (1, 4, 4)), 0), Needs(((0, 4, 4),), 1000)
    for needs, tokens in ((fewer_layers, 100), (no_output, 2)):
        with pytest.raises(MemoryShortError) as caught:
            needs.check(tokens, RecordOptions(budget=1700), torch.device("cpu"), "m")
        assert "`" in str(caught.value)  # an argument, for Python
        assert "`" not in translate(caught.value.message)
    error = memory_error("scores", 8, 4000, 4000)
    assert "`pooled`" in str(error) and "`" not in translate(error.message)
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert translate(twin.message) == translate(error.message)


def test_what_is_told_of_short_memory_has_words_for_the_page() -> None:
    """Those that name what a Python user may pass say something else on the page."""
    found = 0
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "MemoryShortError":
                template = ast.unparse(node.args[0])
                names_arguments = "`" in template or "dtype=" in template
                found += names_arguments
                assert not names_arguments or any(word.arg == "on_page" for word in node.keywords), template
    assert found == 3


@pytest.mark.parametrize("kind", sorted(MESSAGES - {"Message"}))
def test_every_error_takes_values(kind: str) -> None:
    assert str(getattr(errors, kind)("{0} of {1}", 1, 2)) == "1 of 2"


@pytest.mark.parametrize(
    ("parameters", "language", "expected"),
    [
        ({"sentence": " "}, "de", "Geben Sie oben einen Satz ein"),
        ({"sentence": " ".join(["Wort"] * 600)}, "de", "Kürzen Sie um"),
        ({"model": "/no/such/folder"}, "de", "Der Ordner /no/such/folder existiert nicht."),
        ({"model": "/no/such/folder"}, "nl", "De map /no/such/folder bestaat niet."),
        ({"model": "/no/such/folder"}, "zh-Hant", "資料夾 /no/such/folder 不存在。"),
        ({"sentence": "Der Hund.", "target": "a " * 600, "kind": "cross"}, "de", "Der Zielsatz hat"),
    ],
)
def test_the_app_says_errors_in_the_readers_language(parameters: dict[str, str], language: str, expected: str) -> None:
    app = open_page("heads", lang=language, **parameters)
    assert not app.exception
    said = texts_on(app)
    assert expected in said
    assert "bundled" not in said
