"""The numbers of the page as tables, for files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from attnviz.tokenization.token import labels
from attnviz.ui.components.explanation.explanation_wording import method_name
from attnviz.ui.shell.messages import _

if TYPE_CHECKING:
    from attnviz.attribution import Attribution, AttributionMatrix, Faithfulness
    from attnviz.export.tables import Table


def attribution_tables(
    results: Sequence[Attribution], falls: Sequence[Faithfulness], matrix: AttributionMatrix | None = None
) -> list[Table]:
    """What each method says of each token, of each word of a translation, and how the prediction falls."""
    from attnviz.export.tables import Table

    first = results[0]
    columns: dict[str, list[str | float]] = {_("token"): list(labels(first.tokens))}
    for result in results:
        columns.setdefault(method_name(result.method), [float(value) for value in result.values])
    tables = [Table(_("Contributions"), columns)]
    if matrix is not None:
        rows: dict[str, list[str | float]] = {_("word"): list(labels(matrix.target_tokens))}
        for at, name in enumerate(labels(matrix.source_tokens)):
            rows.setdefault(name, [float(value) for value in matrix.values[:, at]])
        tables.append(Table(f"{_('Whole translation')} · {method_name(matrix.method)}", rows))
    for result, fall in zip(results, falls, strict=False):
        names = labels(result.tokens)
        gone = [" ".join(names[at] for at in fall.order[:count]) for count in fall.counts]
        columns = {
            _("taken away"): list(gone),
            _("probability"): fall.removed.tolist(),
            _("random order"): fall.random.mean(axis=0).tolist(),
        }
        if fall.best is not None:
            columns[_("best order found")] = fall.best.tolist()
        tables.append(Table(f"{_('Probability without words')} · {method_name(result.method)}", columns))
    return tables
