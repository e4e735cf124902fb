"""The commands of `attnviz`, one module each; `attnviz/__main__.py` chooses between them."""
