"""The transformer as one drawing, with the three places where it attends.

As in Vaswani et al. 2017, figure 1: the encoder at the left, the decoder at the right, information from the bottom to
the top, each sublayer with its residual connection. Where a layer normalises differs from model to model, so that is
left out. A model with one stack gets the part that it has.

Geometry comes out, in CSS pixels; the component `architecture` draws it in the colours of the page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Pattern = Literal["full", "masked", "cross"]
Point = tuple[float, float]

BLOCK, FRAME = 118, 158  # widths
ATTENTION, PLAIN = 42, 24  # heights of blocks
COLUMN = 184  # from one stack's middle to the other's
BOTTOM = 334.0  # of the frames
PATTERNS: Mapping[str, Pattern] = {"encoder": "full", "decoder": "masked", "cross": "cross"}


@dataclass(frozen=True, slots=True)
class Words:
    """What stands in the drawing; the app passes it in the reader's language. Attention has two lines each."""

    encoder: str = "Encoder\nself-attention"
    decoder: str = "Masked\nself-attention"
    cross: str = "Cross-\nattention"
    feed_forward: str = "Feed-forward"
    embedding: str = "Embedding, position"
    head: str = "Language head"
    source: str = "source"
    written: str = "written so far"
    text: str = "text with a gap"
    next: str = "next token"
    gap: str = "word in the gap"
    layers: str = "{0} layers"


@dataclass(frozen=True, slots=True)
class Block:
    """A box; with a kind it is a place of attention, which can be gone to."""

    x: float
    y: float
    width: float
    height: float
    lines: tuple[str, ...]
    kind: str | None = None
    pattern: Pattern | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A connection through points; the last one has an arrow head, if any has."""

    points: tuple[Point, ...]
    arrow: bool = False
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Label:
    """A word beside the boxes."""

    x: float
    y: float
    text: str
    anchor: Literal["start", "middle", "end"] = "middle"


@dataclass
class Drawing:
    """All of it, in the order of drawing: frames, lines, sums, blocks, labels."""

    width: float = 0.0
    height: float = 0.0
    frames: list[Block] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    sums: list[Point] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)


def draw_architecture(
    kinds: Sequence[str], layers: Mapping[str, int | None], *, head: bool = True, words: Words | None = None
) -> Drawing:
    """Lays out the parts that a model has.

    Args:
        kinds: of ("encoder", "decoder", "cross"), those present; all three for an encoder–decoder.
        layers: per stack, "encoder" and "decoder", how many layers it has; None where that is not known.
        head: whether the model has a language head.
        words: what is written in the drawing.

    Example:
        >>> [block.kind for block in draw_architecture(("decoder",), {"decoder": 12}).blocks if block.kind]
        ['decoder']
    """
    words = words or Words()
    drawing = Drawing()
    both = "cross" in kinds
    middle = 6 + FRAME / 2
    top = BOTTOM
    if "encoder" in kinds:
        end = _stack(drawing, middle, ("encoder",), layers.get("encoder"), words, side=-1)
        drawing.labels.append(Label(middle, BOTTOM + 66, words.source if both else words.text))
        top = end
    if both:
        end = _stack(drawing, middle + COLUMN, ("decoder", "cross"), layers.get("decoder"), words, side=1)
        drawing.labels.append(Label(middle + COLUMN, BOTTOM + 66, words.written))
        cross = next(block for block in drawing.blocks if block.kind == "cross")
        level = cross.y + cross.height / 2
        # Out of the last encoder layer, into every decoder layer from its side.
        between = middle + COLUMN / 2
        out = ((middle, top), (middle, top - 16), (between, top - 16), (between, level), (cross.x, level))
        drawing.lines.append(Line(out, arrow=True))
        top = end
    elif "decoder" in kinds:
        top = _stack(drawing, middle, ("decoder",), layers.get("decoder"), words, side=-1)
        drawing.labels.append(Label(middle, BOTTOM + 66, words.written))
    last = middle + COLUMN * both
    if head:
        _add_arrow(drawing, last, top, top - 18)
        drawing.blocks.append(Block(last - BLOCK / 2, top - 18 - PLAIN, BLOCK, PLAIN, (words.head,)))
        _add_arrow(drawing, last, top - 18 - PLAIN, top - 36 - PLAIN)
        drawing.labels.append(Label(last, top - 42 - PLAIN, words.next if kinds != ("encoder",) else words.gap))
        top -= 54 + PLAIN
    else:
        _add_arrow(drawing, last, top, top - 16)
        top -= 22
    return _shift_up(drawing, top, 12 + FRAME + COLUMN * both)


def _stack(
    drawing: Drawing, middle: float, kinds: Sequence[str], layers: int | None, words: Words, *, side: int
) -> float:
    """One stack from its embedding upwards; returns where it ends. Residual connections run on one side."""
    entry = BOTTOM + 24
    drawing.blocks.append(Block(middle - BLOCK / 2 - 6, entry, BLOCK + 12, PLAIN, (words.embedding,)))
    _add_arrow(drawing, middle, BOTTOM + 56, entry + PLAIN)
    y = entry
    for kind in (*kinds, None):
        height = PLAIN if kind is None else ATTENTION
        lower = (BOTTOM if y == entry else y) - 14
        upper = lower - height
        _add_arrow(drawing, middle, y, lower)
        lines = (words.feed_forward,) if kind is None else tuple(getattr(words, kind).split("\n"))
        pattern = None if kind is None else PATTERNS[kind]
        drawing.blocks.append(Block(middle - BLOCK / 2, upper, BLOCK, height, lines, kind, pattern))
        total = upper - 11
        drawing.lines.append(Line(((middle, upper), (middle, total + 6))))
        beside = middle + side * (BLOCK / 2 + 10)
        past = ((middle, lower + 7), (beside, lower + 7), (beside, total), (middle + side * 6, total))
        drawing.lines.append(Line(past, quiet=True))
        drawing.sums.append((middle, total))
        y = total - 6
    end = y - 8
    drawing.lines.append(Line(((middle, y), (middle, end))))
    drawing.frames.append(Block(middle - FRAME / 2, end, FRAME, BOTTOM - end, ()))
    if layers is not None:
        anchor: Literal["start", "end"] = "start" if side > 0 else "end"
        drawing.labels.append(Label(middle - side * (FRAME / 2 - 8), end + 17, words.layers.format(layers), anchor))
    return end


def _add_arrow(drawing: Drawing, x: float, start: float, end: float) -> None:
    drawing.lines.append(Line(((x, start), (x, end)), arrow=True))


def _shift_up(drawing: Drawing, top: float, width: float) -> Drawing:
    """The same with its upper end at 0."""

    def up(block: Block) -> Block:
        return Block(block.x, block.y - top, block.width, block.height, block.lines, block.kind, block.pattern)

    return Drawing(
        width,
        BOTTOM + 74 - top,
        [up(frame) for frame in drawing.frames],
        [Line(tuple((x, y - top) for x, y in line.points), line.arrow, line.quiet) for line in drawing.lines],
        [(x, y - top) for x, y in drawing.sums],
        [up(block) for block in drawing.blocks],
        [Label(label.x, label.y - top, label.text, label.anchor) for label in drawing.labels],
    )
