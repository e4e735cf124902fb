"""What the page's files hold: the cells of the region that is shown, and the strongest links."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnviz.ui.screens.long_text.payload import HeadMap
from attnviz.ui.shell.messages import _

if TYPE_CHECKING:
    from attnviz.export import Picture
    from attnviz.export.tables import Table
    from attnviz.ui.screens.long_text.address import Region

PICTURE_CELLS = 128
"""Rows and columns of a picture in a file; each is a shape of its own there."""


def long_text_tables(shown: HeadMap, region: Region) -> list[Table]:
    """The cells of a region, in long form, and the links where they are computed."""
    from attnviz.export.tables import Table

    cells = shown.region(region)
    rows, columns = np.indices(cells.values.shape).reshape(2, -1)
    value = _("share") if shown.reduce == "share" else _("times an even spread")
    edges = {
        _("query, first"): cells.row_edges[rows],
        _("query, last"): cells.row_edges[rows + 1] - 1,
        _("key, first"): cells.column_edges[columns],
        _("key, last"): cells.column_edges[columns + 1] - 1,
    }
    columns_of = {name: [int(one) for one in numbers] for name, numbers in edges.items()}
    tables = [Table(_("Cells"), {**columns_of, value: [float(one) for one in cells.values.ravel()]})]
    if shown.has_links:
        links = shown.links()
        queries, keys = shown.recording.query_tokens(shown.kind), shown.recording.key_tokens(shown.kind)
        tables.append(
            Table(
                _("Strongest links"),
                {
                    _("query"): [link.query for link in links],
                    _("key"): [link.key for link in links],
                    _("token that looks"): [queries[link.query].text for link in links],
                    _("token looked at"): [keys[link.key].text for link in links],
                    _("weight"): [link.weight for link in links],
                },
            )
        )  # fmt: skip
    return tables


def region_picture(shown: HeadMap, region: Region, settings: dict[str, str]) -> Picture:
    """The region as a map of groups of tokens, for files."""
    from attnviz import export
    from attnviz.attention.attention_map import AttentionMap
    from attnviz.attention.pooled_maps import pool_tokens
    from attnviz.ui.components.page.ready import theme

    recording, kind = shown.recording, shown.kind
    rows, columns = (region.first, region.stop), (region.key_first, region.key_stop)
    pooled = recording.pooled_region(kind, shown.layer, shown.head, PICTURE_CELLS, "share", rows, columns)
    queries, keys = (
        pool_tokens(tokens[slice(*part)], PICTURE_CELLS)
        for tokens, part in ((recording.query_tokens(kind), rows), (recording.key_tokens(kind), columns))
    )
    map = AttentionMap.of(
        pooled.values.clamp_max(1.0).numpy(),
        queries,
        keys,
        hidden_mass=(pooled.hidden_mass + pooled.outside).clamp(0.0, 1.0).numpy(),
        **recording.origin(kind, shown.layer, shown.head),
    )
    settings = {**settings, "region": region.written}
    return export.Picture((map,), scale="head", theme=theme(), settings=settings)
