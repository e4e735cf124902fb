"""The page "Translate" as its script sees it: steps, choices, methods, other models, what it says when it cannot."""

from __future__ import annotations

import base64
import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import transformers
from streamlit.testing.v1 import AppTest
from support import tiny_models
from support import tiny_tokenizers as tokenizers_for_tests
from support.bundled import bundled_model
from support.pages import components, open_page

from attnviz.examples import FIRST_EXAMPLES
from attnviz.generation.decode import decode
from attnviz.generation.sampling import Method
from attnviz.generation.writer import Writer
from attnviz.models.model import Model
from attnviz.tokenization.token import labels
from attnviz.tokenization.tokenizer import encode, from_ids

APP = str(Path(__file__).resolve().parents[4] / "app.py")
FIRST = "De kat zit op de mat."
opened = functools.partial(open_page, "translate", sentence=FIRST)


def story(app: AppTest) -> dict[str, Any]:
    """What the growing text is made of."""
    assert not app.exception
    return components(app, "text_player")[0]


def weights(data: dict[str, Any], rows: int) -> np.ndarray:
    """(row, key), as the browser reads them."""
    return np.frombuffer(base64.b64decode(data["weights"]), dtype="<u2").reshape(rows, len(data["keys"])) / 65535


def words(data: dict[str, Any]) -> list[str]:
    return [item["text"] for item in data["text"]]


@pytest.fixture(scope="module")
def bundled() -> Model:
    return bundled_model()


def test_texts_do_not_drive_out_the_recordings_of_other_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded: list[str] = []
    record = Model.record

    def counted(model: Model, text: str, *rest: Any, **more: Any) -> Any:
        recorded.append(text)
        return record(model, text, *rest, **more)

    monkeypatch.setattr(Model, "record", counted)
    sentences = [f"{number} Katzen sitzen hier." for number in range(2, 14)]
    app = opened(sentence=sentences[0])
    for sentence in sentences[1:]:
        app.text_area(key="sentence").set_value(sentence).run()
    app.text_area(key="sentence").set_value(sentences[0]).run()
    assert not app.exception and recorded == sentences


