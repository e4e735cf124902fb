"""What the attention of the text on the screen costs, and what that of longer texts would."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from attnviz.attention.cost import LENGTHS, cost, readable
from attnviz.ui.shell.messages import _, local_count, local_number

if TYPE_CHECKING:
    from attnviz.models.recording.recording import Recording


def cost_button(recording: Recording, kind: str) -> None:
    """A button that opens a small table; drawn from sizes alone, so it costs nothing itself.

    Args:
        recording: what is on the screen.
        kind: the attention that is counted.
    """
    layers, heads, queries, keys = recording.size(kind)
    # Where only weights are known: as if each head had 64 numbers, which most have, and keys of its own.
    key_heads, head_dim = recording.vector_size(kind) or (heads, 64)
    now = cost(queries, keys, layers=layers, heads=heads, key_heads=key_heads, head_dim=head_dim)
    label = _("{0} weights").format(local_count(now.weights))
    with st.popover(label, icon=":material/calculate:", type="tertiary", key="costs"):
        st.markdown(
            _("**{0} × {1} tokens × {2} heads × {3} layers = {4} attention weights** on this page.").format(
                queries, keys, heads, layers, local_number(f"{now.weights:,}")
            )
        )
        rows = [now] + [
            cost(n, n, layers=layers, heads=heads, key_heads=key_heads, head_dim=head_dim)
            for n in LENGTHS
            if n > max(queries, keys)
        ]
        st.table(
            {
                _("tokens"): [local_number(f"{row.keys:,}") for row in rows],
                _("weights"): [local_count(row.weights) for row in rows],
                _("all of them"): [local_number(readable(row.bytes, "B")) for row in rows],
                _("queries and keys"): [local_number(readable(row.query_key_bytes, "B")) for row in rows],
            },
            hide_index=True,
        )
        st.markdown(
            _(
                "Twice the tokens make four times the weights. So attnviz keeps queries and keys, which only double, "
                "and computes a head's weights when you look at it, a block of rows at a time: no more than 16 MiB of "
                "them exist at once, however long the text is."
            )
        )
