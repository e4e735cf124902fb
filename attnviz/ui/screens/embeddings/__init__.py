"""Embeddings: words as points, and how the model tells positions apart."""
