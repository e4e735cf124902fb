"""A network as attnviz sees it: how its attention is captured, and the recording that comes of it."""
