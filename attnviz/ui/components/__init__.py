"""Parts of a page that are our own: each a Python module with the program and the style beside it."""
