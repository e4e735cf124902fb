"""What the page shows of two runs: what the model says, and how the next token changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnviz.ui.components.numbers.next_token_bars import format_percent, next_bars
from attnviz.ui.screens.what_if import wording
from attnviz.ui.screens.what_if.outcome import NextToken, NextTokens, SaidText, outcome
from attnviz.ui.shell.messages import _, ngettext, translate

if TYPE_CHECKING:
    from attnviz.interventions import Effect
    from attnviz.models.recording.recording import Recording
    from attnviz.ui.controls.page_header import Text
    from attnviz.ui.shell.models import Loaded

SHOWN = 5  # tokens with bars


def draw_outcome(loaded: Loaded, effect: Effect, text: Text, run: str) -> None:
    """What the model says before and after, and the next token where it changes most; how to begin where nothing is
    changed yet."""
    unchanged, changed = _("Unchanged"), _("Changed")
    texts: Sequence[SaidText] = ()
    remark = ""
    before, after = _written(loaded, effect, text)
    if effect.note is not None:
        remark = translate(effect.note)
    elif before is None or after is None:
        remark = _("With a gap in the sentence, such as [MASK], you see here what the model fills in.")
    elif effect.after is effect.before:
        invitation = _("Nothing is changed yet: try one of the examples, or click a head below to switch it off.")
        texts = (
            SaidText(unchanged, (wording.Piece(before or "–"),)),
            SaidText(changed, (wording.Piece(invitation),), invites=True),
        )
    else:
        first, second, words, count = wording.compare_words(before, after)
        texts = (
            SaidText(unchanged, first or (wording.Piece("–"),)),
            SaidText(changed, second or (wording.Piece("–"),)),
        )
        if before == after:
            remark = _("It says the same.")
        else:
            remark = ngettext("{0} of {1} words is another", "{0} of {1} words are others", words).format(words, count)
    outcome(texts, remark, _next_tokens(loaded, effect), run=run, key="outcome")


def _written(loaded: Loaded, effect: Effect, text: Text) -> tuple[str | None, str | None]:
    """What the model writes before and after; None where it writes nothing."""
    from attnviz.interventions.effect import written_text

    if effect.note is not None:
        return None, None

    def write(recording: Recording) -> str | None:
        key = ("written text of a run", *text, recording.interventions)
        return loaded.cache.get(key, lambda: (written_text(loaded.model, recording),))[0]

    return write(effect.before), write(effect.after)


def _telling_position(effect: Effect) -> tuple[int, bool]:
    """The first position at which another token is the likeliest, and True; else the one whose prediction changes most.

    Of an encoder it is always the latter: it fills gaps, and nothing comes first.
    """
    assert effect.kl is not None and effect.before.logits is not None and effect.after.logits is not None
    differs = (effect.before.logits.argmax(dim=-1) != effect.after.logits.argmax(dim=-1)).nonzero().flatten()
    if len(differs) and effect.before.kinds != ("encoder",):
        return int(differs[0]), True
    return int(effect.kl.argmax()), False


def _next_tokens(loaded: Loaded, effect: Effect) -> NextTokens | None:
    """The next token before and after, where another one is likelier; None where nothing is changed or predicted."""
    from attnviz.tokenization.tokenizer import from_ids

    if effect.after is effect.before or effect.kl is None:
        return None
    assert effect.before.logits is not None and effect.after.logits is not None
    place, is_first = _telling_position(effect)
    before, after = (logits[place].softmax(dim=-1).numpy() for logits in (effect.before.logits, effect.after.logits))
    likeliest = int(after.argmax())
    bars = next_bars(before, after, np.ones(len(before), dtype=bool), likeliest, SHOWN).bars
    tokens = from_ids(loaded.model.tokenizer, [bar.id for bar in bars])
    kind = effect.before.kinds[-1]
    read = effect.before.query_tokens(kind)[place]
    if effect.before.kinds == ("encoder",):
        title = _("In the place of “{0}”, which changes most ({1})")
    elif is_first:
        title = _("After “{0}”, where another token comes next ({1})")
    else:
        title = _("After “{0}”, where the next token changes most ({1})")
    return NextTokens(
        title.format(read.text.strip(), wording.bits(float(effect.kl[place]))),
        (_("Unchanged"), _("Changed")),
        tuple(
            NextToken(
                token.text, bar.before, bar.after,
                f"{format_percent(bar.before)} → {format_percent(bar.after)}", bar.id == likeliest,
            )
            for bar, token in zip(bars, tokens, strict=True)
        ),
    )  # fmt: skip
