"""The home page in tests without a browser, and what it hands to the grid of heads."""

from __future__ import annotations

import base64
import functools
from typing import Any

import numpy as np
from streamlit.testing.v1 import AppTest

from support.pages import components, open_page

SENTENCE = "Der Hund sah den Ball."
opened = functools.partial(open_page, "heads", sentence=SENTENCE)


def grid(app: AppTest) -> dict[str, Any]:
    assert not app.exception
    return components(app, "head_grid")[0]


def weights(data: dict[str, Any]) -> np.ndarray:
    """(head, query, key), as the browser reads them."""
    steps = np.frombuffer(base64.b64decode(data["weights"]), dtype="<u2")
    return steps.reshape(len(data.get("heads", [0])), len(data["queries"]), len(data["keys"])) / 65535


def typed(app: AppTest, sentence: str) -> AppTest:
    return app.text_area(key="sentence").set_value(sentence).run()
