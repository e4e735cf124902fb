"""Compare: heads, sentences and models side by side."""
