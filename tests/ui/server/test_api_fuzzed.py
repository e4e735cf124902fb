"""Random and hostile requests to the API of a public server; benchmarks/hostile.py sends thousands of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import schemathesis
from starlette.applications import Starlette
from support.hostile_requests import send_all

from attnviz.serving.limits import limits
from attnviz.ui.server.api.routes import api_routes
from attnviz.ui.shell import models


@pytest.fixture
def public(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("ATTNVIZ_PUBLIC", "1")
    limits.cache_clear()
    yield
    monkeypatch.undo()
    limits.cache_clear()


def test_every_answer_is_one_that_is_described(public: None) -> None:
    models.preload()
    seen = send_all(schemathesis.openapi.from_asgi("/api/v1/openapi.json", Starlette(routes=api_routes())), 10)
    assert {200, 422} <= set(seen)
