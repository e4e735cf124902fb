"""Seeing what an attention layer is given while it computes, and whether that explains what it puts out."""
