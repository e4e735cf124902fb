"""An export as a table, read with pandas and with a spreadsheet's habits."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.pictures import HOSTILE, PICTURES, a_map, assert_same, tokens

from attnviz.attention.attention_map import AttentionMap
from attnviz.errors import InputError
from attnviz.export import Picture, csv_table, read, save, to_csv
from attnviz.export.svg import text


def test_the_table_says_how_pandas_keeps_words_that_look_missing() -> None:
    words = tokens("None", "null", "NA", "nan")
    text = to_csv(Picture((a_map(words, words),)))
    (how,) = re.findall(r"# in pandas: (.*)", text)
    table = eval(f"pd.{how}", {"pd": pd, "file": io.StringIO(text.removeprefix("\ufeff"))})
    assert len(table) == 16 and set(table["query_token"]) == {"None", "null", "NA", "nan"} == set(table["key_token"])


def test_pandas_reads_the_table(tmp_path: Path) -> None:
    picture = PICTURES["hostile"]
    path = tmp_path / "a.csv"
    save(picture, path)
    frame = pd.read_csv(path, comment="#", keep_default_na=False)
    assert tuple(frame.columns) == csv_table.COLUMNS
    map = picture.panels[0]
    count = len(HOSTILE)
    assert len(frame) == count**2
    np.testing.assert_allclose(frame["weight"].to_numpy().reshape(count, count), map.weights, rtol=1e-7)
    labels = [re.sub(r"^'(?='*[=+\-@＝＋－＠])", "", label) for label in frame["key_token"][:count]]
    assert labels == [text.legal_text(label) for label in map.key_labels]


def test_no_cell_of_the_table_is_a_formula() -> None:
    rows = list(
        csv.reader(line for line in to_csv(PICTURES["hostile"]).splitlines() if not line.startswith(("#", "\ufeff")))
    )
    cells = [cell for row in rows[1:] for cell in (row[1], row[2], row[3], row[8], row[10])]
    assert not [cell for cell in cells if cell[:1] in "=+-@＝＋－＠" and cell]
    assert {"'=1+1", "''=", "'-", "'＝x"} <= set(cells)


def test_the_table_says_what_it_is() -> None:
    made = to_csv(PICTURES["hidden and divided"])
    assert made.startswith("\ufeff# attnviz")
    assert {"# by_word: true", '# hide: ["den"]'} <= set(made.splitlines())
    rows = list(csv.DictReader(line for line in made.splitlines() if not line.startswith(("#", "\ufeff"))))
    map = PICTURES["hidden and divided"].panels[0]
    assert isinstance(map, AttentionMap)
    for row in rows:
        query, key = int(row["query"]), int(row["key"])
        assert np.float32(row["weight"]) == map.weights[query, key]
        assert np.float32(row["hidden"]) == map.hidden_mass[query]
        assert (row["query_token"], row["key_token"]) == (map.query_labels[query], map.key_labels[key])
        assert (row["name"], row["model"], row["kind"], row["layer"], row["head"]) == (
            "L2 H5",
            "bundled",
            "encoder",
            "2",
            "5",
        )


def test_a_table_is_read_in_any_order_and_as_a_spreadsheet_saves_it() -> None:
    picture = PICTURES["heads of a layer"]
    lines = to_csv(picture).splitlines()
    head = [line for line in lines if line.lstrip("\ufeff").startswith("#")]
    names, *rows = lines[len(head) :]
    saved = [f"{line},,,,,,,,,,,," for line in head] + [names, *sorted(rows, reverse=True)]
    again = read("\r\n".join(saved).encode())
    for one, other in zip(picture.panels, again.panels, strict=True):
        assert_same(one, other)


def test_more_rows_than_a_spreadsheet_opens_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_table, "MOST_ROWS", 10)
    with pytest.raises(InputError, match=r"would have 64 rows, and spreadsheets open 10\. Take \.npz"):
        to_csv(PICTURES["one head"])
