"""What strangers may send: the messages that the app's pages need.

Streamlit knows others too. One empties the caches of everybody, another asks for the names of files in the clone that
the app runs from, and files can be sent to stay in memory that no page has asked for.
"""

from __future__ import annotations

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_NEEDED = {"rerun_script", "stop_script", "app_heartbeat", "backend_operation_request"}
_UPLOADS = "/_stcore/upload_file"
UNREADABLE = 1007  # the status of a connection that is closed for a message that is none; RFC 6455, section 7.4.1


class NeededMessages:
    """ASGI middleware that lets through what the app's pages send, and nothing else.

    A message that is none of Streamlit's ends its connection.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Takes what answers."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers as the app does, to less."""
        if scope["type"] == "http" and _UPLOADS in scope["path"]:
            await PlainTextResponse("Not Found", status_code=404)(scope, receive, send)
            return
        if scope["type"] != "websocket":
            await self.app(scope, receive, send)
            return

        async def receive_needed() -> Message:
            while True:
                message = await receive()
                if message["type"] != "websocket.receive":
                    return message
                kind = kind_of(message.get("bytes"))
                if kind is None:
                    await send({"type": "websocket.close", "code": UNREADABLE})
                    return {"type": "websocket.disconnect", "code": UNREADABLE}
                if kind in _NEEDED:
                    return message

        await self.app(scope, receive_needed, send)


def kind_of(data: bytes | None) -> str | None:
    """Which of Streamlit's messages this is, "" where it is an empty one; None where it is none.

    >>> kind_of(None) is None, kind_of(b"")
    (True, '')
    """
    from streamlit.proto.BackMsg_pb2 import BackMsg

    if data is None:
        return None
    message = BackMsg()
    try:
        message.ParseFromString(data)
    except Exception:  # protobuf's DecodeError, whatever part of the message it is about
        return None
    return message.WhichOneof("type") or ""
