"""What the story says: in every language, for every family of models, and with nothing that is not so."""

from __future__ import annotations

import re
from typing import Any

import pytest
from support.written_models import bert, gpt, t5

from attnviz.examples import FIRST_EXAMPLES
from attnviz.ui.screens.story import roles
from attnviz.ui.screens.story.address import scene_links
from attnviz.ui.screens.story.openings import opening_numbers
from attnviz.ui.screens.story.payload.payload import story_numbers
from attnviz.ui.screens.story.payload.tables import story_tables
from attnviz.ui.screens.story.qr_code import qr_code
from attnviz.ui.screens.story.wording import story_payload
from attnviz.ui.shell import messages
from attnviz.ui.shell.messages import LANGUAGES

PLACES = {f"{{{number}}}" for number in range(10)}


def numbers_of(name: str) -> dict[str, Any]:
    if name == "opening":
        numbers = opening_numbers(FIRST_EXAMPLES["de"])
        assert numbers is not None
        return numbers
    model = {"bert": bert, "gpt2": gpt, "t5": t5}[name]()
    return story_numbers(model, model.name, "The dogs bark.")


@pytest.fixture
def speak(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Has everything said in a language."""

    def choose(language: str) -> None:
        monkeypatch.setattr(messages._run, "language", language, raising=False)

    return choose


def test_ten_scenes_in_every_language_and_family(speak: Any) -> None:
    for name in ("opening", "bert", "gpt2", "t5"):
        numbers = numbers_of(name)
        english: list[str] = []
        for language in ("en", *(code for code in LANGUAGES if code != "en")):
            speak(language)
            texts = story_payload(numbers)["texts"]
            assert len(texts["scenes"]) == 10
            for scene in texts["scenes"]:
                assert scene["title"] and 1 <= len(scene["sentences"]) <= 3, (language, name, scene)
                for sentence in (scene["title"], *scene["sentences"]):
                    assert set(re.findall(r"\{\w*\}", sentence)) <= PLACES
                    assert sentence.strip() == sentence and "  " not in sentence
            said = [sentence for scene in texts["scenes"] for sentence in (scene["title"], *scene["sentences"])]
            if language == "en":
                english = said
            else:
                assert not set(said) & set(english), language


def test_what_is_not_so_is_not_said(speak: Any) -> None:
    speak("en")
    said = {name: story_payload(numbers_of(name))["texts"]["scenes"] for name in ("opening", "bert", "gpt2", "t5")}
    assert "square root of {4}" in said["opening"][3]["sentences"][1]
    assert said["opening"][3]["formula"] == "query · key ÷ √32 = score"
    assert "distance" in said["t5"][1]["sentences"][1] and said["t5"][1]["formula"] == ""
    assert "hidden from {0}" in said["gpt2"][3]["sentences"][2]
    assert "cross-attention" in said["opening"][9]["sentences"][0]
    assert said["gpt2"][9]["title"] == "What comes next?" and said["bert"][9]["title"] == "What stands in the gap?"
    assert "linguists" in said["opening"][6]["sentences"][1] and "Nobody told" in said["bert"][6]["sentences"][1]


def test_a_part_that_a_model_lacks_leaves_a_scene_that_says_so(speak: Any) -> None:
    speak("en")
    numbers = numbers_of("opening")
    bare = numbers | {"block": None, "journey": None, "writing": None}
    bare["head"] = numbers["head"] | {"queries": None, "keys": None, "values": None, "outputs": None}
    bare["vectors"] = numbers["vectors"] | {"embedding": None, "position": None, "sum": None, "positions": "unknown"}
    story = story_payload(bare | {"leftOut": 12})
    said = [" ".join(scene["sentences"]) for scene in story["texts"]["scenes"]]
    for scene in (1, 2, 3, 5, 7, 8):
        assert re.search(r"does not|shows neither|stays inside", said[scene]), said[scene]
    assert "writes nothing" in said[9]
    assert story["texts"]["leftOut"].startswith("The text goes on: the story reads its first 7 tokens")


def test_measured_heads_say_what_they_do_in_everyday_words(speak: Any) -> None:
    speak("en")
    heads = story_payload(numbers_of("opening"))["heads"]
    assert heads[7]["role"] == "finds the object of a verb (measured in Dutch)"
    assert heads[5]["role"] == "finds the verb of a helping verb"
    speak("de")
    assert (
        story_payload(numbers_of("opening"))["heads"][7]["role"]
        == "findet das Objekt eines Verbs (gemessen in: Niederländisch)"
    )


@pytest.mark.parametrize(
    ("finding", "relation", "direction", "offset", "role"),
    [
        ("position", None, None, -1, "looks at the token before"),
        ("position", None, None, 1, "looks at the token after"),
        ("position", None, None, 0, "looks at the token itself"),
        ("position", None, None, 3, "looks at a fixed place nearby"),
        ("alignment", None, None, None, "finds the word to translate"),
        ("relation", "nsubj", "to_dependent", None, "finds who does it"),
        ("relation", "nsubj", "to_head", None, "finds what somebody does"),
        ("relation", "orphan", "to_head", None, "finds a word that belongs to it"),
    ],
)
def test_every_kind_of_finding_has_words(
    speak: Any, finding: str, relation: str | None, direction: str | None, offset: int | None, role: str
) -> None:
    speak("en")
    entry = {
        "finding": finding, "relation": relation, "direction": direction, "offset": offset, "language": None
    }  # fmt: skip
    assert roles.role_text(entry) == role


def test_each_scene_leads_to_a_page_with_the_same_state() -> None:
    links = scene_links(numbers_of("opening"), "Der Hund & der Ball.", "a/b@c", "zh-Hant", 2)
    assert list(links) == [str(scene) for scene in range(1, 11)]
    shared = "sentence=Der+Hund+%26+der+Ball.&model=a%2Fb%40c&lang=zh-Hant"
    assert links["4"] == f"steps?{shared}&kind=encoder&layer=3&head=7&step=4&looking=sah"
    assert links["7"] == f"./?{shared}&kind=encoder&layer=3"
    assert links["9"] == f"context?{shared}&kind=encoder&sentence2=Der+Ball+begann+mit+einem+Walzer."
    assert links["10"] == f"translate?{shared}"
    plain = scene_links(numbers_of("opening"), "Der Hund.", "", "", 2)
    assert plain["2"] == "embeddings?sentence=Der+Hund.&word_one=sah"


def test_the_tables_hold_the_numbers_of_the_story(speak: Any) -> None:
    speak("en")
    tables = {table.name: table for table in story_tables(story_payload(numbers_of("opening")))}
    assert list(tables) == ["Tokens", "Scores L3 H7", "Shares L3 H7", "Block · length", "nearest words", "probability"]
    shares = tables["Shares L3 H7"].numbers
    assert sum(column[2] or 0 for column in shares.values()) == pytest.approx(1, abs=1e-5)
    assert tables["Tokens"].labels[2] == "sah"
    masked = {table.name: table for table in story_tables(story_payload(numbers_of("gpt2")))}
    scores = next(table for name, table in masked.items() if name.startswith("Scores"))
    last = list(scores.numbers.values())[-1]
    assert last[0] is None and last[-1] is not None  # the first word does not see the last


def test_a_qr_code_holds_the_address(speak: Any) -> None:
    code = qr_code("http://localhost:8501/story?scene=5&sentence=学生")
    assert code is not None and code["text"].endswith("学生")
    size = len(code["modules"])
    assert {len(row) for row in code["modules"]} == {size} and set("".join(code["modules"])) == {"0", "1"}
    finder = ["1111111", "1000001", "1011101", "1011101", "1011101", "1000001", "1111111"]
    assert [row[:7] for row in code["modules"][:7]] == [row[-7:] for row in code["modules"][:7]] == finder
    assert qr_code("") is None and qr_code("x" * 4000) is None
