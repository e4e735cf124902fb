"""`python -m attnviz`: what it writes, what it prints, and what it says where it cannot."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import attnviz
from attnviz.__main__ import main
from attnviz.attention.attention_map import AttentionMap
from attnviz.export import SUFFIXES, read

ROOT = Path(__file__).resolve().parent.parent
SENTENCE = "Der Hund sah den Ball."


@pytest.fixture(scope="module")
def head() -> AttentionMap:
    return attnviz.load("bundled").record(SENTENCE).map("encoder", layer=2, head=5)


def command(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "attnviz", *arguments],
        capture_output=True, text=True, env=environment, encoding="utf-8", **options,
    )  # type: ignore[call-overload]  # fmt: skip


def test_the_example_of_the_help_works_and_says_nothing(tmp_path: Path, head: AttentionMap) -> None:
    result = command(SENTENCE, "--layer", "2", "--head", "5", "-o", "out.svg", cwd=tmp_path)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    picture = read(tmp_path / "out.svg")
    np.testing.assert_allclose(picture.panels[0].weights, head.weights, atol=1e-6)
    assert (picture.panels[0].name, picture.title) == ("L2 H5", SENTENCE)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_can_be_written(tmp_path: Path, suffix: str, head: AttentionMap) -> None:
    path = tmp_path / f"out{suffix}"
    assert main([SENTENCE, "--layer", "2", "--head", "5", "-o", str(path)]) == 0
    if suffix == ".png":
        assert path.read_bytes().startswith(b"\x89PNG")
    else:
        np.testing.assert_allclose(read(path).panels[0].weights, head.weights, atol=1e-6)


def test_without_a_head_all_of_the_layer_are_shown(tmp_path: Path) -> None:
    assert main([SENTENCE, "--layer", "1", "-o", str(tmp_path / "out.npz")]) == 0
    assert [panel.name for panel in read(tmp_path / "out.npz").panels] == [f"L1 H{head}" for head in range(8)]


def test_without_a_file_the_strongest_weights_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([SENTENCE, "--layer", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 8
    assert all(re.match(rf"L2 H{head}: \S+ → \S+ \d\.\d\d, ", line) for head, line in enumerate(lines))


def test_the_options_change_what_is_shown(tmp_path: Path, head: AttentionMap) -> None:
    path = tmp_path / "out.html"
    options = ["--by-word", "--hide-special", "--hide", "den", "--hide", ".", "--renormalise", "--scale", "head"]
    options += ["--style", "lines", "--theme", "dark", "--kind", "encoder"]
    assert main([SENTENCE, "--layer", "2", "--head", "5", *options, "-o", str(path)]) == 0
    picture = read(path)
    assert (picture.style, picture.scale, picture.theme) == ("lines", "head", "dark")
    map = picture.panels[0]
    assert isinstance(map, AttentionMap)
    wanted = head.by_word().hide(lambda token: token.special or token.text in ("den", "."), renormalise=True)
    np.testing.assert_allclose(map.weights, wanted.weights, atol=1e-6)
    assert map.key_labels == ("Der", "Hund", "sah", "Ball")
    assert map.renormalised
    assert dict(picture.settings) == {
        "by_word": "true", "hide_special": "true", "renormalise": "true", "hide": '["den", "."]',
    }  # fmt: skip


def test_a_target_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    assert main([SENTENCE, "--kind", "cross", "--head", "0", "--target", "The cat slept.", "-o", str(path)]) == 0
    assert "cat" in "".join(read(path).panels[0].query_labels)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([SENTENCE, "--layer", "9"], "layers 0 to 3, not 9"),
        ([SENTENCE, "--layer", "-1"], "layers 0 to 3, not -1"),
        ([SENTENCE, "--head", "8"], "heads 0 to 7, not 8"),
        ([""], "Type one"),
        ([SENTENCE, "--model", "./nowhere"], "does not exist"),
        ([SENTENCE, "--dtype", "int3"], "no dtype 'int3'"),
        ([SENTENCE, "--device", "abacus"], "no device 'abacus'"),
        ([SENTENCE, "--revision", "main"], "no revisions"),
        ([SENTENCE, "--hide", "Katze"], "no 'Katze' to hide. The labels here are: Der, Hund, sah, den, Ball, ., </s>"),
        (
            [SENTENCE, "--hide-special", *(f"--hide={word}" for word in ("Der", "Hund", "sah", "den", "Ball", "."))],
            "All tokens are",
        ),
        ([SENTENCE, "-o", "no/such/folder/out.svg"], "cannot be written: No such file or directory"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_status_1(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("attnviz: ")
    assert said in output.err
    assert output.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "required: text"),
        ([SENTENCE, "--kind", "sideways"], "invalid choice: 'sideways'"),
        ([SENTENCE, "--layer", "two"], "invalid int value: 'two'"),
        ([SENTENCE, "-o", "out.pdf"], "'out.pdf' ends with '.pdf'. A picture can be written as .svg, .png"),
        ([SENTENCE, "--colour", "red"], "unrecognized arguments"),
    ],
)
def test_wrong_use_is_status_2(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_the_help_names_every_option_and_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    for option in (
        *("--model", "--revision", "--target", "--kind", "--layer", "--head", "--by-word", "--hide-special", "--hide"),
        *("--renormalise", "--scale", "--style", "--theme", "--device", "--dtype", "--output"),
    ):
        assert option in said
    assert 'python -m attnviz "Der Hund sah den Ball." --layer 2 --head 5 -o out.svg' in said


def test_a_terminal_without_arrows_gets_them_spelled_out(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    assert main([SENTENCE, "--head", "0"]) == 0
    assert rb"\u2192" in written.getvalue()


def test_a_reader_who_stops_reading_is_no_mistake_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", encoding="utf-8") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        assert main([SENTENCE, "--head", "0"]) == 1
        pipe.write("nobody reads this, and it does no harm")
