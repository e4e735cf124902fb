"""The numbers for Prometheus: at /metrics for who shows the token, or on a port of their own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from attnviz.serving.metrics import CONTENT_TYPE, Held, Metrics, may_read
from attnviz.ui.shell.model_names import model_label
from attnviz.ui.shell.models import loaded_models


def held_in_memory() -> Iterator[Held]:
    """Each model in memory, with what is kept beside it."""
    for loaded in loaded_models():
        yield Held(model_label(loaded.model.name), loaded.bytes, loaded.cache.size, len(loaded.cache))


def metrics_route(metrics: Metrics, token: str, base_path: str = "") -> Route:
    """The address of the numbers; without the token it is as if there were none.

    Args:
        metrics: the numbers.
        token: what a reader shows in the header Authorization, behind "Bearer ".
        base_path: the part of the address that the whole app stands under.
    """

    async def answer(request: Request) -> Response:
        if not may_read(request.headers.get("authorization", ""), token):
            return PlainTextResponse("Not Found", status_code=404)
        return Response(await run_in_threadpool(metrics.text), media_type=CONTENT_TYPE)

    base = base_path.strip("/")
    return Route(f"/{base}/metrics" if base else "/metrics", answer)


def serve_metrics(metrics: Metrics, address: str, port: int) -> ThreadingHTTPServer:
    """Answers on a port of its own, in the background, with the numbers alone.

    Args:
        metrics: the numbers.
        address, port: where; who can reach them can read.
    """

    class Handler(BaseHTTPRequestHandler):
        server_version, sys_version = "attnviz", ""

        def do_GET(self) -> None:
            known = self.path.split("?")[0] == "/metrics"
            body = metrics.text().encode() if known else b"Not Found"
            self.send_response(200 if known else 404)
            self.send_header("Content-Type", CONTENT_TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            """Nothing: what reads the numbers comes every few seconds."""

    server = ThreadingHTTPServer((address, port), Handler)
    threading.Thread(target=server.serve_forever, name="attnviz-metrics", daemon=True).start()
    return server
