"""A page of the app without a browser, through Streamlit's own test of apps."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

from streamlit import config
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from support import tiny_models

# Each AppTest looks for components in the metadata of every installed package, which takes longer than most pages.
# Nothing is installed while tests run, so that one look is enough.
manifest_scanner.scan_component_manifests = functools.cache(manifest_scanner.scan_component_manifests)
# As on the app's own server: no look through all objects after every run of a page.
config.set_option("runner.postScriptGC", False)

APP = Path(__file__).resolve().parents[2] / "app.py"


def open_page(page: str, **parameters: str) -> AppTest:
    """A page as a link with these parameters opens it; `page` is the name of its file in `pages/`."""
    app = AppTest.from_file(str(APP), default_timeout=120)
    if page != "heads":
        app.switch_page(f"pages/{page}.py")
    for name, value in parameters.items():
        app.query_params[name] = value
    return app.run()


def components(app: AppTest, name: str) -> list[dict[str, Any]]:
    """What the page hands to the components of one name, without the page's language, which each of them gets."""
    protos = [element.proto for element in app.get("bidi_component")]
    data = [json.loads(proto.json) for proto in protos if proto.component_name == f"attnviz.{name}"]
    return [{key: value for key, value in one.items() if key != "pageLanguage"} for one in data]


def save_checkpoint(folder: Path, name: str, tokenizer: Any, **changes: Any) -> str:
    """Saves a tiny model of an architecture with a tokenizer; returns the folder, as it is typed into the model box."""
    network = tiny_models.network(name, vocab_size=len(tokenizer), **changes)
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)
