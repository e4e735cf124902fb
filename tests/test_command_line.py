"""`python -m attnviz`: what it writes, what it prints, and what it says where it cannot."""

from __future__ import annotations

import io
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
from streamlit.web import cli
from support.server import free_port

import attnviz
from attnviz.__main__ import COMMANDS, main
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
        (["picture"], "required: text"),
        (["serve", "--port", "80000"], "80000 is no port"),
        (["serve", "9000"], "unrecognized arguments: 9000"),
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


def test_the_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert set(COMMANDS) <= set(re.findall(r"^  attnviz (\w+) ", capsys.readouterr().out, re.MULTILINE))


def test_the_help_of_pictures_names_every_option_and_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["picture", "--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    for option in (
        *("--model", "--revision", "--target", "--kind", "--layer", "--head", "--by-word", "--hide-special", "--hide"),
        *("--renormalise", "--scale", "--style", "--theme", "--device", "--dtype", "--output"),
    ):
        assert option in said
    assert 'attnviz picture "Der Hund sah den Ball." --layer 2 --head 5 -o out.svg' in said


def test_a_text_needs_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    """As `python -m attnviz "text"` always was; a text that is called like a command is given to its command."""
    assert main([SENTENCE, "--head", "0"]) == main(["picture", SENTENCE, "--head", "0"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == second
    assert main(["picture", "serve", "--head", "0"]) == 0


def started(monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> list[str]:
    """What Streamlit's command line is asked for."""
    asked: list[list[str]] = []
    monkeypatch.setattr(cli, "main", lambda given, **options: asked.append(given))
    assert main(arguments) == 0
    return asked[0]


def test_alone_it_opens_the_app_in_the_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    assert started(monkeypatch, []) == ["run", str(ROOT / "app.py"), "--server.headless", "false"]


def test_serving_takes_address_and_port_and_may_be_public(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTNVIZ_PUBLIC", "")
    port = free_port()
    flags = started(monkeypatch, ["serve", "--host", "127.0.0.1", "--port", str(port), "--public"])[2:]
    assert dict(zip(flags[::2], flags[1::2], strict=True)) == {
        "--server.address": "127.0.0.1", "--server.port": str(port), "--server.headless": "true",
    }  # fmt: skip
    assert os.environ["ATTNVIZ_PUBLIC"] == "1"


def test_a_port_that_is_taken_is_said_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        assert main(["serve", "--port", str(other.getsockname()[1])]) == 1
    assert "Choose another port with --port" in capsys.readouterr().err


def test_stopping_the_server_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*given: object, **options: object) -> None:
        raise click.Abort from KeyboardInterrupt()

    monkeypatch.setattr(cli, "main", stop)
    assert main(["serve"]) == 130


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
