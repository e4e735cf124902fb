"""What goes wrong as an answer: a problem document of RFC 9457, with the engine's words in the reader's language."""

from __future__ import annotations

import http
import json
import logging

from starlette.responses import Response

from attnviz.errors import (
    AttnvizError,
    BusyError,
    InputError,
    LimitError,
    MemoryShortError,
    Message,
    NetworkError,
    NotFoundError,
    NotOfferedError,
    TooLongError,
    TooOftenError,
)
from attnviz.ui.shell.errors import error_text
from attnviz.ui.shell.messages import _, language, web_name

MEDIA_TYPE = "application/problem+json"
BUSY_SECONDS = 60  # after which somebody who was sent away may come again

_logger = logging.getLogger("attnviz")

# The first class that an error is of decides.
_STATUS: tuple[tuple[type[AttnvizError], int], ...] = (
    (BusyError, 503),
    (MemoryShortError, 503),
    (NetworkError, 503),
    (TooOftenError, 429),
    (NotFoundError, 404),
    (NotOfferedError, 404),
    (TooLongError, 413),
    (LimitError, 413),
    (InputError, 422),
    (AttnvizError, 422),
)


class RequestError(InputError):
    """What is wrong with a request before it is understood: its status is not 422.

    Attributes:
        status: of HTTP.
        headers: that belong to this status.
    """

    def __init__(self, status: int, message: Message, headers: dict[str, str] | None = None) -> None:
        """Takes what is said, the status, and headers that belong to it."""
        super().__init__(message)
        self.status, self.headers = status, headers or {}


def problem(error: Exception) -> Response:
    """The answer to a request that failed; a mistake of ours says no more than that it is one.

    Args:
        error: what was raised.

    Example:
        >>> problem(InputError("`text` is missing.")).status_code
        422
    """
    headers: dict[str, str] = {}
    if isinstance(error, RequestError):
        status, headers = error.status, error.headers
    elif isinstance(error, AttnvizError):
        status = next(status for kind, status in _STATUS if isinstance(error, kind))
    else:
        _logger.exception("a request of the API failed", exc_info=error)
        status = 500
    if status in (429, 503):
        headers = {"Retry-After": str(BUSY_SECONDS), **headers}
    if isinstance(error, AttnvizError):
        detail = error_text(error)
    else:
        detail = _("Something went wrong that should not have. The terminal that runs attnviz says more.")
    document = {
        "type": "about:blank",
        "title": http.HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "error": type(error).__name__,
    }
    headers |= {"Content-Language": web_name(language()), "Cache-Control": "no-store"}
    return Response(json.dumps(document), status, headers, MEDIA_TYPE)
