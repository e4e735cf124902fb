"""Which models may be asked for: in public those of the list, in private use any.

A name that strangers typed never reaches the file system or the Hub: it is looked up in the list first.
"""

from __future__ import annotations

import os

from attnviz.errors import NotOfferedError
from attnviz.serving.limits import limits


def may_choose_freely() -> bool:
    """Whether any folder and any Hub id may be asked for."""
    return not limits().public


def offered_names() -> tuple[str, ...]:
    """What the models of the list are called, in its order; none where nobody made a list."""
    return tuple(limits().offered)


def model_source(name: str, revision: str | None = None) -> tuple[str, str | None]:
    """What a model is loaded by: a folder, a Hub id or "bundled", and a revision.

    Args:
        name: what it is called, as somebody typed it or a link has it.
        revision: of a Hub id; on a public server it has to stand in the list together with the name.

    Raises:
        NotOfferedError: on a public server, a name that is not on the list.

    >>> model_source("bundled")
    ('bundled', None)
    """
    listed = limits().offered
    whole = f"{name}@{revision}" if revision else name
    if whole in listed:
        source = listed[whole]
        if os.path.isdir(os.path.expanduser(source)):
            return source, None
        identifier, _at, listed_revision = source.partition("@")
        return identifier, listed_revision or None
    if limits().public:
        raise NotOfferedError(
            "This server shows these models: {0}. Choose one of them; another one can be seen with attnviz on your own "
            "computer.",
            ", ".join(listed),
        )
    return name, revision
