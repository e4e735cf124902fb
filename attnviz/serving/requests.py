"""One request: a run of a page or a call of the API, from its beginning to its answer.

    with request("heads", visitor) ─ turns of the queue, recordings and errors add to it ─ at its end: log, metrics

Whatever runs within it finds it by `current`. Outside of any, as in a notebook, there is none.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field

_logger = logging.getLogger("attnviz")


@dataclass
class Request:
    """What is known of a request so far.

    Attributes:
        page: the page or the address that was asked for.
        visitor: whose requests are counted together.
        while_waiting: called several times a second with how many come before, and with 0 once nobody does; what it
            raises ends the waiting.
        while_computing: called several times a second between the layers of a network; what it raises ends the
            computation.
        text: that was typed; None where nothing was computed.
        tokens: of the texts that were computed for it.
        queue_seconds: that it waited for turns.
        forward_seconds: that it had the turn.
        turns: how often it had one.
        outcome: "ok", the name of an error, or "left" where the visitor went on before it was done.
    """

    page: str
    visitor: str
    while_waiting: Callable[[int], None] | None = None
    while_computing: Callable[[], None] | None = None
    text: str | None = None
    tokens: int = 0
    queue_seconds: float = 0.0
    forward_seconds: float = 0.0
    turns: int = 0
    outcome: str = "ok"
    began: float = field(default_factory=time.perf_counter)
    seconds: float = 0.0


Observer = Callable[[Request], None]
_current: ContextVar[Request | None] = ContextVar("attnviz_request", default=None)
_observers: list[Observer] = []


def current() -> Request | None:
    """The request that this code runs for; None outside of any."""
    return _current.get()


def observe(observer: Observer) -> None:
    """From now on every request is shown to `observer` when it ends."""
    if observer not in _observers:
        _observers.append(observer)


@contextlib.contextmanager
def request(
    page: str,
    visitor: str,
    while_waiting: Callable[[int], None] | None = None,
    while_computing: Callable[[], None] | None = None,
) -> Iterator[Request]:
    """A request, while the context is open.

    Args:
        page: the page or the address that was asked for.
        visitor: whose requests are counted together.
        while_waiting: called while it waits for its turn with how many come before.
        while_computing: called between the layers of a network while it has its turn.

    >>> with request("heads", "one") as it:
    ...     current() is it
    True
    """
    begun = Request(page, visitor, while_waiting, while_computing)
    token = _current.set(begun)
    try:
        yield begun
    except Exception as error:
        begun.outcome = type(error).__name__
        raise
    except BaseException:
        # Streamlit ends a run by such an exception when its reader left or typed on.
        begun.outcome = "left"
        raise
    finally:
        _current.reset(token)
        begun.seconds = time.perf_counter() - begun.began
        for observer in _observers:
            try:
                observer(begun)
            except Exception:
                _logger.exception("a request could not be written down")


def note_error(error: BaseException) -> None:
    """The current request ended with an error that the reader is told of; the first one counts."""
    running = current()
    if running is not None and running.outcome == "ok":
        running.outcome = type(error).__name__


def note_text(text: str, tokens: int) -> None:
    """The current request had a text of so many tokens computed."""
    running = current()
    if running is not None:
        running.text, running.tokens = text, running.tokens + tokens
