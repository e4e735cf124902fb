"""Getting ready: the libraries and the model that ships are loaded before the first reader comes.

Importing torch and transformers and loading the model takes some seconds. A server that waits for its first reader with
that lets this reader wait; so it begins by itself, in a thread beside the one that answers.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

_log = logging.getLogger(__name__)


class WarmUp:
    """Work that is done once, in the background, and whether it is over.

    Example:
        >>> warm_up = WarmUp(lambda: None)
        >>> warm_up.start()
        >>> warm_up.wait(10)
        True
    """

    def __init__(self, work: Callable[[], None]) -> None:
        """
        Args:
            work: what is to be done. An error in it is written into the log, and the server is ready all the same:
                what could not be loaded now is tried again when a reader asks for it, who then is told why not.
        """
        self._work = work
        self._over = threading.Event()
        self._began: float | None = None
        self._took: float | None = None

    @property
    def ready(self) -> bool:
        """Whether the work is over, well or not."""
        return self._over.is_set()

    @property
    def seconds(self) -> float:
        """How long it took, or has taken so far; 0 before the start."""
        if self._took is not None:
            return self._took
        return 0.0 if self._began is None else time.monotonic() - self._began

    def start(self) -> None:
        """Begins in a thread of its own; the process may end before it is done."""
        self._began = time.monotonic()
        threading.Thread(target=self._run, name="attnviz-warm-up", daemon=True).start()

    def wait(self, seconds: float) -> bool:
        """Waits until it is ready, `seconds` at most; returns whether it is."""
        return self._over.wait(seconds)

    def _run(self) -> None:
        try:
            self._work()
        except Exception:
            _log.exception("Getting ready failed; the first reader waits for the model instead.")
        finally:
            self._took = self.seconds
            self._over.set()


def load_bundled_model() -> None:
    """Imports the libraries and loads the model that ships, with recordings of the sentences that pages open with."""
    from attnviz.ui.shell import models

    models.preload()


WARM_UP = WarmUp(load_bundled_model)
"""The one of this process."""
