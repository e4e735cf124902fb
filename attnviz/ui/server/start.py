"""The server beside Streamlit's own: what it does at the start, and which addresses it answers itself."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.routing import Route
from streamlit import cli_util, config
from streamlit.starlette import App
from streamlit.web.server import server_util

from attnviz.models.turns import use_turns
from attnviz.serving.limits import SettingError, limits
from attnviz.serving.queue import forward_queue
from attnviz.ui.server.first_frame import story_route
from attnviz.ui.server.health import health_routes
from attnviz.ui.server.warm_up import WARM_UP


def take_settings() -> None:
    """Reads the settings and puts them to work; the process ends where one of them cannot be read."""
    try:
        settings = limits()
    except SettingError as error:
        sys.exit(f"attnviz does not start: {error}")
    if settings.public or "ATTNVIZ_UPLOAD_BYTES" in os.environ:
        config.set_option("server.maxUploadSize", settings.upload_bytes // 1024**2)
    use_turns(forward_queue().turn)


def routes() -> list[Route]:
    """What is answered here, before Streamlit is asked."""
    take_settings()
    base_path = config.get_option("server.baseUrlPath") or ""
    return [*health_routes(WARM_UP, base_path), story_route(base_path)]


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
