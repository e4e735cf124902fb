"""What a model writes next: distributions, ways to choose from them, and the text that comes of it."""
