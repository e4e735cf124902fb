"""Headers that tell the browser what the app's pages may do, so that a text that slips through somewhere does nothing.

Streamlit fixes how strict they can be. Its style sheets are written while the page runs, so styles cannot be limited
to files; components of ours arrive as programs in messages and are run from `blob:` addresses. Scripts that stand in a
page itself do not run, but for the one of the story's first picture, which goes by its hash.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def content_policy(frame_ancestors: str, pages: Iterable[str] = (), *, is_public: bool = True) -> str:
    """What a page may load, run and be framed by, as the header Content-Security-Policy.

    Args:
        frame_ancestors: sites that may show the page in a frame, such as "'self' https://example.org".
        pages: HTML; the scripts that stand in it are allowed by their hashes.
        is_public: whether strangers come; if not, programs that drive the browser, such as tests and notebooks that
            wait for something on the page, may evaluate theirs in it.

    >>> "frame-ancestors 'none'" in content_policy("'none'")
    True
    """
    scripts = [script for page in pages for script in _SCRIPT.findall(page)]
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    own_scripts = " ".join(["'self'", "blob:", *(f"'sha256-{value}'" for value in hashes)])
    if not is_public:
        own_scripts += " 'unsafe-eval'"
    return "; ".join(
        [
            "default-src 'self'",
            f"script-src {own_scripts}",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self' data: blob:",
            "worker-src 'self' blob:",
            "frame-src 'self' blob:",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            f"frame-ancestors {frame_ancestors}",
        ]
    )


class SafeHeaders:
    """ASGI middleware that adds the headers to every answer.

    Example:
        >>> SafeHeaders(app=None, policy=content_policy("'self'")).headers["X-Content-Type-Options"]
        'nosniff'
    """

    def __init__(self, app: ASGIApp, policy: str) -> None:
        """
        Args:
            app: what answers.
            policy: as `content_policy` makes it.
        """
        self.app = app
        self.headers = {
            "Content-Security-Policy": policy,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers as the app does, with more headers."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, send_with_headers)
