"""How the server is, for whoever watches over it: a container, a cluster, a balancer.

/healthz   200 while it answers at all
/readyz    200 once the first picture will be quick, 503 while the model is still being loaded
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from attnviz.ui.server.warm_up import WarmUp

_FRESH = {"Cache-Control": "no-store"}  # a proxy must not answer in the server's place


def health_routes(warm_up: WarmUp, base_path: str = "") -> list[Route]:
    """The two addresses.

    Args:
        warm_up: what has to be over before the server is ready.
        base_path: the part of the address that the whole app stands under; Streamlit's `server.baseUrlPath`.

    Example:
        >>> [route.path for route in health_routes(WARM_UP, "attention")]
        ['/attention/healthz', '/attention/readyz']
    """

    async def alive(request: Request) -> Response:
        return JSONResponse({"status": "alive"}, headers=_FRESH)

    async def ready(request: Request) -> Response:
        seconds = round(warm_up.seconds, 1)
        if warm_up.ready:
            return JSONResponse({"status": "ready", "seconds": seconds}, headers=_FRESH)
        headers = {**_FRESH, "Retry-After": "1"}
        return JSONResponse({"status": "loading", "seconds": seconds}, status_code=503, headers=headers)

    base = base_path.strip("/")
    start = f"/{base}/" if base else "/"
    return [Route(f"{start}healthz", alive), Route(f"{start}readyz", ready)]
