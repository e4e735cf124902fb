"""The page Why this word: what each word contributed to a prediction, by several methods, and how far to trust them."""
