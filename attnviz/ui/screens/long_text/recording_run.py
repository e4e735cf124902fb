"""Recording a text in the background: how far it is, and its end when nobody wants it any more.

    start ─ thread: count tokens ─ is there memory? ─ record, told after each head ─ Run.recording
              page: asks four times a second, or calls cancel

Runs are shared by all sessions that ask for the same; the last few that are finished are kept.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import streamlit as st

from attnviz.serving import requests

if TYPE_CHECKING:
    from attnviz.models.model import Model
    from attnviz.models.recording.recording import Recording
    from attnviz.ui.controls.page_header import Text
    from attnviz.ui.shell.models import Loaded

KEPT = 2  # finished recordings of long texts, which take much memory
SAMPLE = 50_000  # characters by which a far too long text is known
FORGOTTEN = 30.0  # seconds after which a run ends that no page has asked for, because its reader is gone


class Cancelled(Exception):
    """Ends a run that nobody wants any more."""


@dataclass(eq=False)
class Run:
    """One recording that is being made, or was.

    Attributes:
        text: what is recorded.
        kind: which kind of attention is wanted; the part of a recording that has it is made too.
        tokens: how many there are, once that is known.
        bytes: about how many it will need, once that is known.
        share: what part of the layers is done, in [0, 1].
        before: how many computations come before it in the queue.
        recording: once it is there.
        error: what went wrong.
        seconds: how long it took, or None.
    """

    text: Text
    kind: str
    tokens: int | None = None
    bytes: int | None = None
    share: float = 0.0
    before: int = 0
    recording: Recording | None = None
    error: Exception | None = None
    seconds: float | None = None
    started: float = field(default_factory=time.monotonic)
    _wanted: dict[str, float] = field(default_factory=dict)  # by session: when its page last asked
    _done: threading.Event = field(default_factory=threading.Event)

    @property
    def is_over(self) -> bool:
        """Whether it has ended, one way or another."""
        return self._done.is_set()

    def wait(self, seconds: float) -> bool:
        """Waits until it is over, at most so long; returns whether it is."""
        return self._done.wait(seconds)

    def want(self, session: str) -> None:
        """A page says that it still waits."""
        self._wanted[session] = time.monotonic()

    def leave(self, session: str) -> None:
        """A page no longer waits; the run ends where no other does."""
        self._wanted.pop(session, None)

    @property
    def is_wanted(self) -> bool:
        """Whether any page still waits for it."""
        return any(time.monotonic() - asked < FORGOTTEN for asked in list(self._wanted.values()))

    def tell(self, share: float) -> None:
        """Takes down how far it is.

        Raises:
            Cancelled: nobody waits any more.
        """
        self.share = share
        if not self.is_wanted:
            raise Cancelled

    def _wait_in_queue(self, before: int) -> None:
        """Takes down how many come before; raises Cancelled as `tell`."""
        self.before = before
        self.tell(0.0)

    def make(self, loaded: Loaded, visitor: str) -> None:
        """Records; for a thread of its own, whose computing counts for a visitor of the server."""
        try:
            with requests.request("long_text", visitor, self._wait_in_queue):
                self._record(loaded.model)
        except Exception as error:
            self.error = error
        finally:
            self.seconds = time.monotonic() - self.started
            self._done.set()

    def _refuse_far_too_long(self, model: Model) -> None:
        """Raises MemoryShortError for a text of megabytes at once, by its first part: to tokenize it takes a minute."""
        from attnviz.models.recording.record_options import RecordOptions

        text = self.text.sentence
        if len(text) > 2 * SAMPLE:
            in_sample = len(model.inputs.encode(text[:SAMPLE]).ids)
            about = round(in_sample * len(text) / SAMPLE, -3)
            plan, options = model.recorder.plan, RecordOptions(logits=False, budget=model.recorder.budget)
            plan.needs.check(int(about), options, model.device, model.name)

    def _record(self, model: Model) -> None:
        self._refuse_far_too_long(model)
        self.tokens = len(model.inputs.encode(self.text.sentence, self.text.pair).ids)
        self.bytes = model.recording_bytes(self.tokens, logits=False)
        self.tell(0.0)
        recording = model.record(
            self.text.sentence, self.text.target, pair=self.text.pair, progress=self.tell, logits=False
        )
        recording.size(self.kind)  # the decoder of an encoder–decoder
        requests.note_text(self.text.sentence, self.tokens)
        self.recording = recording


class Runs:
    """The runs that are on their way, and the last ones that are finished."""

    def __init__(self) -> None:
        self._runs: dict[Hashable, Run] = {}
        self._lock = threading.Lock()

    def start(self, loaded: Loaded, text: Text, kind: str, session: str) -> Run:
        """The run of a text, begun where it is not on its way or finished yet."""
        key = (loaded.key, text)
        with self._lock:
            run = self._runs.pop(key, None)
            if run is None or isinstance(run.error, Cancelled) or not (run.is_over or run.is_wanted):
                run = Run(text, kind)
                run.want(session)
                asked = requests.current()
                visitor = asked.visitor if asked else session
                threading.Thread(target=run.make, args=(loaded, visitor), name="attnviz-long-text", daemon=True).start()
            run.want(session)
            self._runs[key] = run  # the last one is the newest
            for other in [other for other, old in self._runs.items() if old.is_over][:-KEPT]:
                del self._runs[other]
        return run

    def running(self, loaded: Loaded, text: Text) -> Run | None:
        """The run of a text, where it is on its way or finished."""
        return self._runs.get((loaded.key, text))


@st.cache_resource(show_spinner=False)
def runs() -> Runs:
    """Those of the server."""
    return Runs()
