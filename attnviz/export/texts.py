"""The words that a picture writes beside the tokens: English here, and whatever an app passes in their place."""

from __future__ import annotations

from attnviz.errors import Message

TEXTS: tuple[Message, ...] = (
    # Axes and legends.
    Message("query"),
    Message("key"),
    Message("hidden"),
    Message("attention weight"),
    Message("attention weight, of each panel's largest"),
    Message("difference of attention weights"),
    Message("difference of attention weights, of each panel's largest"),
    # Headings.
    Message("max"),
    Message("mean"),
    Message("rollout"),
    Message("encoder"),
    Message("decoder"),
    Message("cross"),
    Message("JS divergence {0}"),
    Message("max {0}"),
    # The caption.
    Message("model {0}"),
    Message("{0} attention"),
    Message("by words"),
    Message("special tokens hidden"),
    Message("hidden: {0}"),
    Message("rows averaged: {0}"),
    Message("underlined: written by the model"),
    Message("rows renormalised"),
    Message("one scale for all panels"),
    Message("each panel on its own scale"),
    Message("colours by the square root of the weight"),
    Message("first position hidden"),
    Message("without the weakest {0} lines"),
    # The page that is an export.
    Message("{0}: numbers as a table"),
    Message("Rows are queries, columns are keys."),
    Message("Point at the picture, or go through it with the arrow keys, to read its numbers."),
    Message("Point at the picture, or go through it with the arrow keys, page up and page down, to read its numbers."),
)
"""Templates with {0} where a value goes; `Picture.texts` may have another text for each."""
