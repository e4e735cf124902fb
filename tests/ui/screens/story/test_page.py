"""The page of the story as its script sees it: what comes with the app, what is computed, what the address holds."""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest
from support import tiny_tokenizers as tokenizers_for_tests
from support.pages import components, open_page, save_checkpoint

opened = functools.partial(open_page, "story")
GERMAN = "Der Hund sah den Ball."
APP = Path(__file__).resolve().parents[4] / "app.py"


def story(app: AppTest) -> dict[str, Any]:
    assert not app.exception and not app.error, [*app.exception, *app.error]
    (data,) = components(app, "stage")
    return data


def labels(data: dict[str, Any]) -> list[str]:
    return [token["label"] for token in data["tokens"]]


def test_the_opening_needs_neither_model_nor_torch() -> None:
    program = f"""
import sys
from streamlit.testing.v1 import AppTest
app = AppTest.from_file({str(APP)!r}, default_timeout=120).switch_page("pages/story.py").run()
assert not app.exception, app.exception
assert [e for e in app.get("bidi_component") if e.proto.component_name == "attnviz.stage"]
print(*sorted({{"torch", "transformers"}} & set(sys.modules)))
"""
    result = subprocess.run([sys.executable, "-c", program], cwd=APP.parent, capture_output=True, text=True, check=True)
    assert result.stdout.split() == []


def test_the_story_begins_by_itself_and_a_link_stands_at_its_scene() -> None:
    data = story(opened(sentence=GERMAN))
    assert data["time"] == {"scene": 1, "playing": True}
    assert labels(data)[data["word"]] == "sah"
    linked = story(opened(sentence=GERMAN, scene="5", word="Hund"))
    assert linked["time"] == {"scene": 5, "playing": False}
    assert labels(linked)[linked["word"]] == "Hund"
    assert linked["picture"] == data["picture"]  # neither scene nor word begins the story anew
    assert "looking=Hund" in linked["links"]["3"]
    assert story(opened(sentence=GERMAN, scene="eleven"))["time"] == {"scene": 1, "playing": True}


def test_a_word_or_a_head_that_is_not_there_is_said() -> None:
    app = opened(sentence=GERMAN, word="Katze", layer="9", head="1")
    data = story(app)
    assert labels(data)[data["word"]] == "sah" and data["head"]["name"] == "L3 H7"
    said = " ".join(item.value for item in [*app.info, *app.warning, *app.caption, *app.markdown])
    assert "no token Katze" in said and "no head L9 H1" in said
    assert not {"word", "layer", "head"} & set(app.query_params)


def test_another_head_is_chosen_and_stands_in_the_address() -> None:
    app = opened(sentence=GERMAN)
    first = story(app)
    app.selectbox(key="story_head").set_value("L2 H5").run()
    data = story(app)
    assert (data["head"]["name"], data["head"]["role"]) == ("L2 H5", "looks at the token before")
    assert data["picture"] != first["picture"]
    assert (app.query_params["layer"], app.query_params["head"]) == ("2", "5")
    assert "layer=2&head=5" in data["links"]["4"]


def test_an_own_sentence_is_computed_and_an_empty_one_asked_for() -> None:
    app = opened(sentence="The cat drank the milk.")
    assert labels(story(app))[:2] == ["The", "cat"]
    app.text_area(key="sentence").set_value("  ").run()
    assert not components(app, "stage") and "Type a sentence" in app.info[0].value


def test_the_openings_of_all_languages_come_with_the_app() -> None:
    for language, first in (("de", "Der"), ("nl", "De"), ("zh-Hans", "老师"), ("zh-Hant", "女孩"), ("en", "The")):
        assert labels(story(opened(lang=language)))[0] == first


@pytest.mark.parametrize(
    ("name", "tokenizer", "family", "task"),
    [("gpt2", "gpt2", "decoder", "continue"), ("bert", "wordpiece", "encoder", "fill")],
)
def test_other_families_tell_their_own_story(tmp_path: Path, name: str, tokenizer: str, family: str, task: str) -> None:
    folder = save_checkpoint(tmp_path, name, getattr(tokenizers_for_tests, tokenizer)())
    data = story(opened(sentence="The dogs bark.", model=folder))
    assert (data["family"], data["writing"]["task"]) == (family, task)
    assert f"model={folder.replace('/', '%2F')}" in data["links"]["1"]
