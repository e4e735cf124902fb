"""The files of pages that show more than attention maps: the figures as they stand there, and all of their numbers."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page
from support.browsing import RESTS

# Address, language, what the files are called, the beginning of the title, and a table with one of its columns.
PAGES = {
    "how it works": (
        "/story?scene=6&sentence=Der+Hund+sah+den+Ball.",
        "de",
        "attnviz-story-L3-H7",
        "So funktioniert es · L3 H7",
        ("Anteile L3 H7", "Ball"),
    ),
    "steps": ("/steps?step=4", "en", "attnviz-step-4-L3-H7-encoder", "Step by step · 4 Scores", ("Scores", "q·k")),
    "by hand": ("/simple_attention?matrices=true", "de", "attnviz-by-hand", "Von Hand · Reise", ("W_q", "0")),
    "compare": (
        "/compare?panels=encoder.L2.H5+encoder.L0.H1&sentence=Der+Hund+sah+den+Ball.",
        "en",
        "attnviz-compare",
        "Compare · A encoder L2 H5",
        ("Heads like A", "divergence"),
    ),
    "embeddings": (
        "/embeddings?sentence=Der+Hund+sah+den+Ball.",
        "en",
        "attnviz-embeddings-encoder",
        "Embeddings · Hund",
        ("Each with each", "Hund"),
    ),
    "in context": (
        "/context",
        "en",
        "attnviz-context-L3-encoder",
        "In context · ",
        ("Similarity", "cosine similarity"),
    ),
    "why this word": (
        "/attribution?sentence=Der+Hund+sah+den+Ball.&explained=dog&trust=true",
        "en",
        "attnviz-why",
        "Why “dog”?",
        ("Contributions", "Attention weights"),
    ),
    "long text": (
        "/long_text?region=10-60_0-50",
        "en",
        "attnviz-long-text",
        "Long text · Encoder L3 H7",
        ("Cells", "query, first"),
    ),
    "translate": ("/translate", "de", "attnviz-translate-cross-L3-mean", "Übersetzen · L3", ("Schritte", "Rang")),
}


@pytest.mark.parametrize("name", PAGES)
def test_the_files_of_a_page_hold_its_figures_and_numbers(page: Page, tmp_path: Path, name: str) -> None:
    address, language, file, title, (table, column) = PAGES[name]
    german = language == "de"
    page.goto(f"{address}{'&' if '?' in address else '?'}lang={language}")
    page.locator(".attnviz-ready").wait_for(state="attached")
    page.wait_for_function(RESTS)
    if name == "how it works":  # it opens with its controls folded
        page.locator(".attnviz-fold").click()
    page.get_by_role("button", name="Export").click()
    picture, numbers = ("Diese Seite", "Zahlen dieser Seite") if german else ("This page", "Numbers of this page")

    def take(group: str, kind: str) -> bytes:
        with page.expect_download() as download:
            page.get_by_label(f"{group}: {kind}", exact=True).click()
        assert download.value.suggested_filename == f"{file}.{kind}"
        download.value.save_as(tmp_path / kind)
        return (tmp_path / kind).read_bytes()

    drawn = Image.open(io.BytesIO(take(picture, "png"))).convert("RGB")
    wide = page.locator(".st-key-figures").bounding_box() or {"width": 0}
    assert drawn.width > 2 * wide["width"] and drawn.height > 800
    colours = drawn.resize((drawn.width // 4, drawn.height // 4)).getcolors(1_000_000) or []
    share = 1 - max(count for count, _colour in colours) / sum(count for count, _colour in colours)
    assert len(colours) > 40 and share > 0.03, "the picture is all but empty"

    html = take(picture, "html").decode()
    assert f"<title>{title}" in html and '<img alt="' in html and "data:image/png" in html
    assert f'lang="{language}"' in html and table in html

    text = take(numbers, "csv").decode("utf-8-sig")
    above = [line for line in text.splitlines() if line.startswith("#")]
    assert above[1].startswith(f"# {title}")
    rows = list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))
    of_table = [row for row in rows if row["table"].startswith(table) and row["column"] == column]
    assert of_table and all(np.isfinite(float(row["value"])) for row in of_table)

    arrays = np.load(io.BytesIO(take(numbers, "npz")), allow_pickle=False)
    place = next(place for place, one in enumerate(arrays["tables"]) if one.startswith(table))
    here = arrays[f"columns_{place}"].tolist().index(column)
    np.testing.assert_allclose(
        arrays[f"numbers_{place}"][:, here], [float(row["value"]) for row in of_table], rtol=1e-6
    )
