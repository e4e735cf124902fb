"""Heads, the home page: what is shown of one head."""
