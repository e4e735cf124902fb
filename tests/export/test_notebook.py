"""The notebook in examples/ runs from top to bottom, and values show themselves in one.

The cells are run here as Jupyter runs them, one after the other in one namespace, and of each last expression the
HTML is asked for. Jupyter itself would be thirty more packages to install for that.
"""

from __future__ import annotations

import ast
import json
import logging
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from support import tiny_models as tiny
from support.bundled import bundled_model

from attnviz.attention.attention_map import AttentionMap
from attnviz.export import Picture, notebook, png
from attnviz.measures.distances import difference
from attnviz.models.model import Model
from attnviz.models.recording.recording import Recording
from attnviz.tokenization.token import Token

NOTEBOOK = Path(__file__).resolve().parents[2] / "examples" / "attention.ipynb"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def model() -> Model:
    return bundled_model()


@pytest.fixture(scope="module")
def recording(model: Model) -> Recording:
    return model.record("Der Hund sah den Ball.")


def cells() -> list[dict[str, Any]]:
    return json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]


def run(source: str, names: dict[str, Any]) -> Any:
    """What Jupyter shows below the cell: the value of the last expression."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names) if last else None


def drawn(value: Any) -> ElementTree.Element:
    """The SVG in what a value shows."""
    html = value._repr_html_()
    assert html is not None
    found = re.search(r"<svg.*</svg>", html, re.DOTALL)
    assert found
    return ElementTree.fromstring(found[0])


def texts(svg: ElementTree.Element) -> list[str]:
    return ["".join(element.itertext()) for element in svg.iter(f"{SVG}text")]


def test_the_notebook_runs_and_every_value_shows_something(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    shown = [run("".join(cell["source"]), names) for cell in cells() if cell["cell_type"] == "code"]
    assert [type(value).__name__ for value in shown] == [
        "Recording", "AttentionMap", "tuple", "AttentionMap", "ndarray", "Picture", "list", *["Figure"] * 5,
    ]  # fmt: skip
    for value in shown:
        if not isinstance(value, tuple | np.ndarray | list | type(shown[-1])):
            assert "Hund" in texts(drawn(value))
    np.testing.assert_allclose(shown[4], 1.0, atol=1e-5)
    assert shown[6] == [True, True, True]
    head, all_heads, overview, difference, heads_map = shown[7:]
    assert head.data[0].z.shape == (7, 7) and difference.data[0].zmid == 0
    assert [note.text for note in all_heads.layout.annotations] == [f"L2 H{head}" for head in range(8)]
    assert list(overview.layout.yaxis.ticktext) == ["L0", "L1", "L2", "L3"]
    assert [len(layer.x) for layer in heads_map.data] == [8, 8, 8, 8]
    assert [path.name for path in tmp_path.iterdir()] == ["heads.svg"]


def test_the_notebook_is_stored_without_outputs() -> None:
    code = [cell for cell in cells() if cell["cell_type"] == "code"]
    assert code
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert len({cell["id"] for cell in cells()}) == len(cells())


def test_a_map_shows_itself_as_a_heatmap_with_a_text_alternative(recording: Recording) -> None:
    map = recording.map("encoder", layer=2, head=5)
    svg = drawn(map)
    assert {"L2 H5", "attention weight", "query", "key", *map.key_labels} <= set(texts(svg))
    described = svg.find(f"{SVG}desc")
    assert described is not None and described.text is not None
    assert described.text.startswith("L2 H5: ")
    # The numbers are in the notebook already, as the value.
    assert svg.find(f"{SVG}metadata") is None


def test_a_recording_shows_its_tokens_and_the_heads_of_its_middle_layer(recording: Recording) -> None:
    html = recording._repr_html_()
    assert html is not None
    assert "Encoder attention, layer 2 of 0 to 3, all 8 heads, 7 tokens" in html
    assert "encoder, decoder, cross" in html
    assert [text for text in texts(drawn(recording)) if re.fullmatch(r"L\d H\d", text)] == [
        f"L2 H{head}" for head in range(8)
    ]
    for label in recording.map("encoder", layer=0, head=0).key_labels:
        assert f">{label.replace('<', '&lt;').replace('>', '&gt;')}</code>" in html


def test_a_long_recording_stays_small_and_says_that_tokens_are_taken_together(model: Model) -> None:
    recording = model.record("Die Katze schläft & <b>träumt</b> heute. " * 15)
    html = recording._repr_html_()
    assert html is not None
    assert "neighbouring tokens taken together" in html
    assert "each panel on its own scale" in html
    assert "<b>träumt" not in html
    assert len(html) < 500_000
    labels = texts(drawn(recording))
    queries = recording.size("encoder")[2]
    assert "0–4" in labels or "0–3" in labels, queries


def test_pooled_heads_are_those_that_summing_gives(model: Model) -> None:
    recording = model.record("Die Katze schläft heute und träumt von Mäusen. " * 10)
    size = recording.size("encoder")[3]
    assert size > notebook.MOST_POSITIONS
    pooled = notebook._by_position(recording.pooled_map("encoder", layer=1, head=3, size=notebook.MOST_POSITIONS))
    np.testing.assert_allclose(pooled.weights.sum(axis=1), 1.0, atol=1e-4)
    groups = np.arange(size) * notebook.MOST_POSITIONS // size
    whole = recording.weights("encoder", layer=1, head=3).numpy()
    columns = np.stack([whole[:, groups == group].sum(axis=1) for group in range(notebook.MOST_POSITIONS)], axis=1)
    rows = np.stack([columns[groups == group].mean(axis=0) for group in range(notebook.MOST_POSITIONS)])
    np.testing.assert_allclose(pooled.weights, rows, atol=1e-5)
    first, last = pooled.key_labels[0], pooled.key_labels[-1]
    assert first.startswith("0") and last.endswith(str(size - 1))


def test_many_heads_are_cut_off_and_the_recording_says_so(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notebook, "MOST_HEADS", 3)
    html = recording._repr_html_()
    assert html is not None
    assert "heads 0 to 2 of 8" in html
    assert "L2 H3" not in html


def test_what_cannot_be_drawn_falls_back_to_its_repr(caplog: pytest.LogCaptureFixture) -> None:
    one = (Token(7, "a", False, 0, 0, 1),)
    broken = AttentionMap(np.zeros((3, 5), np.float32), one, one, np.zeros(1, np.float32))
    with caplog.at_level(logging.WARNING):
        assert broken._repr_html_() is None
    assert "AttentionMap could not be drawn" in caplog.text


def test_a_picture_shows_itself(recording: Recording) -> None:
    picture = Picture(recording.maps("cross", layer=0)[:2], theme="dark", title="Der Hund & der Ball")
    assert "Der Hund & der Ball" in texts(drawn(picture))


def test_what_a_notebook_shows_has_a_picture_for_where_html_cannot_go(recording: Recording) -> None:
    """A notebook that becomes a PDF takes the PNG, and else the repr."""
    one = recording.map("encoder", layer=2, head=5)
    for value in (one, Picture((one,)), recording):
        png = value._repr_png_()
        assert png is not None and png.startswith(b"\x89PNG")
        assert len(repr(value)) < 120 and "array" not in repr(value)


def test_a_repr_says_what_is_shown(recording: Recording) -> None:
    one, other = (recording.map("encoder", layer=2, head=head) for head in (5, 6))
    assert repr(one) == "AttentionMap(L2 H5, encoder, bundled: 7 queries × 7 keys)"
    assert repr(Picture((one, other))) == "Picture(L2 H5, L2 H6)"
    assert repr(Picture(recording.maps("encoder", layer=0))) == "Picture(L0 H0, L0 H1, L0 H2, L0 H3 … and 4 more)"
    assert repr(difference(one, other)) == "Difference(L2 H5 − L2 H6: 7 queries × 7 keys)"


def test_without_a_font_there_is_no_png_and_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    nowhere = "\U00012345"  # cuneiform
    if not png._missing([nowhere]):
        pytest.skip("this machine has a font for cuneiform")
    one = (Token(7, nowhere, False, 0, 0, 1),)
    with caplog.at_level(logging.WARNING):
        assert AttentionMap.of(np.ones((1, 1), np.float32), one, one)._repr_png_() is None
    assert not caplog.records


def test_what_the_model_wrote_is_marked_among_the_tokens(recording: Recording) -> None:
    shown = recording._repr_html_()
    assert shown is not None and "generated by the model" not in shown
    longer = Model(tiny.network("llama", eos_token_id=None)).record_ids([7, 8, 9], generate=2)
    shown = longer._repr_html_()
    assert shown is not None and shown.count("underline dotted") == 2 and "generated by the model" in shown
