"""The server beside Streamlit's own: what it does at the start, and which addresses it answers itself."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from streamlit import cli_util, config
from streamlit.starlette import App
from streamlit.web.server import server_util

from attnviz.models.network.turns import use_turns
from attnviz.serving.limits import SettingError, limits
from attnviz.serving.queue import forward_queue
from attnviz.serving.request_log import RequestLog
from attnviz.serving.requests import observe
from attnviz.ui.server.api.routes import api_routes
from attnviz.ui.server.c_memory import take_memory_sparingly
from attnviz.ui.server.discreet import DiscreetMessages
from attnviz.ui.server.first_frame import pages_with_scripts, story_route
from attnviz.ui.server.garbage import GarbageCollector
from attnviz.ui.server.headers import SafeHeaders, content_policy
from attnviz.ui.server.health import health_routes
from attnviz.ui.server.inbound import NeededMessages
from attnviz.ui.server.warm_up import WARM_UP
from attnviz.ui.server.widget_values import check_widget_values


def take_settings() -> None:
    """Reads the settings and puts them to work; the process ends where one of them cannot be read."""
    try:
        settings = limits()
    except SettingError as error:
        sys.exit(f"attnviz does not start: {error}")
    if settings.public or "ATTNVIZ_UPLOAD_BYTES" in os.environ:
        config.set_option("server.maxUploadSize", settings.upload_bytes // 1024**2)
    if settings.public:
        config.set_option("server.maxWidgetStateSize", settings.upload_bytes // 1024**2)  # of a message of a page
    if not config.get_option("server.cookieSecret"):  # compose.yaml hands on an empty one where nobody has set any
        config.set_option("server.cookieSecret", secrets.token_hex())
    _use_processors_sparingly()
    take_memory_sparingly()
    check_widget_values()
    use_turns(forward_queue().turn)
    if settings.log_requests:
        observe(RequestLog(with_text=settings.log_text))


def _use_processors_sparingly() -> None:
    """Leaves the processors to others while there is nothing to compute.

    Each run of a page has a thread of its own, for which torch starts as many threads as there are processors. Until
    told otherwise these look for more work in a loop for some milliseconds after each sum: for a short sentence that
    took longer than all the rest together. It has to be said before torch is loaded.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    config.set_option("runner.postScriptGC", False)
    observe(GarbageCollector())


def _metrics_routes(base_path: str) -> list[Route]:
    """The address of the numbers for Prometheus; it answers 404 where whoever serves the app wants none.

    Left to Streamlit it would answer with the app, as every address does, and a program would take that for numbers.
    """
    settings = limits()
    if not settings.metrics_token and not settings.metrics_port:
        return [Route(f"/{base_path.strip('/')}/metrics".replace("//", "/"), _not_found)]
    from attnviz.serving.metrics import metrics
    from attnviz.ui.server.metrics_route import held_in_memory, metrics_route, serve_metrics

    observe(metrics())
    metrics().add_memory(held_in_memory)
    if settings.metrics_port:
        serve_metrics(metrics(), config.get_option("server.address") or "", settings.metrics_port)
    return [metrics_route(metrics(), settings.metrics_token, base_path)]


async def _not_found(request: Request) -> Response:
    return PlainTextResponse("Not Found", status_code=404)


def routes() -> list[Route]:
    """What is answered here, before Streamlit is asked."""
    take_settings()
    base_path = config.get_option("server.baseUrlPath") or ""
    story = story_route(base_path)
    return [*health_routes(WARM_UP, base_path), *api_routes(base_path), story, *_metrics_routes(base_path)]


def middleware(script: str) -> list[Middleware]:
    """What changes every answer on its way: headers, and in public fewer details and less to ask for.

    Args:
        script: the path of app.py.
    """
    policy = content_policy(limits().frame_ancestors, pages_with_scripts(), is_public=limits().public)
    layers = [Middleware(SafeHeaders, policy=policy)]
    if limits().public:
        layers += [Middleware(DiscreetMessages, script=script), Middleware(NeededMessages)]
    return layers


@asynccontextmanager
async def lifespan(app: App) -> AsyncIterator[None]:
    """Gets ready in the background and opens the reader's browser; the rest is Streamlit's."""
    WARM_UP.start()
    if not config.get_option("server.headless"):
        asyncio.get_running_loop().call_soon(open_browser)
    yield


def open_browser() -> None:
    """Opens the app in the reader's browser, as Streamlit does for apps that bring no server of their own."""
    option = "browser.serverAddress" if config.is_manually_set("browser.serverAddress") else "server.address"
    address = server_util.get_display_address(config.get_option(option) or "localhost")
    cli_util.open_browser(server_util.get_url(address))
