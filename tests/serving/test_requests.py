"""What is written down of a request: its line, its numbers, and never what was typed."""

from __future__ import annotations

import io
import json

import pytest
from support.tiny_models import ids, network

import attnviz
from attnviz.errors import BusyError
from attnviz.models.network.turns import use_turns
from attnviz.serving.limits import read_limits
from attnviz.serving.metrics import Held, Metrics, may_read
from attnviz.serving.queue import ForwardQueue
from attnviz.serving.request_log import RequestLog
from attnviz.serving.requests import Request, current, note_error, note_text, request


def test_a_request_knows_what_was_done_for_it() -> None:
    queue = ForwardQueue(read_limits({}))
    use_turns(queue.turn)
    try:
        with request("heads", "one") as running:
            attnviz.Model(network("bert")).record_ids(ids(3)).size("encoder")
            note_text("abc", 3)
            assert current() is running
    finally:
        use_turns(None)
    assert current() is None
    assert running.turns >= 1 and running.seconds >= running.forward_seconds > 0 and running.tokens == 3


def test_the_outcome_is_the_first_error_or_that_the_visitor_left() -> None:
    with request("heads", "one") as told:
        note_error(BusyError("too many"))
        note_error(ValueError("and then"))
    assert told.outcome == "BusyError"
    with pytest.raises(ZeroDivisionError), request("heads", "one") as failed:
        1 // 0  # noqa: B018
    assert failed.outcome == "ZeroDivisionError"
    with pytest.raises(KeyboardInterrupt), request("heads", "one") as left:
        raise KeyboardInterrupt
    assert left.outcome == "left"


def test_the_line_has_the_text_only_where_it_is_asked_for() -> None:
    ended = Request(
        "heads", "visitor-1", text="my secret\nsentence", tokens=4, turns=1, queue_seconds=0.25, seconds=1.0
    )
    lines = {}
    for with_text in (False, True):
        stream = io.StringIO()
        RequestLog(with_text=with_text, stream=stream)(ended)
        assert stream.getvalue().count("\n") == 1
        lines[with_text] = json.loads(stream.getvalue())
    assert lines[False] | {"time": ""} == {
        "time": "", "request": "heads", "seconds": 1.0, "queue_seconds": 0.25, "forward_seconds": 0.0, "turns": 1,
        "tokens": 4, "outcome": "ok",
    }  # fmt: skip
    assert lines[True]["text"] == "my secret\nsentence"


def test_the_numbers_count_requests_and_say_what_is_in_memory() -> None:
    queue = ForwardQueue(read_limits({}))
    metrics = Metrics(queue)
    metrics(Request("heads", "one", tokens=5, turns=1, queue_seconds=0.3, seconds=0.4))
    metrics(Request("heads", "one", outcome="BusyError"))
    metrics.add_memory(lambda: [Held('a "model"', 10, 20, 3)])
    with queue.turn(object()):
        text = metrics.text()
    for line in (
        'attnviz_requests_total{outcome="ok",request="heads"} 1.0',
        'attnviz_requests_total{outcome="BusyError",request="heads"} 1.0',
        "attnviz_tokens_total 5.0",
        'attnviz_queue_seconds_bucket{le="0.5"} 1.0',
        "attnviz_queue_seconds_count 1.0",
        "attnviz_queue_computing 1.0",
        'attnviz_cache_bytes{model="a \\"model\\""} 20.0',
        'attnviz_model_bytes{model="a \\"model\\""} 10.0',
    ):
        assert line in text.splitlines(), line


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer wrong", "Basic secret", "Bearer sécret"])
def test_who_does_not_show_the_token_reads_nothing(header: str) -> None:
    assert not may_read(header, "secret") and may_read("Bearer secret", "secret")
