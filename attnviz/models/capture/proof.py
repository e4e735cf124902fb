"""Whether weights are those that a layer computes with: multiplied with its values they give its own output.

The trial in `recording/capture_plan.py` reads a few tokens. What a model does only with longer texts (windows, sparse
blocks, chosen keys) is proved here, with every recording: for one head of a layer and a few of its queries, so that it
costs next to nothing.

- What was captured has its values: `is_proved` compares at once.
- Where the weights come from the model's own eager attention, the trial finds out by comparing numbers where in the
  layer the values and the output pass by (`find_sources`); later passes collect them there (`collect_tensors`). A layer
  that divides, gates or mixes on the way shows neither: there is nothing to compare with, and it is not in the list.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, product
from operator import itemgetter
from typing import Any

import torch
from torch import Tensor, nn

from attnviz.attention import dot_product
from attnviz.attention.blockwise import Rule
from attnviz.errors import Message, NoAttentionError

QUERIES = 4
"""How many queries of a head are compared."""

MOST_COMPARED = 1 << 22
"""How many pairs of numbers are compared at once, in the search for what a head puts out."""


def is_proved(query: Tensor, key: Tensor, value: Tensor, rule: Rule, output: Tensor) -> Tensor:
    """Whether a layer's rule gives what its fast path gave, for one head and a few queries.

    Args:
        query: (heads, queries, head_dim).
        key, value: (key_heads, keys, head_dim or value_dim).
        rule: what else decides the weights.
        output: (queries, heads, value_dim), what the layer's heads put out.

    Returns:
        A boolean tensor without axes; nobody waits for the accelerator until it is looked at.
    """
    head = query.shape[0] // 2
    group = head // (query.shape[0] // key.shape[0])
    rows, one = _some_rows(query.shape[1]), slice(head, head + 1)
    weights = rule.weights(query[one, rows], key[group : group + 1], rows, one)[0]
    return _same(weights, value[group], output[rows, head])


def _some_rows(queries: int) -> slice:
    """A few queries, evenly spread, the last one among them."""
    step = max(1, queries // QUERIES)
    return slice((queries - 1) % step, queries, step)


def _same(weights: Tensor, value: Tensor, output: Tensor) -> Tensor:
    """Whether weights (…, queries, keys) times values (…, keys, dim) are outputs (…, queries, dim), but for rounding:
    a boolean for each of the first axes."""
    expected, got, value = dot_product.output(weights.float(), value.float()), output.float(), value.float()
    # What attends to many tokens puts out little, so a share of the output is asked for, not of the values. Rows
    # that may see no key are left out: attention functions differ in what they give there.
    share, floor = (1e-2, 1e-4) if torch.finfo(output.dtype).bits >= 32 else (0.1, 1e-2)
    most = share * expected.norm(dim=-1) + floor * value.norm(dim=-1).amax(dim=-1, keepdim=True)
    attending = weights.sum(dim=-1) > 0
    return (((expected - got).norm(dim=-1) <= most) | ~attending).all(dim=-1)


@dataclass(frozen=True, slots=True)
class Source:
    """Where one head's values and output pass by in a layer that computes its attention in code of its own.

    Attributes:
        kind, layer, head: whose.
        value: the path of the module whose output holds the values, and the first of their columns in it.
        output: the path of a module, whether what it reads (else what it gives) holds the head's output, and the
            first of its columns.
        width: how many columns both have.
    """

    kind: str
    layer: int
    head: int
    value: tuple[str, int]
    output: tuple[str, bool, int]
    width: int


Watched = Mapping[tuple[str, bool], Sequence[tuple[int, int]]]
"""By module, and whether what it reads is meant: the first columns that are kept, and how many each."""


@dataclass(slots=True)
class Passing:
    """What passes by at chosen modules, by path and whether a module reads (True) or gives it (False).

    Attributes:
        tensors: (tokens, columns), of modules that are watched as a whole.
        parts: likewise, and by its first column, a head's columns alone. They are copies: a whole tensor that is kept
            lets the next layers ask for new memory, which costs more than all that is computed here.
    """

    tensors: dict[tuple[str, bool], Tensor] = field(default_factory=dict)
    parts: dict[tuple[str, bool, int], Tensor] = field(default_factory=dict)

    def keys(self) -> set[tuple[str, bool]]:
        """The modules at which something passed by."""
        return {*self.tensors, *(part[:2] for part in self.parts)}

    def product(self, source: Source, weights: Tensor) -> tuple[Tensor, Tensor, Tensor] | None:
        """A few rows of a head's weights, its values, and what it put out for these rows; None where nothing passed by.

        Args:
            source: where it passes by.
            weights: (heads, queries, keys) of the layer.
        """
        value = self.parts.get((source.value[0], False, source.value[1]))
        output = self.parts.get(source.output)
        if value is None or output is None:
            return None
        queries, keys = weights.shape[1:]
        rows = _some_rows(queries)
        # Some models fill a text up inside; what they add stands behind it.
        if value.shape[0] < keys or output.shape[0] < queries:
            return None
        return weights[source.head, rows], value[:keys], output[:queries][rows]


@contextlib.contextmanager
def collect_tensors(network: nn.Module, paths: Watched | None) -> Iterator[Passing]:
    """Collects, while the context is open, the tensors that modules read (True) and give (False) in forward passes.

    Args:
        network: whose modules.
        paths: the paths of those that are watched, each with which of the two, and which columns are kept; None for
            all of both, as a whole.
    """
    passing, handles = Passing(), []
    modules = dict(network.named_modules(remove_duplicate=False))
    wanted = [(path, reads) for path in modules for reads in (True, False)] if paths is None else list(paths)
    for path, reads in wanted:
        if path in modules:
            handles.append(
                modules[path].register_forward_hook(
                    _keeper(passing, path, reads, (paths or {}).get((path, reads))), with_kwargs=True
                )
            )
    try:
        yield passing
    finally:
        for handle in handles:
            handle.remove()


def watched_columns(sources: Sequence[Source]) -> Watched:
    """What a pass has to collect for the sources to be compared."""
    watched: dict[tuple[str, bool], list[tuple[int, int]]] = {}
    for source in sources:
        for path, reads, first in ((source.value[0], False, source.value[1]), source.output):
            watched.setdefault((path, reads), []).append((first, source.width))
    return watched


def _keeper(passing: Passing, path: str, reads: bool, columns: Sequence[tuple[int, int]] | None) -> Callable[..., None]:
    def keep(module: nn.Module, arguments: tuple[Any, ...], keywords: dict[str, Any], result: Any) -> None:
        candidates = (*arguments, *keywords.values()) if reads else (result if isinstance(result, tuple) else (result,))
        first = next((item for item in candidates if isinstance(item, Tensor) and item.is_floating_point()), None)
        if first is not None and (rows := _rows(first)) is not None:
            if columns is None:
                passing.tensors[path, reads] = rows.detach()
            for start, width in columns or ():
                passing.parts[path, reads, start] = rows[:, start : start + width].detach().clone()

    return keep


def _rows(tensor: Tensor) -> Tensor | None:
    """(tokens, columns) of what a module reads or gives for one text; None where it has no such form."""
    while tensor.ndim >= 3 and tensor.shape[0] == 1:
        tensor = tensor[0]
    if tensor.ndim >= 3 and tensor.shape[1] == 1:
        tensor = tensor[:, 0]  # tokens before texts, as XLNet has it
    return tensor.flatten(1) if tensor.ndim >= 2 else None


def find_sources(passing: Passing, maps: Mapping[str, Sequence[Tensor]]) -> tuple[Source, ...]:
    """Where the values and the output of one head of each layer pass by, found by comparing numbers.

    Args:
        passing: all that passed by in one short pass.
        maps: by kind, the (heads, queries, keys) weights of each layer in that pass.
    """
    sources = []
    values = [(path, rows.float()) for (path, reads), rows in passing.tensors.items() if not reads]
    outputs: dict[tuple[int, int], list[_Output]] = {}
    for kind, layers in maps.items():
        for layer, weights in enumerate(layers):
            heads, queries, keys = weights.shape
            if (heads, queries) not in outputs:
                outputs[heads, queries] = list(_outputs(passing, weights))
            for path, value in values:
                if value.shape[0] != keys:
                    continue
                source = _match(outputs[heads, queries], path, value, weights, (kind, layer))
                if source is not None:
                    sources.append(source)
                    break
    return tuple(sources)


@dataclass(frozen=True, slots=True)
class _Output:
    """Columns of what a module reads or gives that may be what one head puts out.

    Attributes:
        columns: the module's path, whether it reads them, and the first of the columns.
        own: (queries, width), the columns themselves.
        most: how far a number may be from one of theirs that is taken for the same.
    """

    columns: tuple[str, bool, int]
    own: Tensor
    most: float


def _outputs(passing: Passing, weights: Tensor) -> Iterator[_Output]:
    """Everything that may be the output of the middle head of a layer with such weights (heads, queries, keys)."""
    heads, queries, _ = weights.shape
    closeness = 1e-4 if torch.finfo(weights.dtype).bits >= 32 else 3e-2
    # What a module reads are the heads alone, or with as many columns of something else behind them, as in ConvBERT.
    for ((path, reads), output), together in product(passing.tensors.items(), (heads, 2 * heads)):
        columns = output.shape[-1]
        width = columns // together
        if output.shape[0] != queries or columns % together or width == 0:
            continue
        start = heads // 2 * width
        own = output[:, start : start + width].float()
        yield _Output((path, reads, start), own, closeness * float(own.abs().max()))


def _match(
    outputs: Sequence[_Output], path: str, values: Tensor, weights: Tensor, whose: tuple[str, int]
) -> Source | None:
    """The source whose values pass by in the module at `path`; None where no output fits them."""
    heads, queries, keys = weights.shape
    head = heads // 2
    mixed, mean = weights[head].float() @ values, values.mean(dim=0)  # (queries, columns): all that may be its output
    for output, first in _places(outputs, mixed):
        own, part = output.own, slice(first, first + output.own.shape[1])
        if mixed[:, part].shape != own.shape or float((mixed[:, part] - own).abs().max()) > output.most:
            continue
        # Vectors that are alike for all tokens, or a query that sees itself alone, fit any output: no proof.
        others = [mean[part], values[-queries:, part]] if keys >= queries else [mean[part]]
        if all(float((other - own).abs().max()) > 10 * output.most for other in others):
            return Source(*whose, head, (path, first), output.columns, own.shape[1])
    return None


def _places(outputs: Sequence[_Output], mixed: Tensor) -> Iterator[tuple[_Output, int]]:
    """Which outputs may begin at which columns of `mixed` (queries, columns), by their first column alone.

    There are many modules, and most of their matrices are wide: one number of each output, that of the last query, is
    compared with all columns at once, and the rest of its first column only where that one fits.
    """
    step = max(1, MOST_COMPARED // mixed.shape[1])
    for start in range(0, len(outputs), step):
        some = outputs[start : start + step]
        corners = torch.stack([output.own[-1, 0] for output in some])
        most = corners.new_tensor([output.most for output in some])
        near = ((mixed[-1] - corners[:, None]).abs() <= most[:, None]).nonzero().tolist()
        for at, places in groupby(near, key=itemgetter(0)):
            output, columns = some[at], [column for _, column in places]
            fits = (mixed[:, columns] - output.own[:, :1]).abs().amax(dim=0) <= output.most
            yield from ((output, column) for column, same in zip(columns, fits.tolist(), strict=True) if same)


def check(
    sources: Sequence[Source], passing: Passing, maps: Mapping[str, Sequence[Tensor]], name: str, tokens: int
) -> None:
    """Raises NoAttentionError where weights do not give the output of their layer.

    Args:
        sources: what is compared, from the trial.
        passing: what passed by.
        maps: by kind, the (heads, queries, keys) weights of each layer.
        name: of the model, for the error.
        tokens: how long the text is, for the error.
    """
    products = {source: passing.product(source, maps[source.kind][source.layer]) for source in sources}
    # Layers of one shape together: on a short text each call costs more than what it computes.
    alike: dict[object, list[Source]] = {}
    for source, parts in products.items():
        alike.setdefault(parts and (source.kind, *(part.shape for part in parts)), []).append(source)
    for shape, group in alike.items():
        known = zip(*(parts for source in group if (parts := products[source]) is not None), strict=True)
        proved = _same(*map(torch.stack, known)).tolist() if shape else [False] * len(group)
        for source, equal in zip(group, proved, strict=True):
            if not equal:
                raise unproved_error(name, tokens, source.kind, source.layer)


def unproved_error(name: str, tokens: int, kind: str, layer: int) -> NoAttentionError:
    """The error for weights that do not give the output of their layer."""
    return NoAttentionError(
        "At {0:,} tokens, the {1} weights of layer {2} of {3} times its values are not what the layer puts out, so "
        "they would show something else than the model computes. Shorten the text, or choose another model for texts "
        "of this length.",
        tokens,
        Message("{0} attention", kind),
        layer,
        name,
    )
