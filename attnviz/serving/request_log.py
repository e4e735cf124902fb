"""One line of JSON for each request, on the standard output: how long, how many tokens, what came of it.

What somebody typed is never in it, unless ATTNVIZ_LOG_TEXT=1.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

from attnviz.serving.requests import Request


def log_line(request: Request, *, with_text: bool = False) -> str:
    """The line of a request that has ended.

    Args:
        request: that has ended.
        with_text: whether the line has what was typed.

    >>> log_line(Request("heads", "one", text="secret", tokens=3)).startswith('{"time": "')
    True
    """
    line: dict[str, Any] = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "request": request.page,
        "seconds": round(request.seconds, 4),
        "queue_seconds": round(request.queue_seconds, 4),
        "forward_seconds": round(request.forward_seconds, 4),
        "turns": request.turns,
        "tokens": request.tokens,
        "outcome": request.outcome,
    }
    if with_text:
        line["text"] = request.text
    return json.dumps(line, ensure_ascii=False)


class RequestLog:
    """Writes the line of each request that it is shown."""

    def __init__(self, *, with_text: bool = False, stream: TextIO | None = None) -> None:
        """
        Args:
            with_text: whether lines have what was typed.
            stream: where they go; None for the standard output.
        """
        self._with_text, self._stream = with_text, stream

    def __call__(self, request: Request) -> None:
        """Writes one line."""
        print(log_line(request, with_text=self._with_text), file=self._stream or sys.stdout, flush=True)
