"""Tables of numbers as CSV, npz and a page of HTML."""

from __future__ import annotations

import csv
import io
import json

import numpy as np

from attnviz.export.tables import PICTURE, Table, tables_to_csv, tables_to_html, tables_to_npz

TABLES = [
    Table("Scores", {"key": ["Hund", "=1+1", "None"], "score": [0.1, -2.5, None], "rank": [1, 2, 3]}),
    Table("Vectors", {"dimension": [0, 1], "<q>": [1 / 3, -1e-7]}),
]


def test_csv_has_a_line_for_each_number_and_no_formula() -> None:
    text = tables_to_csv(TABLES, title="Step 4\n · Scores", facts=["model tiny"])
    assert text.startswith("\ufeff# attnviz\n# Step 4 · Scores\n# model tiny\n")
    rows = list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#") and "#" not in line[:2]))
    scores = {row["label"]: row["value"] for row in rows if row["column"] == "score"}
    assert scores == {"Hund": "0.1", "'=1+1": "-2.5", "None": ""}
    assert [row["value"] for row in rows if row["column"] == "<q>"] == ["0.333333333", "-1e-07"]
    assert {row["table"] for row in rows} == {"Scores", "Vectors"} and len(rows) == 3 * 2 + 2 * 2


def test_npz_has_the_numbers_of_each_table_with_their_labels() -> None:
    file = np.load(io.BytesIO(tables_to_npz(TABLES, title="Step 4")), allow_pickle=False)
    assert file["tables"].tolist() == ["Scores", "Vectors"]
    np.testing.assert_array_equal(file["numbers_0"], [[0.1, 1], [-2.5, 2], [np.nan, 3]])
    assert file["rows_0"].tolist() == ["Hund", "=1+1", "None"] and file["columns_1"].tolist() == ["dimension", "<q>"]
    assert json.loads(str(file["about"]))["title"] == "Step 4"


def test_html_writes_numbers_as_people_read_them_and_escapes_what_it_is_given() -> None:
    page = tables_to_html(TABLES, title="<b>Schritt 4", language="de", decimal=",", theme="dark")
    assert 'lang="de"' in page and "&lt;b&gt;Schritt 4" in page and "<b>" not in page
    assert "<td>−2,5000</td><td>2</td>" in page and "&lt;q&gt;" in page and PICTURE in page
    assert "<td></td><td>3</td>" in page


def test_nothing_is_a_table_too() -> None:
    assert Table("none", {}).size == 0 and Table("none", {}).labels == []
    assert tables_to_csv([Table("none", {})]).splitlines()[-1] == "table,row,label,column,value"
    assert "numbers_0" in np.load(io.BytesIO(tables_to_npz([Table("none", {})])), allow_pickle=False)
