"""The text that the bundled model learns from, and its vocabulary."""
