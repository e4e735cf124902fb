"""Why does it look there: what made a score, as bars, largest first; opened by a reader who asks."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from attnviz.errors import AttnvizError
from attnviz.figures import style
from attnviz.typography import set_power
from attnviz.ui.components.page.ready import theme
from attnviz.ui.shell.errors import as_markdown
from attnviz.ui.shell.messages import _, local_number, ngettext, translate

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from attnviz.attribution import ScoreSplit
    from attnviz.models.recording.recording import Recording
    from attnviz.ui.controls.page_header import Text
    from attnviz.ui.shell.models import Loaded

KEY = "why"  # of the line that opens it, and its name in the address
MOST_BARS = 10


def why_expander() -> DeltaGenerator | None:
    """The line that asks; what it opens into, or None while it is closed. Nothing is computed until then."""
    opened = st.expander(_("Why does it look there?"), key=KEY, on_change="rerun", bind="query-params")
    return opened if opened.open else None


def is_asked() -> bool:
    """Whether the line is open, before it is drawn: the first run of a link knows it from the address alone."""
    return bool(st.session_state.get(KEY, st.query_params.get(KEY) == "true"))


def stored_split(
    loaded: Loaded, recording: Recording, text: Text, kind: str, layer: int, head: int, query: int, key: int
) -> ScoreSplit:
    """What the score of a query and a key is made of, computed once; `text` is what was recorded."""
    from attnviz.attribution import split_score

    return loaded.cache.get(
        ("score parts", *text, kind, layer, head, query, key),
        lambda: split_score(loaded.model, recording, kind, layer=layer, head=head, query=query, key=key),
    )


def draw_score_parts(split: Callable[[], ScoreSplit], asker: str, answerer: str, weight: float) -> None:
    """Draws what the score of two words is made of into the current container; where it cannot be split, says why.

    Args:
        split: computes it.
        asker, answerer: what the words of the query and of the key are called.
        weight: what softmax made of the score, in [0, 1].
    """
    try:
        made = split()
    except AttnvizError as error:
        st.info(as_markdown(translate(error.message)), icon=":material/info:")
        return
    st.markdown(
        _("{0} gives {1} the score {2}, which becomes a weight of {3}. This is what the score is made of:").format(
            f"**{as_markdown(asker)}**",
            f"**{as_markdown(answerer)}**",
            _number(made.score),
            local_number(f"{weight:.2f}"),
        )
    )
    largest = made.largest(MOST_BARS)
    sides = {"query": _("query's side"), "key": _("key's side"), "both": ""}
    rows = [(translate(part.name), sides[part.side], part.value) for part in largest]
    rest = len(made.parts) - len(largest)
    if rest:
        others = sum(part.value for part in made.parts) - sum(part.value for part in largest)
        rest_name = ngettext("everything else ({0} part)", "everything else ({0} parts)", rest).format(rest)
        rows.append((rest_name, "", others))
    st.html(Path(__file__).with_suffix(".css"))
    st.html(_table(rows, made.score))
    st.caption(
        _(
            "A score multiplies what the query's side and the key's side hold, so each product counts half for either. "
            "The lengths by which normalisations divide are held as they were in this text."
        )
    )
    miss = local_number(set_power(made.residue)) if made.residue else "0"
    st.caption(":material/check_circle: " + _("The parts add up to the score; they miss it by {0}.").format(miss))


def _table(rows: Sequence[tuple[str, str, float]], total: float) -> str:
    """The bars, from a common zero; numbers stand beside them, so that it is a table for those who do not see bars."""
    low, high = (limit([0.0, *(value for *_names, value in rows)]) for limit in (min, max))
    span = (high - low) or 1.0
    colours = style.diverging_colours(theme())
    body = []
    for name, side, value in rows:
        left, width = (min(value, 0.0) - low) / span, abs(value) / span
        colour = colours[-4] if value >= 0 else colours[3]
        bar = f'<i style="left:{left:.2%};width:{width:.2%};background:{colour}"></i>'
        zero = f'<b style="left:{-low / span:.2%}"></b>'
        title = f'<th scope="row">{html.escape(name)} <small>{html.escape(side)}</small></th>'
        number = f'<td class="attnviz-parts-number">{_number(value, signed=True)}</td>'
        body.append(f'<tr>{title}<td class="attnviz-parts-bar"><div>{bar}{zero}</div></td>{number}</tr>')
    title = html.escape(_("What the score is made of, largest first"))
    return (
        f'<table class="attnviz-parts" aria-label="{title}"><tbody>{"".join(body)}</tbody><tfoot><tr>'
        f'<th scope="row">{html.escape(_("together, the score"))}</th><td></td>'
        f'<td class="attnviz-parts-number">{_number(total)}</td></tr></tfoot></table>'
    )


def _number(value: float, *, signed: bool = False) -> str:
    text = f"{value:+.3f}" if signed else f"{value:.3f}"
    return local_number("0.000" if float(text) == 0 else text)
