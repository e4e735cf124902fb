"""What the page says of a map, of a passage and of a link."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnviz.tokenization.passages import Passage
from attnviz.ui.shell.messages import _, local_count, local_number, local_percent, ngettext
from attnviz.ui.shell.visits import waiting_text

if TYPE_CHECKING:
    from attnviz.ui.screens.long_text.recording_run import Run
    from attnviz.ui.screens.long_text.regions import Shown


def short_number(value: float) -> str:
    """Two digits that count: "3.2", "0.041", "120"."""
    digits = 0 if value >= 10 else 1 if value >= 1 else min(6, 1 - int(np.floor(np.log10(max(value, 1e-6)))))
    return local_number(f"{value:,.{digits}f}")


def percent(share: float) -> str:
    """A share with two digits that count."""
    return local_percent(short_number(100 * share).replace("−", "-"))


def passage_at(passages: Sequence[Passage], token: int) -> Passage:
    """The passage of a token."""
    return next((one for one in passages if one.stop > token), passages[-1])


def map_summary(name: str, shown: Shown, queries: Sequence[Passage], keys: Sequence[Passage], way: str) -> str:
    """What a region shows: its scale, and its strongest cell."""
    region = shown.region
    row, column, value = shown.strongest()
    first, second = (
        passage_at(passages, int(edges[cell])).label
        for passages, edges, cell in ((queries, shown.row_edges, row), (keys, shown.column_edges, column))
    )
    scale = {
        "lift": _("colours: how many times an even spread"),
        "share": _("colours: share of the attention"),
        "root": _("colours: share of the attention, by its square root"),
    }[way]
    size = _("{0}: {1} × {2} tokens in {3} × {4} cells; {5}.").format(
        name, local_count(region.stop - region.first), local_count(region.key_stop - region.key_first),
        *map(local_number, map(str, shown.values.shape)), scale,
    )  # fmt: skip
    if value <= 0:
        return f"{size} {_('Nothing is looked at here.')}"
    much = _("{0} times an even spread").format(short_number(value)) if way == "lift" else percent(value)
    return f"{size} " + _("Strongest here: “{0}” looks at “{1}”, {2}.").format(first, second, much)


def passage_says(passages: Sequence[Passage], index: int | None, *, received: bool) -> str:
    """What the colours of the text say."""
    if index is None:
        return _("The stronger the colour, the more it is looked at. Click on a passage to see what it looks at.")
    label = passages[index].label
    return (
        _("Coloured: what looks at “{0}”.").format(label)
        if received
        else _("Coloured: what “{0}” looks at.").format(label)
    )


def progress_text(run: Run, layers: int) -> str:
    """How far a recording is."""
    tokens, size, share, seconds = run.tokens, run.bytes, run.share, time.monotonic() - run.started
    if run.before:
        return waiting_text(run.before)
    if tokens is None:
        return _("Reading the text …")
    about = ngettext("{0} token", "{0} tokens", tokens).format(local_count(tokens))
    if size:
        about += ", " + _("about {0} GB of memory").format(short_number(size / 1e9))
    layer = min(layers, int(share * layers) + 1)
    done = _("{0} – layer {1} of {2}").format(about, layer, layers)
    if share > 0.02 and seconds > 3:
        left = seconds * (1 - share) / share
        done += ", " + _("about {0} s to go").format(local_count(max(1, round(left))))
    return done
