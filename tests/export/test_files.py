"""Exports as files: that the pictures come back as they were, and that what is no export is refused."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.pictures import HEADS, PICTURES, assert_same

from attnviz.attention.pooled_maps import is_pooled
from attnviz.errors import InputError
from attnviz.export import SUFFIXES, Picture, read, save, to_csv, to_html, to_npz, to_png, to_svg

WRITERS: dict[str, Callable[[Picture], str | bytes]] = {
    "svg": to_svg, "html": to_html, "csv": to_csv, "npz": to_npz,
}  # fmt: skip


def content(picture: Picture, format: str) -> bytes:
    made = WRITERS[format](picture)
    return made.encode("utf-8") if isinstance(made, str) else made


# There and back ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", WRITERS)
@pytest.mark.parametrize("name", PICTURES)
def test_reading_an_export_back_gives_the_picture(name: str, format: str) -> None:
    picture = PICTURES[name]
    again = read(content(picture, format))
    assert len(again.panels) == len(picture.panels)
    for one, other in zip(picture.panels, again.panels, strict=True):
        assert_same(one, other)
    for option in ("style", "columns", "scale", "theme", "title"):
        assert getattr(again, option) == getattr(picture, option)
    assert dict(again.settings) == dict(picture.settings)
    assert content(again, format) == content(picture, format)


@pytest.mark.parametrize("format", WRITERS)
def test_equal_pictures_give_equal_files(format: str) -> None:
    for make in (lambda: Picture(HEADS[:2], title="a"), lambda: PICTURES["difference"]):
        assert content(make(), format) == content(make(), format)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_saving_takes_the_format_from_the_name(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"Füße und 学习{suffix.upper()}"
    path.write_bytes(b"what was there before")
    save(PICTURES["one head"], path)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    if suffix != ".png":
        assert_same(read(path).panels[0], PICTURES["one head"].panels[0])
        assert_same(read(str(path)).panels[0], PICTURES["one head"].panels[0])


@pytest.mark.parametrize(
    ("name", "said"), [("a.pdf", "ends with '.pdf'"), ("a", "has no ending"), (".svg", "no ending")]
)
def test_other_names_are_refused_with_those_that_can_be_written(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(InputError, match=rf"{said}\. A picture can be written as \.svg, \.png, \.html, \.csv, \.npz"):
        save(PICTURES["one head"], tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written: No such file or directory"):
        save(PICTURES["one head"], tmp_path / "missing" / "a.svg")
    (tmp_path / "a.svg").mkdir()
    (tmp_path / "a.svg" / "inside").touch()
    with pytest.raises(InputError, match="cannot be written"):
        save(PICTURES["one head"], tmp_path / "a.svg")
    assert [file.name for file in tmp_path.iterdir()] == ["a.svg"]
    with pytest.raises(InputError, match="cannot be written"):
        save(PICTURES["one head"], tmp_path / "a\0b.svg")


def test_an_error_while_writing_keeps_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.svg"
    path.write_text("before")
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(InputError, match="No space left on device"):
        save(PICTURES["one head"], path)
    assert path.read_text() == "before"
    assert len(list(tmp_path.iterdir())) == 1


# What is no export ---------------------------------------------------------------------------------------------------


def damaged() -> dict[str, bytes]:
    good = {format: content(PICTURES["heads of a layer"], format) for format in WRITERS}
    rows = good["csv"].decode().splitlines(keepends=True)
    return {
        "nothing": b"",
        "text": b"Der Hund sah den Ball.",
        "bytes": bytes(range(256)),
        "another SVG": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
        "another page": b"<!doctype html><title>x</title>",
        "half the data of an SVG": good["svg"][: good["svg"].index(b"weights") + 99],
        "half a page": good["html"][: len(good["html"]) * 3 // 4],
        "half an npz": good["npz"][: len(good["npz"]) // 2],
        "an npz of others": _npz(a=np.zeros(3)),
        "an npz of objects": _npz(picture=np.array([{}], dtype=object)),
        "an npz with other weights": _npz(
            **{**dict(np.load(io.BytesIO(good["npz"]))), "weights_0": np.zeros((2, 3), np.float32)}
        ),
        "an npz without a panel": _npz(
            **{k: v for k, v in np.load(io.BytesIO(good["npz"])).items() if k != "weights_3"}
        ),
        "half a table": "".join(rows[: len(rows) // 2]).encode(),
        "a table without its head": "".join(row for row in rows if not row.startswith("#")).encode(),
        "a table with a broken head": good["csv"].replace(b"# data: ", b"# data: !", 1),
        "a table with a word for a number": "".join([*rows[:-1], rows[-1].replace(",0.", ",nought.")]).encode(),
        "a table with a row too far": "".join([*rows, rows[-1].replace("7,", "99,", 1)]).encode(),
        "a table with a row before the first": "".join([*rows, "-1" + rows[-1][1:]]).encode(),
        "other JSON": b'<x id="attnviz-data">{"format": "other", "version": 1}</x>',
        "a list": b'<x id="attnviz-data">[1]</x>',
        "deep": b'<x id="attnviz-data">' + b"[" * 100_000 + b"</x>",
        "huge": to_svg(PICTURES["one head"]).replace('"shape":[8,8]', '"shape":[99999999,99999999]').encode(),
        "no panels": to_svg(PICTURES["one head"]).encode().replace(b'"panels":[{', b'"panels":[],"x":[{'),
        "another axis": to_svg(PICTURES["one head"]).encode().replace(b'"query_tokens":0', b'"query_tokens":7'),
        "a wrong option": to_svg(PICTURES["one head"]).encode().replace(b'"theme":"light"', b'"theme":"pink"'),
    }


def _npz(**arrays: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


@pytest.mark.parametrize("name", damaged())
def test_what_is_damaged_or_something_else_is_refused_with_a_sentence(name: str) -> None:
    with pytest.raises(InputError, match=r"[A-Z].*\."):
        read(damaged()[name])


def test_a_png_cannot_be_read_and_says_what_can() -> None:
    with pytest.raises(InputError, match=r"PNG has no numbers in it\. Read the picture's \.svg"):
        read(to_png(PICTURES["one head"], 1))


@pytest.mark.parametrize("suffix", WRITERS)
def test_groups_of_neighbours_are_still_groups(suffix: str) -> None:
    made = WRITERS[suffix](PICTURES["pooled"])
    (map,) = read(made.encode() if isinstance(made, str) else made).panels
    assert [token.count for token in map.key_tokens] == [3, 3, 2] and is_pooled(map.query_tokens)


def test_tokens_without_a_count_are_read_as_ever() -> None:
    """Files from before tokens had a count look the same where nothing is pooled."""
    written = to_svg(PICTURES["one head"])
    assert '[0,"Der",false,0,0,3]' in written.replace("&quot;", '"')
    (map,) = read(written.encode()).panels
    assert all(token.count == 1 for token in map.key_tokens)
    # A group of that time: its id is -2, and nothing says of how many.
    old = written.replace('[0,"Der",false,0,0,3]', '[-2,"Der Hund",false,0,null,null]')
    (map,) = read(old.encode()).panels
    assert map.key_labels[0] == "Der Hund"


def test_a_newer_format_says_so() -> None:
    newer = to_svg(PICTURES["one head"]).replace('"version":1', '"version":2')
    with pytest.raises(InputError, match="version 2 of its format, and this attnviz reads version 1"):
        read(newer.encode())


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.csv' cannot be read: No such file"):
        read(tmp_path / "nowhere.csv")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"panels": ()}, "needs at least one map"),
        ({"style": "pie"}, "style of a picture is 'heatmap' or 'lines', not 'pie'"),
        ({"scale": "log"}, "scale of a picture is 'shared' or 'head' or 'root', not 'log'"),
        ({"theme": "blue"}, "theme of a picture is 'light' or 'dark', not 'blue'"),
        ({"columns": 0}, "at least 1 column, not 0"),
    ],
)
def test_impossible_pictures_are_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Picture(**{"panels": HEADS, **options})  # type: ignore[arg-type]


# What it loads -------------------------------------------------------------------------------------------------------


def test_importing_exports_loads_neither_torch_nor_streamlit() -> None:
    program = "import attnviz.export, sys; print(*{'torch', 'transformers', 'streamlit', 'pandas'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.split() == []
