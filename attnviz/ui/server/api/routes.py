"""The addresses of the API and what is common to all: reading, a thread to compute in, tags, problems.

GET  /api/v1/models           the models that may be asked for
POST /api/v1/attention        the weights of heads, with the tokens
POST /api/v1/translate        a translation
GET  /api/v1/picture.svg      heads as a picture
GET  /api/v1/openapi.json     all of this as OpenAPI 3.1
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from attnviz.errors import BusyError, Message
from attnviz.serving.limits import limits
from attnviz.serving.requests import note_error, request
from attnviz.ui.server.api import answers
from attnviz.ui.server.api.parameters import Fields
from attnviz.ui.server.api.problems import RequestError, problem
from attnviz.ui.shell import sign_in
from attnviz.ui.shell.messages import known_language, texts_in

MOST_BYTES = 1024**2  # of a request
THREADS = 32  # that compute or wait for their turn; who comes later waits without one
CALLER_LEFT = 499  # the status in the server's own log of an answer that nobody gets; HTTP has none
JSON, SVG = "application/json", "image/svg+xml"

Compute = Callable[[Fields], str]
Endpoint = Callable[[Request], Awaitable[Response]]


def api_routes(base_path: str = "") -> list[Route]:
    """The addresses of the API.

    Args:
        base_path: the part of the address that the whole app stands under; Streamlit's `server.baseUrlPath`.

    Example:
        >>> api_routes()[0].path
        '/api/v1/models'
    """
    base = base_path.strip("/")
    start = f"/{base}/api/v1" if base else "/api/v1"
    calls: dict[str, tuple[str, Endpoint]] = {
        "models": ("GET", _from_address(lambda fields: _finished(fields, answers.model_list), JSON)),
        "attention": ("POST", _from_body(answers.attention)),
        "translate": ("POST", _from_body(answers.translation)),
        "picture.svg": ("GET", _from_address(answers.picture, SVG)),
        "openapi.json": ("GET", _from_address(lambda fields: _finished(fields, lambda: openapi(start)), JSON)),
    }
    routes = [Route(f"{start}/{name}", call, methods=[method]) for name, (method, call) in calls.items()]
    methods = {name: method for name, (method, _call) in calls.items()}
    return [*routes, Route(f"{start}/{{name:path}}", _no_such_call(methods), methods=_METHODS)]


_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]


@functools.lru_cache(maxsize=4)
def openapi(start: str) -> dict[str, Any]:
    """The description of the API by OpenAPI 3.1.

    Args:
        start: the path that its addresses begin with.
    """
    document: dict[str, Any] = json.loads((Path(__file__).parent / "openapi.json").read_text(encoding="utf-8"))
    return {**document, "servers": [{"url": start}]}


def _finished(fields: Fields, make: Callable[[], dict[str, Any]]) -> str:
    """For addresses that take no parameters."""
    fields.finish()
    return json.dumps(make())


def _from_address(compute: Compute, media_type: str) -> Endpoint:
    """Answers a GET: parameters from the address, and a tag by which the same answer is not sent twice."""

    async def answer(asked: Request) -> Response:
        result = await _in_thread(asked, compute, lambda: Fields(dict(asked.query_params), as_text=True))
        if isinstance(result, Response):
            return result
        content = result.encode("utf-8", "replace")
        # Weak, because what is sent may be compressed or not.
        tag = f'W/"{hashlib.sha256(content).hexdigest()[:32]}"'
        headers = {"ETag": tag, "Cache-Control": "no-cache", "Vary": "Accept-Language"}
        known = [part.strip().removeprefix("W/") for part in asked.headers.get("if-none-match", "").split(",")]
        if "*" in known or tag.removeprefix("W/") in known:
            return Response(status_code=304, headers=headers)
        return Response(content, 200, headers, media_type)

    return answer


def _from_body(compute: Compute) -> Endpoint:
    """Answers a POST: parameters from a JSON object."""

    async def answer(asked: Request) -> Response:
        try:
            content = await _read(asked)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody gets it
        except RequestError as error:
            with _language_of(asked):
                return problem(error)
        result = await _in_thread(asked, compute, lambda: _members(content))
        if isinstance(result, Response):
            return result
        return Response(result, 200, {"Cache-Control": "no-store"}, JSON)

    return answer


async def _read(asked: Request) -> bytes:
    """The body; raises RequestError where it is not JSON by its type, or too large."""
    # A form of another site cannot send this type without asking first, so no site can have its visitors compute here.
    if asked.headers.get("content-type", "").split(";")[0].strip().lower() != JSON:
        wanted = Message("Send the parameters as a JSON object, with the header Content-Type: application/json.")
        raise RequestError(415, wanted)
    content = bytearray()
    async for part in asked.stream():
        content += part
        if len(content) > MOST_BYTES:
            raise RequestError(413, Message("A request may have {0:,} bytes. Shorten the text.", MOST_BYTES))
    return bytes(content)


def _members(content: bytes) -> Fields:
    try:
        values = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise RequestError(400, Message("The request is not readable as JSON: {0}.", str(error))) from error
    if not isinstance(values, dict):
        raise RequestError(400, Message("The request has to be a JSON object with the parameters by their names."))
    return Fields(values, as_text=False)


class _Threads:
    """Threads apart from those that Streamlit sends its files with, and how many calls have none yet."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="attnviz-api")
        self._calls = 0

    @property
    def waiting(self) -> int:
        """How many calls wait for a thread."""
        return max(0, self._calls - THREADS)

    async def run(self, call: Callable[[], str | Response]) -> str | Response:
        """What the call returns; called by the loop that serves everybody, and by no other."""
        self._calls += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, call)
        finally:
            self._calls -= 1


