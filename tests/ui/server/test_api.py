"""The JSON API: the engine's own numbers, tags, problems, and a description that holds."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from starlette.applications import Starlette
from starlette.testclient import TestClient

import attnviz
from attnviz.errors import (
    AttnvizError,
    BusyError,
    LimitError,
    MemoryShortError,
    NetworkError,
    NotOfferedError,
    TooOftenError,
    UnsafeError,
)
from attnviz.export import read
from attnviz.models.recording.recording import Recording
from attnviz.ui.server.api import answers
from attnviz.ui.server.api.parameters import Fields
from attnviz.ui.server.api.routes import MOST_BYTES, api_routes, openapi
from attnviz.ui.shell import sign_in

SENTENCE = "Der Hund sah den Ball."


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(Starlette(routes=api_routes()), base_url="http://127.0.0.1/api/v1") as client:
        yield client


@pytest.fixture(scope="module")
def recording() -> Recording:
    return attnviz.load("bundled").record(SENTENCE)


def holds(schema: str, value: object) -> bool:
    """Whether a value is what the description says of it."""
    document = openapi("/api/v1")
    Draft202012Validator({**document, "$ref": f"#/components/schemas/{schema}"}).validate(value)
    return True


def test_one_head_of_the_cross_attention(client: TestClient, recording: Recording) -> None:
    asked = {"text": SENTENCE, "kind": "cross", "layer": 2, "head": 5}
    answer = client.post("attention", json=asked)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    body = answer.json()
    assert holds("Attention", body)
    np.testing.assert_allclose(body["weights"], recording.weights("cross", layer=2, head=5), atol=1e-8)
    map = recording.map("cross", layer=2, head=5)
    assert tuple(token["label"] for token in body["query_tokens"]) == map.query_labels
    assert tuple(token["label"] for token in body["key_tokens"]) == map.key_labels
    assert [token["id"] for token in body["key_tokens"]] == [token.id for token in map.key_tokens]


def test_all_heads_of_a_layer_and_a_target_of_ones_own(client: TestClient) -> None:
    asked = {"text": SENTENCE, "target": "The cat slept.", "kind": "decoder", "layer": 1, "model": "bundled"}
    body = client.post("attention", json=asked).json()
    assert holds("Attention", body) and body["head"] is None
    expected = attnviz.load("bundled").record(SENTENCE, "The cat slept.").weights("decoder", layer=1)
    np.testing.assert_allclose(body["weights"], expected, atol=1e-8)


@pytest.mark.parametrize("reduce", ["share", "max"])
def test_a_long_map_in_few_cells(client: TestClient, recording: Recording, reduce: str) -> None:
    body = client.post("attention", json={"text": SENTENCE, "layer": 3, "head": 1, "pool": 3, "reduce": reduce}).json()
    assert holds("Attention", body)
    expected = recording.pooled("encoder", 3, 1, size=3, reduce=reduce)
    np.testing.assert_allclose(body["weights"], expected, atol=1e-8)
    assert body["key_edges"] == [0, 3, 5, 7] and len(body["key_tokens"]) == 7


def test_more_weights_than_anybody_reads_are_refused(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "MOST_WEIGHTS", 100)
    answer = client.post("attention", json={"text": SENTENCE})
    assert answer.status_code == 413 and "392 weights" in answer.json()["detail"]
    assert client.post("attention", json={"text": SENTENCE, "head": 0}).status_code == 200


def test_a_translation(client: TestClient) -> None:
    body = client.post("translate", json={"text": SENTENCE}).json()
    assert holds("Translation", body) and body["translation"] == "The dog saw the ball."


def test_the_models_that_may_be_asked_for(client: TestClient) -> None:
    client.post("translate", json={"text": SENTENCE})
    body = client.get("models").json()
    assert holds("Models", body)
    bundled = body["models"][0]
    assert (bundled["name"], bundled["heads"]["cross"], bundled["translates"]) == ("bundled", [8, 8, 8, 8], True)


def test_a_picture_with_its_numbers_in_the_callers_language(client: TestClient, recording: Recording) -> None:
    asked = {"text": SENTENCE, "layer": 2, "head": 5, "hide_special": "true"}
    answer = client.get("picture.svg", params=asked, headers={"Accept-Language": "de-AT, en;q=0.5"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/svg+xml")
    panel = read(answer.content).panels[0]
    wanted = recording.map("encoder", layer=2, head=5).hide(lambda token: token.special)
    np.testing.assert_allclose(panel.weights, wanted.weights, atol=1e-6)
    assert 'lang="de"' in answer.text


@pytest.mark.parametrize("path", ["models", "openapi.json", f"picture.svg?text={SENTENCE}&layer=1&head=0"])
def test_the_same_answer_is_not_sent_twice(client: TestClient, path: str) -> None:
    first = client.get(path)
    tag = first.headers["etag"]
    assert first.content and tag
    for known in (tag, tag.removeprefix("W/"), f'"another", {tag}', "*"):
        again = client.get(path, headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert client.get(path, headers={"If-None-Match": '"another"'}).content == first.content


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({}, 422, "`text` is missing"),
        ({"text": ""}, 422, "Type one"),
        ({"text": 7}, 422, "`text` has to be a text, not 7"),
        ({"text": SENTENCE, "layer": 9}, 422, "layers 0 to 3, not 9"),
        ({"text": SENTENCE, "layer": "2"}, 422, "`layer` has to be a whole number, not 2"),
        ({"text": SENTENCE, "head": 1e30}, 422, "`head` has to be a whole number"),
        ({"text": SENTENCE, "head": True}, 422, "`head` has to be a whole number, not True"),
        ({"text": SENTENCE, "kind": "sideways"}, 422, "`kind` has to be one of encoder, decoder, cross"),
        ({"text": SENTENCE, "pool": 0}, 422, "`pool` has to be a whole number from 1 to 512, not 0"),
        ({"text": SENTENCE, "layers": 2}, 422, "`layers` has no meaning here. What may be given: head, kind, layer"),
        ({"text": SENTENCE, "model": "./nowhere"}, 404, "does not exist"),
        ({"text": "Hund " * 5000}, 413, "positions"),
        ([SENTENCE], 400, "has to be a JSON object"),
    ],
)
def test_what_cannot_be_answered_is_a_problem_with_the_engines_words(
    client: TestClient, body: object, status: int, said: str
) -> None:
    answer = client.post("attention", json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    document = answer.json()
    assert holds("Problem", document) and document["status"] == status
    assert said in document["detail"]


def test_what_is_no_request_is_a_problem_too(client: TestClient) -> None:
    json_type = {"Content-Type": "application/json"}
    answers = {
        400: client.post("attention", content=b'{"text": ', headers=json_type),
        404: client.get("heads"),
        405: client.get("attention"),
        413: client.post("attention", content=b" " * (MOST_BYTES + 1), headers=json_type),
        415: client.post("attention", data={"text": SENTENCE}),
    }
    for status, answer in answers.items():
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
        assert holds("Problem", answer.json())
    assert answers[405].headers["allow"] == "POST"
    deep = client.post("attention", content=b'{"text":' + b"[" * 100_000, headers=json_type)
    assert deep.status_code == 400


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (BusyError("Many people compute here."), 503),
        (MemoryShortError("Memory ran short."), 503),
        (NetworkError("The Hub cannot be reached."), 503),
        (NotOfferedError("This server shows other models."), 404),
        (TooOftenError("Go on in 3 seconds."), 429),
        (LimitError("Too long."), 413),
        (UnsafeError("A pickle."), 422),
        (AttnvizError("No."), 422),
        (RuntimeError("/secret/path"), 500),
    ],
)
def test_each_kind_of_error_has_its_status(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    def fail(name: str) -> None:
        raise error

    monkeypatch.setattr(answers, "_load", fail)
    answer = client.post("attention", json={"text": SENTENCE})
    assert answer.status_code == status
    assert ("retry-after" in answer.headers) == (status in (429, 503))
    assert "secret" not in answer.text


def test_where_people_sign_in_programs_are_not_answered(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_in, "is_set_up", lambda: True)
    for answer in (client.post("translate", json={"text": SENTENCE}), client.get("models")):
        assert answer.status_code == 403 and "sign in" in answer.json()["detail"]


def test_problems_speak_the_callers_language(client: TestClient) -> None:
    answer = client.post("attention", json={}, headers={"Accept-Language": "de"})
    assert answer.headers["content-language"] == "de"
    assert "`text` fehlt" in answer.json()["detail"]


def test_the_server_answers_while_it_computes(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, goes_on = threading.Event(), threading.Event()

    def slow(name: str) -> None:
        begun.set()
        goes_on.wait(30)
        raise AttnvizError("Late.")

    monkeypatch.setattr(answers, "_load", slow)
    waiting = threading.Thread(target=client.post, args=("attention",), kwargs={"json": {"text": SENTENCE}})
    waiting.start()
    assert begun.wait(30)
    assert client.get("openapi.json").status_code == 200
    goes_on.set()
    waiting.join(30)


def test_the_description_is_openapi_and_names_every_parameter() -> None:
    document = openapi("/below/api/v1")
    assert document["servers"] == [{"url": "/below/api/v1"}]
    assert {f"/below/api/v1{path}" for path in document["paths"]} <= {route.path for route in api_routes("below")}
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)

    def taken(read: str) -> set[str]:
        fields = Fields({"text": "a"}, as_text=False)
        for part in read.split():
            getattr(fields, part)()
        return set(fields._names)

    request = document["components"]["schemas"]["AttentionRequest"]["properties"]
    assert set(request) == taken("read heads pool")
    parameters = document["paths"]["/picture.svg"]["get"]["parameters"]
    assert {item["name"] for item in parameters if item["in"] == "query"} == taken("read heads look")
    assert json.dumps(document)