@pytest.fixture(scope="module")
def writer(bundled: Model) -> Writer:
    return Writer(bundled, encode(bundled.tokenizer, FIRST).ids)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Models such as somebody would choose: one that fills gaps, one that goes on, one that does neither."""
    found = {}
    wordpiece, byte_level = tokenizers_for_tests.wordpiece(), tokenizers_for_tests.gpt2()
    bert = tiny_models.network("bert", vocab_size=len(wordpiece))
    networks = {
        "bert": (bert, wordpiece),
        "gpt": (tiny_models.network("gpt2", vocab_size=len(byte_level)), byte_level),
        "headless": (transformers.BertModel(bert.config), wordpiece),
    }
    for name, (network, tokenizer) in networks.items():
        folder = tmp_path_factory.mktemp(name)
        network.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        found[name] = str(folder)
    return found


# Opening ------------------------------------------------------------------------------------------------------------


def test_it_opens_with_its_example_translated(writer: Writer) -> None:
    app = opened(step="1")  # a step in the link: the model's own
    data = story(app)
    assert app.text_area(key="sentence").value == FIRST
    written = decode(writer)
    assert words(data) == [labels((token,))[0] for token in from_ids(
        writer.model.tokenizer, [*writer.start, *written.ids])]  # fmt: skip
    assert [item["step"] for item in data["text"]] == [None, *range(len(written.ids))]
    assert data["ended"] == "Ended by its end token." and data["prefixLength"] == 0
    assert data["text"][1 + data["step"]]["special"] is False  # it begins at a word
    (drawing,) = components(app, "architecture")
    assert drawing["kind"] == "cross"
    assert {block["kind"] for block in drawing["drawing"]["blocks"]} == {None, "encoder", "decoder", "cross"}
    (ready,) = components(app, "ready")
    assert ready["sentence"] == FIRST and ready["figures"] == 2
    assert {data["run"], drawing["run"]} == {ready["run"]}
    assert not app.warning and not app.error


# What the shipped model writes for the examples, as somebody read it and found it right.
READ = {
    "The teacher taught the student with the book.": "Der Lehrer unterrichtete den Schüler mit dem Buch.",
    "Der Hund sah den Ball.": "The dog saw the ball.",
    "老师把书给了学生。": "The teacher gave the book to the students.",
    "女孩把花放在桌子上。": "The girl put the flowers on the table.",
    "学生在写作业。": "The students are writing homework.",
    "De student las het boek dat de leraar hem gaf.": "The student read the book that the teacher gave him.",
    "Der Lehrer gab dem Schüler das Buch, weil er es brauchte.": (
        "The teacher gave the student the book because he needed it."
    ),
}


def test_the_examples_are_those_whose_translations_were_read(bundled: Model) -> None:
    offered = opened().get("button_group")[0].options
    assert sorted(offered) == sorted([FIRST, *READ]) and offered[0] == FIRST_EXAMPLES["en"]
    assert set(FIRST_EXAMPLES.values()) <= set(offered)
    assert {sentence: bundled.translate(sentence) for sentence in READ} == READ


def test_an_example_that_the_model_gets_wrong_opens_with_its_target_given() -> None:
    app = opened()
    data = story(app)
    assert "".join(words(data)[2:-1]).replace(" ", "") == "Thecatsitsonthemat."
    assert data["prefixLength"] == len(data["steps"]) - 1
    assert any("This translation is given" in item.value for item in app.caption)
    assert data["texts"]["reset"] == "See the model's own"


def test_the_numbers_are_the_engines(writer: Writer) -> None:
    data = story(opened(layer="2", head="5", step="1"))
    written = decode(writer)
    recording = writer.record(written.ids)
    cross, own = data["strips"]
    count = len(written.ids)
    expected = recording.weights("cross", layer=2, head=5).numpy()
    np.testing.assert_allclose(weights(cross, count), expected, atol=1e-4)
    np.testing.assert_allclose(weights(own, count), recording.weights("decoder", layer=2, head=5).numpy(), atol=1e-4)
    assert own["visibleCounts"] == list(range(1, count + 1)) and set(cross["visibleCounts"]) == {len(cross["keys"])}
    assert recording.logits is not None
    for step, row in zip(data["steps"], recording.logits.softmax(dim=-1), strict=True):
        for bar in step["bars"]:
            assert bar["p"] == pytest.approx(float(row[bar["id"]]), abs=2e-5)
        assert sum(bar["p"] for bar in step["bars"]) + step["others"]["p"] == pytest.approx(1, abs=1e-3)
        assert step["others"]["text"] == "all others" and "other tokens" in step["others"]["title"]


def test_rows_are_labelled_by_what_they_predict() -> None:
    data = story(opened())["map"]
    assert data["rows"][:3] == ["<s> → >>en<<", ">>en<< → The", "The → cat"]
    assert "belongs to the token that it predicts" in data["note"] and data["steps"]
    assert data["title"] == "Cross-attention, L3, mean of 8 heads"


@pytest.mark.parametrize(("kind", "title"), [("decoder", "Masked self-attention"), ("encoder", "Encoder self-")])
def test_the_place_that_is_looked_at_decides_the_map(kind: str, title: str) -> None:
    app = opened(kind=kind)
    data = story(app)
    assert data["map"]["title"].startswith(title)
    assert components(app, "architecture")[0]["kind"] == kind
    assert data["map"]["steps"] is (kind == "decoder")
    assert [strip["marked"] for strip in data["strips"]] == [False, kind == "decoder"]
    if kind == "encoder":
        assert data["map"]["rows"] == data["map"]["keys"]


def test_the_colours_of_a_long_text_end_where_those_of_other_maps_do() -> None:
    data = story(opened(sentence="Der Hund sah den Ball und die Katze. " * 8))
    keys = len(data["map"]["keys"])
    assert keys > 60 and data["map"]["top"] == data["strips"][0]["top"] == pytest.approx(16 / keys)
    assert data["map"]["texts"]["high"] == f"{16 / keys:.2f} and more"
    assert data["map"]["root"] and data["strips"][0]["root"] and "√" in data["map"]["texts"]["weight"]
    even = story(opened(sentence="Der Hund sah den Ball und die Katze. " * 8, even_colours="true", hide_first="true"))
    assert not even["map"]["root"] and len(even["map"]["keys"]) == keys - 1
    assert "First position hidden – " in even["map"]["note"]
    short = story(opened())["map"]
    assert short["texts"]["high"] == "1, all of it" and not short["root"]


def test_words_and_special_tokens_change_the_keys_alone() -> None:
    data = story(opened(sentence="Die Fledermausohren.", by_word="true", hide_special="true"))
    assert data["map"]["keys"] == ["Die", "Fledermausohren", "."]
    assert len(data["map"]["rows"]) == len(data["steps"])
    assert "Special tokens are hidden, with" in data["map"]["note"]


# Choosing -----------------------------------------------------------------------------------------------------------


def test_a_link_with_choices_shows_them(writer: Writer) -> None:
    whole = decode(writer).ids
    other = int(writer.next(whole[:3]).logits.topk(2).indices[1])
    prefix = (*whole[:3], other)
    app = opened(prefix=".".join(map(str, prefix)), step="4")
    data = story(app)
    assert words(data)[1:] == [
        labels((token,))[0] for token in from_ids(
            writer.model.tokenizer, [*writer.start, *decode(writer, prefix).ids])[1:]
    ]  # fmt: skip
    assert data["prefixLength"] == 4 and data["step"] == 4 and not app.warning
    assert [item["inPrefix"] for item in data["text"]][1:5] == [True] * 4
    assert "is given" in data["steps"][3]["effect"] and "is given" not in data["steps"][4]["effect"]
    assert next(bar for bar in data["steps"][3]["bars"] if bar["chosen"])["id"] == other


def test_another_sentence_begins_without_choices(writer: Writer) -> None:
    app = opened(prefix=str(decode(writer).ids[0]), step="1")
    assert story(app)["prefixLength"] == 1
    app.text_area(key="sentence").set_value("Der Hund sah den Ball.").run()
    assert story(app)["prefixLength"] == 0 and not app.warning
    assert "prefix" not in app.query_params and "step" not in app.query_params


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"prefix": "abc"}, "The link's prefix, “abc”, cannot be read"),
        ({"prefix": "5..7"}, "cannot be read"),
        ({"prefix": "12000"}, "ids from 0 to 11999"),
        ({"prefix": "5.2.7"}, "goes on after its end token"),
        ({"prefix": ".".join(["7"] * 200)}, "200 tokens"),
        ({"step": "later"}, "The link's step, “later”"),
        ({"method": "magic", "step": "1"}, "no method “magic”"),
        ({"method": "sample", "temperature": "99"}, "Temperature is a number from 0.1 to 3.0, not 99"),
        ({"method": "beam", "width": "many"}, "Beam width is a number from 1 to 10, not many; 4"),
        ({"kind": "sideways", "step": "1"}, "no sideways attention"),
    ],
)
def test_what_is_wrong_in_a_link_is_said(parameters: dict[str, str], said: str) -> None:
    app = opened(**parameters)
    assert said in app.warning[0].value.replace("\\", "")
    assert story(app)["prefixLength"] == 0 and components(app, "ready")
    assert not app.run().warning


def test_a_step_beyond_the_text_is_its_last() -> None:
    data = story(opened(step="500"))
    assert data["step"] == len(data["steps"]) - 1


# Methods ------------------------------------------------------------------------------------------------------------


def test_greedy_cuts_off_all_but_the_likeliest() -> None:
    for step in story(opened(step="1"))["steps"]:
        # Filled as far as the number beside it says, not to the end.
        assert [bar["q"] for bar in step["bars"]] == [step["bars"][0]["p"], *[0] * (len(step["bars"]) - 1)]
        assert step["bars"][0]["chosen"] and "greedy" in step["effect"]


def test_sampling_shows_what_is_cut_off_and_what_changes(writer: Writer) -> None:
    app = opened(method="sample", temperature="1.5", top_k="3", seed="7")
    data = story(app)
    method = Method("sample", temperature=1.5, top_k=3, seed=7)
    assert len(data["steps"]) == len(decode(writer, method=method).ids)
    step = data["steps"][1]
    assert [bar["candidate"] for bar in step["bars"][:8]] == [True] * 3 + [False] * 5
    assert sum(bar["q"] for bar in step["bars"]) == pytest.approx(1, abs=1e-3) and step["others"]["q"] == 0
    assert step["bars"][0]["numbers"].count("→") == 1 and step["bars"][5]["numbers"].endswith("→ cut")
    assert "3 tokens" in step["effect"] and "is cut off" in step["effect"]
    assert {box.key for box in app.number_input} == {"temperature", "top_k", "top_p", "seed"}


def test_a_beam_shows_what_survived_and_what_was_dropped(writer: Writer) -> None:
    app = opened(method="beam", width="3")
    data = story(app)
    written = decode(writer, method=Method("beam", width=3))
    assert len(data["beams"]) == len(data["steps"]) == len(written.ids)
    states = [node["state"] for node in data["beams"][0]]
    assert states.count("kept") == 3 and "dropped" in states
    assert all(sum(node["won"] for node in column) == 1 for column in data["beams"])
    assert data["beams"][1][0]["parent"] == 0 and data["beams"][0][0]["parent"] is None
    first = data["beams"][0][0]
    assert float(first["score"].replace("−", "-")) == pytest.approx(written.beams[0][0].score, abs=0.006)
    assert first["label"].endswith("kept") and "wins" in data["treeNote"]
    kept = {bar["id"] for bar in data["steps"][0]["bars"] if bar["candidate"]}
    assert kept == {one.ids[0] for one in written.beams[0] if one.state != "dropped"}


def test_the_numbers_stand_in_tables(writer: Writer) -> None:
    app = opened(method="beam", width="2")
    steps, map_table, beam = (table.value for table in app.dataframe)
    written = decode(writer, method=Method("beam", width=2))
    assert len(steps) == len(map_table) == len(written.ids)
    first = writer.next(()).probabilities[written.ids[0]]
    assert steps["p"].iloc[0] == pytest.approx(float(first), abs=1e-4)
    assert len(beam) == sum(map(len, written.beams))
    assert set(beam["state"]) == {"kept", "dropped", "finished"}


# What cannot be shown, and other models -----------------------------------------------------------------------------


def test_an_empty_sentence_and_one_too_long_lose_nothing() -> None:
    app = opened()
    app.text_area(key="sentence").set_value("  ").run()
    assert "Type a sentence" in app.info[0].value and not components(app, "text_player")
    app.text_area(key="sentence").set_value("Wort " * 900).run()
    assert "positions for 512" in app.error[0].value and not components(app, "ready")
    assert app.text_area(key="sentence").value == "Wort " * 900
    app.text_area(key="sentence").set_value(FIRST).run()
    assert words(story(app))[2] == "The"


@pytest.mark.parametrize("sentence", ["<img src=x onerror=alert(1)>", "👩‍👩‍👧 🎈", "$x^2$ **a**"])
def test_hostile_and_foreign_text_is_only_text(sentence: str) -> None:
    app = opened(sentence=sentence)
    assert components(app, "ready")[0]["sentence"] == sentence and story(app)["steps"]


def test_a_decoder_goes_on_with_a_text(folders: dict[str, str]) -> None:
    app = opened(model=folders["gpt"], sentence="The dog saw the", length="5")
    data = story(app)
    assert sum(item["step"] is not None for item in data["text"]) == len(data["steps"]) == 5
    assert "limit of 5 tokens" in data["ended"]
    (strip,) = data["strips"]
    prompt = len(strip["keys"]) - 4
    assert strip["visibleCounts"] == [prompt, prompt + 1, prompt + 2, prompt + 3, prompt + 4]
    assert data["map"]["rows"][0].startswith("the → ")
    assert [block["kind"] for block in components(app, "architecture")[0]["drawing"]["blocks"]].count("decoder") == 1
    assert app.segmented_control(key="kind").options == ["decoder"]


def test_a_masked_model_fills_gaps(folders: dict[str, str]) -> None:
    app = opened(model=folders["bert"], sentence="The [MASK] saw the [MASK].")
    data = story(app)
    assert len(data["steps"]) == 2 and [item["step"] for item in data["text"] if item["step"] is not None] == [0, 1]
    assert all(item["word"] is None for item in data["text"])
    (strip,) = data["strips"]
    assert [key["gap"] for key in strip["keys"] if key["gap"] is not None] == [0, 1]
    assert data["steps"][0]["question"] == "What stands in the gap?"
    assert app.segmented_control(key="method").options == ["greedy", "sample"]
    assert all("[MASK]" in option for option in app.pills(key="example").options)


def test_a_word_is_masked_where_the_text_has_no_gap(folders: dict[str, str]) -> None:
    app = opened(model=folders["bert"], sentence="The dogs bark.")
    data = story(app)
    assert words(data)[1:3] == ["the", "dogs"]
    # The last word is a gap of one or more pieces; the others can be masked instead, the special tokens cannot.
    assert [item["word"] for item in data["text"]] == [None, 0, 1, *[None] * len(data["steps"]), 3, None]
    other = story(opened(model=folders["bert"], sentence="The dogs bark.", masked="1"))
    gap = next(place for place, item in enumerate(other["text"]) if item["step"] == 0)
    assert gap == 2
    app = opened(model=folders["bert"], sentence="The dogs bark.", masked="77")
    assert "no word 77 to mask" in app.warning[0].value and story(app)["steps"]


def test_a_model_without_a_language_head_says_so(folders: dict[str, str]) -> None:
    app = opened(model=folders["headless"], sentence="The dogs")
    assert "has no language head" in app.error[0].value and "Choose a model" in app.error[0].value
    assert not components(app, "text_player") and not components(app, "ready") and not app.exception
    app.selectbox(key="model").set_value("bundled").run()
    assert story(app)["steps"] and app.text_area(key="sentence").value == "The dogs"


@pytest.mark.parametrize(
    ("sentence", "direction"),
    [
        ("Der Hund sah den Ball.", "German → English (guessed)"),
        ("The dog saw the ball.", "English → German (guessed)"),
        ("Le chat est sur la table.", "French is none of this model's languages; expect no translation."),
    ],
)
def test_the_translation_is_there_as_plain_text_with_its_direction(
    bundled: Model, sentence: str, direction: str
) -> None:
    app = opened(sentence=sentence)
    assert [element.value for element in app.code] == [bundled.translate(sentence)]
    assert direction in [*(element.value for element in app.caption), app.selectbox(key="direction").options[0]]


def test_a_direction_is_chosen_and_given_back(bundled: Model) -> None:
    app = opened(sentence="学生在写作业。", direction="en-de")
    assert words(story(app))[1] == ">>de<<" and app.code[0].value.startswith("Die ")
    app.selectbox(key="direction").set_value("").run()
    assert app.code[0].value == bundled.translate("学生在写作业。")
    assert "direction" not in app.query_params
    app = opened(sentence="学生在写作业。", direction="fr-en")
    assert "no direction fr-en" in app.warning[0].value and app.selectbox(key="direction").value == ""
