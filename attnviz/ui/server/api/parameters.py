"""What a request asks for: the members of a JSON object, or the parameters of an address, checked one by one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from attnviz.errors import InputError, Message
from attnviz.export.picture import Style
from attnviz.figures.style import Theme

KINDS = ("encoder", "decoder", "cross")
SCALES = ("shared", "head")
MOST_CELLS = 512
_LONGEST_QUOTE = 40


@dataclass(frozen=True)
class Read:
    """What is to be read, and by which model.

    Attributes:
        model: "bundled", a Hub id with or without "@revision", or a folder.
        text, target: of an encoder–decoder `target` None is the model's own output.
        pair: the second sentence, for models that read two.
    """

    model: str
    text: str
    target: str | None
    pair: str | None


@dataclass(frozen=True)
class Heads:
    """Which heads: one, or with `head` None all of the layer; `kind` None is the first that the model has."""

    kind: str | None
    layer: int
    head: int | None


@dataclass(frozen=True)
class Pool:
    """The map in at most so many cells on each axis, and how a cell comes from the weights in it."""

    size: int
    reduce: str


@dataclass(frozen=True)
class Look:
    """How a picture looks; the names are those of `attnviz picture`."""

    style: Any
    scale: Any
    theme: Any
    by_word: bool
    hide_special: bool


class Fields:
    """Values by name, each taken once with what it has to be; `finish` refuses those that nothing took.

    Example:
        >>> fields = Fields({"layer": "2"}, as_text=True)
        >>> fields.number("layer", 0)
        2
    """

    def __init__(self, values: Mapping[str, Any], *, as_text: bool) -> None:
        """
        Args:
            values: by name; None is as good as not given.
            as_text: whether numbers and switches are written as text, as in an address.
        """
        self._values = {name: value for name, value in values.items() if value is not None}
        self._as_text = as_text
        self._names: list[str] = []

    def _take(self, name: str) -> Any:
        self._names.append(name)
        return self._values.pop(name, None)

    def text(self, name: str) -> str | None:
        """A text, or None where none was given."""
        value = self._take(name)
        if value is not None and not isinstance(value, str):
            raise _wrong(name, Message("a text"), value)
        return value

    def needed_text(self, name: str) -> str:
        """A text that has to be given."""
        value = self.text(name)
        if value is None:
            raise InputError("`{0}` is missing. Give the text that the model is to read.", name)
        return value

    def number(self, name: str, default: int | None, most: int | None = None) -> int | None:
        """A whole number; where there is a largest one, 1 is the smallest."""
        value = self._take(name)
        if value is None:
            return default
        if self._as_text and value.isascii() and value.removeprefix("-").isdecimal() and len(value) < 20:
            value = int(value)
        if isinstance(value, float) and value.is_integer():
            value = int(value)  # to JSON 2.0 and 2 are the same
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 2**63:
            raise _wrong(name, Message("a whole number"), value)
        if most is not None and not 1 <= value <= most:
            raise _wrong(name, Message("a whole number from 1 to {0}", most), value)
        return value

    def choice(self, name: str, options: tuple[str, ...], default: str | None) -> str | None:
        """One of several words."""
        value = self._take(name)
        if value is None:
            return default
        if not isinstance(value, str) or value not in options:
            raise _wrong(name, Message("one of {0}", ", ".join(options)), value)
        return value

    def switch(self, name: str) -> bool:
        """On or off; off where nothing was given."""
        value = self._take(name)
        if self._as_text and value in ("true", "false"):
            return bool(value == "true")
        if value is not None and not isinstance(value, bool):
            raise _wrong(name, Message("true or false"), value)
        return bool(value)

    def finish(self) -> None:
        """Raises InputError where something was given that has no meaning here: a slip would go unseen otherwise."""
        for name in self._values:
            raise InputError(
                "`{0}` has no meaning here. What may be given: {1}.", _quote(name), ", ".join(sorted(self._names))
            )

    def read(self) -> Read:
        """What is to be read."""
        model = self.text("model")
        return Read(model or "bundled", self.needed_text("text"), self.text("target"), self.text("pair"))

    def heads(self) -> Heads:
        """Which heads are asked for."""
        layer = self.number("layer", 0)
        assert layer is not None
        return Heads(self.choice("kind", KINDS, None), layer, self.number("head", None))

    def pool(self) -> Pool | None:
        """The size that the map is to have; None for every token."""
        from attnviz.attention.cells import REDUCTIONS  # brings torch, which the server answers without at first

        size = self.number("pool", None, most=MOST_CELLS)
        reduce = self.choice("reduce", REDUCTIONS, "mean")
        return None if size is None else Pool(size, str(reduce))

    def look(self) -> Look:
        """How the picture is to look."""
        return Look(
            style=self.choice("style", get_args(Style), "heatmap"),
            scale=self.choice("scale", SCALES, "shared"),
            theme=self.choice("theme", get_args(Theme), "light"),
            by_word=self.switch("by_word"),
            hide_special=self.switch("hide_special"),
        )


def _wrong(name: str, wanted: Message, value: object) -> InputError:
    return InputError("`{0}` has to be {1}, not {2}.", name, wanted, _quote(value))


def _quote(value: object) -> str:
    """A value in few characters, on one line."""
    text = value if isinstance(value, str) else repr(value)
    line = text.encode("unicode_escape").decode("ascii") if not text.isprintable() else text
    return line if len(line) <= _LONGEST_QUOTE else f"{line[:_LONGEST_QUOTE]}…"