_threads = _Threads()


def _check_sign_in() -> None:
    """Raises RequestError where people have to sign in: a program has no way to, and must not go round that."""
    if sign_in.is_set_up():
        raise RequestError(403, Message("This server asks people to sign in, so it does not answer programs."))


class CallerLeftError(BaseException):
    """Nobody waits for the answer; no `Exception`, so that nothing on the way takes it for a failed computation."""


async def _in_thread(asked: Request, compute: Compute, read: Callable[[], Fields]) -> str | Response:
    """What is computed, or the problem; the loop that serves everybody goes on meanwhile.

    Where the caller closes the connection, the computation ends before its next layer, or gives up its place.
    """
    left = threading.Event()

    def look(_before: int = 0) -> None:
        if left.is_set():
            raise CallerLeftError

    def run() -> str | Response:
        visitor = asked.client.host if asked.client else ""
        with _language_of(asked), request(asked.url.path, visitor, look, look):
            try:
                look()
                _check_sign_in()
                return compute(read())
            except Exception as error:
                note_error(error)
                return problem(error)

    if _threads.waiting >= limits().queue_length:
        with _language_of(asked):
            return problem(
                BusyError(
                    "{0} computations are waiting already, as many as may wait here. Try again in a minute; what you "
                    "typed stays.",
                    limits().queue_length,
                )
            )
    watching = asyncio.create_task(_watch_caller(asked, left))
    try:
        return await _threads.run(run)
    except CallerLeftError:
        return Response(status_code=CALLER_LEFT)
    finally:
        watching.cancel()


async def _watch_caller(asked: Request, left: threading.Event) -> None:
    """Sets `left` when the connection is closed; after the body nothing else can come."""
    while (await asked.receive())["type"] != "http.disconnect":
        pass
    left.set()


@contextlib.contextmanager
def _language_of(asked: Request) -> Iterator[None]:
    """Texts in the language that the caller asks for first; English where the app does not have it."""
    first = asked.headers.get("accept-language", "").split(",")[0].split(";")[0].strip()
    with texts_in(known_language(first) or "en"):
        yield


def _no_such_call(methods: dict[str, str]) -> Endpoint:
    """Answers whatever is at no other address, or is asked for in another way."""

    async def answer(asked: Request) -> Response:
        method = methods.get(asked.path_params["name"])
        if method:
            error = RequestError(405, Message("Ask for this address with {0}.", method), {"Allow": method})
        else:
            known = ", ".join(methods)
            error = RequestError(404, Message("There is nothing at this address. What there is: {0}.", known))
        with _language_of(asked):
            return problem(error)

    return answer
