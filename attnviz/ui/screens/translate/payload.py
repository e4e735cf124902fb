"""A written text as the component `text_player` draws it: its words, its steps, its attention, its beam.

    Steps ─ text_payload ─ what the browser gets

Everything is said in the reader's language here; the component only puts it in its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from attnviz.attention.attention_map import AttentionMap
from attnviz.figures import describe
from attnviz.figures.heads import top_of_scale
from attnviz.generation.steps import Steps
from attnviz.tokenization import tokenizer as tokenization
from attnviz.tokenization.token import Token, labels
from attnviz.ui.components.component import encode
from attnviz.ui.components.heads.map_data import weight_name
from attnviz.ui.components.numbers.next_token_bars import Bar, Bars, format_percent, next_bars
from attnviz.ui.controls.display_options import first_remark
from attnviz.ui.screens.translate.view import AttentionView
from attnviz.ui.shell.messages import _, decimal_sign, head_name, local_number, ngettext

MOST_DROPPED = 3  # hypotheses of a step that are shown though the beam let go of them


@dataclass
class Pieces:
    """Tokens that could come next, as they are read: a piece of a word with the word so far before it."""

    tokenizer: Any
    _known: dict[tuple[tuple[int, ...], int], tuple[str, str, bool]] = field(default_factory=dict)

    def read(self, word: tuple[int, ...], index: int) -> tuple[str, str, bool]:
        """(the word so far, the piece, whether it is a special token), after the ids of the word so far."""
        if (word, index) not in self._known:
            # Some tokenizers decode the piece of a word otherwise where nothing stands before it: then after itself.
            *before, last = tokenization.from_ids(self.tokenizer, [*(word or (index,)), index])
            joined = [token.text for token in before if word and token.word is not None and token.word == last.word]
            self._known[word, index] = ("".join(joined).strip(), token_text(last), last.special)
        return self._known[word, index]


def token_text(token: Token) -> str:
    """A token as it is read."""
    return labels((token,))[0]


def text_payload(steps: Steps, view: AttentionView, pieces: Pieces, words: Sequence[Token] = ()) -> dict[str, Any]:
    """All of a text but the step that is looked at.

    Args:
        steps: the text with its steps.
        view: which attention is shown.
        pieces: how tokens are read.
        words: of a masked text whose gap was made here, all its tokens as they were.
    """
    return {
        "prefixLength": steps.written.prefix_length,
        "ended": _ending_text(steps, bool(words)),
        "text": _text(steps, words),
        "steps": [_step(steps, pieces, step) for step in range(len(steps))],
        "strips": _strips(steps, view),
        "map": _map(steps, view, view.map(steps, view.kind)),
        "beams": _beams(steps, pieces),
        "treeNote": _tree_note(steps),
        "texts": _texts(),
    }


# The text -----------------------------------------------------------------------------------------------------------


def _text(steps: Steps, words: Sequence[Token]) -> list[dict[str, Any]]:
    """What stands there, in reading order."""

    def item(token: Token, joined: bool, step: int | None = None, word: int | None = None) -> dict[str, Any]:
        return {
            "text": token_text(token), "joined": joined, "special": token.special, "step": step, "word": word,
            "inPrefix": step is not None and step < steps.written.prefix_length,
        }  # fmt: skip

    if steps.task == "fill":
        gaps = {position: gap for gap, position in enumerate(steps.positions)}
        items, previous = [], None
        for position, token in enumerate(steps.before):
            source = words[position] if words else token
            joined = source.word is not None and previous is not None and source.word == previous
            previous = source.word
            if position in gaps:
                items.append(item(steps.tokens[gaps[position]], joined, step=gaps[position]))
            else:
                items.append(item(token, joined, word=source.word if words else None))
        return items
    every = [*steps.before, *steps.tokens]
    return [
        item(
            token,
            _continues_word(every, index),
            step=index - len(steps.before) if index >= len(steps.before) else None,
        )
        for index, token in enumerate(every)
    ]


def _continues_word(tokens: Sequence[Token], index: int) -> bool:
    """Whether a token goes on with the word before it."""
    return index > 0 and tokens[index].word is not None and tokens[index].word == tokens[index - 1].word


def _ending_text(steps: Steps, masked_here: bool) -> str:
    """Why the text ends where it does; of gaps, where they come from."""
    if masked_here:
        return _("Masked here; click another word to mask that one.")
    if steps.written.end_reason == "gaps":
        return ngettext("{0} gap.", "{0} gaps, filled from left to right.", len(steps)).format(len(steps))
    if steps.written.end_reason == "end":
        return _("Ended by its end token.")
    count = len(steps)
    return ngettext(
        "Stopped at the limit of {0} token, without an end token.",
        "Stopped at the limit of {0} tokens, without an end token.",
        count,
    ).format(count)


def _texts() -> dict[str, str]:
    return {
        "back": _("Step back"),
        "next": _("Step on"),
        "play": _("Let it grow"),
        "pause": _("Pause"),
        "reset": _("See the model's own"),
        "where": _("step {0} of {1}"),
        "text": _("The text, step by step: arrow keys go through it"),
        "chosen": _("Stands in the text: go on"),
        "choose": _("Take this one instead and go on from there"),
        "mask": _("Mask this word"),
        "beam": _("The beam, step by step"),
    }


# A step -------------------------------------------------------------------------------------------------------------


def _step(steps: Steps, pieces: Pieces, step: int) -> dict[str, Any]:
    """Everything about one step but its attention."""
    before, chosen = steps.distribution(step).probabilities.numpy(), steps.written.ids[step]
    distribution = steps.shaped_distribution(step)
    after, is_candidate = distribution.probabilities.numpy(), distribution.candidates.numpy()
    if steps.method.name == "beam":
        is_candidate = np.zeros_like(is_candidate)
        is_candidate[list(steps.survivors(step))] = True
        after = np.where(is_candidate, after, 0)
    bars = next_bars(before, after, is_candidate, chosen)
    word = _word_so_far(steps, step)
    changed = steps.method.name == "sample"
    if not changed:
        # A bar stands beside the model's own probability, so its filled part is never longer than that.
        shares = tuple(replace(bar, after=min(bar.after, bar.before)) for bar in bars.bars)
        bars = replace(bars, bars=shares, after=min(bars.after, bars.before))
    shown = [_bar(bar, pieces.read(word, bar.id), changed) for bar in bars.bars]
    token = token_text(steps.tokens[step])
    chance = format_percent(next(bar.before for bar in bars.bars if bar.chosen))
    likeliest = _(", ").join(f"{bar['text']} {format_percent(bar['p'])}" for bar in shown[:3])
    return {
        "token": token,
        "title": f"{token}, {chance}",
        "question": _("What stands in the gap?") if steps.task == "fill" else _("What comes next?"),
        "after": "" if steps.task == "fill" else _("after “{0}”").format(_last_token_read(steps, step)),
        "bars": shown,
        "others": {
            "text": _("all others"),
            "title": ngettext("{0} other token", "{0} other tokens", bars.others).format(
                local_number(f"{bars.others:,}")
            ),
            "p": round(bars.before, 5),
            "q": round(bars.after, 5),
            "numbers": _probability_text(bars.before, bars.after, changed, bars.after > 0),
        },
        "effect": _method_text(steps, bars, step),
        "description": _("Step {0}: {1}, {2}. The likeliest: {3}.").format(step + 1, token, chance, likeliest),
    }


def _bar(bar: Bar, piece: tuple[str, str, bool], changed: bool) -> dict[str, Any]:
    before, text, special = piece
    numbers = _probability_text(bar.before, bar.after, changed, bar.candidate)
    label = _("{0}, {1}").format(before + text, numbers)
    return {
        "id": bar.id, "before": before, "text": text, "special": special, "p": round(bar.before, 5),
        "q": round(bar.after, 5), "candidate": bar.candidate, "chosen": bar.chosen, "numbers": numbers, "label": label,
    }  # fmt: skip


def _probability_text(before: float, after: float, changed: bool, candidate: bool) -> str:
    """ "42 % → 61 %" where the method changes probabilities."""
    if not changed:
        return format_percent(before)
    return f"{format_percent(before)} → {format_percent(after) if candidate else _('cut')}"


def _last_token_read(steps: Steps, step: int) -> str:
    """What the step reads last."""
    return token_text(steps.tokens[step - 1] if step else steps.before[-1])


def _word_so_far(steps: Steps, step: int) -> tuple[int, ...]:
    """The ids of the word that the step may go on with, or of the token that stands before it."""
    if steps.task == "fill":
        position = steps.positions[step]
        earlier = dict(zip(steps.positions, steps.tokens, strict=True))
        before = [earlier.get(other, token) for other, token in enumerate(steps.before[:position])][-8:]
    else:
        before = [*steps.before, *steps.tokens[:step]][-8:]
    if not before or before[-1].special:
        return ()
    return tuple(token.id for token in before if token.word == before[-1].word)


def _method_text(steps: Steps, bars: Bars, step: int) -> str:
    """What the method does to the distribution, in a sentence or two."""
    method = steps.method
    sentences = [_("This token is given, as is all before it.")] if step < steps.written.prefix_length else []
    cut = format_percent(bars.cut)
    if method.name == "greedy":
        sentences.append(
            _("Hollow: the model. Filled: greedy, which takes the likeliest and cuts off the rest, {0}.").format(cut)
        )
    elif method.name == "beam":
        sentences.append(_("Hollow: the model, of which a beam changes nothing. Filled: goes on in the beam."))
    else:
        drawn = ngettext("{0} token", "{0} tokens", bars.candidates).format(local_number(f"{bars.candidates:,}"))
        sentences.append(_("Hollow: the model. Filled: what is drawn from, {0}; {1} is cut off.").format(drawn, cut))
    return " ".join(sentences)


# Attention ----------------------------------------------------------------------------------------------------------


def _strips(steps: Steps, view: AttentionView) -> list[dict[str, Any]]:
    """For each kind of attention that a step has: the keys, and the weights of all steps."""
    kinds = [kind for kind in ("cross", steps.own) if kind in steps.kinds]
    titles = {
        "cross": (_("Looks at the source"), _("cross-attention")),
        "decoder": (_("and at what is written") if "cross" in kinds else _("Looks back"), _("masked self-attention")),
        "encoder": (_("The gap looks at"), _("encoder self-attention")),
    }
    strips = []
    for kind in kinds:
        map = view.map(steps, kind)
        tokens = map.key_tokens
        gap = iter(range(len(steps.positions)))
        masks = {steps.before[position].id for position in steps.positions}
        title, name = titles[kind]
        strips.append({
            "title": title,
            "about": f"{name}, {head_name(map.name)}",
            "marked": kind == view.kind,
            "keys": [
                {
                    "text": token_text(token), "joined": not view.by_word and _continues_word(tokens, index),
                    "special": token.special, "gap": next(gap) if token.id in masks else None,
                }
                for index, token in enumerate(tokens)
            ],
            "weights": encode(map.weights),
            "top": top_of_scale([map], "shared"),
            "root": view.scale(map) == "root",
            "visibleCounts": view.visible_counts(steps, kind),
        })  # fmt: skip
    return strips


def _map(steps: Steps, view: AttentionView, map: AttentionMap) -> dict[str, Any]:
    """All steps at once, or the source looking at itself."""
    stepwise = not (steps.task == "translate" and view.kind == "encoder")
    names = {
        "cross": _("Cross-attention"),
        "decoder": _("Masked self-attention"),
        "encoder": _("Encoder self-attention"),
    }
    name = map.name
    if view.head is None:
        name = _("L{0}, mean of {1} heads").format(map.layer_number, steps.recording.size(view.kind)[1])
    if not stepwise:
        note = _("Rows look at columns, before anything is written: the same for every step.")
    elif steps.task == "fill":
        note = _("A row is the gap that looks at the text, and belongs to what it predicts: “gap → predicted”.")
    else:
        note = _("A row belongs to the token that it predicts, not to the one that it reads: “read → predicted”.")
    with_first = view.with_first().map(steps, view.kind)
    hidden = float(with_first.hidden_mass.mean()) if view.hide and map.hidden_mass.size else 0.0
    first = first_remark([map], [with_first]) if view.hide_first else ""
    if view.hide:
        note += " " + _("Special tokens are hidden, with {0} of the attention.").format(format_percent(hidden))
    if first:
        note += " " + _("{0}.").format(first[:1].upper() + first[1:])
    top, scale = top_of_scale([map], "shared"), view.scale(map)
    rows = map.query_labels if not stepwise else tuple(token.text for token in map.query_tokens)
    return {
        "title": f"{names[view.kind]}, {name}",
        "note": note,
        "rows": rows,
        "keys": map.key_labels,
        "weights": encode(map.weights),
        "top": top,
        "root": scale == "root",
        "steps": stepwise,
        "texts": {
            "weight": weight_name(scale),
            "low": _("0, none"),
            "high": _("1, all of it") if top == 1.0 else _("{0} and more").format(local_number(f"{top:.2f}")),
            "later": _("later steps"),
        },
        "text": describe(map, most=6, decimal=decimal_sign(), name=name),
    }


# The beam -----------------------------------------------------------------------------------------------------------


def _beams(steps: Steps, pieces: Pieces) -> list[list[dict[str, Any]]]:
    """Per step the hypotheses that the beam compared, and which one of the step before each continues."""
    prefix_length, best = steps.written.prefix_length, steps.written.ids
    columns: list[list[dict[str, Any]]] = []
    parent_rows: dict[int, int] = {}  # index among the kept hypotheses of the step before -> row in its column
    names = {"kept": _("kept"), "finished": _("finished"), "dropped": _("dropped")}
    for length, looked in enumerate(steps.written.beams, 1):
        column: list[dict[str, Any]] = []
        rows: dict[int, int] = {}
        dropped = 0
        for hypothesis in looked:
            won = hypothesis.ids == best[prefix_length : prefix_length + length] and hypothesis.state != "dropped"
            if hypothesis.state == "dropped":
                dropped += 1
                if dropped > MOST_DROPPED:
                    continue
            if hypothesis.state == "kept":
                rows[len(rows)] = len(column)
            ids = (*best[:prefix_length], *hypothesis.ids)
            text = pieces.read(ids[-2:-1], hypothesis.ids[-1])[1]
            score = local_number(f"{hypothesis.score:.2f}")
            text_so_far = steps.text(ids)
            column.append({
                "text": text, "score": score, "state": hypothesis.state, "won": won,
                "parent": None if hypothesis.parent is None else parent_rows.get(hypothesis.parent),
                "label": f"{text_so_far}: {score}, {names[hypothesis.state]}",
            })  # fmt: skip
        columns.append(column)
        parent_rows = rows
    return columns[: len(steps) - prefix_length]


def _tree_note(steps: Steps) -> str:
    if steps.written.score is None:
        return ""
    return _(
        "Below each token stands the sum of log-probabilities up to it. Of every step the best {0} go on; dashed ones "
        "were dropped, double frames are finished. The text with the best sum per length wins: {1}."
    ).format(steps.method.width, local_number(f"{steps.written.score:.2f}"))
