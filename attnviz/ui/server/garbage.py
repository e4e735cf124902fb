"""When the server looks for objects that nobody holds but that hold each other: between requests, not after each.

Streamlit looks through all objects after every run of a page, while the one who waits for that page sees nothing of its
last part, and everybody else waits too. Here it is one look for all runs of a few seconds, in a thread of its own. What
nobody holds is freed at once as ever; only circles wait for the look. What is free then goes back to the system.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable

from attnviz.serving.requests import Request
from attnviz.ui.server.c_memory import return_free_memory

SECONDS = 5.0
"""Between two looks, as long as requests come."""


class GarbageCollector:
    """An observer of requests that looks for garbage some time after one of them.

    Example:
        >>> collector = GarbageCollector(seconds=0)
        >>> collector(Request("heads", "one"))
    """

    def __init__(self, seconds: float = SECONDS, collect: Callable[[], object] = gc.collect) -> None:
        """
        Args:
            seconds: from a request to the look after it; requests that end in between share it.
            collect: what looks.
        """
        self._seconds, self._collect = seconds, collect
        self._wanted = threading.Event()
        threading.Thread(target=self._run, name="attnviz-garbage", daemon=True).start()

    def __call__(self, request: Request) -> None:
        """A request has ended, so there may be garbage."""
        self._wanted.set()

    def _run(self) -> None:
        while True:
            self._wanted.wait()
            time.sleep(self._seconds)
            self._wanted.clear()
            self._collect()
            return_free_memory()
