"""The queue: one after the other, in order, with a place, a limit, and no place for who has left."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from support.tiny_models import ids, network

import attnviz
from attnviz.errors import BusyError, LimitError
from attnviz.models.network.turns import use_turns
from attnviz.serving.limits import read_limits
from attnviz.serving.queue import ForwardQueue
from attnviz.serving.requests import Request, request

A, B, C = object(), object(), object()


def queue_with(**variables: str) -> ForwardQueue:
    return ForwardQueue(read_limits({f"ATTNVIZ_{name}": value for name, value in variables.items()}))


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.005)


class Visitor:
    """Somebody in a thread of their own who takes a turn and keeps it until `go`."""

    def __init__(self, queue: ForwardQueue, network: object, done: list[Visitor], leaves: bool = False) -> None:
        self.places: list[int] = []
        self.error: BaseException | None = None
        self.request: Request | None = None
        self.has_turn, self.go = threading.Event(), threading.Event()
        self._queue, self._network, self._done, self._leaves = queue, network, done, leaves
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        try:
            with request("heads", str(id(self)), self._told) as self.request, self._queue.turn(self._network):
                self.has_turn.set()
                assert self.go.wait(60)
                self._done.append(self)
        except BaseException as error:
            self.error = error

    def _told(self, before: int) -> None:
        self.places.append(before)
        if self._leaves:
            raise KeyboardInterrupt


def finish(*visitors: Visitor) -> None:
    for visitor in visitors:
        visitor.go.set()
        visitor.thread.join(60)


def test_turns_come_in_order_and_the_place_is_told() -> None:
    queue, done = queue_with(), []
    first = Visitor(queue, A, done)
    assert first.has_turn.wait(60)
    second = Visitor(queue, A, done)
    until(lambda: queue.waiting == 1)
    third = Visitor(queue, A, done)
    until(lambda: bool(second.places and third.places))
    assert (queue.computing, queue.waiting) == (1, 2) and third.places[0] == 2 and not second.has_turn.is_set()
    finish(first, second, third)
    assert done == [first, second, third] and (queue.computing, queue.waiting) == (0, 0)
    assert second.places[-1] == 0 and first.places == []
    assert third.request and third.request.queue_seconds > 0 and third.request.turns == 1


def test_another_network_need_not_wait_but_for_a_place() -> None:
    queue, done = queue_with(FORWARDS="2"), []
    first, second = Visitor(queue, A, done), Visitor(queue, B, done)
    assert first.has_turn.wait(60) and second.has_turn.wait(60)
    third = Visitor(queue, C, done)
    until(lambda: bool(third.places))
    finish(second, third, first)
    assert done == [second, third, first]


def test_who_leaves_gives_up_the_place() -> None:
    queue, done = queue_with(), []
    first = Visitor(queue, A, done)
    assert first.has_turn.wait(60)
    gone = Visitor(queue, A, done, leaves=True)
    gone.thread.join(60)
    assert isinstance(gone.error, KeyboardInterrupt) and gone.request and gone.request.outcome == "left"
    assert queue.waiting == 0
    finish(first, Visitor(queue, A, done))
    assert queue.computing == 0


def test_nobody_waits_for_ever_and_not_too_many_wait() -> None:
    queue, done = queue_with(QUEUE_SECONDS="0.1", QUEUE_LENGTH="1"), []
    first = Visitor(queue, A, done)
    assert first.has_turn.wait(60)
    second = Visitor(queue, A, done)
    until(lambda: queue.waiting == 1)
    with pytest.raises(BusyError, match="as many as may wait here"), queue.turn(A):
        pass
    second.thread.join(60)
    assert isinstance(second.error, BusyError) and "as long as anybody may wait" in str(second.error)
    finish(first)


def test_a_turn_within_a_turn_is_the_same_one() -> None:
    queue = queue_with(FORWARDS="1")
    with queue.turn(A), queue.turn(A), queue.turn(B):
        assert queue.computing == 1
    assert queue.computing == 0


def test_one_visitor_has_so_many_requests_a_minute() -> None:
    queue = queue_with(REQUESTS_PER_MINUTE="2")

    def ask(visitor: str) -> None:
        with request("heads", visitor):
            for _ in range(3):  # turns of one request
                with queue.turn(A):
                    pass

    ask("one")
    ask("one")
    with pytest.raises(LimitError, match="2 requests within a minute"):
        ask("one")
    ask("two")


@pytest.fixture
def short_turns() -> Iterator[ForwardQueue]:
    queue = queue_with(FORWARD_SECONDS="0.000001")
    use_turns(queue.turn)
    yield queue
    use_turns(None)


def test_a_pass_that_takes_too_long_is_ended_and_the_next_works(short_turns: ForwardQueue) -> None:
    model = attnviz.Model(network("bert"))
    with pytest.raises(LimitError, match="took longer than 1e-06 seconds"):
        model.record_ids(ids(3)).size("encoder")
    assert short_turns.computing == 0
    use_turns(queue_with().turn)
    assert model.record_ids(ids(3)).size("encoder")[3] == 3
    assert not any(module._forward_pre_hooks for module in model.network.modules())
