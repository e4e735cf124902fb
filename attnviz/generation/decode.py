"""From a `Writer` and a method to a whole text, and the next token of one text."""

from __future__ import annotations

from collections.abc import Sequence

from attnviz.errors import TooLongError
from attnviz.generation.beam_search import search
from attnviz.generation.result import Written
from attnviz.generation.sampling import GREEDY, Distribution, Method
from attnviz.generation.writer import Writer
from attnviz.models.model import Model


def next_token(model: Model, source_ids: Sequence[int], prefix_ids: Sequence[int] = ()) -> Distribution:
    """What a model says comes next.

    Args:
        model: an encoder–decoder or a decoder.
        source_ids: the source, or the text to be continued, with special tokens.
        prefix_ids: what has been written, without the decoder's start token.

    Raises:
        InputError: the model writes nothing, or an id is not in its vocabulary.
    """
    writer = Writer(model, source_ids)
    return writer.next(writer.check_prefix(prefix_ids))


def decode(writer: Writer, prefix: Sequence[int] = (), method: Method = GREEDY, limit: int | None = None) -> Written:
    """Goes on from a prefix until the end token or a limit.

    Args:
        writer: what writes.
        prefix: what is written already, without the start token.
        method: how each next token is chosen.
        limit: the most tokens that are written, the prefix included; `writer.most` where None.

    Returns:
        The whole text, beginning with the prefix. It is what transformers' `generate` writes, except that no end token
        is forced upon a text that reaches the limit.

    >>> writer = Writer(model, [token.id for token in model.record("De kat zit op de mat.").key_tokens("cross")])
    >>> model.tokenizer.decode(decode(writer).ids, skip_special_tokens=True)
    'The cat is on the mat.'
    """
    ids = writer.check_prefix(prefix)
    limit = writer.most if limit is None else max(min(limit, writer.most), len(ids))
    if limit < 1:
        raise TooLongError("The text fills all positions of {0}. Shorten it by a token or more.", writer.model.name)
    if method.name == "beam":
        return search(writer, ids, method, limit)
    written = list(ids)
    while len(written) < limit and not writer.is_finished(written):
        written.append(method.choose(writer.constrain(written, writer.next(written)), len(written)))
    return Written(tuple(written), len(ids), writer.end_reason(written))
