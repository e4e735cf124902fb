"""`attnviz picture "Der Hund sah den Ball." --layer 2 --head 5 -o out.svg`: heads as a picture, or in words."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from attnviz.errors import InputError

if TYPE_CHECKING:
    from attnviz.attention.attention_map import AttentionMap
    from attnviz.models.recording.recording import Recording

EXAMPLE = """example:
  attnviz picture "Der Hund sah den Ball." --layer 2 --head 5 -o out.svg

writes one head of the bundled model as a picture. Without -o the strongest weights of each head are printed."""


def picture(arguments: Sequence[str]) -> str:
    """Writes heads of a text as a picture, or returns their strongest weights in words.

    Args:
        arguments: of the command line, after the command's name.

    Returns:
        What is to be printed; "" where a file was written.

    Raises:
        AttnvizError: where it cannot be done.
        SystemExit: with status 2 where the arguments are wrong, with status 0 after `--help`.

    Example:
        >>> picture(["Der Hund sah den Ball.", "--layer", "2", "--head", "5", "-o", "out.svg"])
        ''
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.output is not None:
        from attnviz.export.files import check_suffix

        try:
            check_suffix(options.output)  # before a model is loaded for nothing
        except InputError as error:
            parser.error(str(error))
    return _run(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="attnviz picture",
        description="Show what attention heads of a transformer do with a text.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("text", help="what the model reads")
    shown = parser.add_argument_group("what is shown")
    shown.add_argument("--layer", type=int, default=0, metavar="N", help="counted from 0 (default: 0)")
    shown.add_argument("--head", type=int, metavar="N", help="counted from 0 (default: all heads of the layer)")
    shown.add_argument(
        "--kind",
        choices=("encoder", "decoder", "cross"),
        help="of attention; cross is from the decoder to the encoder (default: the first that the model has)",
    )
    shown.add_argument("--by-word", action="store_true", help="take the pieces of a word together")
    shown.add_argument("--hide-special", action="store_true", help="leave out special tokens such as </s>")
    shown.add_argument(
        "--hide", action="append", default=[], metavar="TOKEN", help="leave out this token, or word; may be repeated"
    )
    shown.add_argument("--renormalise", action="store_true", help="divide each row by what is left of it")
    model = parser.add_argument_group("the model")
    model.add_argument("--model", default="bundled", metavar="NAME", help="bundled (default), a folder, or a Hub id")
    model.add_argument("--revision", metavar="NAME", help="branch, tag or commit of a model on the Hub")
    model.add_argument("--target", metavar="TEXT", help="what an encoder-decoder writes (default: its own output)")
    model.add_argument("--device", default="auto", help="auto (default), cpu, cuda, cuda:1, mps")
    model.add_argument("--dtype", default="auto", help="auto (default), float32, float16, bfloat16")
    picture = parser.add_argument_group("the picture")
    picture.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="write to FILE: .svg, .png, .html, .csv or .npz"
    )
    picture.add_argument("--style", choices=("heatmap", "lines"), default="heatmap", help="(default: heatmap)")
    picture.add_argument(
        "--scale",
        choices=("shared", "head"),
        default="shared",
        help="colours from 0 to 1 (default), or to each head's own largest weight",
    )
    picture.add_argument("--theme", choices=("light", "dark"), default="light", help="(default: light)")
    return parser


def _run(options: argparse.Namespace) -> str:
    """What is to be printed."""
    from attnviz.models.loading.load import load

    model = load(options.model, device=options.device, dtype=options.dtype, revision=options.revision)
    recording = model.record(options.text, options.target)
    maps = [_apply_options(map, options) for map in _maps(recording, options)]
    if not maps[0].weights.size:
        raise InputError("All tokens are hidden. Leave out one of the options that hide them.")
    if options.output is None:
        from attnviz.figures.describe import describe

        return "".join(f"{describe(map, 3 if len(maps) > 1 else 10)}\n" for map in maps)
    from attnviz.export import Picture, save

    drawn = Picture(
        tuple(maps),
        style=options.style,
        scale=options.scale,
        theme=options.theme,
        title=" ".join(options.text.split()),
        settings=_settings(options),
    )
    save(drawn, options.output)
    return ""


def _maps(recording: Recording, options: argparse.Namespace) -> Sequence[AttentionMap]:
    kind = options.kind or recording.kinds[0]
    if options.head is None:
        return recording.maps(kind, layer=options.layer)
    return [recording.map(kind, layer=options.layer, head=options.head)]


def _apply_options(map: AttentionMap, options: argparse.Namespace) -> AttentionMap:
    """The map with the options that change what is shown of it: words first, then hiding, as in the app."""
    if options.by_word:
        map = map.by_word()
    labels = [*zip(map.query_tokens, map.query_labels, strict=True), *zip(map.key_tokens, map.key_labels, strict=True)]
    missing = [name for name in options.hide if name not in {label for _, label in labels}]
    if missing:
        available = ", ".join(dict.fromkeys(label for _, label in labels))
        raise InputError("There is no {0!r} to hide. The labels here are: {1}", missing[0], available)
    # By identity: two special tokens of a kind are equal, and have labels of their own all the same.
    hidden = {id(token) for token, label in labels if label in options.hide or (options.hide_special and token.special)}
    return map.hide(lambda token: id(token) in hidden, renormalise=options.renormalise) if hidden else map


def _settings(options: argparse.Namespace) -> dict[str, str]:
    """What the picture says of the options, by the names that the app has for them."""
    chosen = {
        "by_word": options.by_word,
        "hide_special": options.hide_special,
        "renormalise": options.renormalise and (options.hide_special or bool(options.hide)),
    }
    settings = {name: "true" for name, on in chosen.items() if on}
    return settings | ({"hide": json.dumps(options.hide, ensure_ascii=False)} if options.hide else {})
