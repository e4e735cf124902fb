"""One queue for all that have a network compute: each in turn, nobody for ever, and it says how many come before.

    turn ─ one free? ─ yes ─ compute ─ the next that fits gets it
                     └ no ── wait: told the place, until the turn, the limit, or the visitor is gone

A network computes for one at a time, and so many networks at the same time as the settings say. Who has a turn may take
another one within it, as the functions of the engine do.
"""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

from attnviz.errors import BusyError, LimitError, TooOftenError
from attnviz.serving.limits import Limits, limits
from attnviz.serving.requests import current

LOOK_SECONDS = 0.25  # how often one that waits is told its place, and it is looked whether its visitor has left


class _Ticket:
    """Somebody who wants a turn with a network."""

    def __init__(self, network: int) -> None:
        self.network = network
        self.called = threading.Event()


class ForwardQueue:
    """Turns with networks, in the order in which they were asked for.

    Example:
        >>> queue = ForwardQueue(read_limits({}))
        >>> with queue.turn(object()):
        ...     queue.computing, queue.waiting
        (1, 0)
    """

    def __init__(self, settings: Limits) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._waiting: list[_Ticket] = []
        self._computing: dict[int, _Ticket] = {}  # by network
        self._held: ContextVar[bool] = ContextVar("attnviz_turn", default=False)
        self._visits = _Visits(settings.requests_per_minute)

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @property
    def computing(self) -> int:
        """How many have a turn."""
        return len(self._computing)

    @contextlib.contextmanager
    def turn(self, network: Any) -> Iterator[Callable[[], None] | None]:
        """A turn with a network while the context is open.

        Args:
            network: any object; turns with the same one come one after the other.

        Yields:
            What is to be called now and then: it raises LimitError once the turn has lasted too long, and what the
            request's `while_computing` raises where nobody waits for the result any more; None where neither can be.

        Raises:
            BusyError: too many are waiting, or this one has waited too long.
            TooOftenError: this visitor has asked for too much in a minute.
        """
        if self._held.get():
            yield None
            return
        asked = current()
        if asked is not None and not asked.turns:
            self._visits.count(asked.visitor)
        ticket = self._wait(id(network))
        held = self._held.set(True)
        began = time.monotonic()
        try:
            yield self._check(began, None if asked is None else asked.while_computing)
        finally:
            self._held.reset(held)
            self._leave(ticket)
            if asked is not None:
                asked.turns += 1
                asked.forward_seconds += time.monotonic() - began

    def _check(self, began: float, look: Callable[[], None] | None) -> Callable[[], None] | None:
        most = self._settings.forward_seconds
        if not most and look is None:
            return None
        looked = began

        def check() -> None:
            nonlocal looked
            now = time.monotonic()
            if most and now - began > most:
                raise LimitError(
                    "The computation took longer than {0:g} seconds, the most that one may take here, and was ended. "
                    "Shorten the text, or choose a smaller model.",
                    most,
                )
            if look is not None and now - looked > LOOK_SECONDS:
                looked = now
                look()

        return check

    def _wait(self, network: int) -> _Ticket:
        ticket = _Ticket(network)
        with self._lock:
            if len(self._waiting) >= self._settings.queue_length:
                raise BusyError(
                    "{0} computations are waiting already, as many as may wait here. Try again in a minute; what you "
                    "typed stays.",
                    len(self._waiting),
                )
            self._waiting.append(ticket)
            self._call()
        asked = current()
        before = asked.queue_seconds if asked else 0.0
        began = time.monotonic()
        told = False
        try:
            while not ticket.called.wait(LOOK_SECONDS):
                waited = before + time.monotonic() - began
                if self._settings.queue_seconds and waited > self._settings.queue_seconds:
                    raise BusyError(
                        "Many people compute here at the moment. You have waited for {0:.0f} seconds, as long as "
                        "anybody may wait. Try again in a minute; what you typed stays.",
                        waited,
                    )
                if asked is not None and asked.while_waiting is not None:
                    asked.while_waiting(self._before(ticket))
                    told = True
            if told and asked is not None and asked.while_waiting is not None:
                asked.while_waiting(0)
        except BaseException:
            self._leave(ticket)
            raise
        finally:
            if asked is not None:
                asked.queue_seconds = before + time.monotonic() - began
        return ticket

    def _before(self, ticket: _Ticket) -> int:
        with self._lock:
            place = self._waiting.index(ticket) if ticket in self._waiting else 0
            return place + len(self._computing)

    def _leave(self, ticket: _Ticket) -> None:
        """The ticket waits no longer and computes no longer."""
        with self._lock:
            if ticket in self._waiting:
                self._waiting.remove(ticket)
            if self._computing.get(ticket.network) is ticket:
                del self._computing[ticket.network]
            self._call()

    def _call(self) -> None:
        """Gives turns to those who wait, as far as there are any; with the lock held."""
        for ticket in list(self._waiting):
            if len(self._computing) >= self._settings.forwards:
                return
            if ticket.network not in self._computing:
                self._waiting.remove(ticket)
                self._computing[ticket.network] = ticket
                ticket.called.set()


class _Visits:
    """How much each visitor may still ask for: a share of a minute's number comes back with each second."""

    MOST_VISITORS = 10_000  # that are remembered; who comes back after so many others begins anew

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # (left, when)
        self._lock = threading.Lock()

    def count(self, visitor: str) -> None:
        """Counts one request; raises TooOftenError where it is one too many."""
        if not self._per_minute:
            return
        now = time.monotonic()
        with self._lock:
            left, when = self._left.pop(visitor, (float(self._per_minute), now))
            left = min(self._per_minute, left + (now - when) * self._per_minute / 60)
            enough = left >= 1
            self._left[visitor] = (left - 1 if enough else left, now)
            if len(self._left) > self.MOST_VISITORS:
                self._left.popitem(last=False)
        if not enough:
            raise TooOftenError(
                "These were {0} requests within a minute, as many as one visitor may have here. Go on in {1:.0f} "
                "seconds; what you typed stays.",
                self._per_minute,
                max(1.0, (1 - left) * 60 / self._per_minute),
            )


@functools.cache
def forward_queue() -> ForwardQueue:
    """The queue of this process."""
    return ForwardQueue(limits())
