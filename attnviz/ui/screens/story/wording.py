"""The story in the reader's language: its numbers with every text that the picture shows.

numbers ─ story_payload ─ what the component `stage` gets
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attnviz.ui.screens.story.roles import role_text
from attnviz.ui.screens.story.scenes import position_note, scene_texts
from attnviz.ui.shell.messages import _, ngettext


def story_payload(numbers: Mapping[str, Any]) -> dict[str, Any]:
    """What `payload.story_numbers` computed, with its names and texts.

    >>> story_payload(numbers)["texts"]["scenes"][0]["title"]
    'What does a model read?'
    """
    heads = [
        {"name": head["name"], "role": role_text(head["finding"]), "weights": head["weights"]}
        for head in numbers["heads"]
    ]
    head, block, journey, writing = (numbers[part] for part in ("head", "block", "journey", "writing"))
    note = position_note(numbers)
    return {
        "family": numbers["family"],
        "tokens": numbers["tokens"],
        "leftOut": numbers["leftOut"],
        "vectors": {**numbers["vectors"], "positionNote": note},
        "head": {**head, "role": heads[head["head"]]["role"]},
        "word": numbers["word"],
        "heads": heads,
        "block": block and [{**stage, "name": stage_name(stage["kind"])} for stage in block],
        "journey": journey and {**journey, "layers": [layer_name(number) for number in journey["layers"]]},
        "writing": writing and {**writing, "language": ""},
        "texts": {
            "scenes": scene_texts(numbers),
            "controls": _controls(),
            "guess": _guess(),
            "labels": _labels(),
            "tables": _tables(),
            "positionNote": note,
            "leftOut": left_out_text(numbers),
        },
    }


def left_out_text(numbers: Mapping[str, Any]) -> str:
    """What of a long text the story does not show; empty where it shows all."""
    if not numbers["leftOut"]:
        return ""
    drawn = len(numbers["tokens"])
    return ngettext(
        "The text goes on: the story reads its first {0} tokens as if it ended there, and leaves out {1}.",
        "The text goes on: the story reads its first {0} tokens as if it ended there, and leaves out {1} more.",
        numbers["leftOut"],
    ).format(drawn, numbers["leftOut"])


def layer_name(number: int) -> str:
    """A layer by its number, -1 for what enters the first."""
    return _("embedding") if number < 0 else f"L{number}"


def stage_name(kind: str) -> str:
    """A stage of the block, in a word or two."""
    return {
        "norm": _("normalised"),
        "attention": _("attention"),
        "other attention": _("other attention"),
        "feed-forward": _("feed-forward network"),
    }[kind]


def _controls() -> dict[str, str]:
    return {
        "play": _("Play"),
        "pause": _("Pause"),
        "back": _("Previous scene"),
        "next": _("Next scene"),
        "replay": _("Once more"),
        "speed": _("Speed"),
        "scrub": _("Time in the story"),
        "scene": _("Scene {0} of {1}"),
        "copy": _("Copy link"),
        "copied": _("Copied"),
        "qr": _("QR code"),
        "close": _("Close"),
        "numbers": _("Numbers of this scene"),
        "keys": _("Space plays and pauses, arrow keys change the scene, P makes it large."),
        "words": _("The word that asks"),
        "picture": _("The picture of the story"),
    }


def _guess() -> dict[str, str]:
    return {
        "question": _("Which word will “{0}” look at most?"),
        "show": _("Show me"),
        "right": _("Yes! {0} gives {1} the largest share, {2}."),
        "wrong": _("A good thought! Here {0} looks at {1} most, with {2}."),
        "shown": _("{0} looks at {1} most, with {2}."),
        "others": _("Other heads have other things to find, so each looks elsewhere."),
        "itself": _("itself"),
    }


def _labels() -> dict[str, str]:
    """Words that are drawn in the picture."""
    return {
        "number": _("number"),
        "table": _("vocabulary"),
        "embedding": _("embedding"),
        "place": _("position"),
        "sum": _("sum"),
        "shown": _("{0} of {1} numbers"),
        "query": _("query"),
        "key": _("key"),
        "value": _("values"),
        "product": _("product"),
        "score": _("score"),
        "share": _("share"),
        "forbidden": _("hidden"),
        "newVector": _("new vector"),
        "looks": _("looks at"),
        "heads": _("heads"),
        "joined": _("joined"),
        "word": _("word"),
        "length": _("length"),
        "layer": _("layer"),
        "nearest": _("nearest words"),
        "similar": _("similarity"),
        "other": _("in the other sentence"),
        "own": _("looks at what is written"),
        "cross": _("looks at the source"),
        "next": _("next token"),
        "written": _("written so far"),
        "gap": _("gap"),
        "nothing": "–",
    }


def _tables() -> dict[str, str]:
    """Columns of the tables that stand below the picture."""
    return {
        "token": _("token"),
        "id": _("number"),
        "dimension": _("dimension"),
        "embedding": _("embedding"),
        "place": _("position"),
        "sum": _("sum"),
        "query": _("query"),
        "key": _("key"),
        "value": _("values"),
        "product": _("product"),
        "score": _("score"),
        "share": _("share"),
        "output": _("new vector"),
        "head": _("head"),
        "role": _("role"),
        "stage": _("stage"),
        "length": _("length"),
        "layer": _("layer"),
        "nearest": _("nearest words"),
        "similarity": _("similarity"),
        "step": _("step"),
        "candidate": _("candidate"),
        "probability": _("probability"),
    }
