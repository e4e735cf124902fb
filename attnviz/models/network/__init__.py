"""A network of transformers as attnviz runs it: what it reads, what it is wrapped in, whose turn it is."""
