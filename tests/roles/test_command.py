"""`attnviz roles`: writes a table, says what it found, and goes on where it stopped."""

from __future__ import annotations

from pathlib import Path

import pytest

from attnviz.__main__ import main
from attnviz.roles import RolesTable, examples


def test_a_corpus_is_measured_and_what_is_done_is_not_done_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus, out = tmp_path / "pairs.tsv", tmp_path / "out"
    corpus.write_text("Der Hund sah den Ball.\tThe dog saw the ball.\nWir trinken Tee.\tWe drink tea.\n" * 4)
    arguments = ["roles", "--corpus", str(corpus), "--out", str(out), "--examples", "2", "--device", "cpu"]
    assert main(arguments) == 0
    output = capsys.readouterr()
    assert "8 texts" in output.out and "previous token" in output.out and "encoder L2 H5" in output.out
    assert "8 of 8 texts" in output.err
    table = RolesTable.load(out / "roles.json")
    assert len(table.heads) == 96 and len(examples(table, "cross", 1, 2)) == 2
    written = (out / "parts" / "000000.parquet").stat().st_mtime_ns
    assert main(arguments) == 0
    assert (out / "parts" / "000000.parquet").stat().st_mtime_ns == written
    assert main([*arguments[:-4], "--examples", "3", "--device", "cpu"]) == 1
    assert "another measurement" in capsys.readouterr().err


def test_what_is_missing_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["roles", "--corpus", str(tmp_path / "none.txt"), "--out", str(tmp_path), "--device", "cpu"]) == 1
    assert "There is no file" in capsys.readouterr().err
