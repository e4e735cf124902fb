"""What strangers need not know: where the app is on this computer, and which versions it runs on.

Streamlit tells both to every browser at the beginning of a session, for its own reports of use, and counts its caches
and sessions for anybody who asks. A public server keeps that to itself.
"""

from __future__ import annotations

from pathlib import Path

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_CLOSED = ("/_stcore/metrics", "/_stcore/agent", "/_stcore/script-health-check")


class DiscreetMessages:
    """ASGI middleware that takes paths and versions out of what Streamlit sends."""

    def __init__(self, app: ASGIApp, script: str) -> None:
        """
        Args:
            app: what answers.
            script: the path of app.py, which stands in those messages that are changed.
        """
        self.app = app
        self._script = script.encode()
        self._name = Path(script).name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers as the app does, and says less."""
        if scope["type"] == "http" and any(closed in scope["path"] for closed in _CLOSED):
            await PlainTextResponse("Not Found", status_code=404)(scope, receive, send)
            return
        if scope["type"] != "websocket":
            await self.app(scope, receive, send)
            return

        async def send_less(message: Message) -> None:
            data = message.get("bytes")
            if data and self._script in data:
                message = {**message, "bytes": self.without_details(data)}
            await send(message)

        await self.app(scope, receive, send_less)

    def without_details(self, data: bytes) -> bytes:
        """A message of Streamlit's without path and versions; one that begins no session stays as it is."""
        from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

        message = ForwardMsg()
        message.ParseFromString(data)
        if not message.HasField("new_session"):
            return data
        message.new_session.main_script_path = self._name
        about = message.new_session.initialize.environment_info
        about.streamlit_version = about.python_version = about.server_os = ""
        return message.SerializeToString()
